/* encode_item - one item of a document: as bytes of format v1, and as the struct
 * that an update_writer takes. */
#include "ydoc/store.h"

#include <string.h>

#include "ydoc/any.h"

/* ---- as v1 ---- */

/* info, two ids of two numbers each */
#define HEADER_BYTES_MAX (1 + 4 * 10)

static void write_parent(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it)
{
    const struct slot *slot = &doc->slots.p[it->slot];
    const struct type *type = &doc->types.p[slot->type];

    if (type->item == 0) {
        struct ydoc_slice name = store_key(doc, type->name);

        lib0_write_varuint(out, 1);
        lib0_write_varbytes(out, name.p, name.len);
    } else {
        const struct item *parent = &doc->items.p[type->item];

        lib0_write_varuint(out, 0);
        lib0_write_varuint(out, doc->clients.p[item_client(parent)].id);
        lib0_write_varuint(out, parent->clock);
    }
    if (slot->key != 0) {
        struct ydoc_slice key = store_key(doc, slot->key);

        lib0_write_varbytes(out, key.p, key.len);
    }
}

static void write_header(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                         uint32_t offset)
{
    uint32_t origin_client = offset > 0 ? item_client(it) : item_origin_client(it);
    uint32_t origin_clock = offset > 0 ? it->clock + offset - 1 : it->origin_clock;
    uint8_t info = item_kind(it);
    uint8_t *p;

    if (!ydoc_buf_reserve(out, HEADER_BYTES_MAX))
        return;
    if (origin_client != NO_CLIENT)
        info |= WIRE_HAS_ORIGIN;
    if (it->right_client != NO_CLIENT)
        info |= WIRE_HAS_RIGHT;
    if (doc->slots.p[it->slot].key != 0)
        info |= WIRE_HAS_SUB;
    p = out->p + out->len;
    *p++ = info;
    if (origin_client != NO_CLIENT) {
        p = lib0_put_varuint(p, doc->clients.p[origin_client].id);
        p = lib0_put_varuint(p, origin_clock);
    }
    if (it->right_client != NO_CLIENT) {
        p = lib0_put_varuint(p, doc->clients.p[it->right_client].id);
        p = lib0_put_varuint(p, it->right_clock);
    }
    out->len = (size_t)(p - out->p);
    if ((info & (WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT)) == 0)
        write_parent(doc, out, it);
}

static void write_text(struct ydoc_buf *out, const struct item *it, const uint8_t *p,
                       uint32_t offset)
{
    size_t len = it->bytes;

    if (offset > 0) {
        struct ydoc__cut cut = ydoc__utf8_cut(p, len, it->len, offset);

        p += cut.bytes;
        len -= cut.bytes;
        if (cut.inside) {
            /* Half a surrogate pair is not UTF-8: JavaScript's encoder puts U+FFFD. */
            lib0_write_varuint(out, len - 4 + 3);
            lib0_write_raw(out, "\xef\xbf\xbd", 3);
            lib0_write_raw(out, p + 4, len - 4);
            return;
        }
    }
    if (!ydoc_buf_reserve(out, len + LIB0_VARUINT_BYTES_MAX))
        return;
    out->len = (size_t)(lib0_put_varbytes(out->p + out->len, p, len) - out->p);
}

static void write_type(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it)
{
    const struct type *type = &doc->types.p[it->content];

    lib0_write_varuint(out, type->ref);
    if (type->ref == YDOC_KIND_XML_ELEMENT || type->ref == YDOC_KIND_XML_HOOK) {
        struct ydoc_slice name = store_key(doc, type->name);

        lib0_write_varbytes(out, name.p, name.len);
    }
}

/* The value of an Embed or Format. OURS keeps it as it is stored. */
static void write_stored(struct ydoc_buf *out, struct ydoc_slice stored, enum wire_version version)
{
    struct ydoc_buf json;

    if (version == WIRE_OURS || !any_is_stored_any(stored)) {
        lib0_write_varbytes(out, stored.p, stored.len);
        return;
    }
    ydoc_buf_init(&json, &out->alloc);
    any_stored_to_json(&json, stored);
    lib0_write_varbytes(out, json.p, json.len);
    out->failed = out->failed || json.failed;
    ydoc_buf_fini(&json);
}

/* A Format is kept as v1 writes it, key and value, unless JSON lacks the value. */
static void write_format(struct ydoc_buf *out, struct ydoc_slice body, enum wire_version version)
{
    struct lib0_reader r;
    struct ydoc_slice key, value;

    lib0_reader_init(&r, body.p, body.len);
    key = lib0_read_varbytes(&r);
    value = lib0_read_varbytes(&r);
    if (!any_is_stored_any(value)) {
        lib0_write_raw(out, body.p, body.len);
        return;
    }
    lib0_write_varbytes(out, key.p, key.len);
    write_stored(out, value, version);
}

