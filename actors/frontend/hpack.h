/* hpack: the header blocks of HTTP/2, where libh2o's own way is wrong or slow. */
#pragma once
#include <h2o.h>

/* Panics when the library has one of the functions no longer. Before the first connection. */
void hpack_open(void);
/* Fields of this name (compared by its address) are never put into a connection's table: their values are always others. */
void hpack_fleeting(const h2o_iovec_t *name);
