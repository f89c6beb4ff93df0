/* any - see any.h. Recursion is as deep as the check at reading allows. */
#include "ydoc/any.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ydoc/json.h"
#include "ydoc/members.h"
#include "ydoc/text.h"

enum {
    ANY_BYTES = 116,
    ANY_ARRAY = 117,
    ANY_OBJECT = 118,
    ANY_STRING = 119,
    ANY_TRUE = 120,
    ANY_FALSE = 121,
    ANY_BIGINT = 122,
    ANY_FLOAT64 = 123,
    ANY_FLOAT32 = 124,
    ANY_INTEGER = 125,
    ANY_NULL = 126,
    ANY_UNDEFINED = 127,
};

#define INTEGER_MAX 2147483647.0

static bool slice_is(struct ydoc_slice s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* ---- numbers ---- */

static uint64_t read_be(struct lib0_reader *r, size_t n)
{
    struct ydoc_slice s = lib0_read_raw(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.p[i];
    return v;
}

static void write_be(struct ydoc_buf *out, uint64_t v, size_t n)
{
    uint8_t p[8];

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    ydoc_buf_append(out, p, n);
}

/* Behind the tag. */
static double read_number(struct lib0_reader *r, uint8_t tag)
{
    bool negative_zero = false;
    uint64_t wide;
    uint32_t narrow;
    double d;
    float f;

    if (tag == ANY_INTEGER) {
        int64_t v = lib0_read_varint(r, &negative_zero);

        return negative_zero ? -0.0 : (double)v;
    }
    if (tag == ANY_FLOAT64) {
        wide = read_be(r, 8);
        memcpy(&d, &wide, sizeof(d));
        return d;
    }
    narrow = (uint32_t)read_be(r, 4);
    memcpy(&f, &narrow, sizeof(f));
    return (double)f;
}

static bool is_integer(double v)
{
    return fabs(v) <= INTEGER_MAX && v == floor(v);
}

/* The cast is defined for what is in float's range only. */
static bool is_float32(double v)
{
    return isinf(v) || (fabs(v) <= 3.4028234663852886e38 && (double)(float)v == v);
}

static void write_number(struct ydoc_buf *out, double v)
{
    uint64_t wide = UINT64_C(0x7ff8000000000000);
    uint32_t narrow;
    float f;

    if (is_integer(v)) {
        lib0_write_u8(out, ANY_INTEGER);
        lib0_write_varint(out, (int64_t)v, v == 0 && signbit(v));
    } else if (is_float32(v)) {
        f = (float)v;
        memcpy(&narrow, &f, sizeof(f));
        lib0_write_u8(out, ANY_FLOAT32);
        write_be(out, narrow, 4);
    } else {
        if (!isnan(v))
            memcpy(&wide, &v, sizeof(v));
        lib0_write_u8(out, ANY_FLOAT64);
        write_be(out, wide, 8);
    }
}

static bool number_is_canonical(struct lib0_reader *r, uint8_t tag)
{
    const uint8_t *at = r->p;
    double v = read_number(r, tag);
    uint64_t m;

    if (tag == ANY_INTEGER) {
        m = (uint64_t)fabs(v);
        return fabs(v) <= INTEGER_MAX &&
               (size_t)(r->p - at) == (m < 64 ? 1 : 1 + lib0_varuint_len(m >> 6));
    }
    if (is_integer(v))
        return false;
    if (tag == ANY_FLOAT32)
        return !isnan(v);
    return !is_float32(v) && (!isnan(v) || memcmp(at, "\x7f\xf8\0\0\0\0\0\0", 8) == 0);
}

/* ---- is it canonical? ---- */

static bool length_is_canonical(struct lib0_reader *r, uint64_t *n)
{
    const uint8_t *at = r->p;

    *n = lib0_read_varuint(r);
    return (size_t)(r->p - at) == lib0_varuint_len(*n);
}

static bool bytes_are_canonical(struct lib0_reader *r, struct ydoc_slice *bytes)
{
    uint64_t n;
    bool canonical = length_is_canonical(r, &n);

    *bytes = lib0_read_raw(r, (size_t)n);
    return canonical;
}

static bool value_is_canonical(struct lib0_reader *r);

/* The keys seen, as bits of a hash: keys that share one may be equal. */
struct key_set {
    uint64_t bits[4];
    uint64_t next_index; /* indexes come first, ascending */
    bool other;
};

static bool key_is_canonical(struct key_set *seen, struct ydoc_slice key)
{
    uint32_t hash = 2166136261u;
    uint64_t index, bit;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.p[i]) * 16777619u;
    hash ^= hash >> 15;
    bit = UINT64_C(1) << (hash & 63);
    if (slice_is(key, "__proto__") || (seen->bits[hash >> 6 & 3] & bit) != 0)
        return false;
    seen->bits[hash >> 6 & 3] |= bit;
    if (!members_is_index(key, &index)) {
        seen->other = true;
        return true;
    }
    if (seen->other || index < seen->next_index)
        return false;
    seen->next_index = index + 1;
    return true;
}

static bool members_are_canonical(struct lib0_reader *r, bool object)
{
    struct key_set seen = {{0}, 0, false};
    struct ydoc_slice key;
    uint64_t n;

    if (!length_is_canonical(r, &n))
        return false;
    for (; n > 0; n--) {
        if (object && (!bytes_are_canonical(r, &key) || !key_is_canonical(&seen, key)))
            return false;
        if (!value_is_canonical(r))
            return false;
    }
    return true;
}

static bool value_is_canonical(struct lib0_reader *r)
{
    uint8_t tag = lib0_read_u8(r);
    struct ydoc_slice bytes;

    switch (tag) {
    case ANY_BYTES:
    case ANY_STRING:
        return bytes_are_canonical(r, &bytes);
    case ANY_ARRAY:
    case ANY_OBJECT:
        return members_are_canonical(r, tag == ANY_OBJECT);
    case ANY_BIGINT:
        lib0_read_raw(r, 8);
        return true;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        return number_is_canonical(r, tag);
    default:
        return true;
    }
}

bool any_is_canonical(struct ydoc_slice values)
{
    struct lib0_reader r;

    lib0_reader_init(&r, values.p, values.len);
    while (lib0_left(&r) > 0) {
        if (!value_is_canonical(&r))
            return false;
    }
    return true;
}

/* ---- making it so ---- */

static void write_value(struct ydoc_buf *out, struct lib0_reader *r);

static struct ydoc_slice skip_value(struct lib0_reader *r)
{
    struct ydoc_slice s = {r->p, 0};

    ydoc__any_skip(r, YDOC__NESTING_MAX);
    s.len = (size_t)(r->p - s.p);
    return s;
}

/* Reads `count` members, at least one; the number that is left of them. */
static size_t take_members(struct member *v, size_t count, struct lib0_reader *r)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        v[n].key = lib0_read_varbytes(r);
        v[n].value = skip_value(r);
        n += !slice_is(v[n].key, "__proto__");
    }
    return members_order(v, n);
}

