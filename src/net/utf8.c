/* utf8 - a shift automaton for every byte, and vectors where there is much.
 *
 * The automaton has nine states of six bits each. A byte's row packs, for each
 * state, the state that follows, at the bit position of the state itself; so a
 * step is one load and one shift, and the state that is carried is already the
 * next shift's distance.
 *
 * The AVX2 kernel classifies each pair of adjacent bytes by three table
 * look-ups of four bits (J. Keiser and D. Lemire, "Validating UTF-8 In Less
 * Than One Instruction Per Byte", 2021). It cannot say where the error is, and
 * need not: a text that it refuses is refused. What it leaves at the end, up to
 * three bytes of a character that is not whole, goes through the automaton, so
 * the state after any split is exact.
 */
#include "net/utf8.h"

#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define S_OK 0    /* between characters */
#define S_1 6     /* one continuation byte is missing */
#define S_2 12    /* two */
#define S_3 18    /* three */
#define S_E0 24   /* after E0: A0-BF, then one */
#define S_ED 30   /* after ED: 80-9F, then one: no surrogates */
#define S_F0 36   /* after F0: 90-BF, then two */
#define S_F4 42   /* after F4: 80-8F, then two: up to U+10FFFF */
#define S_FAIL 48 /* absorbs everything */

#define TO(from, to) ((uint64_t)(to) << (from))
#define FAIL_ALL                                                                                   \
    (TO(S_OK, S_FAIL) | TO(S_1, S_FAIL) | TO(S_2, S_FAIL) | TO(S_3, S_FAIL) | TO(S_E0, S_FAIL) |   \
     TO(S_ED, S_FAIL) | TO(S_F0, S_FAIL) | TO(S_F4, S_FAIL) | TO(S_FAIL, S_FAIL))
/* Replaces one transition of a row that fails. */
#define BUT(from, to) (TO(from, S_FAIL) ^ TO(from, to))

#define ASCII (FAIL_ALL ^ BUT(S_OK, S_OK))
#define LEAD(to) (FAIL_ALL ^ BUT(S_OK, to))
#define CONT (FAIL_ALL ^ BUT(S_1, S_OK) ^ BUT(S_2, S_1) ^ BUT(S_3, S_2))
#define CONT_8 (CONT ^ BUT(S_ED, S_1) ^ BUT(S_F4, S_2))
#define CONT_9 (CONT ^ BUT(S_ED, S_1) ^ BUT(S_F0, S_2))
#define CONT_AB (CONT ^ BUT(S_E0, S_1) ^ BUT(S_F0, S_2))

#define X4(v) v, v, v, v
#define X8(v) X4(v), X4(v)
#define X16(v) X8(v), X8(v)

static const uint64_t rows[256] = {
    /* 00-7f */
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    X16(ASCII),
    /* 80-bf */
    X16(CONT_8),
    X16(CONT_9),
    X16(CONT_AB),
    X16(CONT_AB),
    /* c0-df: c0 and c1 could only be overlong */
    FAIL_ALL,
    FAIL_ALL,
    LEAD(S_1),
    LEAD(S_1),
    X4(LEAD(S_1)),
    X8(LEAD(S_1)),
    X16(LEAD(S_1)),
    /* e0-ef */
    LEAD(S_E0),
    X8(LEAD(S_2)),
    X4(LEAD(S_2)),
    LEAD(S_ED),
    LEAD(S_2),
    LEAD(S_2),
    /* f0-ff */
    LEAD(S_F0),
    LEAD(S_3),
    LEAD(S_3),
    LEAD(S_3),
    LEAD(S_F4),
    FAIL_ALL,
    FAIL_ALL,
    FAIL_ALL,
    X8(FAIL_ALL),
};

static inline uint64_t step(uint64_t s, uint8_t byte)
{
    return rows[byte] >> (s & 63);
}

#define BLOCK 16

static inline bool is_ascii_block(const uint8_t *p)
{
#if defined(__SSE2__)
    return _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)p)) == 0;
#else
    uint64_t w[2];

    memcpy(w, p, sizeof(w));
    return ((w[0] | w[1]) & UINT64_C(0x8080808080808080)) == 0;
#endif
}

static inline bool is_ascii_4_blocks(const uint8_t *p)
{
#if defined(__SSE2__)
    const __m128i *v = (const __m128i *)(const void *)p;
    __m128i a = _mm_or_si128(_mm_loadu_si128(v), _mm_loadu_si128(v + 1));
    __m128i b = _mm_or_si128(_mm_loadu_si128(v + 2), _mm_loadu_si128(v + 3));

    return _mm_movemask_epi8(_mm_or_si128(a, b)) == 0;
#else
    return is_ascii_block(p) && is_ascii_block(p + BLOCK) && is_ascii_block(p + 2 * BLOCK) &&
           is_ascii_block(p + 3 * BLOCK);
#endif
}

static size_t skip_ascii(const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (len - i >= 4 * BLOCK && is_ascii_4_blocks(p + i))
        i += 4 * BLOCK;
    while (len - i >= BLOCK && is_ascii_block(p + i))
        i += BLOCK;
    return i;
}

