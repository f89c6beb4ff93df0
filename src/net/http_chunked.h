#ifndef SKEIN_NET_HTTP_CHUNKED_H
#define SKEIN_NET_HTTP_CHUNKED_H

/* http_chunked - decodes a chunked request body (RFC 9112, 7.1), in place.
 *
 * The body is moved together at the front of the caller's bytes, so that no
 * second buffer is needed. Chunk extensions and trailers are ignored, but
 * checked for form and bounded, in sum over the whole body.
 *
 * Ownership: the caller's struct and the caller's bytes; nothing is allocated.
 */
#include <stddef.h>
#include <stdint.h>

#include "net/http_parse.h"

#define HTTP_CHUNK_EXT_BYTES_MAX (8u << 10) /* all size lines' extensions together */
#define HTTP_TRAILER_BYTES_MAX (8u << 10)

struct http_chunked {
    uint64_t left;     /* bytes of the current chunk still to come */
    uint64_t body;     /* bytes decoded so far */
    uint64_t body_max; /* more than this is refused with 413 */
    uint32_t ext;      /* extension bytes so far */
    uint32_t trailer;  /* trailer bytes so far */
    uint8_t state;
    uint8_t digits;
};

void http_chunked_init(struct http_chunked *c, uint64_t body_max);

/* Decodes bytes[0, len): afterwards bytes[0, *n_body) is body, and bytes from
 * *n_used on were not touched. Returns 1 when the body is complete (then
 * *n_used may be < len: the next request), 0 when more is needed (*n_used ==
 * len), SK_EBADMSG or SK_ETOOBIG with *err filled: answer and close. */
SK_MUST_CHECK int http_chunked_feed(struct http_chunked *c, char *bytes, size_t len, size_t *n_used,
                                    size_t *n_body, struct http_error *err);

#endif
