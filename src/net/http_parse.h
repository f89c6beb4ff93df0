#ifndef SKEIN_NET_HTTP_PARSE_H
#define SKEIN_NET_HTTP_PARSE_H

/* http_parse - a strict, zero-copy parser of HTTP/1.x request heads (RFC 9112).
 *
 * Pure: bytes in, slices out, no I/O and no allocation. What two parsers on
 * the way could read differently is refused rather than repaired, so a request
 * cannot be smuggled past a proxy: see docs/wire/http.md for the whole list.
 *
 * Usage: keep the bytes of an unfinished head in one buffer and a scan offset
 * that starts at 0; call http_parse_head() whenever bytes arrived. Each byte is
 * looked at once while the head is incomplete, and once more when it is whole.
 *
 * Ownership: every slice of struct http_request points into the caller's
 *   buffer and lives as long as those bytes stay where they are. They are not
 *   terminated by a zero.
 * Thread: none of its own; a request belongs to whoever parsed it.
 *
 * The rest of HTTP lies beside it: http_chunked.h (bodies), http_uri.h (paths
 * and queries), http_fields.h (ranges, entity tags, codings, forwarded),
 * http_date.h, origin.h, proxy_parse.h (the PROXY protocol).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_HEAD_BYTES_MAX (16u << 10)
#define HTTP_TARGET_BYTES_MAX (8u << 10)
#define HTTP_METHOD_BYTES_MAX 20

/* Borrowed bytes. p is NULL when the thing is absent (and len 0). */
struct http_str {
    const char *p;
    size_t len;
};

struct http_field {
    struct http_str name;  /* as sent; compare with http_str_is_nocase() */
    struct http_str value; /* without the white space around it */
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* a well-formed method that we do not know: answer 501 */
};

struct http_request {
    enum http_method method;
    uint8_t version_minor; /* 0 or 1; HTTP/1.2 and later count as 1 */
    bool keep_alive;       /* what Connection and the version ask for */
    bool chunked;          /* the body has Transfer-Encoding: chunked */
    bool has_length;       /* the body has content_length bytes */
    bool expect_continue;  /* send 100 before reading the body */
    bool is_absolute;      /* the target was in absolute form */
    uint64_t content_length;
    struct http_str method_name;
    struct http_str target; /* as sent */
    struct http_str path;   /* starts with '/', or is "*"; still percent-encoded */
    struct http_str query;  /* without '?'; p NULL when there is no '?' */
    struct http_str host;   /* host[:port]; p NULL only in HTTP/1.0 */
    unsigned n_headers;
    struct http_field headers[HTTP_HEADERS_MAX];
};

/* Why a request is refused. Static strings; fit to be sent to the peer. */
struct http_error {
    int status;          /* 400, 413, 414, 417, 426, 431, 501, 505 … */
    const char *words;   /* one line for the body */
    const char *headers; /* header lines that the answer must carry, or NULL; each ends in CRLF */
};

/* Parses the head at bytes[0, len).
 *
 * Returns its length > 0 including the blank line (the body, or the next
 * request, starts there), 0 when more bytes are needed, or SK_EBADMSG with
 * *err filled: answer, then close, because where the next request begins is
 * unknown. *scanned must be 0 for a new head, is advanced while bytes are
 * missing and is set back to 0 on completion. *req is defined only when the
 * result is > 0. */
SK_MUST_CHECK long http_parse_head(const char *bytes, size_t len, size_t *scanned,
                                   struct http_request *req, struct http_error *err);

/* The value of the first header of that name, or NULL. */
const struct http_str *http_header_get(const struct http_request *req, const char *name);
unsigned http_header_count(const struct http_request *req, const char *name);
/* Whether the comma-separated list in any header of that name has `token`
 * (compared without case), as in Connection: keep-alive, Upgrade. */
bool http_header_has_token(const struct http_request *req, const char *name, const char *token);

bool http_str_is(struct http_str s, const char *z);
bool http_str_is_nocase(struct http_str s, const char *z);
/* Takes the next element off a comma-separated list, trimmed; false at the end.
 * Commas inside quoted strings do not separate. Empty elements are skipped. */
bool http_list_next(struct http_str *rest, struct http_str *element);
bool http_is_token(struct http_str s); /* RFC 9110 token, not empty */

/* The standard reason phrase, "Unknown" for a status that we do not use. */
const char *http_status_text(int status);

#endif