static void write_doc(struct ydoc_buf *out, struct ydoc_slice body)
{
    struct lib0_reader r;
    struct ydoc_slice guid, options;

    lib0_reader_init(&r, body.p, body.len);
    guid = lib0_read_varbytes(&r);
    options.p = r.p;
    options.len = lib0_left(&r);
    lib0_write_varbytes(out, guid.p, guid.len);
    any_write_doc_options(out, options, &guid);
}

static void write_content(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                          uint32_t offset, enum wire_version version)
{
    struct ydoc_slice body = {item_bytes(doc, it), it->bytes};
    size_t skip = 0;

    switch (item_kind(it)) {
    case WIRE_DELETED:
        lib0_write_varuint(out, it->len - offset);
        break;
    case WIRE_STRING:
        write_text(out, it, body.p, offset);
        break;
    case WIRE_TYPE:
        write_type(doc, out, it);
        break;
    case WIRE_JSON:
    case WIRE_ANY:
        if (offset > 0)
            skip = wire_elements_len(item_kind(it), body.p, it->bytes, offset);
        lib0_write_varuint(out, it->len - offset);
        lib0_write_raw(out, body.p + skip, it->bytes - skip);
        break;
    case WIRE_BINARY:
        lib0_write_varbytes(out, body.p, it->bytes);
        break;
    case WIRE_EMBED:
        write_stored(out, body, version);
        break;
    case WIRE_FORMAT:
        write_format(out, body, version);
        break;
    default:
        write_doc(out, body);
    }
}

void store_write_item(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                      uint32_t offset, enum wire_version version)
{
    if (item_kind(it) == WIRE_GC) {
        lib0_write_u8(out, WIRE_GC);
        lib0_write_varuint(out, it->len - offset);
        return;
    }
    write_header(doc, out, it, offset);
    write_content(doc, out, it, offset, version);
}

/* ---- as a struct ---- */

static void set_stored_value(struct wire_struct *s, struct ydoc_slice stored)
{
    s->value = stored;
    s->any = any_is_stored_any(stored);
    if (s->any) {
        s->value.p++;
        s->value.len--;
    }
}

static void set_struct_content(const struct ydoc *doc, const struct item *it, struct wire_struct *s)
{
    struct lib0_reader r;

    s->body.p = item_bytes(doc, it);
    s->body.len = it->bytes;
    lib0_reader_init(&r, s->body.p, s->body.len);
    if (s->ref == WIRE_EMBED) {
        set_stored_value(s, s->body);
    } else if (s->ref == WIRE_FORMAT) {
        s->key = lib0_read_varbytes(&r);
        set_stored_value(s, lib0_read_varbytes(&r));
    } else if (s->ref == WIRE_DOC) {
        s->key = lib0_read_varbytes(&r);
        s->value.p = r.p;
        s->value.len = lib0_left(&r);
    } else if (s->ref == WIRE_TYPE) {
        const struct type *type = &doc->types.p[it->content];

        s->type_ref = type->ref;
        s->body.len = 0;
        if (type->ref == YDOC_KIND_XML_ELEMENT || type->ref == YDOC_KIND_XML_HOOK)
            s->body = store_key(doc, type->name);
    }
}

static void set_struct_parent(const struct ydoc *doc, const struct item *it, struct wire_struct *s)
{
    const struct slot *slot = &doc->slots.p[it->slot];
    const struct type *type = &doc->types.p[slot->type];

    s->root = type->item == 0;
    if (s->root) {
        s->parent_name = store_key(doc, type->name);
    } else {
        s->parent_client = doc->clients.p[item_client(&doc->items.p[type->item])].id;
        s->parent_clock = doc->items.p[type->item].clock;
    }
    if (slot->key != 0) {
        s->info |= WIRE_HAS_SUB;
        s->sub = store_key(doc, slot->key);
    }
}

void store_item_struct(const struct ydoc *doc, const struct item *it, struct wire_struct *s)
{
    memset(s, 0, sizeof(*s));
    s->client = doc->clients.p[item_client(it)].id;
    s->clock = it->clock;
    s->len = it->len;
    s->ref = item_kind(it);
    if (s->ref == WIRE_GC)
        return;
    if (item_origin_client(it) != NO_CLIENT) {
        s->info |= WIRE_HAS_ORIGIN;
        s->origin_client = doc->clients.p[item_origin_client(it)].id;
        s->origin_clock = it->origin_clock;
    }
    if (it->right_client != NO_CLIENT) {
        s->info |= WIRE_HAS_RIGHT;
        s->right_client = doc->clients.p[it->right_client].id;
        s->right_clock = it->right_clock;
    }
    set_struct_parent(doc, it, s);
    set_struct_content(doc, it, s);
}