/* Every member takes two bytes at least, so the count is no promise. */
static void write_object(struct ydoc_buf *out, struct lib0_reader *r)
{
    size_t count = (size_t)lib0_read_varuint(r), bytes = count * sizeof(struct member), n;
    struct member *v;

    lib0_write_u8(out, ANY_OBJECT);
    if (count == 0) {
        lib0_write_varuint(out, 0);
        return;
    }
    v = out->alloc.resize(out->alloc.ctx, NULL, 0, bytes);
    if (v == NULL) {
        out->failed = true;
        r->p = r->end;
        return;
    }
    n = take_members(v, count, r);
    lib0_write_varuint(out, n);
    for (size_t i = 0; i < n; i++) {
        struct lib0_reader value;

        lib0_write_varbytes(out, v[i].key.p, v[i].key.len);
        lib0_reader_init(&value, v[i].value.p, v[i].value.len);
        write_value(out, &value);
    }
    out->alloc.resize(out->alloc.ctx, v, bytes, 0);
}

static void write_value(struct ydoc_buf *out, struct lib0_reader *r)
{
    uint8_t tag = lib0_read_u8(r);
    struct ydoc_slice bytes;
    uint64_t n;

    switch (tag) {
    case ANY_OBJECT:
        write_object(out, r);
        return;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        write_number(out, read_number(r, tag));
        return;
    default:
        lib0_write_u8(out, tag);
    }
    if (tag == ANY_BYTES || tag == ANY_STRING) {
        bytes = lib0_read_varbytes(r);
        lib0_write_varbytes(out, bytes.p, bytes.len);
    } else if (tag == ANY_BIGINT) {
        bytes = lib0_read_raw(r, 8);
        ydoc_buf_append(out, bytes.p, bytes.len);
    } else if (tag == ANY_ARRAY) {
        n = lib0_read_varuint(r);
        lib0_write_varuint(out, n);
        for (; n > 0 && !out->failed; n--)
            write_value(out, r);
    }
}

