/* value_print - see value_print.h. */
#include "ydoc_cli/value_print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "ydoc/any.h"

void print_words(struct ydoc_buf *out, const char *fmt, ...)
{
    char words[400];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    if (n > 0)
        ydoc_buf_append(out, words, (size_t)n < sizeof(words) ? (size_t)n : sizeof(words) - 1);
}

static void print_more(struct ydoc_buf *out, size_t left)
{
    if (left > 0)
        print_words(out, " and %zu bytes more", left);
}

void print_string(struct ydoc_buf *out, struct ydoc_slice s, size_t max)
{
    size_t n = s.len < max ? s.len : max;

    while (n < s.len && n > 0 && (s.p[n] & 0xc0) == 0x80)
        n--; /* not through a character */
    ydoc_buf_append(out, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        bool c1 = s.p[i] == 0xc2 && i + 1 < n && s.p[i + 1] < 0xa0; /* U+0080 to U+009F */

        if (s.p[i] == '"' || s.p[i] == '\\')
            print_words(out, "\\%c", s.p[i]);
        else if (s.p[i] == '\n')
            ydoc_buf_append(out, "\\n", 2);
        else if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            print_words(out, "\\u%04x", s.p[i]);
        else if (c1)
            print_words(out, "\\u%04x", s.p[++i]);
        else
            ydoc_buf_append(out, s.p + i, 1);
    }
    ydoc_buf_append(out, "\"", 1);
    print_more(out, s.len - n);
}

void print_bytes(struct ydoc_buf *out, struct ydoc_slice s, size_t max)
{
    size_t n = s.len < max / 2 ? s.len : max / 2;

    ydoc_buf_append(out, "<", 1);
    for (size_t i = 0; i < n; i++)
        print_words(out, "%02x", s.p[i]);
    ydoc_buf_append(out, ">", 1);
    print_more(out, s.len - n);
}

static void print_number(struct ydoc_buf *out, struct lib0_reader *r, uint8_t tag)
{
    double v = any__read_number(r, tag);

    print_words(out, tag == ANY_FLOAT32 ? "%.9g" : "%.17g", v);
}

/* Recursion is as deep as the check of the update allowed the value to be. */
static void print_members(struct ydoc_buf *out, struct lib0_reader *r, uint8_t tag, size_t max)
{
    uint64_t n = lib0_read_varuint(r);

    ydoc_buf_append(out, tag == ANY_OBJECT ? "{" : "[", 1);
    for (uint64_t i = 0; i < n && r->why == NULL; i++) {
        if (i > 0)
            ydoc_buf_append(out, ", ", 2);
        if (tag == ANY_OBJECT) {
            print_string(out, lib0_read_varstring(r, NULL), max);
            ydoc_buf_append(out, ": ", 2);
        }
        print_any(out, r, max);
    }
    ydoc_buf_append(out, tag == ANY_OBJECT ? "}" : "]", 1);
}

void print_any(struct ydoc_buf *out, struct lib0_reader *r, size_t max)
{
    uint8_t tag = lib0_read_u8(r);

    switch (tag) {
    case ANY_UNDEFINED:
        ydoc_buf_append(out, "undefined", 9);
        return;
    case ANY_NULL:
        ydoc_buf_append(out, "null", 4);
        return;
    case ANY_INTEGER:
    case ANY_FLOAT32:
    case ANY_FLOAT64:
        print_number(out, r, tag);
        return;
    case ANY_BIGINT:
        print_words(out, "%" PRId64 "n", (int64_t)any__read_be(r, 8));
        return;
    case ANY_FALSE:
        ydoc_buf_append(out, "false", 5);
        return;
    case ANY_TRUE:
        ydoc_buf_append(out, "true", 4);
        return;
    case ANY_STRING:
        print_string(out, lib0_read_varstring(r, NULL), max);
        return;
    case ANY_OBJECT:
    case ANY_ARRAY:
        print_members(out, r, tag, max);
        return;
    default:
        print_bytes(out, lib0_read_varbytes(r), max);
        return;
    }
}
