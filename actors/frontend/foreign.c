/* foreign: a filter on every response. Ours pass; of the others status and meaning are kept, headers and body
 * are replaced. (What libh2o cannot parse at all it answers below this, with a bare 400.) */
#include "foreign.h"
#include "counters.h"
#include "request.h"
#include "request_headers.h"
#include "response.h"

typedef struct {
    h2o_ostream_t super;
    h2o_iovec_t body;
} stream_t;

static enum error_code error_of(int status)
{
    switch (status) {
    case 413:
        return ERROR_PAYLOAD_TOO_LARGE;
    case 404:
        return ERROR_NOT_FOUND;
    default:
        return status >= 500 ? ERROR_INTERNAL : ERROR_VALIDATION;
    }
}

static void send_body(
    h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bodies, size_t count, h2o_send_state_t state)
{
    stream_t *stream = (stream_t *)self;
    (void)bodies;
    (void)count;
    bool bare = method_of(text_of_iovec(req->input.method)) == METHOD_HEAD || state == H2O_SEND_STATE_ERROR;
    h2o_ostream_send_next(self, req, &stream->body, bare ? 0 : 1, state);
}

static void on_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    static buffer_t json;
    (void)self;
    if (!response_is_ours(req)) {
        exchange_t *exchange = request_exchange(req);
        request_introduce(exchange);
        enum error_code code = error_of(req->res.status);
        json.length = 0;
        error_json(&json, code, exchange->language, NULL);
        text_t body = response_copy(exchange, buffer_text(&json));
        req->res.headers = (h2o_headers_t){NULL};
        req->res.status = errors[code].status;
        req->res.content_length = body.length;
        response_header(exchange, &H2O_TOKEN_CONTENT_TYPE->buf, TYPE_JSON);
        response_common_headers(exchange);
        response_foreign(exchange, body.length);
        stream_t *stream = (stream_t *)h2o_add_ostream(req, sizeof(*stream), slot);
        stream->super.do_send = send_body;
        stream->body = h2o_iovec_init(body.data, body.length);
        slot = &stream->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void foreign_open(h2o_pathconf_t *path)
{
    h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = on_response;
}
