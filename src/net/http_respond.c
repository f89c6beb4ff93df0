/* http_respond - the response's side of an exchange, and CORS.
 *
 * A page of another origin may read our answers only if its origin is listed.
 * One that is not listed may not change anything either: a browser sends such
 * requests without asking first, so methods that change are refused by their
 * Origin (cross-site request forgery).
 */
#include <assert.h>
#include <string.h>

#include "net/http_exchange.h"
#include "net/origin.h"

#define HEAD_BYTES_MAX (32u << 10)
#define PREFLIGHT_SECONDS "600"
#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"

static bool is_clean(const char *value)
{
    return strpbrk(value, "\r\n") == NULL;
}

/* --- CORS ----------------------------------------------------------------- */

void http_cors__check(struct http_exchange *x)
{
    const struct http_server *s = x->wk->server;
    const struct http_str *origin = http_header_get(&x->req, "origin");

    x->cors = HTTP_CORS_NONE;
    x->origin = (struct http_str){NULL, 0};
    if (origin == NULL)
        return;
    x->origin = *origin;
    if (origin_is_listed(*origin, s->named_origins, s->n_named_origins))
        x->cors = HTTP_CORS_LISTED;
    else if (x->req.host.p != NULL && origin_is_same_host(*origin, x->req.host))
        x->cors = HTTP_CORS_SAME;
    else if (s->allow_any_origin)
        x->cors = HTTP_CORS_ANY;
    else
        x->cors = HTTP_CORS_FOREIGN;
}

static void respond_preflight(struct http_exchange *x)
{
    const struct http_str *asked = http_header_get(&x->req, "access-control-request-headers");
    char names[512] = "";
    struct http_header headers[] = {
        {"Access-Control-Allow-Methods", METHODS},
        {"Access-Control-Max-Age", PREFLIGHT_SECONDS},
        {"Access-Control-Allow-Headers", names},
    };

    if (asked != NULL && asked->len < sizeof(names)) {
        memcpy(names, asked->p, asked->len);
        names[asked->len] = 0;
    }
    http_respond(x, 204, headers, names[0] != 0 ? 3 : 2, NULL);
}

bool http_cors__handle(struct http_exchange *x)
{
    bool preflight = x->req.method == HTTP_OPTIONS && x->origin.p != NULL &&
                     http_header_get(&x->req, "access-control-request-method") != NULL;
    bool safe = x->req.method == HTTP_GET || x->req.method == HTTP_HEAD;

    if (x->cors == HTTP_CORS_FOREIGN && (preflight || !safe)) {
        stat_add(&x->wk->stats.refused_total, 1);
        http_respond_text(x, 403,
                          "Pages of this origin may not do that. The server's list of origins "
                          "(--origins) says which may.");
        return true;
    }
    if (!preflight)
        return false;
    respond_preflight(x);
    return true;
}

void http_cors__put(const struct http_exchange *x, struct buf *head)
{
    const struct http_server *s = x->wk->server;

    if (x->cors == HTTP_CORS_ANY) {
        buf_put_str(head, "Access-Control-Allow-Origin: *\r\n");
    } else if (x->cors == HTTP_CORS_LISTED) {
        buf_put_str(head, "Access-Control-Allow-Origin: ");
        buf_put(head, x->origin.p, x->origin.len);
        buf_put_str(head, "\r\nAccess-Control-Allow-Credentials: true\r\n");
    }
    if (s->o.n_origins > 0)
        buf_put_str(head, "Vary: Origin\r\n");
}

/* --- responses ------------------------------------------------------------ */

static bool has_body(const struct http_exchange *x, int status)
{
    return x->req.method != HTTP_HEAD && status != 204 && status != 304;
}

/* Queues the head. `len` is what Content-Length says. */
static void put_head(struct http_exchange *x, int status, const struct http_header *headers,
                     size_t n_headers, size_t len)
{
    struct buf b;
    bool close = x->must_close || !x->req.keep_alive || x->wk->is_draining;

    assert(status >= 200 && status <= 599);
    buf_init(&b, &x->wk->server->account, HEAD_BYTES_MAX);
    buf_printf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_status_text(status),
               worker__date(x->wk));
    for (size_t i = 0; i < n_headers; i++)
        if (is_clean(headers[i].value))
            buf_printf(&b, "%s: %s\r\n", headers[i].name, headers[i].value);
    if (status != 204 && status != 304)
        buf_printf(&b, "Content-Length: %zu\r\n", len);
    http_cors__put(x, &b);
    buf_put_str(&b, "X-Content-Type-Options: nosniff\r\n");
    if (close)
        buf_put_str(&b, "Connection: close\r\n\r\n");
    else
        buf_put_str(&b, x->req.version_minor == 0 ? "Connection: keep-alive\r\n\r\n" : "\r\n");
    if (buf_err(&b) == 0)
        conn__put(x->c, b.p, b.len);
    else
        conn__end_after_flush(x->c); /* half a head must not leave */
    buf_fini(&b);
}

void http_respond(struct http_exchange *x, int status, const struct http_header *headers,
                  size_t n_headers, struct rbuf *body)
{
    assert(x->is_handling && loop_is_current(x->wk->loop));
    if (x->c != NULL) {
        put_head(x, status, headers, n_headers, body != NULL ? body->len : 0);
        if (body != NULL && has_body(x, status)) {
            conn__put_take(x->c, body);
            body = NULL;
        }
    }
    rbuf_unref(body);
    http__finish(x);
}

void http__respond_static(struct http_exchange *x, int status, const struct http_header *headers,
                          size_t n_headers, const uint8_t *p, size_t n)
{
    assert(x->is_handling && loop_is_current(x->wk->loop));
    if (x->c != NULL) {
        put_head(x, status, headers, n_headers, n);
        if (has_body(x, status))
            conn__put_static(x->c, p, n);
    }
    http__finish(x);
}

/* The text as a body that ends with one line feed. */
static struct rbuf *line_of(const struct http_exchange *x, const char *text)
{
    size_t n = strlen(text);
    struct rbuf *body;

    if (n > 0 && text[n - 1] == '\n')
        n--;
    body = rbuf_new(&x->wk->server->account, n + 1);
    if (body == NULL)
        return NULL;
    memcpy(body->bytes, text, n);
    body->bytes[n] = '\n';
    return body;
}

void http_respond_text(struct http_exchange *x, int status, const char *text)
{
    bool is_json = text[0] == '{';
    struct http_header type = {"Content-Type",
                               is_json ? "application/json" : "text/plain; charset=utf-8"};
    http_respond(x, status, &type, 1, line_of(x, text));
}

/* Lines of the parser's are taken apart again, since http_respond() wants them so. */
void http__respond_error(struct http_exchange *x, const struct http_error *err)
{
    struct http_header headers[8] = {{"Content-Type", "text/plain; charset=utf-8"}};
    char lines[256];
    size_t n = 1, len = err->headers != NULL ? strlen(err->headers) : 0;
    char *save, *line;

    assert(len < sizeof(lines));
    memcpy(lines, err->headers != NULL ? err->headers : "", len);
    lines[len] = 0;
    for (line = strtok_r(lines, "\r\n", &save); line != NULL && n < 8;
         line = strtok_r(NULL, "\r\n", &save)) {
        char *colon = strchr(line, ':');

        assert(colon != NULL);
        *colon = 0;
        headers[n].name = line;
        headers[n++].value = colon + 1 + strspn(colon + 1, " ");
    }
    http_respond(x, err->status, headers, n, line_of(x, err->words));
}
