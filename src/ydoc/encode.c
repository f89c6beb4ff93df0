/* encode - from the store to update format v1: state, state vector, changes.
 *
 * Clients are written in descending order, as in Yjs; a client's structs from
 * the one that holds the wanted clock on, that one with its first part cut off.
 */
#include "ydoc/store.h"

#include <assert.h>
#include <string.h>

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

static void write_content(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                          uint32_t offset)
{
    const uint8_t *p = item_bytes(doc, it);
    size_t skip = 0;

    switch (item_kind(it)) {
    case WIRE_DELETED:
        lib0_write_varuint(out, it->len - offset);
        break;
    case WIRE_STRING:
        write_text(out, it, p, offset);
        break;
    case WIRE_TYPE:
        write_type(doc, out, it);
        break;
    case WIRE_JSON:
    case WIRE_ANY:
        if (offset > 0)
            skip = wire_elements_len(item_kind(it), p, it->bytes, offset);
        lib0_write_varuint(out, it->len - offset);
        lib0_write_raw(out, p + skip, it->bytes - skip);
        break;
    case WIRE_BINARY:
    case WIRE_EMBED:
        lib0_write_varbytes(out, p, it->bytes);
        break;
    default: /* Format and Doc are kept as they are written. */
        lib0_write_raw(out, p, it->bytes);
    }
}

void store_write_item(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                      uint32_t offset)
{
    if (item_kind(it) == WIRE_GC) {
        lib0_write_u8(out, WIRE_GC);
        lib0_write_varuint(out, it->len - offset);
        return;
    }
    write_header(doc, out, it, offset);
    write_content(doc, out, it, offset);
}

/* ---- a client's structs ---- */

static uint64_t count_from(struct client *c, struct place at)
{
    uint64_t n = index_chunk(c, at.chunk)->n - at.i;

    for (uint32_t k = at.chunk + 1; k < c->chunks; k++)
        n += index_chunk(c, k)->n;
    return n;
}

static void write_client(const struct ydoc *doc, struct ydoc_buf *out, uint32_t number,
                         uint32_t from)
{
    struct client *c = &doc->clients.p[number];
    struct place at = index_find(doc, c, from);
    const struct item *it = &doc->items.p[index_at(c, at)];

    lib0_write_varuint(out, count_from(c, at));
    lib0_write_varuint(out, c->id);
    lib0_write_varuint(out, from);
    store_write_item(doc, out, it, from - it->clock);
    while (index_next(c, &at))
        store_write_item(doc, out, &doc->items.p[index_at(c, at)], 0);
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

static void write_client_deletes(const struct ydoc *doc, struct ydoc_buf *out,
                                 struct ydoc_buf *ranges, uint32_t number)
{
    struct client *c = &doc->clients.p[number];
    struct place at = {0, 0};
    uint32_t start = 0, len = 0;
    uint64_t n = 0;

    ydoc_buf_reset(ranges);
    do {
        const struct item *it = &doc->items.p[index_at(c, at)];

        if (!item_deleted(it))
            continue;
        if (len > 0 && start + len == it->clock) {
            len += it->len;
            continue;
        }
        if (len > 0) {
            lib0_write_varuint(ranges, start);
            lib0_write_varuint(ranges, len);
            n++;
        }
        start = it->clock;
        len = it->len;
    } while (index_next(c, &at));
    if (len == 0)
        return;
    lib0_write_varuint(ranges, start);
    lib0_write_varuint(ranges, len);
    lib0_write_varuint(out, c->id);
    lib0_write_varuint(out, n + 1);
    lib0_write_raw(out, ranges->p, ranges->len);
    if (ranges->failed)
        out->failed = true;
}

static bool has_deletes(const struct ydoc *doc, uint32_t number)
{
    const struct client *c = &doc->clients.p[number];
    struct place at = {0, 0};

    if (c->state == 0)
        return false;
    do {
        if (item_deleted(&doc->items.p[index_at(c, at)]))
            return true;
    } while (index_next(c, &at));
    return false;
}

static void write_deletes(const struct ydoc *doc, struct ydoc_buf *out)
{
    const uint32_t *order = clients_descending(doc);
    struct ydoc_buf ranges;
    uint64_t n = 0;

    ydoc_buf_init(&ranges, &out->alloc);
    for (uint32_t i = 0; i < doc->clients.n; i++)
        n += has_deletes(doc, order[i]);
    lib0_write_varuint(out, n);
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        if (doc->clients.p[order[i]].state > 0)
            write_client_deletes(doc, out, &ranges, order[i]);
    }
    ydoc_buf_fini(&ranges);
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

static void write_structs(const struct ydoc *doc, struct ydoc_buf *out, const uint32_t *have)
{
    const uint32_t *order = clients_descending(doc);
    uint64_t n = 0;

    for (uint32_t i = 0; i < doc->clients.n; i++)
        n += doc->clients.p[i].state > (have != NULL ? have[i] : 0);
    lib0_write_varuint(out, n);
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        uint32_t c = order[i], from = have != NULL ? have[c] : 0;

        if (doc->clients.p[c].state > from)
            write_client(doc, out, c, from);
    }
}