void any_write(struct ydoc_buf *out, struct ydoc_slice values)
{
    struct lib0_reader r;

    if (any_is_canonical(values)) {
        ydoc_buf_append(out, values.p, values.len);
        return;
    }
    lib0_reader_init(&r, values.p, values.len);
    while (lib0_left(&r) > 0 && !out->failed)
        write_value(out, &r);
}

/* ---- to JSON ---- */

static bool value_is_json(struct lib0_reader *r)
{
    uint8_t tag = lib0_read_u8(r);
    uint64_t n;
    double v;

    switch (tag) {
    case ANY_STRING:
        lib0_read_varbytes(r);
        return true;
    case ANY_TRUE:
    case ANY_FALSE:
    case ANY_NULL:
        return true;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        v = read_number(r, tag);
        return !isnan(v) && !isinf(v) && !(v == 0 && signbit(v));
    case ANY_ARRAY:
    case ANY_OBJECT:
        for (n = lib0_read_varuint(r); n > 0; n--) {
            if (tag == ANY_OBJECT)
                lib0_read_varbytes(r);
            if (!value_is_json(r))
                return false;
        }
        return true;
    default:
        return false;
    }
}

bool any_is_json(struct ydoc_slice value)
{
    struct lib0_reader r;

    lib0_reader_init(&r, value.p, value.len);
    return value_is_json(&r);
}

static void write_json(struct ydoc_buf *out, struct lib0_reader *r);

static void write_json_members(struct ydoc_buf *out, struct lib0_reader *r, bool object)
{
    bool first = true;

    lib0_write_u8(out, object ? '{' : '[');
    for (uint64_t n = lib0_read_varuint(r); n > 0; n--) {
        struct ydoc_slice key = {NULL, 0};

        if (object)
            key = lib0_read_varbytes(r);
        if (object && *r->p == ANY_UNDEFINED) {
            r->p++;
            continue;
        }
        if (!first)
            lib0_write_u8(out, ',');
        first = false;
        if (object) {
            text_write_string(out, key);
            lib0_write_u8(out, ':');
        }
        write_json(out, r);
    }
    lib0_write_u8(out, object ? '}' : ']');
}

/* JSON.stringify takes a Uint8Array for an object of its indexes. */
static void write_json_bytes(struct ydoc_buf *out, struct ydoc_slice bytes)
{
    char member[40];

    lib0_write_u8(out, '{');
    for (size_t i = 0; i < bytes.len; i++) {
        int n = snprintf(member, sizeof(member), "%s\"%zu\":%u", i > 0 ? "," : "", i, bytes.p[i]);

        ydoc_buf_append(out, member, (size_t)n);
    }
    lib0_write_u8(out, '}');
}

static void write_json_bigint(struct ydoc_buf *out, uint64_t bits)
{
    char s[32];
    int n;

    if (bits >> 63)
        n = snprintf(s, sizeof(s), "-%llu", (unsigned long long)(~bits + 1));
    else
        n = snprintf(s, sizeof(s), "%llu", (unsigned long long)bits);
    ydoc_buf_append(out, s, (size_t)n);
}

static void write_json(struct ydoc_buf *out, struct lib0_reader *r)
{
    uint8_t tag = lib0_read_u8(r);
    double v;

    switch (tag) {
    case ANY_BYTES:
        write_json_bytes(out, lib0_read_varbytes(r));
        return;
    case ANY_ARRAY:
    case ANY_OBJECT:
        write_json_members(out, r, tag == ANY_OBJECT);
        return;
    case ANY_STRING:
        text_write_string(out, lib0_read_varbytes(r));
        return;
    case ANY_TRUE:
        ydoc_buf_append(out, "true", 4);
        return;
    case ANY_FALSE:
        ydoc_buf_append(out, "false", 5);
        return;
    case ANY_BIGINT:
        write_json_bigint(out, read_be(r, 8));
        return;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        v = read_number(r, tag);
        if (!isnan(v) && !isinf(v)) {
            text_write_number(out, v == 0 ? 0 : v);
            return;
        }
        break;
    default:
        break;
    }
    ydoc_buf_append(out, "null", 4);
}

void any_write_json(struct ydoc_buf *out, struct ydoc_slice value)
{
    struct lib0_reader r;

    lib0_reader_init(&r, value.p, value.len);
    write_json(out, &r);
}

static void store_canonical(struct ydoc_buf *out, struct ydoc_slice value)
{
    if (any_is_json(value)) {
        any_write_json(out, value);
    } else {
        lib0_write_u8(out, 0);
        ydoc_buf_append(out, value.p, value.len);
    }
}

