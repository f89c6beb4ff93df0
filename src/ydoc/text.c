/* text - see text.h.
 *
 * Numbers: the shortest digits that read back as the same double are found by
 * trying; printf rounds correctly, so that is exact, and numbers that are not
 * small integers are rare. The host's locale may put a comma where JSON has a
 * point: digits are picked out around it, and put in the same way.
 */
#include "ydoc/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ydoc/any.h"

/* ---- strings ---- */

void text_write_unit(struct ydoc_buf *out, unsigned unit)
{
    char escape[8];

    snprintf(escape, sizeof(escape), "\\u%04x", unit & 0xffff);
    ydoc__write(out, escape);
}

static void write_ascii(struct ydoc_buf *out, uint8_t c)
{
    static const char named[] = "\b\t\n\f\r\"\\";
    static const char names[] = "btnfr\"\\";
    const char *at = c != 0 ? memchr(named, c, sizeof(named) - 1) : NULL;

    if (at != NULL) {
        lib0_write_u8(out, '\\');
        lib0_write_u8(out, (uint8_t)names[at - named]);
    } else if (c < 0x20) {
        text_write_unit(out, c);
    } else {
        lib0_write_u8(out, c);
    }
}

void text_write_chars(struct ydoc_buf *out, struct ydoc_slice utf8)
{
    size_t from = 0;

    if (utf8.len == 0)
        return;
    for (size_t i = 0; i < utf8.len; i++) {
        uint8_t c = utf8.p[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        ydoc_buf_append(out, utf8.p + from, i - from);
        write_ascii(out, c);
        from = i + 1;
    }
    ydoc_buf_append(out, utf8.p + from, utf8.len - from);
}

void text_write_string(struct ydoc_buf *out, struct ydoc_slice utf8)
{
    lib0_write_u8(out, '"');
    text_write_chars(out, utf8);
    lib0_write_u8(out, '"');
}

static void write_base64(struct ydoc_buf *out, struct ydoc_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    lib0_write_u8(out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i;
        uint32_t v = (uint32_t)bytes.p[i] << 16 | (n > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0) |
                     (n > 2 ? bytes.p[i + 2] : 0);

        lib0_write_u8(out, (uint8_t)digits[v >> 18]);
        lib0_write_u8(out, (uint8_t)digits[v >> 12 & 63]);
        lib0_write_u8(out, (uint8_t)(n > 1 ? digits[v >> 6 & 63] : '='));
        lib0_write_u8(out, (uint8_t)(n > 2 ? digits[v & 63] : '='));
    }
    lib0_write_u8(out, '"');
}

void text_write_bytes(struct ydoc_buf *out, struct ydoc_slice bytes, enum text_style style)
{
    ydoc__write(out, style == TEXT_TAGGED ? "{\"$bin\":" : "");
    write_base64(out, bytes);
    ydoc__write(out, style == TEXT_TAGGED ? "}" : "");
}

/* ---- numbers ---- */

/* Shortest decimal digits of v > 0 and the exponent: 0.d1d2d3… x 10^exponent. */
static int shortest_digits(double v, char digits[20], int *exponent)
{
    char s[40];
    int n = 0, precision = 0;

    for (; precision < 17; precision++) {
        snprintf(s, sizeof(s), "%.*e", precision, v);
        if (strtod(s, NULL) == v)
            break;
    }
    for (const char *p = s; *p != 'e' && *p != '\0' && n < 18; p++) {
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    *exponent = atoi(strchr(s, 'e') + 1) + 1;
    return n;
}

/* ECMA-262, Number::toString, radix 10. */
static void write_positive(struct ydoc_buf *out, double v)
{
    char digits[20], tail[16];
    int e, n = shortest_digits(v, digits, &e);

    if (n <= e && e <= 21) {
        ydoc__write(out, digits);
        for (int i = n; i < e; i++)
            lib0_write_u8(out, '0');
    } else if (e > 0 && e <= 21) {
        ydoc_buf_append(out, digits, (size_t)e);
        lib0_write_u8(out, '.');
        ydoc__write(out, digits + e);
    } else if (e > -6 && e <= 0) {
        ydoc__write(out, "0.");
        for (int i = e; i < 0; i++)
            lib0_write_u8(out, '0');
        ydoc__write(out, digits);
    } else {
        lib0_write_u8(out, (uint8_t)digits[0]);
        if (n > 1) {
            lib0_write_u8(out, '.');
            ydoc__write(out, digits + 1);
        }
        snprintf(tail, sizeof(tail), "e%c%d", e > 0 ? '+' : '-', e > 0 ? e - 1 : 1 - e);
        ydoc__write(out, tail);
    }
}

void text_write_number(struct ydoc_buf *out, double v)
{
    if (isnan(v)) {
        ydoc__write(out, "NaN");
        return;
    }
    if (v < 0) {
        lib0_write_u8(out, '-');
        v = -v;
    }
    if (isinf(v))
        ydoc__write(out, "Infinity");
    else if (v == 0)
        lib0_write_u8(out, '0');
    else
        write_positive(out, v);
}

/* A number that JSON may lack. */
static void write_double(struct ydoc_buf *out, double v, enum text_style style)
{
    bool odd = isnan(v) || isinf(v) || (v == 0 && signbit(v));

    if (!odd || (style == TEXT_PLAIN && v == 0)) {
        text_write_number(out, v == 0 ? 0 : v);
    } else if (style == TEXT_PLAIN) {
        ydoc__write(out, "null");
    } else {
        ydoc__write(out, "{\"$n\":\"");
        if (v == 0)
            lib0_write_u8(out, '-');
        text_write_number(out, v == 0 ? 0 : v);
        ydoc__write(out, "\"}");
    }
}

/* ---- lib0 values ---- */

static void write_bigint(struct ydoc_buf *out, struct lib0_reader *r, enum text_style style)
{
    uint64_t bits = any__read_be(r, 8);
    char s[32];

    if (bits >> 63)
        snprintf(s, sizeof(s), "-%llu", (unsigned long long)(~bits + 1));
    else
        snprintf(s, sizeof(s), "%llu", (unsigned long long)bits);
    if (style == TEXT_TAGGED)
        ydoc__write(out, "{\"$big\":\"");
    ydoc__write(out, s);
    if (style == TEXT_TAGGED)
        ydoc__write(out, "\"}");
}

static void write_members(struct ydoc_buf *out, struct lib0_reader *r, bool object,
                          enum text_style style)
{
    uint64_t n = lib0_read_varuint(r);

    lib0_write_u8(out, object ? '{' : '[');
    for (uint64_t i = 0; i < n && r->why == NULL; i++) {
        if (i > 0)
            lib0_write_u8(out, ',');
        if (object) {
            text_write_string(out, lib0_read_varbytes(r));
            lib0_write_u8(out, ':');
        }
        text_write_any(out, r, style); /* as deep as the check at decoding allows */
    }
    lib0_write_u8(out, object ? '}' : ']');
}

void text_write_any(struct ydoc_buf *out, struct lib0_reader *r, enum text_style style)
{
    uint8_t tag = lib0_read_u8(r);

    switch (tag) {
    case ANY_BYTES:
        text_write_bytes(out, lib0_read_varbytes(r), style);
        return;
    case ANY_ARRAY:
    case ANY_OBJECT:
        write_members(out, r, tag == ANY_OBJECT, style);
        return;
    case ANY_STRING:
        text_write_string(out, lib0_read_varbytes(r));
        return;
    case ANY_TRUE:
    case ANY_FALSE:
        ydoc__write(out, tag == ANY_TRUE ? "true" : "false");
        return;
    case ANY_BIGINT:
        write_bigint(out, r, style);
        return;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        write_double(out, any__read_number(r, tag), style);
        return;
    case ANY_UNDEFINED:
        ydoc__write(out, style == TEXT_TAGGED ? "{\"$u\":1}" : "null");
        return;
    default:
        ydoc__write(out, "null");
    }
}

/* Options that are not there have the defaults of Yjs. */
void text_write_doc(struct ydoc_buf *out, struct ydoc_slice body, enum text_style style)
{
    static const char *const names[] = {"gc", "autoLoad", "meta"};
    static const char *const defaults[] = {"true", "false", "null"};
    struct lib0_reader r, value[3];
    bool given[3] = {false, false, false};

    lib0_reader_init(&r, body.p, body.len);
    ydoc__write(out, style == TEXT_TAGGED ? "{\"$doc\":" : "{\"guid\":");
    text_write_string(out, lib0_read_varbytes(&r));
    lib0_read_u8(&r);
    for (uint64_t n = lib0_read_varuint(&r); n > 0; n--) {
        struct ydoc_slice key = lib0_read_varbytes(&r);
        int which = key.len == 2 ? 0 : key.len == 8 ? 1 : 2;

        value[which] = r;
        given[which] = true;
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
    }
    for (int i = 0; i < 3 && style == TEXT_TAGGED; i++) {
        ydoc__write(out, ",\"");
        ydoc__write(out, names[i]);
        ydoc__write(out, "\":");
        if (given[i])
            text_write_any(out, &value[i], style);
        else
            ydoc__write(out, defaults[i]);
    }
    lib0_write_u8(out, '}');
}
