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

#include <string.h>

/* ---- a client's structs ---- */

static void add_item(const struct ydoc *doc, struct update_writer *w, const struct item *it,
                     uint32_t offset)
{
    struct wire_struct s;

    store_item_struct(doc, it, &s);
    update_writer_add_as(w, &s, offset,
                         (uint8_t)(s.ref | s.info | (offset > 0 ? WIRE_HAS_ORIGIN : 0)));
}

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
    store_write_item(doc, out, it, part.from - it->clock, version);
    for (at.i++; at.chunk < (c->chunks > 1 ? c->chunks : 1); at.chunk++, at.i = 0) {
        const struct chunk *k = index_chunk(c, at.chunk);
        const struct entry *v = k->cap > CHUNK_INLINE ? k->u.p : k->u.in;

        for (; at.i < k->n; at.i++)
            store_write_item(doc, out, &doc->items.p[v[at.i].item & ~ENTRY_DELETED], 0, version);
    }
}

void store_write_below(const struct ydoc *doc, uint32_t client, uint32_t clock,
                       struct ydoc_buf *out)
{
    struct client *c = &doc->clients.p[client];
    struct place at = index_find(doc, c, clock - 1), first = {0, 0};
    uint64_t n = count_from(c, first) - count_from(c, at) + 1;

    lib0_write_varuint(out, n);
    lib0_write_varuint(out, c->id);
    lib0_write_varuint(out, 0);
    for (at = first; n > 0; n--, index_next(c, &at))
        store_write_item(doc, out, &doc->items.p[index_at(c, at)], 0, WIRE_OURS);
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

int ydoc_encode_state_vector(const struct ydoc *doc, struct ydoc_buf *out)
{
    const uint32_t *order = store_clients_descending(doc);
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

/* ---- snapshot ---- */

static int encode_snapshot(const struct ydoc *doc, enum wire_version version, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    struct dset d;
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    if (version == WIRE_V2) {
        dset_init(&d, &out->alloc);
        store_add_deletes(doc, &d);
        dset_write_v2(&d, out);
        dset_fini(&d);
    } else {
        store_write_deletes(doc, out);
    }
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
    struct dset all;

    dset_init(&all, &out->alloc);
    if (u->deletes == NULL)
        store_add_deletes(doc, &all);
    update_writer_init(&w, WIRE_V2, &out->alloc);
    for (uint32_t i = 0; i < u->n; i++)
        add_client(doc, &w, u->parts[i]);
    update_writer_finish(&w, u->deletes != NULL ? u->deletes : &all, out);
    update_writer_fini(&w);
    dset_fini(&all);
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
    if (u->deletes != NULL)
        dset_write(u->deletes, out);
    else
        store_write_deletes(doc, out);
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
    const uint32_t *order = store_clients_descending(doc);
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
    uint32_t *have;

    if (parts == NULL) {
        out->failed = true;
        return;
    }
    have = (uint32_t *)(void *)(parts + n);
    memset(have, 0, n * sizeof(*have));
    if (sv.p != NULL)
        read_state_vector(doc, sv.p, sv.len, have);
    u.n = list_parts(doc, have, parts);
    store_write_update(doc, &u, out);
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
    const uint32_t *order = store_clients_descending(doc);
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