void any_store(struct ydoc_buf *out, struct ydoc_slice value)
{
    struct ydoc_buf canonical;

    if (any_is_canonical(value)) {
        store_canonical(out, value);
        return;
    }
    ydoc_buf_init(&canonical, &out->alloc);
    any_write(&canonical, value);
    if (canonical.failed)
        out->failed = true;
    else
        store_canonical(out, ydoc_buf_slice(&canonical));
    ydoc_buf_fini(&canonical);
}

void any_stored_to_json(struct ydoc_buf *out, struct ydoc_slice stored)
{
    struct ydoc_slice value = {stored.p + 1, stored.len - 1};

    if (any_is_stored_any(stored))
        any_write_json(out, value);
    else
        ydoc_buf_append(out, stored.p, stored.len);
}

/* ---- from JSON ---- */

static void skip_space(struct ydoc_slice *s)
{
    while (s->len > 0 && *s->p <= ' ') {
        s->p++;
        s->len--;
    }
}

static void drop(struct ydoc_slice *s, size_t n)
{
    s->p += n;
    s->len -= n;
}

/* A varstring from the string that `s` begins with. */
static void write_json_string(struct ydoc_buf *out, struct ydoc_slice *s)
{
    struct ydoc_slice inside = {s->p + 1, 0};
    struct ydoc_buf text;
    bool escapes = false;

    for (; inside.p[inside.len] != '"'; inside.len++) {
        if (inside.p[inside.len] == '\\') {
            escapes = true;
            inside.len++;
        }
    }
    drop(s, inside.len + 2);
    if (!escapes) {
        lib0_write_varbytes(out, inside.p, inside.len);
        return;
    }
    ydoc_buf_init(&text, &out->alloc);
    json_unescape(&text, inside);
    lib0_write_varbytes(out, text.p, text.len);
    out->failed = out->failed || text.failed;
    ydoc_buf_fini(&text);
}

/* Puts the count before the members that were written behind a byte for it. */
static void insert_count(struct ydoc_buf *out, size_t at, uint64_t n)
{
    size_t more = lib0_varuint_len(n) - 1;

    if (out->failed || !ydoc_buf_reserve(out, more))
        return;
    memmove(out->p + at + 1 + more, out->p + at + 1, out->len - at - 1);
    lib0_put_varuint(out->p + at, n);
    out->len += more;
}

static void parse(struct ydoc_buf *out, struct ydoc_slice *s);

static void parse_members(struct ydoc_buf *out, struct ydoc_slice *s, bool object)
{
    size_t at;
    uint64_t n = 0;

    lib0_write_u8(out, object ? ANY_OBJECT : ANY_ARRAY);
    at = out->len;
    lib0_write_u8(out, 0);
    drop(s, 1);
    skip_space(s);
    for (; *s->p != ']' && *s->p != '}'; n++) {
        if (object) {
            write_json_string(out, s);
            skip_space(s);
            drop(s, 1); /* the colon */
        }
        parse(out, s);
        skip_space(s);
        if (*s->p == ',')
            drop(s, 1);
        skip_space(s);
    }
    drop(s, 1);
    insert_count(out, at, n);
}

static void parse_number(struct ydoc_buf *out, struct ydoc_slice *s)
{
    struct ydoc_slice text = {s->p, 0};

    while (text.len < s->len && memchr("+-.0123456789Ee", s->p[text.len], 15) != NULL)
        text.len++;
    write_number(out, json_read_number(text));
    drop(s, text.len);
}

static void parse(struct ydoc_buf *out, struct ydoc_slice *s)
{
    skip_space(s);
    switch (*s->p) {
    case '{':
    case '[':
        parse_members(out, s, *s->p == '{');
        return;
    case '"':
        lib0_write_u8(out, ANY_STRING);
        write_json_string(out, s);
        return;
    case 't':
        lib0_write_u8(out, ANY_TRUE);
        drop(s, 4);
        return;
    case 'f':
        lib0_write_u8(out, ANY_FALSE);
        drop(s, 5);
        return;
    case 'n':
        lib0_write_u8(out, ANY_NULL);
        drop(s, 4);
        return;
    default:
        parse_number(out, s);
    }
}

/* JSON's own order and spelling of members need not be JavaScript's, so that it
 * is brought into form first if it has any. */
