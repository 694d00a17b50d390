/* reply: the founding document's envelopes, written by the row's output fields, so that an answer cannot differ from its
 * documentation. */
#include "internal.h"
#include "cached.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/panic.h"
#include <stdio.h>

void reply_reset(job_t *job)
{
    job->status = 0;
    job->error = ERROR_NONE;
    job->header_count = 0;
    job->body.length = 0;
}

/* What an actor asked is answered to it in msgpack: the output alone, or an error's code. */
static bool for_actor(const job_t *job)
{
    return job->call.endpoint != NULL && job->call.endpoint->internal;
}

static void success_begin(job_t *job)
{
    insist(!job->system && !job->status);
    const endpoint_t *endpoint = job->call.endpoint;
    job->status = endpoint->status ? endpoint->status : 200;
    if (for_actor(job))
        return;
    buffer_add_text(&job->body, TEXT("{\"success\":true,\"data\":"));
}

void reply_value(call_t *call, const void *value)
{
    job_t *job = job_of(call);
    success_begin(job);
    insist(call->endpoint->output && call->endpoint->shape == SHAPE_ONE);
    if (for_actor(job)) {
        message_pack(call->endpoint->output, value, &job->body);
        return;
    }
    message_json(call->endpoint->output, value, &job->body);
    buffer_add_text(&job->body, TEXT(",\"meta\":{}}"));
}

static void insist_output(const call_t *call, const rows_t *rows)
{
    const message_t *output = call->endpoint->output, *row = rows->statement->row;
    if (!output || !row || strcmp(output->name, row->name) != 0)
        panic("%s answers %s, statement %s gives %s", call->endpoint->operation, output ? output->name : "nothing",
            rows->statement->name, row ? row->name : "nothing");
}

void reply_row(call_t *call, const rows_t *rows)
{
    insist_output(call, rows);
    reply_value(call, row_or_404(call, rows));
}

static void meta_write(buffer_t *body, const page_t *page)
{
    buffer_add_text(body, TEXT("{\"page\":"));
    buffer_add_integer(body, page->page);
    buffer_add_text(body, TEXT(",\"limit\":"));
    buffer_add_integer(body, page->limit);
    if (page->total >= 0) {
        buffer_add_text(body, TEXT(",\"total\":"));
        buffer_add_integer(body, page->total);
    }
    if (page->total_capped)
        buffer_add_text(body, TEXT(",\"total_capped\":true"));
    if (page->next_cursor.data) {
        buffer_add_text(body, TEXT(",\"next_cursor\":"));
        message_json_string(body, page->next_cursor);
    }
    if (page->tells_unread) {
        buffer_add_text(body, TEXT(",\"unread\":"));
        buffer_add_integer(body, page->unread);
    }
    buffer_add_char(body, '}');
}

static void list_end(job_t *job, const page_t *page)
{
    buffer_add_text(&job->body, TEXT("],\"meta\":"));
    if (page)
        meta_write(&job->body, page);
    else
        buffer_add_text(&job->body, TEXT("{}"));
    buffer_add_char(&job->body, '}');
}

void reply_rows(call_t *call, const rows_t *rows, const page_t *page)
{
    job_t *job = job_of(call);
    insist_output(call, rows);
    success_begin(job);
    insist(call->endpoint->shape == SHAPE_LIST);
    buffer_add_char(&job->body, '[');
    for (int i = 0; i < rows->count; i++) {
        if (i)
            buffer_add_char(&job->body, ',');
        message_json(call->endpoint->output, row_at(call, rows, i), &job->body);
    }
    list_end(job, page);
}

void reply_values(call_t *call, const void *values, size_t count, const page_t *page)
{
    job_t *job = job_of(call);
    const message_t *output = call->endpoint->output;
    success_begin(job);
    insist(output && call->endpoint->shape == SHAPE_LIST);
    buffer_add_char(&job->body, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_add_char(&job->body, ',');
        message_json(output, (const char *)values + i * output->size, &job->body);
    }
    list_end(job, page);
}

void reply_nothing(call_t *call)
{
    success_begin(job_of(call));
    insist(call->endpoint->shape == SHAPE_NOTHING);
    if (!for_actor(job_of(call)))
        buffer_add_text(&job_of(call)->body, TEXT("null,\"meta\":{}}"));
}

