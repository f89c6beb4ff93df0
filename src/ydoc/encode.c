/* encode - from the store to updates of either format: state, changes; and state
 * vector, snapshot.
 *
 * Clients are written in descending order, as in Yjs; a client's structs from
 * the one that holds the wanted clock on, that one with its first part cut off.
 * Format v1 is written straight from the items; for v2, whose columns are ready
 * only in the end, they go through an update_writer.
 */
#include "ydoc/store.h"
#include "ydoc/update.h"
#include "ydoc/update_writer.h"

#include <assert.h>
#include <string.h>

#include "ydoc/any.h"

/* ---- one item ---- */

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
    lib0_write_varbytes(out, p, len);
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

static void write_item(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
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

/* ---- one item as the update_writer takes it ---- */

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

static void item_struct(const struct ydoc *doc, const struct item *it, struct wire_struct *s)
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

static void add_item(const struct ydoc *doc, struct update_writer *w, const struct item *it,
                     uint32_t offset)
{
    struct wire_struct s;

    item_struct(doc, it, &s);
    update_writer_add_as(w, &s, offset,
                         (uint8_t)(s.ref | s.info | (offset > 0 ? WIRE_HAS_ORIGIN : 0)));
}

/* ---- a client's structs ---- */

static uint64_t count_from(struct client *c, struct place at)
{
    uint64_t n = index_chunk(c, at.chunk)->n - at.i;

    for (uint32_t k = at.chunk + 1; k < c->chunks; k++)
        n += index_chunk(c, k)->n;
    return n;
}

static void write_client(const struct ydoc *doc, struct ydoc_buf *out, struct doc_part part,
                         enum wire_version version)
{
    struct client *c = &doc->clients.p[part.client];
    struct place at = index_find(doc, c, part.from);
    const struct item *it = &doc->items.p[index_at(c, at)];

    lib0_write_varuint(out, count_from(c, at));
    lib0_write_varuint(out, c->id);
    lib0_write_varuint(out, part.from);
    write_item(doc, out, it, part.from - it->clock, version);
    while (index_next(c, &at))
        write_item(doc, out, &doc->items.p[index_at(c, at)], 0, version);
}

static void add_client(const struct ydoc *doc, struct update_writer *w, struct doc_part part)
{
    struct client *c = &doc->clients.p[part.client];
    struct place at = index_find(doc, c, part.from);
    const struct item *it = &doc->items.p[index_at(c, at)];

    add_item(doc, w, it, part.from - it->clock);
    while (index_next(c, &at))
        add_item(doc, w, &doc->items.p[index_at(c, at)], 0);
}

/* The order of clients is kept up lazily; a read may have to catch up. It is
 * not part of what the document means, so const callers may do it too. */
static const uint32_t *clients_descending(const struct ydoc *doc)
{
    store_sort_clients((struct ydoc *)(uintptr_t)doc);
    return doc->client_order.p;
}

int ydoc_encode_state_vector(const struct ydoc *doc, struct ydoc_buf *out)
{
    const uint32_t *order = clients_descending(doc);
    size_t len_before = out->len;
    uint64_t n = 0;

    if (doc->broken)
        return YDOC_EBROKEN;
    for (uint32_t i = 0; i < doc->clients.n; i++)
        n += doc->clients.p[i].state > 0;
    lib0_write_varuint(out, n);
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        const struct client *c = &doc->clients.p[order[i]];

        if (c->state > 0) {
            lib0_write_varuint(out, c->id);
            lib0_write_varuint(out, c->state);
        }
    }
    return ydoc__buf_finish(out, len_before, NULL);
}

/* ---- the deletions of the whole document ---- */

static void add_client_deletes(const struct ydoc *doc, struct dset *d, uint32_t number)
{
    const struct client *c = &doc->clients.p[number];
    uint32_t clocks[CHUNK_MAX], start = 0;
    bool open = false, deleted = false;

    for (uint32_t k = 0; k < (c->chunks > 1 ? c->chunks : 1); k++) {
        uint32_t n = index_flips(c, k, &deleted, clocks);

        for (uint32_t i = 0; i < n; i++) {
            if (open)
                dset_add(d, c->id, start, clocks[i] - start);
            start = clocks[i];
            open = !open;
        }
    }
    if (open)
        dset_add(d, c->id, start, c->state - start);
}

