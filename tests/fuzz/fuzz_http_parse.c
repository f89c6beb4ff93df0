/* fuzz_http_parse - a request head in one piece and byte by byte gives the same
 * verdict, all slices lie inside the input, and everything that reads fields of
 * an accepted request survives it. */
#include "net/http_parse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_date.h"
#include "net/http_fields.h"
#include "net/http_uri.h"
#include "net/origin.h"
#include "net/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct http_str s, const char *bytes, size_t len)
{
    if (s.p == NULL) {
        assert(s.len == 0);
        return;
    }
    if (s.len == 1 && s.p[0] == '/' && (s.p < bytes || s.p >= bytes + len))
        return; /* the path of an absolute target without one */
    assert(s.p >= bytes && s.len <= len && (size_t)(s.p - bytes) <= len - s.len);
}

static void use(const struct http_request *req)
{
    static const char *const patterns[] = {"https://a.example", "https://*.b.example:8443"};
    static const char *const protocols[] = {"chat"};
    static const struct ws_handshake_options options = {
        .allow_deflate = true, .protocols = protocols, .n_protocols = 1};
    struct ws_handshake hs;
    struct http_error err;
    struct http_forwarded f;
    struct http_str rest = req->path, e;
    uint64_t first, last;
    char out[64], response[WS_RESPONSE_BYTES_MAX];

    while (http_path_next(&rest, &e))
        assert(http_percent_decode(e, out, sizeof(out)) <= (long)sizeof(out));
    assert(http_query_get(req->query, "room", out, sizeof(out)) <= (long)sizeof(out));
    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str v = req->headers[i].value;

        if (http_range_parse(v, 1000, &first, &last) == HTTP_RANGE_PART)
            assert(first <= last && last < 1000);
        (void)http_etag_matches(v, (struct http_str){"\"a\"", 3});
        (void)http_date_parse(v);
        (void)origin_is_listed(v, patterns, 2);
        (void)origin_is_same_host(v, req->host);
    }
    (void)http_accepts_encoding(req, "gzip");
    (void)http_accepts_type(req, "text/html");
    (void)http_cookie_get(req, "a");
    (void)http_authorization(req, "Bearer");
    if (http_forwarded_get(req, 1, &f))
        assert(memchr(f.ip, 0, sizeof(f.ip)) != NULL);
    if (ws_handshake_check(req, &options, &hs, &err) == 0)
        (void)!ws_handshake_response(&hs, NULL, response, sizeof(response));
    else
        assert(err.status >= 400 && err.words != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request req, again;
    struct http_error err = {0}, err_again = {0};
    size_t scanned = 0, n = 0;
    char *bytes = malloc(size + 1);
    long whole, pieces = 0;

    if (size > 0)
        memcpy(bytes, data, size);
    whole = http_parse_head(bytes, size, &scanned, &req, &err);
    scanned = 0;
    while (pieces == 0 && n <= size)
        pieces = http_parse_head(bytes, n++, &scanned, &again, &err_again);
    assert(whole == pieces && err.status == err_again.status);
    if (whole > 0) {
        assert((size_t)whole <= size && req.n_headers == again.n_headers);
        check_slice(req.target, bytes, (size_t)whole);
        check_slice(req.path, bytes, (size_t)whole);
        check_slice(req.query, bytes, (size_t)whole);
        check_slice(req.host, bytes, (size_t)whole);
        for (unsigned i = 0; i < req.n_headers; i++) {
            check_slice(req.headers[i].name, bytes, (size_t)whole);
            check_slice(req.headers[i].value, bytes, (size_t)whole);
        }
        use(&req);
    } else if (whole < 0) {
        assert(err.status >= 400 && err.words != NULL);
    }
    free(bytes);
    return 0;
}
