/* markup: writes HTML and SVG that is well-formed whatever is put into it: each text and each attribute's value is escaped here and
 * nowhere else, and what was opened is closed in order (else a panic). What it writes is XML as well, so that tests can read it with
 * a strict parser. Pure. */
#pragma once
#include "memory.h"

enum { MARKUP_DEPTH = 24 };

/* All zero is a page that nothing was written to. */
typedef struct {
    buffer_t out;
    const char *open[MARKUP_DEPTH]; /* names of the elements around what comes next */
    int depth;
    bool in_tag; /* attributes may follow */
} markup_t;

/* "<!DOCTYPE html>", first of all. */
void markup_doctype(markup_t *);
void markup_open(markup_t *, const char *name);
/* Of the element that was just opened. */
void markup_attribute(markup_t *, const char *name, text_t value);
/* 125 is "12.5": lengths in a drawing are whole tenths. */
void markup_tenths(markup_t *, const char *name, int64_t tenths);
void markup_text(markup_t *, text_t);
/* The innermost element, which must be this one. */
void markup_close(markup_t *, const char *name);
/* An element with nothing but this text. */
void markup_element(markup_t *, const char *name, text_t);
/* The style sheet, as it is: ours, never a client's. */
void markup_style(markup_t *, text_t css);
/* The whole, into the arena; the writer is empty again. Panics when something is still open. */
text_t markup_finish(markup_t *, arena_t *);

/* What one of the five characters of HTML becomes (13.3, also within quotes); NULL: it stays. */
const char *markup_escape(char);

/* An element with a class, open. */
static inline void markup_open_class(markup_t *markup, const char *name, const char *class)
{
    markup_open(markup, name);
    markup_attribute(markup, "class", text_of(class));
}
