#ifndef SKEIN_NET_UTF8_H
#define SKEIN_NET_UTF8_H

/* utf8 - strict validation (RFC 3629): no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 *
 * The incremental form refuses at the first byte that no valid text could
 * have there, so a WebSocket message is failed in the middle of a frame. ASCII
 * is skipped 16 bytes at a time; other text of some length is checked by an
 * AVX2 kernel where the processor has it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const void *p, size_t len);

/* State of a text that comes in pieces. Start with UTF8_START. */
typedef uint8_t utf8_state;
#define UTF8_START ((utf8_state)0)

/* False when the text cannot become valid any more; the state is then spent. */
bool utf8_feed(utf8_state *s, const void *p, size_t len);
/* Whether the text may end here: no character is half done. */
static inline bool utf8_is_complete(utf8_state s)
{
    return s == UTF8_START;
}

#endif
