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

static void write_cstr(struct ydoc_buf *out, const char *s)
{
    ydoc_buf_append(out, s, strlen(s));
}

/* ---- strings ---- */

static void write_unit(struct ydoc_buf *out, unsigned unit)
{
    char escape[8];

    snprintf(escape, sizeof(escape), "\\u%04x", unit & 0xffff);
    write_cstr(out, escape);
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
        write_unit(out, c);
    } else {
        lib0_write_u8(out, c);
    }
}

static void write_chars(struct ydoc_buf *out, struct ydoc_slice utf8)
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
    write_chars(out, utf8);
    lib0_write_u8(out, '"');
}

void text_write_base64(struct ydoc_buf *out, struct ydoc_slice bytes)
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
        write_cstr(out, digits);
        for (int i = n; i < e; i++)
            lib0_write_u8(out, '0');
    } else if (e > 0 && e <= 21) {
        ydoc_buf_append(out, digits, (size_t)e);
        lib0_write_u8(out, '.');
        write_cstr(out, digits + e);
    } else if (e > -6 && e <= 0) {
        write_cstr(out, "0.");
        for (int i = e; i < 0; i++)
            lib0_write_u8(out, '0');
        write_cstr(out, digits);
    } else {
        lib0_write_u8(out, (uint8_t)digits[0]);
        if (n > 1) {
            lib0_write_u8(out, '.');
            write_cstr(out, digits + 1);
        }
        snprintf(tail, sizeof(tail), "e%c%d", e > 0 ? '+' : '-', e > 0 ? e - 1 : 1 - e);
        write_cstr(out, tail);
    }
}

void text_write_number(struct ydoc_buf *out, double v)
{
    if (isnan(v)) {
        write_cstr(out, "NaN");
        return;
    }
    if (v < 0) {
        lib0_write_u8(out, '-');
        v = -v;
    }
    if (isinf(v))
        write_cstr(out, "Infinity");
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
        write_cstr(out, "null");
    } else {
        write_cstr(out, "{\"$n\":\"");
        if (v == 0)
            lib0_write_u8(out, '-');
        text_write_number(out, v == 0 ? 0 : v);
        write_cstr(out, "\"}");
    }
}

/* ---- lib0 values ---- */

static uint64_t read_be(struct lib0_reader *r, size_t n)
{
    struct ydoc_slice s = lib0_read_raw(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.p[i];
    return v;
}

static void write_float(struct ydoc_buf *out, struct lib0_reader *r, uint8_t tag,
                        enum text_style style)
{
    double d;
    float f;
    uint64_t wide;
    uint32_t narrow;

    if (tag == 123) {
        wide = read_be(r, 8);
        memcpy(&d, &wide, sizeof(d));
    } else {
        narrow = (uint32_t)read_be(r, 4);
        memcpy(&f, &narrow, sizeof(f));
        d = (double)f;
    }
    write_double(out, d, style);
}

static void write_bigint(struct ydoc_buf *out, struct lib0_reader *r, enum text_style style)
{
    uint64_t bits = read_be(r, 8);
    char s[32];

    if (bits >> 63)
        snprintf(s, sizeof(s), "-%llu", (unsigned long long)(~bits + 1));
    else
        snprintf(s, sizeof(s), "%llu", (unsigned long long)bits);
    if (style == TEXT_TAGGED)
        write_cstr(out, "{\"$big\":\"");
    write_cstr(out, s);
    if (style == TEXT_TAGGED)
        write_cstr(out, "\"}");
}

static void write_integer(struct ydoc_buf *out, struct lib0_reader *r, enum text_style style)
{
    bool negative_zero = false;
    int64_t v = lib0_read_varint(r, &negative_zero);

    write_double(out, negative_zero ? -0.0 : (double)v, style);
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
    case 116:
        write_cstr(out, style == TEXT_TAGGED ? "{\"$bin\":" : "");
        text_write_base64(out, lib0_read_varbytes(r));
        write_cstr(out, style == TEXT_TAGGED ? "}" : "");
        return;
    case 117:
    case 118:
        write_members(out, r, tag == 118, style);
        return;
    case 119:
        text_write_string(out, lib0_read_varbytes(r));
        return;
    case 120:
    case 121:
        write_cstr(out, tag == 120 ? "true" : "false");
        return;
    case 122:
        write_bigint(out, r, style);
        return;
    case 123:
    case 124:
        write_float(out, r, tag, style);
        return;
    case 125:
        write_integer(out, r, style);
        return;
    case 127:
        write_cstr(out, style == TEXT_TAGGED ? "{\"$u\":1}" : "null");
        return;
    default:
        write_cstr(out, "null");
    }
}

