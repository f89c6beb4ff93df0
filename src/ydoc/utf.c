/* utf - UTF-8 checked and counted in UTF-16 code units.
 *
 * Yjs counts strings in UTF-16 units, the wire and the slab hold UTF-8: 1-, 2-
 * and 3-byte sequences count one unit, 4-byte sequences two. What TextDecoder
 * in its fatal mode refuses is refused here, once, when bytes come in; all
 * later walks rely on it.
 */
#include "ydoc/internal.h"

#include <assert.h>
#include <string.h>

/* Length of the valid sequence at p, 0 if there is none. Table 3-7 of the
 * Unicode standard: the second byte's range depends on the first. */
static size_t sequence_len(const uint8_t *p, size_t left)
{
    uint8_t lo = 0x80, hi = 0xbf;
    size_t n;

    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static size_t ascii_prefix(const uint8_t *p, size_t len)
{
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t w;

        memcpy(&w, p + i, 8);
        if ((w & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (i < len && p[i] < 0x80)
        i++;
    return i;
}

int64_t lib0_utf16_len(const uint8_t *p, size_t len)
{
    int64_t units = 0;
    size_t i = 0;

    while (i < len) {
        size_t n = ascii_prefix(p + i, len - i);

        units += (int64_t)n;
        i += n;
        while (i < len && p[i] >= 0x80) {
            n = sequence_len(p + i, len - i);
            if (n == 0)
                return -1;
            units += n == 4 ? 2 : 1;
            i += n;
        }
    }
    return units;
}

struct ydoc__cut ydoc__utf8_cut(const uint8_t *p, size_t len, uint32_t units_all, uint32_t at)
{
    struct ydoc__cut cut = {at, false};
    uint32_t units;

    assert(at <= units_all);
    if (len == units_all)
        return cut;
    if (at <= units_all / 2) {
        for (cut.bytes = 0, units = 0; units < at;) {
            size_t n = ydoc__utf8_len(p[cut.bytes]);

            if (n == 4 && units + 1 == at) {
                cut.inside = true;
                return cut;
            }
            units += n == 4 ? 2 : 1;
            cut.bytes += n;
        }
        return cut;
    }
    for (cut.bytes = len, units = units_all; units > at;) {
        do
            cut.bytes--;
        while ((p[cut.bytes] & 0xc0) == 0x80);
        if (p[cut.bytes] >= 0xf0 && units - 1 == at) {
            cut.inside = true;
            return cut;
        }
        units -= p[cut.bytes] >= 0xf0 ? 2 : 1;
    }
    return cut;
}