void any_write_from_json(struct ydoc_buf *out, struct ydoc_slice json)
{
    struct ydoc_buf canonical;
    struct ydoc_slice s = json;

    skip_space(&s);
    if (s.p[0] != '{' && s.p[0] != '[') {
        parse(out, &s);
        return;
    }
    ydoc_buf_init(&canonical, &out->alloc);
    text_write_canonical(&canonical, json);
    s = ydoc_buf_slice(&canonical);
    if (canonical.failed)
        out->failed = true;
    else
        parse(out, &s);
    ydoc_buf_fini(&canonical);
}

/* ---- options of a subdocument ---- */

static bool any_is_falsy(struct ydoc_slice v)
{
    static const uint8_t zeros[9] = {0};

    switch (v.p[0]) {
    case 121:
    case 126:
    case 127:
        return true;
    case 119:
        return v.len == 2;
    case 125:
        return (v.p[1] & 0xbf) == 0;
    case 122:
        return memcmp(v.p + 1, zeros, 8) == 0;
    case 123:
        return (v.p[1] & 0x7f) == 0 ? memcmp(v.p + 2, zeros, 7) == 0
                                    : (v.p[1] & 0x7f) == 0x7f && (v.p[2] & 0xf0) == 0xf0 &&
                                          ((v.p[2] & 0x0f) != 0 || memcmp(v.p + 3, zeros, 6) != 0);
    case 124:
        return (v.p[1] & 0x7f) == 0 ? memcmp(v.p + 2, zeros, 3) == 0
                                    : (v.p[1] & 0x7f) == 0x7f && (v.p[2] & 0x80) != 0 &&
                                          ((v.p[2] & 0x7f) != 0 || v.p[3] != 0 || v.p[4] != 0);
    default:
        return false;
    }
}

struct doc_options {
    struct ydoc_slice gc, auto_load, meta; /* encoded; empty where Yjs takes its default */
};

static struct doc_options read_doc_options(struct ydoc_slice options, struct ydoc_slice *guid)
{
    struct doc_options o = {0};
    struct lib0_reader r;
    uint64_t n;

    lib0_reader_init(&r, options.p, options.len);
    if (lib0_read_u8(&r) != ANY_OBJECT)
        return o;
    for (n = lib0_read_varuint(&r); n > 0; n--) {
        struct ydoc_slice key = lib0_read_varbytes(&r), value = {r.p, 0};

        ydoc__any_skip(&r, YDOC__NESTING_MAX);
        value.len = (size_t)(r.p - value.p);
        if (value.p[0] == ANY_UNDEFINED)
            value.len = 0;
        if (slice_is(key, "gc"))
            o.gc = value;
        else if (slice_is(key, "autoLoad"))
            o.auto_load = value;
        else if (slice_is(key, "meta"))
            o.meta = value;
        else if (slice_is(key, "guid") && value.len > 0 && value.p[0] == ANY_STRING) {
            struct lib0_reader g;

            lib0_reader_init(&g, value.p + 1, value.len - 1);
            *guid = lib0_read_varbytes(&g);
        }
    }
    if (o.meta.len > 0 && o.meta.p[0] == ANY_NULL)
        o.meta.len = 0;
    return o;
}

static void write_option(struct ydoc_buf *out, const char *name, struct ydoc_slice value)
{
    if (value.len > 0) {
        lib0_write_varbytes(out, name, strlen(name));
        any_write(out, value);
    }
}

static void write_options(struct ydoc_buf *out, const struct doc_options *o)
{
    unsigned n = 0u + (o->gc.len > 0) + (o->auto_load.len > 0) + (o->meta.len > 0);

    lib0_write_u8(out, ANY_OBJECT);
    lib0_write_varuint(out, n);
    write_option(out, "gc", o->gc);
    write_option(out, "autoLoad", o->auto_load);
    write_option(out, "meta", o->meta);
}

void any_keep_doc_options(struct ydoc_buf *out, struct ydoc_slice options, struct ydoc_slice *guid)
{
    struct doc_options o = read_doc_options(options, guid);

    write_options(out, &o);
}

/* {gc: false}, {autoLoad: true}, {meta: …}: what is unusual of them, in this
 * order, and nothing else. */
void any_write_doc_options(struct ydoc_buf *out, struct ydoc_slice options, struct ydoc_slice *guid)
{
    static const uint8_t no[] = {ANY_FALSE}, yes[] = {ANY_TRUE};
    struct doc_options o = read_doc_options(options, guid);
    bool no_gc = o.gc.len > 0 && any_is_falsy(o.gc);
    bool auto_load = o.auto_load.len > 0 && !any_is_falsy(o.auto_load);

    o.gc.p = no;
    o.gc.len = no_gc;
    o.auto_load.p = yes;
    o.auto_load.len = auto_load;
    write_options(out, &o);
}