static void add_all_deletes(const struct ydoc *doc, struct dset *d)
{
    const uint32_t *order = clients_descending(doc);

    for (uint32_t i = 0; i < doc->clients.n; i++) {
        if (doc->clients.p[order[i]].state > 0)
            add_client_deletes(doc, d, order[i]);
    }
}

static int encode_snapshot(const struct ydoc *doc, enum wire_version version, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    struct dset d;
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    dset_init(&d, &out->alloc);
    add_all_deletes(doc, &d);
    if (version == WIRE_V2)
        dset_write_v2(&d, out);
    else
        dset_write(&d, out);
    dset_fini(&d);
    rc = ydoc_encode_state_vector(doc, out);
    if (rc != 0)
        out->len = len_before;
    return rc != 0 ? rc : ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_encode_snapshot_v1(const struct ydoc *doc, struct ydoc_buf *out)
{
    return encode_snapshot(doc, WIRE_V1, out);
}

int ydoc_encode_snapshot_v2(const struct ydoc *doc, struct ydoc_buf *out)
{
    return encode_snapshot(doc, WIRE_V2, out);
}

/* ---- any part of it ---- */

static void write_update_v2(const struct ydoc *doc, const struct doc_update *u,
                            struct ydoc_buf *out)
{
    struct update_writer w;

    update_writer_init(&w, WIRE_V2, &out->alloc);
    for (uint32_t i = 0; i < u->n; i++)
        add_client(doc, &w, u->parts[i]);
    update_writer_finish(&w, u->deletes, out);
    update_writer_fini(&w);
}

void store_write_update(const struct ydoc *doc, const struct doc_update *u, struct ydoc_buf *out)
{
    if (u->version == WIRE_V2) {
        write_update_v2(doc, u, out);
        return;
    }
    lib0_write_varuint(out, u->n);
    for (uint32_t i = 0; i < u->n; i++)
        write_client(doc, out, u->parts[i], u->version);
    dset_write(u->deletes, out);
}

/* ---- state ---- */

/* The clock that the peer has of each of our clients; `have` is all zeros at
 * first, one a client. */
static void read_state_vector(const struct ydoc *doc, const uint8_t *sv, size_t len, uint32_t *have)
{
    struct lib0_reader r;
    uint64_t n;

    lib0_reader_init(&r, sv, len);
    for (n = lib0_read_varuint(&r); n > 0; n--) {
        uint32_t c = store_find_client_const(doc, lib0_read_varuint(&r));
        uint64_t clock = lib0_read_varuint(&r);

        if (c != CLIENT_UNKNOWN)
            have[c] = clock > UINT32_MAX ? UINT32_MAX : (uint32_t)clock;
    }
}

/* The clients of which the peer lacks something, in order. */
static uint32_t list_parts(const struct ydoc *doc, const uint32_t *have, struct doc_part *parts)
{
    const uint32_t *order = clients_descending(doc);
    uint32_t n = 0;

    for (uint32_t i = 0; i < doc->clients.n; i++) {
        struct doc_part part = {order[i], have[order[i]]};

        if (doc->clients.p[part.client].state > part.from)
            parts[n++] = part;
    }
    return n;
}

static void encode_applied(const struct ydoc *doc, struct ydoc_slice sv, enum wire_version version,
                           struct ydoc_buf *out)
{
    size_t n = doc->clients.n + (size_t)1; /* something to allocate in any case */
    size_t bytes = n * (sizeof(struct doc_part) + sizeof(uint32_t));
    struct doc_part *parts = out->alloc.resize(out->alloc.ctx, NULL, 0, bytes);
    struct doc_update u = {parts, 0, NULL, version};
    struct dset deletes;
    uint32_t *have;

    if (parts == NULL) {
        out->failed = true;
        return;
    }
    have = (uint32_t *)(void *)(parts + n);
    memset(have, 0, n * sizeof(*have));
    if (sv.p != NULL)
        read_state_vector(doc, sv.p, sv.len, have);
    dset_init(&deletes, &out->alloc);
    add_all_deletes(doc, &deletes);
    u.n = list_parts(doc, have, parts);
    u.deletes = &deletes;
    store_write_update(doc, &u, out);
    dset_fini(&deletes);
    out->alloc.resize(out->alloc.ctx, parts, bytes, 0);
}

static void write_pending_deletes(const struct ydoc *doc, struct ydoc_buf *out)
{
    struct dset d;

    dset_init(&d, &out->alloc);
    for (uint32_t i = 0; i < doc->pending_deletes.n; i++)
        dset_add(&d, doc->pending_deletes.p[i].client, doc->pending_deletes.p[i].clock,
                 doc->pending_deletes.p[i].len);
    dset_sort_clients(&d);
    lib0_write_u8(out, 0);
    dset_write(&d, out);
    dset_fini(&d);
}

/* Yjs hands on what waits as well: it merges the encoded state with it. */
static int encode_with_pending(const struct ydoc *doc, struct ydoc_slice sv,
                               enum wire_version version, struct ydoc_buf *out,
                               struct ydoc_error *err)
{
    static const struct update_formats ours = {WIRE_OURS, WIRE_OURS};
    static const struct ydoc_slice nothing = {(const uint8_t *)"", 1};
    struct update_formats formats = {WIRE_OURS, version};
    struct ydoc_slice list[3], pending = {doc->pending.p, doc->pending.n};
    struct ydoc_buf part[3];
    size_t n = 1;
    int rc = 0;

    for (size_t i = 0; i < 3; i++)
        ydoc_buf_init(&part[i], &out->alloc);
    encode_applied(doc, sv, WIRE_OURS, &part[0]);
    if (doc->pending_deletes.n > 0)
        write_pending_deletes(doc, &part[n++]);
    if (doc->pending.n > 0)
        rc = update_diff(pending, sv.p != NULL ? sv : nothing, ours, &part[n++], err);
    for (size_t i = 0; i < n; i++) {
        list[i] = ydoc_buf_slice(&part[i]);
        out->failed = out->failed || part[i].failed;
    }
    if (rc == 0 && !out->failed)
        rc = update_merge(list, n, formats, out, err);
    for (size_t i = 0; i < 3; i++)
        ydoc_buf_fini(&part[i]);
    return rc;
}

static int encode_state(const struct ydoc *doc, struct ydoc_slice sv, enum wire_version version,
                        struct ydoc_buf *out, struct ydoc_error *err)
{
    size_t len_before = out->len;
    int rc = 0;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    if (sv.p != NULL && (rc = ydoc_validate_state_vector(sv.p, sv.len, err)) != 0)
        return rc;
    if (ydoc_has_pending(doc))
        rc = encode_with_pending(doc, sv, version, out, err);
    else
        encode_applied(doc, sv, version, out);
    return rc != 0 ? rc : ydoc__buf_finish(out, len_before, err);
}

int ydoc_encode_state_v1(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                         struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_slice s = {sv, sv_len};

    return encode_state(doc, s, WIRE_V1, out, err);
}

int ydoc_encode_state_v2(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                         struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_slice s = {sv, sv_len};

    return encode_state(doc, s, WIRE_V2, out, err);
}

/* ---- the state before changes ---- */

int ydoc_rewind_state_vector(const struct ydoc *doc, const struct ydoc_slice *befores_newest_first,
                             size_t n, struct ydoc_buf *sv)
{
    const uint32_t *order = clients_descending(doc);
    size_t bytes = doc->clients.n * sizeof(uint32_t), len_before = sv->len;
    uint32_t *state = NULL;
    uint64_t known = 0;
    int rc = 0;

    if (doc->broken)
        return YDOC_EBROKEN;
    if (bytes > 0) {
        state = sv->alloc.resize(sv->alloc.ctx, NULL, 0, bytes);
        if (state == NULL)
            return YDOC_ENOMEM;
    }
    for (uint32_t i = 0; i < doc->clients.n; i++)
        state[i] = doc->clients.p[i].state;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = ydoc_validate_state_vector(befores_newest_first[i].p, befores_newest_first[i].len,
                                        NULL);
        if (rc == 0)
            read_state_vector(doc, befores_newest_first[i].p, befores_newest_first[i].len, state);
    }
    for (uint32_t i = 0; i < doc->clients.n; i++)
        known += state[i] > 0;
    lib0_write_varuint(sv, known);
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        if (state[order[i]] > 0) {
            lib0_write_varuint(sv, doc->clients.p[order[i]].id);
            lib0_write_varuint(sv, state[order[i]]);
        }
    }
    if (state != NULL)
        sv->alloc.resize(sv->alloc.ctx, state, bytes, 0);
    if (rc != 0)
        sv->len = len_before;
    return rc != 0 ? rc : ydoc__buf_finish(sv, len_before, NULL);
}
