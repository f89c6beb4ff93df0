/* wire_write - structs back to bytes, as Yjs's rewriters give them.
 *
 * Yjs reads every value and writes it again, which changes nothing in what Yjs
 * wrote itself. Here a value is looked through, and written anew only if it is
 * not in canonical form.
 */
#include "ydoc/any.h"
#include "ydoc/json.h"
#include "ydoc/wire.h"

#include <assert.h>
#include <string.h>

size_t wire_elements_len(uint8_t ref, const uint8_t *p, size_t len, uint32_t n)
{
    struct lib0_reader r;

    lib0_reader_init(&r, p, len);
    for (uint32_t i = 0; i < n; i++) {
        if (ref == WIRE_ANY)
            ydoc__any_skip(&r, YDOC__NESTING_MAX);
        else
            lib0_read_varbytes(&r);
    }
    assert(r.why == NULL);
    return lib0_offset(&r);
}

struct ydoc_slice wire_body_from(const struct wire_struct *s, uint32_t offset, bool *replaced)
{
    struct ydoc_slice rest = s->body;
    size_t cut = 0;

    *replaced = false;
    if (offset == 0)
        return rest;
    if (s->ref == WIRE_STRING) {
        struct ydoc__cut c = ydoc__utf8_cut(rest.p, rest.len, s->len, offset);

        *replaced = c.inside;
        cut = c.bytes + (c.inside ? 4 : 0);
    } else if (s->ref == WIRE_ANY || s->ref == WIRE_JSON) {
        cut = wire_elements_len(s->ref, rest.p, rest.len, offset);
    }
    rest.p += cut;
    rest.len -= cut;
    return rest;
}

/* ---- values ---- */

/* A varstring whose length is known only when it has been written. */
static void end_string(struct ydoc_buf *out, size_t at)
{
    size_t len, more;

    if (out->failed)
        return;
    len = out->len - at;
    more = lib0_varuint_len(len);
    if (!ydoc_buf_reserve(out, more))
        return;
    memmove(out->p + at + more, out->p + at, len);
    lib0_put_varuint(out->p + at, len);
    out->len += more;
}

static void write_value(struct ydoc_buf *out, const struct wire_struct *s,
                        enum wire_version version)
{
    size_t at = out->len;

    if (!s->any && json_is_canonical(s->value)) {
        lib0_write_varbytes(out, s->value.p, s->value.len);
        return;
    }
    if (!s->any)
        json_write(out, s->value);
    else if (version == WIRE_OURS)
        any_store(out, s->value);
    else
        any_to_json(out, s->value);
    end_string(out, at);
}

static void write_json_elements(struct ydoc_buf *out, struct ydoc_slice body)
{
    struct lib0_reader r;

    lib0_reader_init(&r, body.p, body.len);
    while (lib0_left(&r) > 0) {
        struct ydoc_slice json = lib0_read_varbytes(&r);
        size_t at = out->len;

        if (json.len == 9 && memcmp(json.p, "undefined", 9) == 0)
            ydoc_buf_append(out, json.p, json.len);
        else
            json_write(out, json);
        end_string(out, at);
    }
}

static void write_doc(struct ydoc_buf *out, const struct wire_struct *s)
{
    struct ydoc_slice guid = s->key;
    struct ydoc_buf options;

    ydoc_buf_init(&options, &out->alloc);
    any_write_doc_options(&options, s->value, &guid);
    lib0_write_varbytes(out, guid.p, guid.len);
    ydoc_buf_append(out, options.p, options.len);
    out->failed = out->failed || options.failed;
    ydoc_buf_fini(&options);
}

/* ---- structs ---- */

static void write_body(struct ydoc_buf *out, const struct wire_struct *s, uint32_t offset,
                       enum wire_version version)
{
    bool replaced;
    struct ydoc_slice body = wire_body_from(s, offset, &replaced);

    switch (s->ref) {
    case WIRE_DELETED:
        lib0_write_varuint(out, s->len - offset);
        return;
    case WIRE_JSON:
        lib0_write_varuint(out, s->len - offset);
        write_json_elements(out, body);
        return;
    case WIRE_ANY:
        lib0_write_varuint(out, s->len - offset);
        any_write(out, body);
        return;
    case WIRE_STRING:
        lib0_write_varuint(out, body.len + (replaced ? 3 : 0));
        if (replaced)
            lib0_write_raw(out, "\xef\xbf\xbd", 3);
        lib0_write_raw(out, body.p, body.len);
        return;
    case WIRE_BINARY:
        lib0_write_varbytes(out, body.p, body.len);
        return;
    case WIRE_TYPE:
        lib0_write_varuint(out, s->type_ref);
        if (s->type_ref == YDOC_KIND_XML_ELEMENT || s->type_ref == YDOC_KIND_XML_HOOK)
            lib0_write_varbytes(out, body.p, body.len);
        return;
    case WIRE_FORMAT:
        lib0_write_varbytes(out, s->key.p, s->key.len);
        write_value(out, s, version);
        return;
    case WIRE_EMBED:
        write_value(out, s, version);
        return;
    default:
        write_doc(out, s);
    }
}

