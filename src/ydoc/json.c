/* json - JSON text brought into the form of JSON.stringify, and read.
 *
 * What comes in is valid JSON: value.c has checked it. Yjs parses what arrives
 * and writes it again, so that numbers, escapes, white space and the order of
 * members come out in one form, whoever wrote them.
 */
#include "ydoc/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ydoc/members.h"
#include "ydoc/text.h"

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

/* Takes one value off the front of `s`; nothing is checked again. */
struct ydoc_slice json_take_value(struct ydoc_slice *s)
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

static void write_ascii(struct ydoc_buf *out, uint8_t c)
{
    struct ydoc_slice one = {&c, 1};

    text_write_chars(out, one);
}

void json_write_point(struct ydoc_buf *out, uint32_t c)
{
    if (c < 0x80) {
        lib0_write_u8(out, (uint8_t)c);
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

static void write_code_point(struct ydoc_buf *out, unsigned c)
{
    if (c < 0x80)
        write_ascii(out, (uint8_t)c);
    else
        json_write_point(out, c);
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
    text_write_unit(out, c);
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

        text_write_chars(out, plain);
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

double json_read_number(struct ydoc_slice s)
{
    char point[8], copy[512];
    size_t i;

    snprintf(point, sizeof(point), "%.1f", 0.5);
    for (i = 0; i < s.len && i < sizeof(copy) - 1; i++)
        copy[i] = s.p[i] == '.' ? point[1] : (char)s.p[i];
    copy[i] = '\0';
    return strtod(copy, NULL);
}

/* Up to 15 digits, which are exact as they stand. */
static bool is_plain_integer(struct ydoc_slice s)
{
    size_t i = 0;

    while (i < s.len && i < 16 && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i == s.len && i < 16;
}

static void write_canonical_number(struct ydoc_buf *out, struct ydoc_slice s)
{
    double v;

    if (is_plain_integer(s)) {
        ydoc_buf_append(out, s.p, s.len);
        return;
    }
    v = json_read_number(s);
    if (isinf(v))
        ydoc_buf_append(out, "null", 4);
    else
        text_write_number(out, v == 0 ? 0 : v);
}

static size_t count_members(struct ydoc_slice s)
{
    size_t n = 0;

    for (; *s.p != '}'; n++) {
        json_take_value(&s);
        drop(&s, 1);
        json_take_value(&s);
        if (*s.p == ',')
            drop(&s, 1);
        skip_space(&s);
    }
    return n;
}

static struct member take_member(struct ydoc_slice *s)
{
    struct member m;

    m.key = json_take_value(s);
    m.key.p++;
    m.key.len -= 2;
    m.rank = 0;
    drop(s, 1);
    m.value = json_take_value(s);
    if (*s->p == ',')
        drop(s, 1);
    skip_space(s);
    return m;
}

/* Keys are compared in their canonical spelling; the rare ones that have escapes
 * are spelled in `keys`. */
static void take_members(struct member *v, size_t n, struct ydoc_slice s, struct ydoc_buf *keys)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = take_member(&s);
        if (v[i].key.len > 0 && memchr(v[i].key.p, '\\', v[i].key.len) != NULL) {
            v[i].rank = keys->len + 1;
            write_canonical_chars(keys, v[i].key);
            v[i].key.len = keys->len + 1 - v[i].rank;
        }
    }
    for (size_t i = 0; i < n && !keys->failed; i++) {
        if (v[i].rank > 0)
            v[i].key.p = keys->p + v[i].rank - 1;
    }
}

static void write_canonical_object(struct ydoc_buf *out, struct ydoc_slice s)
{
    size_t count = count_members(s), n = 0, bytes = count * sizeof(struct member);
    struct member *v = NULL;
    struct ydoc_buf keys;

    ydoc_buf_init(&keys, &out->alloc);
    lib0_write_u8(out, '{');
    if (count > 0 && (v = out->alloc.resize(out->alloc.ctx, NULL, 0, bytes)) == NULL)
        out->failed = true;
    if (v != NULL) {
        take_members(v, count, s, &keys);
        out->failed = out->failed || keys.failed;
        n = keys.failed ? 0 : members_order(v, count);
    }
    for (size_t i = 0; i < n; i++) {
        ydoc_buf_append(out, i > 0 ? ",\"" : "\"", i > 0 ? 2 : 1);
        ydoc_buf_append(out, v[i].key.p, v[i].key.len);
        ydoc_buf_append(out, "\":", 2);
        text_write_canonical(out, v[i].value);
    }
    if (v != NULL)
        out->alloc.resize(out->alloc.ctx, v, bytes, 0);
    lib0_write_u8(out, '}');
    ydoc_buf_fini(&keys);
}

static void write_canonical_array(struct ydoc_buf *out, struct ydoc_slice s)
{
    lib0_write_u8(out, '[');
    for (bool first = true; *s.p != ']'; first = false) {
        if (!first)
            lib0_write_u8(out, ',');
        text_write_canonical(out, json_take_value(&s));
        if (*s.p == ',')
            drop(&s, 1);
        skip_space(&s);
    }
    lib0_write_u8(out, ']');
}

/* Each level is read again by the levels around it, at most nesting_max times. */
void text_write_canonical(struct ydoc_buf *out, struct ydoc_slice json)
{
    struct ydoc_slice s = json, v = json_take_value(&s), inside = v;

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

/* ---- is it in that form already? ---- */

bool json_is_canonical(struct ydoc_slice s)
{
    if (s.len == 0)
        return false;
    if (s.p[0] != '"')
        return is_plain_integer(s) || (s.len == 4 && memcmp(s.p, "true", 4) == 0) ||
               (s.len == 4 && memcmp(s.p, "null", 4) == 0) ||
               (s.len == 5 && memcmp(s.p, "false", 5) == 0);
    return memchr(s.p, '\\', s.len) == NULL && s.p[s.len - 1] == '"';
}

void json_write(struct ydoc_buf *out, struct ydoc_slice json)
{
    if (json_is_canonical(json))
        ydoc_buf_append(out, json.p, json.len);
    else
        text_write_canonical(out, json);
}

/* ---- JSON to lib0's any ---- */

/* `s` stands behind "\u"; returns how many bytes were used. Half a surrogate
 * pair is not UTF-8: JavaScript's encoder puts U+FFFD. */
static size_t write_unescaped(struct ydoc_buf *out, struct ydoc_slice s)
{
    unsigned c = hex4(s.p), low = 0;

    if (c < 0xd800 || c > 0xdfff) {
        json_write_point(out, c);
        return 4;
    }
    if (c < 0xdc00 && s.len >= 10 && s.p[4] == '\\' && s.p[5] == 'u')
        low = hex4(s.p + 6);
    if (low < 0xdc00 || low > 0xdfff) {
        json_write_point(out, 0xfffd);
        return 4;
    }
    json_write_point(out, 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff));
    return 10;
}

void json_unescape(struct ydoc_buf *out, struct ydoc_slice s)
{
    static const char names[] = "bfnrt";
    static const char named[] = "\b\f\n\r\t";

    while (s.len > 0) {
        const uint8_t *escape = memchr(s.p, '\\', s.len);
        size_t n = escape != NULL ? (size_t)(escape - s.p) : s.len;

        ydoc_buf_append(out, s.p, n);
        drop(&s, n);
        if (s.len == 0)
            return;
        if (s.p[1] == 'u') {
            drop(&s, 2);
            drop(&s, write_unescaped(out, s));
        } else {
            const char *at = memchr(names, s.p[1], sizeof(names) - 1);

            lib0_write_u8(out, at != NULL ? (uint8_t)named[at - names] : s.p[1]);
            drop(&s, 2);
        }
    }
}
