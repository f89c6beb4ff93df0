/* accumulate - what was deleted since the last ydoc_take_changes.
 *
 * Whoever never asks must not pay for it with memory, and a document that was
 * loaded has all its deletions here. So only the last few are kept as spans.
 * Whenever they have become as many as those before them, all are put in order,
 * joined and packed, which takes about three bytes each instead of twelve:
 *
 *     packed := { varuint clock << 1 | new, [varuint client], varuint len }…
 *
 * `clock` counts from the end of the span before; `new` says that the client is
 * another, by how much its number is above the last one's follows, and `clock`
 * counts from 0.
 */
#include "ydoc/store.h"

/* Below that spans are not worth packing. */
#define SPANS_KEPT 64u

void store_unpack_deleted(const struct ydoc *doc, struct packed_spans *from)
{
    lib0_reader_init(&from->r, doc->acc_packed.p, doc->acc_packed.n);
    from->last.client = from->last.clock = from->last.len = 0;
}

bool packed_spans_next(struct packed_spans *from, struct span *out)
{
    uint64_t first;

    if (lib0_left(&from->r) == 0)
        return false;
    first = lib0_read_varuint(&from->r);
    if (first & 1) {
        from->last.client += (uint32_t)lib0_read_varuint(&from->r);
        from->last.clock = from->last.len = 0;
    }
    from->last.clock += from->last.len + (uint32_t)(first >> 1);
    from->last.len = (uint32_t)lib0_read_varuint(&from->r);
    *out = from->last;
    return true;
}

/* Bytes of the spans packed; writes them if `to` is not NULL. */
static size_t pack(const struct span *v, uint32_t n, uint8_t *to)
{
    struct span last = {0, 0, 0};
    size_t bytes = 0;

    for (uint32_t i = 0; i < n; i++) {
        bool is_new = v[i].client != last.client;
        uint64_t clock = is_new ? v[i].clock : v[i].clock - last.clock - last.len;

        clock = clock << 1 | is_new;
        if (to != NULL) {
            to = lib0_put_varuint(to, clock);
            to = is_new ? lib0_put_varuint(to, v[i].client - last.client) : to;
            to = lib0_put_varuint(to, v[i].len);
        }
        bytes += lib0_varuint_len(clock) + lib0_varuint_len(v[i].len) +
                 (is_new ? lib0_varuint_len(v[i].client - last.client) : 0);
        last = v[i];
    }
    return bytes;
}

static void compact(struct ydoc *doc)
{
    struct packed_spans from;
    struct span s;
    size_t bytes;

    VEC_RESERVE(doc, doc->acc_deleted, doc->acc_packed_spans);
    store_unpack_deleted(doc, &from);
    while (packed_spans_next(&from, &s))
        doc->acc_deleted.p[doc->acc_deleted.n++] = s;
    doc->acc_packed_spans = 0;
    VEC_FREE(doc, doc->acc_packed);
    doc->acc_deleted.n = store_merge_spans(doc, doc->acc_deleted.p, doc->acc_deleted.n);
    bytes = pack(doc->acc_deleted.p, doc->acc_deleted.n, NULL);
    VEC_RESERVE(doc, doc->acc_packed, bytes);
    pack(doc->acc_deleted.p, doc->acc_deleted.n, doc->acc_packed.p);
    doc->acc_packed.n = (uint32_t)bytes;
    doc->acc_packed_spans = doc->acc_deleted.n;
    doc->acc_deleted.n = 0;
    if (doc->acc_deleted.cap > SPANS_KEPT)
        VEC_FREE(doc, doc->acc_deleted);
}

void store_accumulate_deleted(struct ydoc *doc, const struct tx *tx)
{
    if (doc->acc_deleted.n == 0)
        VEC_RESERVE(doc, doc->acc_deleted, tx->deleted.n);
    for (uint32_t i = 0; i < tx->deleted.n; i++) {
        if (doc->acc_deleted.n == 0 ||
            !store_join_span(&doc->acc_deleted.p[doc->acc_deleted.n - 1], &tx->deleted.p[i]))
            VEC_PUSH(doc, doc->acc_deleted, tx->deleted.p[i]);
    }
    if (doc->acc_deleted.n >= SPANS_KEPT && doc->acc_deleted.n >= doc->acc_packed_spans)
        compact(doc);
}

void store_forget_deleted(struct ydoc *doc)
{
    doc->acc_deleted.n = 0;
    if (doc->acc_deleted.cap > SPANS_KEPT)
        VEC_FREE(doc, doc->acc_deleted);
    doc->acc_packed_spans = 0;
    VEC_FREE(doc, doc->acc_packed);
}
