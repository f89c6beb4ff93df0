/* ws_mask - the XOR of RFC 6455, 5.3.
 *
 * The key repeats every four bytes, so every wider step uses the same word: 64
 * bytes a turn in the middle, then 16, 8 and 4, then single bytes. Loads are
 * unaligned on purpose: a frame's payload starts at any address of the receive
 * buffer, and aligning first costs more than it saves on current processors.
 */
#include "net/ws_codec.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline void mask_8(uint8_t *p, uint64_t key)
{
    uint64_t w;

    memcpy(&w, p, sizeof(w));
    w ^= key;
    memcpy(p, &w, sizeof(w));
}

static inline void mask_4(uint8_t *p, uint32_t key)
{
    uint32_t w;

    memcpy(&w, p, sizeof(w));
    w ^= key;
    memcpy(p, &w, sizeof(w));
}

#if defined(__SSE2__)
static inline void mask_16(uint8_t *p, __m128i key)
{
    __m128i *v = (__m128i *)(void *)p;

    _mm_storeu_si128(v, _mm_xor_si128(_mm_loadu_si128(v), key));
}

static size_t mask_blocks(uint8_t *p, size_t len, uint32_t key)
{
    __m128i k = _mm_set1_epi32((int)key);
    size_t i = 0;

    for (; len - i >= 64; i += 64) {
        mask_16(p + i, k);
        mask_16(p + i + 16, k);
        mask_16(p + i + 32, k);
        mask_16(p + i + 48, k);
    }
    for (; len - i >= 16; i += 16)
        mask_16(p + i, k);
    return i;
}
#else
static size_t mask_blocks(uint8_t *p, size_t len, uint32_t key)
{
    uint64_t k = (uint64_t)key << 32 | key;
    size_t i = 0;

    for (; len - i >= 32; i += 32) {
        mask_8(p + i, k);
        mask_8(p + i + 8, k);
        mask_8(p + i + 16, k);
        mask_8(p + i + 24, k);
    }
    return i;
}
#endif

void ws_mask(uint8_t *p, size_t len, const uint8_t key[4], size_t offset)
{
    uint8_t turned[4];
    uint32_t k;
    size_t i = 0;

    for (size_t j = 0; j < 4; j++)
        turned[j] = key[(offset + j) & 3];
    memcpy(&k, turned, sizeof(k));
    if (len >= 16)
        i = mask_blocks(p, len, k);
    for (; len - i >= 8; i += 8)
        mask_8(p + i, (uint64_t)k << 32 | k);
    if (len - i >= 4) {
        mask_4(p + i, k);
        i += 4;
    }
    for (size_t j = 0; i < len; i++, j++)
        p[i] ^= turned[j];
}