static int encode_applied(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                          struct ydoc_buf *out)
{
    size_t bytes = doc->clients.n * sizeof(uint32_t);
    uint32_t *have = NULL;

    if (sv != NULL && bytes > 0) {
        have = out->alloc.resize(out->alloc.ctx, NULL, 0, bytes);
        if (have == NULL)
            return YDOC_ENOMEM;
        memset(have, 0, bytes);
        read_state_vector(doc, sv, sv_len, have);
    }
    write_structs(doc, out, have);
    write_deletes(doc, out);
    if (have != NULL)
        out->alloc.resize(out->alloc.ctx, have, bytes, 0);
    return 0;
}

static int write_pending_deletes(const struct ydoc *doc, struct ydoc_buf *out)
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
    return out->failed ? YDOC_ENOMEM : 0;
}

/* Yjs hands on what waits as well: it merges the encoded state with it. */
static int encode_with_pending(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                               struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_buf part[3];
    struct ydoc_slice list[3];
    size_t n = 1;
    int rc;

    for (size_t i = 0; i < 3; i++)
        ydoc_buf_init(&part[i], &out->alloc);
    rc = encode_applied(doc, sv, sv_len, &part[0]);
    if (rc == 0 && doc->pending_deletes.n > 0)
        rc = write_pending_deletes(doc, &part[n++]);
    if (rc == 0 && doc->pending.n > 0)
        rc = ydoc_diff_update_v1(doc->pending.p, doc->pending.n,
                                 sv != NULL ? sv : (const uint8_t *)"", sv != NULL ? sv_len : 1,
                                 &part[n++], err);
    for (size_t i = 0; i < n; i++)
        list[i] = ydoc_buf_slice(&part[i]);
    if (rc == 0)
        rc = ydoc_merge_updates_v1(list, n, out, err);
    for (size_t i = 0; i < 3; i++)
        ydoc_buf_fini(&part[i]);
    return rc;
}

int ydoc_encode_state_v1(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                         struct ydoc_buf *out, struct ydoc_error *err)
{
    size_t len_before = out->len;
    int rc;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    if (sv != NULL && (rc = ydoc_validate_state_vector(sv, sv_len, err)) != 0)
        return rc;
    if (ydoc_has_pending(doc))
        return encode_with_pending(doc, sv, sv_len, out, err);
    if (encode_applied(doc, sv, sv_len, out) != 0)
        out->failed = true;
    return ydoc__buf_finish(out, len_before, err);
}

/* ---- changes ---- */

bool ydoc_has_changes(const struct ydoc *doc)
{
    return doc->acc_touched.n > 0 || doc->acc_deleted.n > 0;
}

static void sort_touched(struct ydoc *doc)
{
    uint32_t *v = doc->acc_touched.p;
    uint32_t n = doc->acc_touched.n;

    /* Shell sort: few clients as a rule, n^1.3 when an import brings many. */
    for (uint32_t gap = n / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < n; i++) {
            uint32_t c = v[i], j = i;

            for (; j >= gap && doc->clients.p[v[j - gap]].id < doc->clients.p[c].id; j -= gap)
                v[j] = v[j - gap];
            v[j] = c;
        }
    }
}

static void write_changed_deletes(const struct ydoc *doc, struct ydoc_buf *out)
{
    struct dset d;

    dset_init(&d, &out->alloc);
    for (uint32_t i = 0; i < doc->acc_deleted.n; i++) {
        const struct span *s = &doc->acc_deleted.p[i];

        dset_add(&d, doc->clients.p[s->client].id, s->clock, s->len);
    }
    dset_sort_and_merge(&d);
    dset_write(&d, out);
    dset_fini(&d);
}