uint8_t wire_info_from(const struct wire_struct *s, uint32_t offset)
{
    uint8_t info = s->info;

    /* A sub that is on the wire stays with the sliced item in Yjs. */
    if (wire_has_ids(s))
        info &= (uint8_t)~WIRE_HAS_SUB;
    if (offset > 0)
        info |= WIRE_HAS_ORIGIN;
    return info | s->ref;
}

static void write_parent(struct ydoc_buf *out, const struct wire_struct *s)
{
    lib0_write_varuint(out, s->root);
    if (s->root) {
        lib0_write_varbytes(out, s->parent_name.p, s->parent_name.len);
    } else {
        lib0_write_varuint(out, s->parent_client);
        lib0_write_varuint(out, s->parent_clock);
    }
    if (s->info & WIRE_HAS_SUB)
        lib0_write_varbytes(out, s->sub.p, s->sub.len);
}

void wire_write(struct ydoc_buf *out, const struct wire_struct *s, uint32_t offset,
                enum wire_version version)
{
    uint8_t info = wire_info_from(s, offset);

    if (s->ref == WIRE_GC || s->ref == WIRE_SKIP) {
        lib0_write_u8(out, s->ref);
        lib0_write_varuint(out, s->len - offset);
        return;
    }
    lib0_write_u8(out, info);
    if (info & WIRE_HAS_ORIGIN) {
        lib0_write_varuint(out, offset > 0 ? s->client : s->origin_client);
        lib0_write_varuint(out, offset > 0 ? s->clock + offset - 1 : s->origin_clock);
    }
    if (info & WIRE_HAS_RIGHT) {
        lib0_write_varuint(out, s->right_client);
        lib0_write_varuint(out, s->right_clock);
    }
    if ((info & (WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT)) == 0)
        write_parent(out, s);
    write_body(out, s, offset, version);
}

/* ---- is it written like that already? ---- */

static size_t string_len(struct ydoc_slice s)
{
    return lib0_varuint_len(s.len) + s.len;
}

static size_t header_len(const struct wire_struct *s)
{
    size_t n = 1;

    if (s->info & WIRE_HAS_ORIGIN)
        n += lib0_varuint_len(s->origin_client) + lib0_varuint_len(s->origin_clock);
    if (s->info & WIRE_HAS_RIGHT)
        n += lib0_varuint_len(s->right_client) + lib0_varuint_len(s->right_clock);
    if (wire_has_ids(s))
        return n;
    if (s->root)
        n += 1 + string_len(s->parent_name);
    else
        n += 1 + lib0_varuint_len(s->parent_client) + lib0_varuint_len(s->parent_clock);
    return n + (s->info & WIRE_HAS_SUB ? string_len(s->sub) : 0);
}

/* 0: it would not, or it is not worth finding out. */
static size_t body_len(const struct wire_struct *s)
{
    switch (s->ref) {
    case WIRE_DELETED:
        return lib0_varuint_len(s->len);
    case WIRE_STRING:
    case WIRE_BINARY:
        return string_len(s->body);
    case WIRE_ANY:
        return any_is_canonical(s->body) ? lib0_varuint_len(s->len) + s->body.len : 0;
    case WIRE_TYPE:
        return 1 + (s->type_ref == YDOC_KIND_XML_ELEMENT || s->type_ref == YDOC_KIND_XML_HOOK
                        ? string_len(s->body)
                        : 0);
    case WIRE_FORMAT:
        return !s->any && json_is_canonical(s->value) ? string_len(s->key) + string_len(s->value)
                                                      : 0;
    case WIRE_EMBED:
        return !s->any && json_is_canonical(s->value) ? string_len(s->value) : 0;
    default:
        return 0;
    }
}

/* As many bytes as it would take in their shortest form: then they are that
 * form. But for a parent that is an item: any number but 1 says that. */
bool wire_is_written(const struct wire_struct *s)
{
    size_t len, body;

    if (s->start == NULL)
        return false;
    len = (size_t)(s->end - s->start);
    if (s->ref == WIRE_GC || s->ref == WIRE_SKIP)
        return s->start[0] == s->ref && len == 1 + lib0_varuint_len(s->len);
    if (s->start[0] != wire_info_from(s, 0) || (!wire_has_ids(s) && s->start[1] > 1))
        return false;
    body = body_len(s);
    return body > 0 && header_len(s) + body == len;
}