static uint64_t feed_scalar(uint64_t s, const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (len - i >= BLOCK) {
        if ((s & 63) == S_OK && is_ascii_block(p + i)) {
            i += BLOCK;
            continue;
        }
        for (size_t end = i + BLOCK; i < end; i++)
            s = step(s, p[i]);
        if ((s & 63) == S_FAIL)
            return S_FAIL;
    }
    for (; i < len; i++)
        s = step(s, p[i]);
    return s & 63;
}

#if defined(__SSE2__)
#define KERNEL_BYTES 32
#define KERNEL_WORTH 64 /* below this the automaton is as fast */

/* What can be wrong with a pair of bytes. A pair is bad when one bit is set in
 * all three look-ups. TWO_CONTS is bad unless a lead two or three bytes
 * before asks for it, which is settled apart. */
#define TOO_SHORT 0x01
#define TOO_LONG 0x02
#define OVERLONG_3 0x04
#define TOO_LARGE 0x08
#define SURROGATE 0x10
#define OVERLONG_2 0x20
#define TOO_LARGE_1000 0x40
#define OVERLONG_4 0x40
#define TWO_CONTS ((char)0x80)
#define ANY_LOW (TOO_SHORT | TOO_LONG | TWO_CONTS)

#define TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

__attribute__((target("avx2"))) static inline __m256i high_nibbles(__m256i v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
}

/* v moved up by n bytes, with the end of `before` in front. */
#define PREVIOUS(v, before, n)                                                                     \
    _mm256_alignr_epi8(v, _mm256_permute2x128_si256(before, v, 0x21), 16 - (n))

__attribute__((target("avx2"))) static inline __m256i errors_of_pairs(__m256i v, __m256i prev1)
{
    const __m256i first_high = TABLE(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TWO_CONTS,
        TWO_CONTS, TWO_CONTS, TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const __m256i first_low = TABLE(
        (char)(ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(ANY_LOW | OVERLONG_2),
        ANY_LOW, ANY_LOW, (char)(ANY_LOW | TOO_LARGE), (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000), (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000), (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000), (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000 | SURROGATE),
        (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000), (char)(ANY_LOW | TOO_LARGE | TOO_LARGE_1000));
    const __m256i second_high = TABLE(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT,
        TOO_SHORT, TOO_SHORT);
    __m256i low = _mm256_and_si256(prev1, _mm256_set1_epi8(0x0f));

    return _mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(first_high, high_nibbles(prev1)),
                                             _mm256_shuffle_epi8(first_low, low)),
                            _mm256_shuffle_epi8(second_high, high_nibbles(v)));
}

/* len is a multiple of KERNEL_BYTES. True when nothing is wrong up to there,
 * save that the last character may be unfinished. */
__attribute__((target("avx2"))) static bool check_blocks(const uint8_t *p, size_t len)
{
    __m256i before = _mm256_setzero_si256();
    __m256i errors = _mm256_setzero_si256();
    const __m256i lead3 = _mm256_set1_epi8((char)(0xe0 - 0x80));
    const __m256i lead4 = _mm256_set1_epi8((char)(0xf0 - 0x80));
    const __m256i top = _mm256_set1_epi8((char)0x80);

    for (size_t i = 0; i < len; i += KERNEL_BYTES) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i prev2 = PREVIOUS(v, before, 2);
        __m256i prev3 = PREVIOUS(v, before, 3);
        __m256i pairs = errors_of_pairs(v, PREVIOUS(v, before, 1));
        __m256i wanted =
            _mm256_or_si256(_mm256_subs_epu8(prev2, lead3), _mm256_subs_epu8(prev3, lead4));

        errors = _mm256_or_si256(errors, _mm256_xor_si256(_mm256_and_si256(wanted, top), pairs));
        before = v;
    }
    return _mm256_testz_si256(errors, errors) != 0;
}

/* Where the character that reaches up to p + len, or over it, begins. */
static size_t last_start(const uint8_t *p, size_t len)
{
    for (size_t k = 1; k <= 3; k++) {
        if (p[len - k] >= 0xc0)
            return len - k;
        if (p[len - k] < 0x80)
            break;
    }
    return len;
}
#endif

static uint64_t feed_from_start(const uint8_t *p, size_t len)
{
    size_t i = skip_ascii(p, len);

#if defined(__SSE2__)
    if (len - i >= KERNEL_WORTH && __builtin_cpu_supports("avx2")) {
        size_t n = (len - i) / KERNEL_BYTES * KERNEL_BYTES;

        if (!check_blocks(p + i, n))
            return S_FAIL;
        i += last_start(p + i, n);
    }
#endif
    return feed_scalar(S_OK, p + i, len - i);
}

bool utf8_feed(utf8_state *state, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t s = *state;
    size_t i = 0;

    for (; i < len && (s & 63) != S_OK && (s & 63) != S_FAIL; i++)
        s = step(s, p[i]);
    if (i < len && (s & 63) == S_OK)
        s = feed_from_start(p + i, len - i);
    *state = (utf8_state)(s & 63);
    return *state != S_FAIL;
}

bool utf8_is_valid(const void *bytes, size_t len)
{
    return len == 0 || feed_from_start(bytes, len) == S_OK;
}