void ydoc_forget_changes(struct ydoc *doc)
{
    doc->acc_touched.n = 0;
    doc->acc_deleted.n = 0;
    doc->acc_compact_at = 0;
    doc->acc++;
    if (doc->acc == 0) {
        for (uint32_t i = 0; i < doc->clients.n; i++)
            doc->clients.p[i].acc_mark = 0;
        doc->acc = 1;
    }
}

int ydoc_take_changes_v1(struct ydoc *doc, struct ydoc_buf *update, struct ydoc_buf *before)
{
    size_t update_len = update->len, before_len = before != NULL ? before->len : 0;
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    sort_touched(doc);
    lib0_write_varuint(update, doc->acc_touched.n);
    if (before != NULL)
        lib0_write_varuint(before, doc->acc_touched.n);
    for (uint32_t i = 0; i < doc->acc_touched.n; i++) {
        const struct client *c = &doc->clients.p[doc->acc_touched.p[i]];

        write_client(doc, update, doc->acc_touched.p[i], c->acc_before);
        if (before != NULL) {
            lib0_write_varuint(before, c->id);
            lib0_write_varuint(before, c->acc_before);
        }
    }
    write_changed_deletes(doc, update);
    rc = ydoc__buf_finish(update, update_len, NULL);
    if (before != NULL && (rc != 0 || before->failed)) {
        before->len = before_len;
        update->len = update_len;
        rc = YDOC_ENOMEM;
    }
    if (rc == 0)
        ydoc_forget_changes(doc);
    return rc;
}

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

/* ---- the update event ---- */

/* The clients that got structs in `tx` or in a transaction after it, with the
 * clock before the first of them: Yjs writes everything since then. */
static void gather_touched(const struct ydoc *doc, const struct tx *tx, struct touched *v,
                           uint32_t *n)
{
    bool reached = false;

    for (uint32_t q = 0; q < doc->queue.n; q++) {
        const struct tx *later = doc->queue.p[q];

        reached = reached || later == tx;
        for (uint32_t i = 0; reached && i < later->touched.n; i++) {
            uint32_t k = later == tx ? *n : 0;

            while (k < *n && v[k].client != later->touched.p[i].client)
                k++;
            if (k == *n)
                v[(*n)++] = later->touched.p[i];
        }
    }
}

static void sort_by_id(const struct ydoc *doc, struct touched *v, uint32_t n)
{
    for (uint32_t gap = n / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < n; i++) {
            struct touched t = v[i];
            uint32_t j = i;

            for (; j >= gap && doc->clients.p[v[j - gap].client].id < doc->clients.p[t.client].id;
                 j -= gap)
                v[j] = v[j - gap];
            v[j] = t;
        }
    }
}

int store_write_changes(const struct ydoc *doc, const struct tx *tx, int version,
                        struct ydoc_buf *out)
{
    size_t len_before = out->len, room = 0;
    struct touched *v = NULL;
    struct dset d;
    uint32_t n = 0;

    assert(version == 1);
    for (uint32_t q = 0; q < doc->queue.n; q++)
        room += doc->queue.p[q]->touched.n * sizeof(*v);
    if (room > 0 && (v = out->alloc.resize(out->alloc.ctx, NULL, 0, room)) == NULL)
        return YDOC_ENOMEM;
    gather_touched(doc, tx, v, &n);
    sort_by_id(doc, v, n);
    lib0_write_varuint(out, n);
    for (uint32_t i = 0; i < n; i++)
        write_client(doc, out, v[i].client, v[i].before);
    if (v != NULL)
        out->alloc.resize(out->alloc.ctx, v, room, 0);
    dset_init(&d, &out->alloc);
    for (uint32_t i = 0; i < tx->deleted.n; i++)
        dset_add(&d, doc->clients.p[tx->deleted.p[i].client].id, tx->deleted.p[i].clock,
                 tx->deleted.p[i].len);
    dset_sort_and_merge(&d);
    dset_write(&d, out);
    dset_fini(&d);
    return ydoc__buf_finish(out, len_before, NULL);
}
