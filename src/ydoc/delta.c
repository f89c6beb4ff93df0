/* delta - see delta.h. The input is checked as JSON and brought into
 * JSON.stringify's form first; strings are unescaped into `bytes`. While reading
 * goes on the arrays grow and move, so slices hold offsets until the end. */
#include "ydoc/delta.h"

#include <string.h>

#include "ydoc/json_walk.h"

#define NESTING_MAX 128
#define JSON_BYTES_MAX INT32_MAX

void delta_init(struct delta *d, const struct ydoc_alloc *alloc)
{
    memset(d, 0, sizeof(*d));
    ydoc_buf_init(&d->json, alloc);
    ydoc_buf_init(&d->bytes, alloc);
    ydoc_buf_init(&d->op_bytes, alloc);
    ydoc_buf_init(&d->attr_bytes, alloc);
}

void delta_fini(struct delta *d)
{
    ydoc_buf_fini(&d->json);
    ydoc_buf_fini(&d->bytes);
    ydoc_buf_fini(&d->op_bytes);
    ydoc_buf_fini(&d->attr_bytes);
}

static int refuse(const struct delta *d, const uint8_t *at, const char *why, struct ydoc_error *err)
{
    size_t offset = (size_t)(at - d->json.p);

    return ydoc__error(err, YDOC_EMALFORMED, offset, "byte %zu of the operations: %s", offset, why);
}

static int take_json(struct delta *d, struct ydoc_slice json, struct ydoc_error *err)
{
    int rc =
        json.len == 0 ? YDOC_EMALFORMED : ydoc_validate_json(json.p, json.len, NESTING_MAX, err);

    if (rc != 0)
        return rc;
    text_write_canonical(&d->json, json);
    if (d->json.failed)
        return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    /* What is made of it has 32-bit lengths. */
    return d->json.len <= JSON_BYTES_MAX
               ? 0
               : ydoc__error(err, YDOC_ELIMIT, 0, "more than %d bytes", JSON_BYTES_MAX);
}

/* A string without its escapes; the slice's pointer is an offset for now. */
static struct ydoc_slice unescape(struct delta *d, struct ydoc_slice string)
{
    struct ydoc_slice s = {NULL, d->bytes.len};

    json_write_text(&d->bytes, string);
    s.p = (const uint8_t *)(uintptr_t)s.len;
    s.len = d->bytes.len - s.len;
    return s;
}

static void add_attributes(struct delta *d, struct ydoc_slice object, struct delta_op *op)
{
    struct json_walk w;
    struct json_member m;
    struct delta_attr a;

    json_open(&w, object);
    op->attr = (uint32_t)(d->attr_bytes.len / sizeof(a));
    while (json_next(&w, &m)) {
        a.key = unescape(d, m.key);
        a.value = m.value;
        ydoc_buf_append(&d->attr_bytes, &a, sizeof(a));
        op->attrs++;
    }
}

static int finish(struct delta *d, struct ydoc_error *err)
{
    struct delta_op *ops = (struct delta_op *)(void *)d->op_bytes.p;
    struct delta_attr *attrs = (struct delta_attr *)(void *)d->attr_bytes.p;

    if (d->bytes.failed || d->op_bytes.failed || d->attr_bytes.failed)
        return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    d->n = d->op_bytes.len / sizeof(*ops);
    for (size_t i = 0; i < d->n; i++) {
        if (ops[i].kind == DELTA_INSERT)
            ops[i].insert.p = d->bytes.p + (uintptr_t)ops[i].insert.p;
    }
    for (size_t i = 0; i < d->attr_bytes.len / sizeof(*attrs); i++)
        attrs[i].key.p = d->bytes.p + (uintptr_t)attrs[i].key.p;
    d->ops = ops;
    d->attrs = attrs;
    return 0;
}