void reply_other_status(call_t *call)
{
    job_t *job = job_of(call);
    insist(job->status && job->status < 400 && call->endpoint->other_status);
    job->status = call->endpoint->other_status;
}

void reply_file(call_t *call, const char *name, const char *as)
{
    job_t *job = job_of(call);
    insist(!job->status && call->endpoint->shape == SHAPE_FILE);
    char disposition[128];
    snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", as);
    job->status = 200;
    reply_header(call, REPLY_FILE_HEADER, text_of(name));
    reply_header(call, "content-disposition", text_of(disposition));
}

/* Only this very style; a hash may be written in base64url (CSP Level 3, 2.3.1). */
static text_t page_policy(arena_t *arena, text_t style)
{
    digest_t digest = hash_sha256(style);
    text_t hash = base64url_encode(arena, (text_t){(const char *)digest.bytes, sizeof(digest.bytes)});
    return arena_format(arena,
        "default-src 'none'; style-src 'sha256-%.*s='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", TEXT_ARG(hash));
}

void reply_page(call_t *call, text_t page, text_t style)
{
    job_t *job = job_of(call);
    insist(!job->status && call->endpoint->shape == SHAPE_PAGE);
    job->status = 200;
    buffer_add_text(&job->body, page);
    reply_header(call, "content-type", TEXT("text/html; charset=utf-8"));
    reply_header(call, REPLY_POLICY_HEADER, page_policy(call->arena, style));
    reply_header(call, "content-language", text_of(call->language == LANGUAGE_KO ? "ko" : "en"));
}

void reply_header(call_t *call, const char *name, text_t value)
{
    job_t *job = job_of(call);
    insist(job->header_count < REPLY_HEADERS_MAX);
    job->headers[job->header_count].name = name;
    job->headers[job->header_count++].value = arena_copy(call->arena, value);
}

void reply_problems(job_t *job, enum error_code code, const problems_t *problems)
{
    job->body.length = 0;
    job->error = code;
    job->status = errors[code].status;
    if (for_actor(job))
        buffer_add_string(&job->body, errors[code].code);
    else
        error_json(&job->body, code, job->call.language, problems);
}

void reply_error(call_t *call, enum error_code code)
{
    reply_problems(job_of(call), code, NULL);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

static void log_refusal(const job_t *job)
{
    const endpoint_t *endpoint = job->call.endpoint;
    log_event(job->status >= 500 ? LOG_WARNING : LOG_INFO, "call_refused",
        LOG_S("operation", endpoint ? endpoint->operation : "unknown"), LOG_S("code", errors[job->error].code),
        LOG_I("microseconds", clock_monotonic() - job->started));
}

void reply_pack(const job_t *job, int64_t ticket, buffer_t *out)
{
    static buffer_t headers; /* reused: nothing here suspends */
    headers.length = 0;
    reply_t reply = {0};
    message_set(&reply, version, ENVELOPE_VERSION);
    message_set(&reply, ticket, ticket);
    message_set(&reply, call_id, job->call.id);
    message_set(&reply, status, job->status);
    message_set(&reply, body, buffer_text(&job->body));
    text_t tags_text = cached_tags(job);
    if (tags_text.data != NULL)
        message_set(&reply, tags, tags_text);
    if (job->header_count) {
        pairs_begin(&headers, job->header_count);
        for (int i = 0; i < job->header_count; i++)
            pairs_add(&headers, text_of(job->headers[i].name), job->headers[i].value);
        message_set(&reply, headers, buffer_text(&headers));
    }
    message_pack(&reply_message, &reply, out);
}

void reply_send(job_t *job)
{
    static buffer_t packed;
    packed.length = 0;
    if (job->error != ERROR_NONE)
        log_refusal(job);
    if (job->status >= 500)
        counter_add(context.counters.errors, 1);
#ifdef AIPOTEN_TEST
    if (job->status < 400 && !for_actor(job))
        answer_check(job->call.endpoint, buffer_text(&job->body));
#endif
    reply_pack(job, job->ticket, &packed);
    link_server_send(context.server, job->peer, buffer_text(&packed));
}
