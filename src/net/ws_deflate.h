#ifndef SKEIN_NET_WS_DEFLATE_H
#define SKEIN_NET_WS_DEFLATE_H

/* ws_deflate - permessage-deflate by zlib (RFC 7692), without context takeover.
 *
 * Both directions agree to start every message with an empty window, so one
 * inflater and one deflater serve all connections of a loop and a connection
 * costs nothing; and a message that is compressed once can go to everyone.
 *
 * Ownership: one of each per loop, by whoever owns the loop. Results are
 *   borrowed until the next call on the same object. Large result buffers are
 *   given back by that next call. Thread: the loop's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/ws_codec.h"

#define WS_WINDOW_BITS_MIN 9 /* zlib cannot make raw deflate with a window of 256 bytes */
#define WS_WINDOW_BITS_MAX 15

struct ws_inflater;
struct ws_deflater;

struct ws_bytes {
    uint8_t *p;
    size_t len;
};

/* NULL when the account has reached its limit. */
struct ws_inflater *ws_inflater_new(struct mem_account *a);
void ws_inflater_free(struct ws_inflater *z);

/* Inflates one message's payload. 0, SK_EBADMSG for corrupt or unfinished data
 * (close with 1007), SK_ETOOBIG when it is more than len_max bytes inflated
 * (1009): at most that much is ever written. */
SK_MUST_CHECK int ws_inflate(struct ws_inflater *z, const uint8_t *p, size_t len, size_t len_max,
                             struct ws_bytes *out);
/* Turns a compressed WS_EVENT_MESSAGE into a plain one, or into WS_EVENT_ERROR
 * with 1007 (corrupt, or text that is not UTF-8), 1009, or 1013 when z is NULL
 * because ws_inflater_new() had no memory. */
void ws_inflate_event(struct ws_inflater *z, size_t len_max, struct ws_event *ev);

/* level: 1 (fast, the usual choice) to 9. NULL as above. */
struct ws_deflater *ws_deflater_new(struct mem_account *a, int level);
void ws_deflater_free(struct ws_deflater *z);

/* Compresses one message; send the result with WS_FLAG_RSV1. window_bits is
 * what the handshake agreed (struct ws_deflate_params). 0 or SK_ETOOBIG (the
 * account's limit). The result can be longer than the input: then send the
 * input without the flag. */
SK_MUST_CHECK int ws_deflate(struct ws_deflater *z, unsigned window_bits, const void *p, size_t len,
                             struct ws_bytes *out);
/* Whether a payload of `len` bytes compressed with the largest window can go to
 * a peer that agreed to `window_bits`: no match reaches back further than the
 * message is long. */
bool ws_deflate_fits(unsigned window_bits, size_t len);

#endif