int delta_read_attributes(struct delta *d, struct ydoc_slice json, struct ydoc_error *err)
{
    struct delta_op op = {0};
    int rc = take_json(d, json, err);

    if (rc != 0)
        return rc;
    if (d->json.p[0] != '{')
        return refuse(d, d->json.p, "attributes are not a JSON object", err);
    add_attributes(d, ydoc_buf_slice(&d->json), &op);
    op.kind = DELTA_RETAIN;
    ydoc_buf_append(&d->op_bytes, &op, sizeof(op));
    return finish(d, err);
}

static bool read_count(struct ydoc_slice v, uint32_t *out)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > 10)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    *out = (uint32_t)n;
    return n <= UINT32_MAX;
}

struct raw_op {
    struct ydoc_slice insert, retain, del, attributes;
};

static struct raw_op read_members(struct ydoc_slice object)
{
    struct raw_op raw = {0};

    json_find(object, "insert", &raw.insert);
    json_find(object, "retain", &raw.retain);
    json_find(object, "delete", &raw.del);
    json_find(object, "attributes", &raw.attributes);
    return raw;
}

static int read_insert(struct delta *d, struct ydoc_slice v, struct delta_op *op,
                       struct ydoc_error *err)
{
    int64_t units;

    if (v.p[0] != '"') {
        if (ydoc__is(v, "null"))
            return refuse(d, v.p, "null cannot be inserted", err);
        op->kind = DELTA_EMBED;
        op->insert = v;
        op->len = 1;
        return 0;
    }
    op->kind = DELTA_INSERT;
    op->insert = unescape(d, v);
    if (d->bytes.failed)
        return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    units = lib0_utf16_len(d->bytes.p + (uintptr_t)op->insert.p, op->insert.len);
    if (units < 0 || units > UINT32_MAX)
        return refuse(d, v.p, "text is too long", err);
    op->len = (uint32_t)units;
    return 0;
}

static int read_op(struct delta *d, struct ydoc_slice v, struct delta_op *op,
                   struct ydoc_error *err)
{
    struct raw_op raw;
    int rc = 0;

    if (v.p[0] != '{')
        return refuse(d, v.p, "an operation must be an object", err);
    raw = read_members(v);
    memset(op, 0, sizeof(*op));
    if (raw.insert.len > 0) {
        rc = read_insert(d, raw.insert, op, err);
    } else if (raw.retain.len > 0 || raw.del.len > 0) {
        op->kind = raw.retain.len > 0 ? DELTA_RETAIN : DELTA_DELETE;
        if (!read_count(raw.retain.len > 0 ? raw.retain : raw.del, &op->len))
            rc = refuse(d, v.p, "retain and delete take a whole number", err);
    } else {
        rc = refuse(d, v.p, "an operation needs insert, retain or delete", err);
    }
    if (rc == 0 && raw.attributes.len > 0 && !ydoc__is(raw.attributes, "null")) {
        if (raw.attributes.p[0] != '{')
            return refuse(d, raw.attributes.p, "attributes are not an object", err);
        add_attributes(d, raw.attributes, op);
    }
    return rc;
}

int delta_read(struct delta *d, struct ydoc_slice json, uint32_t length, struct ydoc_error *err)
{
    uint64_t reach = (uint64_t)length + DELTA_NEWLINES_MAX;
    struct json_member m;
    struct json_walk w;
    int rc = take_json(d, json, err);

    if (rc != 0)
        return rc;
    if (!json_open(&w, ydoc_buf_slice(&d->json)) || w.object)
        return refuse(d, d->json.p, "a delta is a list of operations", err);
    while (json_next(&w, &m)) {
        struct delta_op op;

        rc = read_op(d, m.value, &op, err);
        if (rc != 0)
            return rc;
        if (op.kind == DELTA_INSERT || op.kind == DELTA_EMBED)
            reach += op.len;
        else if (op.kind == DELTA_RETAIN && op.len > reach)
            return refuse(d, m.value.p, "retain reaches too far beyond the end", err);
        else if (op.kind == DELTA_RETAIN)
            reach -= op.len;
        ydoc_buf_append(&d->op_bytes, &op, sizeof(op));
    }
    return finish(d, err);
}
