/* headers: what the refresh cookie needs of a request's headers and of a reply's (RFC 6265, RFC 6454). Pure.
 */
#pragma once
#include "base/config.h"
#include "base/memory.h"

#define REFRESH_COOKIE "aipoten_refresh"

/* The value of a cookie in a Cookie header; data NULL when it is not there. The first one counts when it is
 * there twice. */
text_t cookie_find(text_t header, text_t name);
/* The Set-Cookie value of the refresh token; an empty token with max_age 0 takes the cookie away. */
text_t refresh_cookie(arena_t *, text_t token, int64_t max_age_seconds);
/* May a page of this origin use the cookie? One of the configured origins, or https at the host that was
 * asked. No Origin header (data NULL) is a no: every browser sends one with a POST. */
bool origin_allowed(const config_list_t *allowed, text_t origin, text_t host);
/* A User-Agent as it may stand in the list of sessions: printable ASCII, 200 characters at most; data NULL
 * when nothing is left. */
text_t agent_label(arena_t *, text_t user_agent);
