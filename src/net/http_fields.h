#ifndef SKEIN_NET_HTTP_FIELDS_H
#define SKEIN_NET_HTTP_FIELDS_H

/* http_fields - the request fields that a file server and a proxied server read.
 *
 * Pure functions over borrowed slices. A field that a client may get wrong
 * without harm (Range, If-None-Match, Accept-Encoding) is ignored when it is
 * malformed, as RFC 9110 asks; none of these functions refuses a request.
 */
#include <stdbool.h>
#include <stdint.h>

#include "net/http_parse.h"

enum http_range_kind {
    HTTP_RANGE_NONE,          /* answer 200 with everything */
    HTTP_RANGE_PART,          /* answer 206 with [first, last] */
    HTTP_RANGE_UNSATISFIABLE, /* answer 416 with Content-Range: bytes * / size */
};

/* Reads a Range value for a representation of `size` bytes. Only one range of
 * bytes is served; several are answered as if there were none. */
enum http_range_kind http_range_parse(struct http_str value, uint64_t size, uint64_t *first,
                                      uint64_t *last);

/* Whether an If-None-Match value names `etag` (with its quotes, maybe W/) by
 * weak comparison, or is "*". */
bool http_etag_matches(struct http_str value, struct http_str etag);
/* Whether If-Range allows a part: a strong etag that is equal. Dates never do. */
bool http_if_range_matches(struct http_str value, struct http_str etag);

/* Whether the client takes `coding` ("gzip", "br"): named, or by "*", with a
 * weight above 0. No Accept-Encoding field means no. */
bool http_accepts_encoding(const struct http_request *req, const char *coding);
/* Whether the client takes `type` ("text/event-stream", "application/json"),
 * also by a range such as text/ * or * / *. No Accept field means yes. */
bool http_accepts_type(const struct http_request *req, const char *type);

/* The bytes behind "Authorization: <scheme> ", scheme compared without case,
 * or p NULL. */
struct http_str http_authorization(const struct http_request *req, const char *scheme);
/* The value of a cookie, without quotes, or p NULL. */
struct http_str http_cookie_get(const struct http_request *req, const char *name);

#define HTTP_IP_BYTES_MAX 46 /* INET6_ADDRSTRLEN */

struct http_forwarded {
    char ip[HTTP_IP_BYTES_MAX]; /* canonical text; "" when not known */
    bool has_proto;
    bool is_https; /* meaningful with has_proto */
};

/* Who the client is according to the proxies in front. Call it only when the
 * peer itself is trusted. `hops` >= 1 says how many trusted proxies there are
 * including the peer: the hops-th entry from the end counts, since everything
 * before it was written by the client and may be a lie. Forwarded (RFC 7239)
 * wins over X-Forwarded-For. False when there is nothing usable there. */
bool http_forwarded_get(const struct http_request *req, unsigned hops, struct http_forwarded *out);

#endif