void text_write_doc(struct ydoc_buf *out, struct ydoc_slice body, enum text_style style)
{
    struct lib0_reader r, meta;
    bool gc = true, auto_load = false, has_meta = false;
    uint64_t n;

    lib0_reader_init(&r, body.p, body.len);
    lib0_reader_init(&meta, NULL, 0);
    write_cstr(out, style == TEXT_TAGGED ? "{\"$doc\":" : "{\"guid\":");
    text_write_string(out, lib0_read_varbytes(&r));
    lib0_read_u8(&r);
    for (n = lib0_read_varuint(&r); n > 0; n--) {
        struct ydoc_slice key = lib0_read_varbytes(&r);

        if (key.len == 2)
            gc = false;
        else if (key.len == 8)
            auto_load = true;
        else {
            meta = r;
            has_meta = true;
        }
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
    }
    if (style == TEXT_TAGGED) {
        write_cstr(out, gc ? ",\"gc\":true" : ",\"gc\":false");
        write_cstr(out,
                   auto_load ? ",\"autoLoad\":true,\"meta\":" : ",\"autoLoad\":false,\"meta\":");
        if (has_meta)
            text_write_any(out, &meta, style);
        else
            write_cstr(out, "null");
    }
    lib0_write_u8(out, '}');
}

/* ---- JSON brought into JSON.stringify's form ---- */

struct member {
    struct ydoc_slice key; /* escaped, without the quotes */
    struct ydoc_slice value;
    uint64_t index; /* of a key like "12", which JavaScript sorts first */
    bool is_index;
};

static void skip_space(struct ydoc_slice *s)
{
    while (s->len > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
        s->len--;
    }
}

static void drop(struct ydoc_slice *s, size_t n)
{
    s->p += n;
    s->len -= n;
}

struct ydoc_slice text_take_value(struct ydoc_slice *s)
{
    struct ydoc_slice v;
    size_t i = 0, depth = 0;
    bool quoted = false;

    skip_space(s);
    for (v = *s; i < s->len; i++) {
        uint8_t c = s->p[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                break;
            depth--;
        } else if (depth == 0 && (c == ',' || c == ':' || c <= ' ')) {
            break;
        }
    }
    v.len = i;
    drop(s, i);
    skip_space(s);
    return v;
}

static unsigned hex4(const uint8_t *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];

        v = v << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static void write_code_point(struct ydoc_buf *out, unsigned c)
{
    if (c < 0x80) {
        write_ascii(out, (uint8_t)c);
    } else if (c < 0x800) {
        lib0_write_u8(out, (uint8_t)(0xc0 | c >> 6));
        lib0_write_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        lib0_write_u8(out, (uint8_t)(0xe0 | c >> 12));
        lib0_write_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        lib0_write_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else {
        lib0_write_u8(out, (uint8_t)(0xf0 | c >> 18));
        lib0_write_u8(out, (uint8_t)(0x80 | (c >> 12 & 63)));
        lib0_write_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        lib0_write_u8(out, (uint8_t)(0x80 | (c & 63)));
    }
}

/* `s` stands behind "\u"; returns how many bytes were used. */
static size_t write_unicode_escape(struct ydoc_buf *out, struct ydoc_slice s)
{
    unsigned c = hex4(s.p), low;

    if (c < 0xd800 || c > 0xdfff) {
        write_code_point(out, c);
        return 4;
    }
    low = c < 0xdc00 && s.len >= 10 && s.p[4] == '\\' && s.p[5] == 'u' ? hex4(s.p + 6) : 0;
    if (low >= 0xdc00 && low <= 0xdfff) {
        write_code_point(out, 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff));
        return 10;
    }
    write_unit(out, c);
    return 4;
}

/* A string's inside, escapes as JSON.stringify has them. */
static void write_canonical_chars(struct ydoc_buf *out, struct ydoc_slice s)
{
    static const char names[] = "bfnrt";
    static const char named[] = "\b\f\n\r\t";

    while (s.len > 0) {
        const uint8_t *escape = memchr(s.p, '\\', s.len);
        size_t n = escape != NULL ? (size_t)(escape - s.p) : s.len;
        struct ydoc_slice plain = {s.p, n};

        write_chars(out, plain);
        drop(&s, n);
        if (s.len == 0)
            return;
        if (s.p[1] == 'u') {
            drop(&s, 2);
            drop(&s, write_unicode_escape(out, s));
        } else {
            const char *at = memchr(names, s.p[1], sizeof(names) - 1);

            write_ascii(out, at != NULL ? (uint8_t)named[at - names] : s.p[1]);
            drop(&s, 2);
        }
    }
}

