/* any - see any.h. Recursion is as deep as the check at reading allows. */
#include "ydoc/any.h"

#include <math.h>
#include <string.h>

#include "ydoc/members.h"

#define INTEGER_MAX 2147483647.0

bool any_is_valid(struct ydoc_slice value, uint32_t nesting_max)
{
    struct lib0_reader r;

    lib0_reader_init(&r, value.p, value.len);
    ydoc__any_skip(&r, nesting_max);
    return r.why == NULL && lib0_left(&r) == 0;
}

/* ---- numbers ---- */

uint64_t any__read_be(struct lib0_reader *r, size_t n)
{
    struct ydoc_slice s = lib0_read_raw(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.p[i];
    return v;
}

void any__write_be(struct ydoc_buf *out, uint64_t v, size_t n)
{
    uint8_t p[8];

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    ydoc_buf_append(out, p, n);
}

/* Behind the tag. */
double any__read_number(struct lib0_reader *r, uint8_t tag)
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
        wide = any__read_be(r, 8);
        memcpy(&d, &wide, sizeof(d));
        return d;
    }
    narrow = (uint32_t)any__read_be(r, 4);
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

void any__write_number(struct ydoc_buf *out, double v)
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
        any__write_be(out, narrow, 4);
    } else {
        if (!isnan(v))
            memcpy(&wide, &v, sizeof(v));
        lib0_write_u8(out, ANY_FLOAT64);
        any__write_be(out, wide, 8);
    }
}

static bool number_is_canonical(struct lib0_reader *r, uint8_t tag)
{
    const uint8_t *at = r->p;
    double v = any__read_number(r, tag);
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
    if (ydoc__is(key, "__proto__") || (seen->bits[hash >> 6 & 3] & bit) != 0)
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
        n += !ydoc__is(v[n].key, "__proto__");
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
        any__write_number(out, any__read_number(r, tag));
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

/* ---- options of a subdocument ---- */

static bool any_is_falsy(struct ydoc_slice v)
{
    static const uint8_t zeros[9] = {0};

    switch (v.p[0]) {
    case ANY_FALSE:
    case ANY_NULL:
    case ANY_UNDEFINED:
        return true;
    case ANY_STRING:
        return v.len == 2;
    case ANY_INTEGER:
        return (v.p[1] & 0xbf) == 0;
    case ANY_BIGINT:
        return memcmp(v.p + 1, zeros, 8) == 0;
    case ANY_FLOAT64:
        return (v.p[1] & 0x7f) == 0 ? memcmp(v.p + 2, zeros, 7) == 0
                                    : (v.p[1] & 0x7f) == 0x7f && (v.p[2] & 0xf0) == 0xf0 &&
                                          ((v.p[2] & 0x0f) != 0 || memcmp(v.p + 3, zeros, 6) != 0);
    case ANY_FLOAT32:
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
        if (ydoc__is(key, "gc"))
            o.gc = value;
        else if (ydoc__is(key, "autoLoad"))
            o.auto_load = value;
        else if (ydoc__is(key, "meta"))
            o.meta = value;
        else if (ydoc__is(key, "guid") && value.len > 0 && value.p[0] == ANY_STRING) {
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
