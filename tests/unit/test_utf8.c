#include "net/utf8.h"

#include <string.h>

#include "harness.h"

/* fail_at: the first byte that no valid text could have there; -1 for none. */
static const struct {
    const char *name;
    const char *bytes;
    int fail_at;
    bool complete;
} rows[] = {
    {"empty", "", -1, true},
    {"ASCII", "hello", -1, true},
    {"2 bytes, smallest", "\xc2\x80", -1, true},
    {"2 bytes, largest", "\xdf\xbf", -1, true},
    {"3 bytes, smallest", "\xe0\xa0\x80", -1, true},
    {"before the surrogates", "\xed\x9f\xbf", -1, true},
    {"after the surrogates", "\xee\x80\x80", -1, true},
    {"3 bytes, largest", "\xef\xbf\xbf", -1, true},
    {"4 bytes, smallest", "\xf0\x90\x80\x80", -1, true},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", -1, true},
    {"mixed", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", -1, true},
    {"lone continuation", "a\x80", 1, false},
    {"overlong slash", "\xc0\xaf", 0, false},
    {"overlong c1", "\xc1\xbf", 0, false},
    {"overlong 3 bytes", "\xe0\x9f\xbf", 1, false},
    {"overlong 4 bytes", "\xf0\x8f\xbf\xbf", 1, false},
    {"surrogate low end", "\xed\xa0\x80", 1, false},
    {"surrogate high end", "\xed\xbf\xbf", 1, false},
    {"above U+10FFFF", "\xf4\x90\x80\x80", 1, false},
    {"f5", "\xf5\x80\x80\x80", 0, false},
    {"ff", "\xff", 0, false},
    {"2 bytes cut", "\xc3", -1, false},
    {"3 bytes cut after 2", "\xe2\x82", -1, false},
    {"4 bytes cut after 3", "\xf0\x9f\x98", -1, false},
    {"lead after lead", "\xc3\xc3", 1, false},
    {"ASCII in a character", "\xe2\x82z", 2, false},
    {"5th byte", "\xf0\x9f\x98\x80\x80", 4, false},
};

/* The state after each single byte is right, and refusal comes at the first
 * byte where it can. */
TEST(utf8, rows_byte_by_byte)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        utf8_state s = UTF8_START;

        TEST_CASE(rows[i].name);
        for (size_t k = 0; k < len; k++) {
            bool ok = utf8_feed(&s, rows[i].bytes + k, 1);

            CHECK_EQ(ok, rows[i].fail_at < 0 || (int)k < rows[i].fail_at);
        }
        CHECK_EQ(utf8_is_complete(s), rows[i].complete);
        CHECK_EQ(utf8_is_valid(rows[i].bytes, len), rows[i].complete);
    }
}

/* The same verdict wherever a row stands in a longer text, so that each of the
 * paths (blocks, kernel, automaton) and each alignment sees it; and for
 * every split of that text into two. */
static void check_embedded(size_t row, size_t before, size_t after, const char *filler)
{
    size_t len = strlen(rows[row].bytes), unit = strlen(filler), n = 0;
    uint8_t text[256];
    uint8_t *copy;

    for (size_t i = 0; i < before; i += unit, n += unit)
        memcpy(text + n, filler, unit);
    memcpy(text + n, rows[row].bytes, len);
    n += len;
    for (size_t i = 0; i < after; i += unit, n += unit)
        memcpy(text + n, filler, unit);
    copy = test_dup(text, n);
    CHECK_EQ(utf8_is_valid(copy, n), rows[row].complete);
    for (size_t cut = 0; cut <= n; cut++) {
        utf8_state s = UTF8_START;
        bool ok = utf8_feed(&s, copy, cut);

        ok = utf8_feed(&s, copy + cut, n - cut) && ok;
        CHECK_EQ(ok && utf8_is_complete(s), rows[row].complete);
    }
    test_free(copy);
}

TEST(utf8, rows_anywhere_and_every_split)
{
    static const char *const fillers[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].name);
        for (size_t f = 0; f < ARRAY_LEN(fillers); f++) {
            for (size_t before = 0; before < 70; before += f == 0 ? 1 : 5)
                check_embedded(i, before, before % 3 == 0 ? 0 : 100, fillers[f]);
        }
    }
}

/* Every sequence of two bytes, and every third and fourth byte after the leads
 * that restrict their second: held against the definition. */
static bool is_valid_by_definition(const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (i < len) {
        uint32_t c = p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xc0 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

        if ((c >= 0x80 && c < 0xc0) || c >= 0xf8 || n > len - i)
            return false;
        c &= n == 1 ? 0x7f : 0xffu >> (n + 1);
        for (size_t k = 1; k < n; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i + k] & 0x3fu);
        }
        if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return false;
        i += n;
    }
    return true;
}

TEST(utf8, all_short_sequences_against_the_definition)
{
    uint8_t text[80];

    memset(text, 'x', sizeof(text));
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            static const uint8_t thirds[] = {'x', 0x80, 0xbf, 0xc3};

            for (size_t t = 0; t < sizeof(thirds); t++) {
                uint8_t seq[4] = {(uint8_t)a, (uint8_t)b, thirds[t], 0x80};

                for (size_t n = 1; n <= 4; n++) {
                    bool want = is_valid_by_definition(seq, n);

                    CHECK_EQ(utf8_is_valid(seq, n), want);
                    memcpy(text + 30, seq, n); /* crosses the kernel's blocks */
                    CHECK_EQ(utf8_is_valid(text, sizeof(text)),
                             is_valid_by_definition(text, sizeof(text)));
                }
                memset(text + 30, 'x', 4);
            }
        }
    }
}