static void write_canonical_number(struct ydoc_buf *out, struct ydoc_slice s)
{
    char point[8], copy[512];
    size_t i;
    double v;

    for (i = 0; i < s.len && i < 16 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        ;
    if (i == s.len && i < 16) {
        ydoc_buf_append(out, s.p, s.len);
        return;
    }
    snprintf(point, sizeof(point), "%.1f", 0.5);
    for (i = 0; i < s.len && i < sizeof(copy) - 1; i++)
        copy[i] = s.p[i] == '.' ? point[1] : (char)s.p[i];
    copy[i] = '\0';
    v = strtod(copy, NULL);
    if (isinf(v))
        write_cstr(out, "null");
    else
        text_write_number(out, v == 0 ? 0 : v);
}

static void read_index(struct member *m)
{
    m->is_index = m->key.len > 0 && m->key.len <= 10 && (m->key.p[0] != '0' || m->key.len == 1);
    m->index = 0;
    for (size_t i = 0; i < m->key.len && m->is_index; i++) {
        m->is_index = m->key.p[i] >= '0' && m->key.p[i] <= '9';
        m->index = m->index * 10 + (uint64_t)(m->key.p[i] - '0');
    }
    m->is_index = m->is_index && m->index < UINT32_MAX;
}

/* Puts a member where JavaScript's property order has it. */
static size_t insert_member(struct member *v, size_t n, struct member m)
{
    size_t at = n;

    for (size_t i = 0; i < n; i++) {
        if (v[i].key.len == m.key.len && memcmp(v[i].key.p, m.key.p, m.key.len) == 0) {
            v[i].value = m.value;
            return n;
        }
    }
    if (m.is_index) {
        for (at = 0; at < n && v[at].is_index && v[at].index < m.index;)
            at++;
    }
    memmove(&v[at + 1], &v[at], (n - at) * sizeof(*v));
    v[at] = m;
    return n + 1;
}

static void write_member(struct ydoc_buf *out, const struct member *m, bool first)
{
    if (!first)
        lib0_write_u8(out, ',');
    lib0_write_u8(out, '"');
    write_canonical_chars(out, m->key);
    ydoc_buf_append(out, "\":", 2);
    text_write_canonical(out, m->value);
}

static size_t count_members(struct ydoc_slice s)
{
    size_t n = 0;

    for (; *s.p != '}'; n++) {
        text_take_value(&s);
        drop(&s, 1);
        text_take_value(&s);
        if (*s.p == ',')
            drop(&s, 1);
        skip_space(&s);
    }
    return n;
}

static struct member take_member(struct ydoc_slice *s)
{
    struct member m;

    m.key = text_take_value(s);
    m.key.p++;
    m.key.len -= 2;
    drop(s, 1);
    m.value = text_take_value(s);
    if (*s->p == ',')
        drop(s, 1);
    skip_space(s);
    read_index(&m);
    return m;
}

/* Equal keys that are escaped in different ways are taken for different ones. */
static void write_canonical_object(struct ydoc_buf *out, struct ydoc_slice s)
{
    size_t count = count_members(s), n = 0;
    struct member *v = NULL;

    lib0_write_u8(out, '{');
    if (count > 1 && count <= TEXT_MEMBERS_MAX)
        v = out->alloc.resize(out->alloc.ctx, NULL, 0, count * sizeof(*v));
    for (size_t i = 0; i < count; i++) {
        struct member m = take_member(&s);

        if (v != NULL)
            n = insert_member(v, n, m);
        else
            write_member(out, &m, i == 0);
    }
    for (size_t i = 0; i < n; i++)
        write_member(out, &v[i], i == 0);
    if (v != NULL)
        out->alloc.resize(out->alloc.ctx, v, count * sizeof(*v), 0);
    lib0_write_u8(out, '}');
}

static void write_canonical_array(struct ydoc_buf *out, struct ydoc_slice s)
{
    lib0_write_u8(out, '[');
    for (bool first = true; *s.p != ']'; first = false) {
        if (!first)
            lib0_write_u8(out, ',');
        text_write_canonical(out, text_take_value(&s));
        if (*s.p == ',')
            drop(&s, 1);
        skip_space(&s);
    }
    lib0_write_u8(out, ']');
}

/* Each level is read again by the levels around it, at most nesting_max times. */
void text_write_canonical(struct ydoc_buf *out, struct ydoc_slice json)
{
    struct ydoc_slice s = json, v = text_take_value(&s), inside = v;

    if (v.len == 0)
        return;
    drop(&inside, 1);
    switch (v.p[0]) {
    case '{':
        skip_space(&inside);
        write_canonical_object(out, inside);
        break;
    case '[':
        skip_space(&inside);
        write_canonical_array(out, inside);
        break;
    case '"':
        inside.len--;
        lib0_write_u8(out, '"');
        write_canonical_chars(out, inside);
        lib0_write_u8(out, '"');
        break;
    case 't':
    case 'f':
    case 'n':
        ydoc_buf_append(out, v.p, v.len);
        break;
    default:
        write_canonical_number(out, v);
    }
}
