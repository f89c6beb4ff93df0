/* any_json - lib0's values to JSON and back, and as a document keeps them: see
 * any.h. Recursion is as deep as the check at reading allows.
 */
#include "ydoc/any.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ydoc/json.h"
#include "ydoc/text.h"

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
        v = any__read_number(r, tag);
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
        write_json_bigint(out, any__read_be(r, 8));
        return;
    case ANY_FLOAT64:
    case ANY_FLOAT32:
    case ANY_INTEGER:
        v = any__read_number(r, tag);
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

bool any_is_flat(struct ydoc_slice stored)
{
    struct lib0_reader r;
    uint8_t tag;

    lib0_reader_init(&r, stored.p + 1, stored.len - 1);
    tag = lib0_read_u8(&r);
    if (tag != ANY_ARRAY && tag != ANY_OBJECT)
        return tag == ANY_BYTES;
    for (uint64_t n = lib0_read_varuint(&r); n > 0; n--) {
        if (tag == ANY_OBJECT)
            lib0_read_varbytes(&r);
        if (*r.p >= ANY_BYTES && *r.p <= ANY_OBJECT)
            return false;
        ydoc__any_skip(&r, YDOC__NESTING_MAX);
    }
    return true;
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

/* Hands a value over in its canonical form. */
static void write_as(struct ydoc_buf *out, struct ydoc_slice value,
                     void (*write)(struct ydoc_buf *out, struct ydoc_slice canonical))
{
    struct ydoc_buf canonical;

    if (any_is_canonical(value)) {
        write(out, value);
        return;
    }
    ydoc_buf_init(&canonical, &out->alloc);
    any_write(&canonical, value);
    if (canonical.failed)
        out->failed = true;
    else
        write(out, ydoc_buf_slice(&canonical));
    ydoc_buf_fini(&canonical);
}

void any_store(struct ydoc_buf *out, struct ydoc_slice value)
{
    write_as(out, value, store_canonical);
}

void any_to_json(struct ydoc_buf *out, struct ydoc_slice value)
{
    write_as(out, value, any_write_json);
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
    any__write_number(out, json_read_number(text));
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

/* ---- public ---- */

int ydoc_any_from_json(struct ydoc_slice json, struct ydoc_buf *out, struct ydoc_error *err)
{
    size_t len_before = out->len;
    int rc = ydoc_validate_json(json.p, json.len, YDOC__NESTING_MAX, err);

    if (rc != 0)
        return rc;
    any_write_from_json(out, json);
    return ydoc__buf_finish(out, len_before, err);
}

int ydoc_any_to_json(struct ydoc_slice any, struct ydoc_buf *out, struct ydoc_error *err)
{
    size_t len_before = out->len;

    if (!any_is_valid(any, YDOC__NESTING_MAX))
        return ydoc__error(err, YDOC_EMALFORMED, 0, "the bytes are not one lib0 value");
    any_to_json(out, any);
    return ydoc__buf_finish(out, len_before, err);
}
