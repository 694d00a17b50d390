/* render: the words of a mail: templates, which stand in templates/NAME.LANGUAGE and are compiled in, with a request's values in
 * their places. Pure.
 *
 *     Subject: …                   one line, without places: nothing that somebody sent stands in a subject
 *     (text)                       {name}, {link}, and the fields that the template's row names
 *     ----
 *     (HTML)                       the same places; values are escaped; templates/layout is around it
 *
 * A place that nothing fills is an error of who asked for the mail, and so is a value with control characters: they are left out. */
#pragma once
#include "messages.h"

typedef struct {
    text_t subject, text, html;
} words_t;

/* NULL, or what is wrong with a template: at start, and in a test. */
const char *render_check(void);
/* NULL, or the name of what is missing ("token"). `base_url` is the origin of links; bytes in the arena. */
const char *render(arena_t *, enum mail_template, enum language, const mail_content_t *, const char *base_url, words_t *out);
