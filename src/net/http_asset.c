/* http_asset - files of the program, over HTTP: validators, ranges, gzip.
 *
 * A compressed answer is the same entity in another coding: its tag is the
 * file's with W/ in front. Ranges are served of the identity coding only.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "net/http_exchange.h"
#include "net/http_uri.h"

#define PATH_BYTES_MAX 512
#define HEADERS_MAX 8

struct answer {
    struct http_header headers[HEADERS_MAX];
    size_t n;
};

static void add(struct answer *a, const char *name, const char *value)
{
    assert(a->n < HEADERS_MAX);
    a->headers[a->n++] = (struct http_header){name, value};
}

static const struct asset *find(const struct asset_table *t, const char *path)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(path, t->assets[mid].path);

        if (order == 0)
            return &t->assets[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static const struct asset *find_for(const struct http_exchange *x, const struct asset_table *t)
{
    char path[PATH_BYTES_MAX];
    long n = http_percent_decode(x->req.path, path, sizeof(path) - 1);
    const struct asset *found;

    if (n < 0 || memchr(path, 0, (size_t)n) != NULL)
        return NULL;
    path[n] = 0;
    found = find(t, path);
    /* Either way of naming a folder's page in the table is understood. */
    if (found == NULL && n > 0 && path[n - 1] == '/' &&
        (size_t)n + sizeof("index.html") <= sizeof(path)) {
        strcpy(path + n, "index.html");
        found = find(t, path);
    }
    return found;
}

static bool is_unchanged(const struct http_exchange *x, const struct asset *f)
{
    const struct http_str *match = http_header_get(&x->req, "if-none-match");

    return match != NULL && http_etag_matches(*match, (struct http_str){f->etag, strlen(f->etag)});
}

static enum http_range_kind get_range(const struct http_exchange *x, const struct asset *f,
                                      uint64_t *first, uint64_t *last)
{
    const struct http_str *range = http_header_get(&x->req, "range");
    const struct http_str *condition = http_header_get(&x->req, "if-range");

    if (range == NULL || x->req.method != HTTP_GET)
        return HTTP_RANGE_NONE;
    if (condition != NULL &&
        !http_if_range_matches(*condition, (struct http_str){f->etag, strlen(f->etag)}))
        return HTTP_RANGE_NONE;
    return http_range_parse(*range, f->len, first, last);
}

static void respond_file(struct http_exchange *x, const struct asset *f, struct answer *a)
{
    char weak[160], content_range[80];
    uint64_t first, last;

    switch (get_range(x, f, &first, &last)) {
    case HTTP_RANGE_UNSATISFIABLE:
        snprintf(content_range, sizeof(content_range), "bytes */%zu", f->len);
        add(a, "Content-Range", content_range);
        http_respond(x, 416, a->headers, a->n, NULL);
        return;
    case HTTP_RANGE_PART:
        snprintf(content_range, sizeof(content_range), "bytes %llu-%llu/%zu",
                 (unsigned long long)first, (unsigned long long)last, f->len);
        add(a, "ETag", f->etag);
        add(a, "Content-Range", content_range);
        http__respond_static(x, 206, a->headers, a->n, f->bytes + first, last - first + 1);
        return;
    case HTTP_RANGE_NONE:
        break;
    }
    if (f->gzip != NULL && http_accepts_encoding(&x->req, "gzip")) {
        snprintf(weak, sizeof(weak), "W/%s", f->etag);
        add(a, "ETag", weak);
        add(a, "Content-Encoding", "gzip");
        http__respond_static(x, 200, a->headers, a->n, f->gzip, f->gzip_len);
        return;
    }
    add(a, "ETag", f->etag);
    add(a, "Accept-Ranges", "bytes");
    http__respond_static(x, 200, a->headers, a->n, f->bytes, f->len);
}

bool http_respond_asset(struct http_exchange *x, const struct asset_table *t)
{
    const struct asset *f = find_for(x, t);
    struct answer a = {.n = 0};

    if (f == NULL)
        return false;
    if (x->req.method != HTTP_GET && x->req.method != HTTP_HEAD) {
        struct http_error err = {405, "This is a file: it can only be read.",
                                 "Allow: GET, HEAD\r\n"};

        http__respond_error(x, &err);
        return true;
    }
    add(&a, "Cache-Control", f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (f->gzip != NULL)
        add(&a, "Vary", "Accept-Encoding");
    if (is_unchanged(x, f)) {
        add(&a, "ETag", f->etag);
        http_respond(x, 304, a.headers, a.n, NULL);
        return true;
    }
    add(&a, "Content-Type", f->type);
    respond_file(x, f, &a);
    return true;
}
