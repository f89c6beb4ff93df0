/* changes - what has changed, as an update: since the last take, or in one
 * transaction (Yjs's update event). Both are a list of clients with the clocks from
 * which on their structs are new, and a list of deletions; the structs are written
 * as they are now, merged and collected.
 */
#include "ydoc/heap_sort.h"
#include "ydoc/update_writer.h"
#include "ydoc/watch.h"

#include <assert.h>
#include <string.h>

static bool id_above(const struct doc_part *a, const struct doc_part *b, const struct ydoc *doc)
{
    return doc->clients.p[a->client].id > doc->clients.p[b->client].id;
}
HEAP_SORT(heap_sort, struct doc_part, const struct ydoc *, id_above)

static void sort_by_id(const struct ydoc *doc, struct doc_part *v, uint32_t n)
{
    uint32_t sorted = 1;

    while (sorted < n && !id_above(&v[sorted], &v[sorted - 1], doc))
        sorted++;
    if (sorted < n)
        heap_sort(v, n, doc);
}

static void add_spans(const struct ydoc *doc, struct dset *d, const struct span *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        dset_add(d, doc->clients.p[v[i].client].id, v[i].clock, v[i].len);
}

static void write_changes(const struct ydoc *doc, struct doc_update u, struct dset *d,
                          struct ydoc_buf *out)
{
    dset_sort_and_merge(d);
    u.deletes = d;
    store_write_update(doc, &u, out);
    dset_fini(d);
}

/* ---- since the last take ---- */

bool ydoc_has_changes(const struct ydoc *doc)
{
    return doc->acc_touched.n > 0 || doc->acc_deleted.n > 0 || doc->acc_packed.n > 0;
}

static void write_before(const struct ydoc *doc, struct ydoc_buf *before)
{
    lib0_write_varuint(before, doc->acc_touched.n);
    for (uint32_t i = 0; i < doc->acc_touched.n; i++) {
        lib0_write_varuint(before, doc->clients.p[doc->acc_touched.p[i].client].id);
        lib0_write_varuint(before, doc->acc_touched.p[i].from);
    }
}

void ydoc_forget_changes(struct ydoc *doc)
{
    doc->acc_touched.n = 0;
    store_forget_deleted(doc);
    doc->acc++;
    if (doc->acc == 0) {
        for (uint32_t i = 0; i < doc->clients.n; i++)
            doc->clients.p[i].acc_mark = 0;
        doc->acc = 1;
    }
}

static int take_changes(struct ydoc *doc, enum wire_version version, struct ydoc_buf *update,
                        struct ydoc_buf *before)
{
    size_t update_len = update->len, before_len = before != NULL ? before->len : 0;
    struct doc_update u = {doc->acc_touched.p, doc->acc_touched.n, NULL, version};
    struct packed_spans packed;
    struct span span;
    struct dset d;
    int rc;

    if (doc->broken)
        return YDOC_EBROKEN;
    sort_by_id(doc, doc->acc_touched.p, doc->acc_touched.n);
    dset_init(&d, &update->alloc);
    store_unpack_deleted(doc, &packed);
    while (packed_spans_next(&packed, &span))
        add_spans(doc, &d, &span, 1);
    add_spans(doc, &d, doc->acc_deleted.p, doc->acc_deleted.n);
    write_changes(doc, u, &d, update);
    if (before != NULL)
        write_before(doc, before);
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

int ydoc_take_changes_v1(struct ydoc *doc, struct ydoc_buf *update, struct ydoc_buf *before)
{
    return take_changes(doc, WIRE_V1, update, before);
}

int ydoc_take_changes_v2(struct ydoc *doc, struct ydoc_buf *update, struct ydoc_buf *before)
{
    return take_changes(doc, WIRE_V2, update, before);
}

/* ---- the update event ---- */

/* The clients that got structs in `tx` or in a transaction after it, with the
 * clock before the first of them: Yjs writes everything since then. */
static void gather_touched(const struct ydoc *doc, const struct tx *tx, struct doc_part *v,
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

#define PARTS_SMALL 8

int store_write_changes(const struct ydoc *doc, const struct tx *tx, int version,
                        struct ydoc_buf *out)
{
    struct doc_part small[PARTS_SMALL], *v = small;
    size_t len_before = out->len, room = 0;
    struct doc_update u = {small, 0, NULL, version == 2 ? WIRE_V2 : WIRE_V1};
    struct dset d;

    for (uint32_t q = 0; q < doc->queue.n; q++)
        room += doc->queue.p[q]->touched.n;
    if (room > PARTS_SMALL &&
        (v = out->alloc.resize(out->alloc.ctx, NULL, 0, room * sizeof(*v))) == NULL)
        return YDOC_ENOMEM;
    gather_touched(doc, tx, v, &u.n);
    sort_by_id(doc, v, u.n);
    u.parts = v;
    dset_init(&d, &out->alloc);
    add_spans(doc, &d, tx->deleted.p, tx->deleted.n);
    write_changes(doc, u, &d, out);
    if (v != small)
        out->alloc.resize(out->alloc.ctx, v, room * sizeof(*v), 0);
    return ydoc__buf_finish(out, len_before, NULL);
}

int store_write_news(const struct news *news, int version, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    struct doc_update u = {&news->part, news->has_part, NULL, version == 2 ? WIRE_V2 : WIRE_V1};
    struct dset d;

    dset_init(&d, &out->alloc);
    add_spans(news->doc, &d, news->gone, news->gone != NULL);
    write_changes(news->doc, u, &d, out);
    return ydoc__buf_finish(out, len_before, NULL);
}
