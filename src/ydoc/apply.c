/* apply - one update, one transaction.
 *
 * 1. A keystroke that continues the client's last text is appended in place
 *    (typing.c): nine of ten updates of an editor, and no work but parsing.
 * 2. Everything else is checked whole first; a refused update never gets near
 *    the document. Memory can still end, and the walk through concurrent items
 *    can exceed its limit, in the middle: where the latter is possible at all,
 *    a copy of the document is made first and put back.
 * 3. The structs are integrated straight from the bytes (schedule.c); what
 *    lacks a predecessor becomes pending.
 * 4. Deletions, then what was pending once more, then the transaction's end.
 */
#include "ydoc/schedule.h"
#include "ydoc/typing.h"
#include "ydoc/update.h"

#include <assert.h>
#include <string.h>

#include "ydoc/quick.h"

/* ---- pending structs ------------------------------------------------------------------ */

static void write_rest_section(const struct run *run, const struct source *src,
                               struct ydoc_buf *body)
{
    struct wire_section section = wire_section_at(src->client, src->p, src->clock, src->left);
    struct wire_struct s;
    struct lib0_reader r;
    uint64_t n = 0;

    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    while (wire_next(&r, &section, &s, WIRE_NESTING_OURS))
        n++;
    section.p = src->p;
    section.clock = src->clock;
    section.left = src->left;
    lib0_write_varuint(body, n);
    lib0_write_varuint(body, src->client);
    lib0_write_varuint(body, src->clock);
    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    while (wire_next(&r, &section, &s, WIRE_NESTING_OURS))
        wire_write(body, &s, 0, WIRE_OURS);
}

/* What the blocked sources still hold, as an update. */
static void write_rest(const struct run *run, struct ydoc_buf *out)
{
    const struct source *v = run->doc->sources.p;

    lib0_write_varuint(out, run->blocked);
    for (uint32_t i = 0; i < run->doc->sources.n; i++) {
        if (v[i].blocked)
            write_rest_section(run, &v[i], out);
    }
    lib0_write_varuint(out, 0);
}

static int merge_with_pending(const struct ydoc *doc, const struct ydoc_buf *rest,
                              struct ydoc_buf *merged)
{
    static const struct update_formats ours = {WIRE_OURS, WIRE_OURS};
    struct ydoc_slice list[2] = {{doc->pending.p, doc->pending.n}, {rest->p, rest->len}};

    if (doc->pending.n == 0)
        return update_merge(&list[1], 1, ours, merged, NULL);
    return update_merge(list, 2, ours, merged, NULL);
}

static void keep_missing(struct ydoc *doc)
{
    for (uint32_t i = 0; i < doc->missing.n; i++) {
        struct missing m = doc->missing.p[i];
        uint32_t k = 0;

        /* Few clients are missing as a rule; a peer that makes it many only
         * gets the same client listed more than once. */
        while (k < doc->pending_missing.n && k < 64 && doc->pending_missing.p[k].client != m.client)
            k++;
        if (k == doc->pending_missing.n || k == 64)
            VEC_PUSH(doc, doc->pending_missing, m);
        else if (doc->pending_missing.p[k].clock > m.clock)
            doc->pending_missing.p[k].clock = m.clock;
    }
    doc->missing.n = 0;
}

static void keep_rest(const struct run *run)
{
    struct ydoc *doc = run->doc;
    struct ydoc_buf rest, merged;
    bool failed, grown;

    if (run->blocked == 0)
        return;
    keep_missing(doc);
    ydoc_buf_init(&rest, &doc->alloc);
    ydoc_buf_init(&merged, &doc->alloc);
    write_rest(run, &rest);
    failed = rest.failed || merge_with_pending(doc, &rest, &merged) != 0;
    ydoc_buf_fini(&rest);
    grown = !failed &&
            (merged.len != doc->pending.n || memcmp(merged.p, doc->pending.p, merged.len) != 0);
    if (grown) {
        uint8_t *p = merged.len > UINT32_MAX
                         ? NULL
                         : store_resize(doc, doc->pending.p, doc->pending.cap, merged.len);

        failed = p == NULL;
        if (p != NULL) {
            doc->pending.p = p;
            doc->pending.n = doc->pending.cap = (uint32_t)merged.len;
            memcpy(p, merged.p, merged.len);
            doc->applied |= YDOC_APPLIED_PENDING;
        }
    }
    ydoc_buf_fini(&merged);
    if (failed)
        store_fail(doc, YDOC_ENOMEM);
}

static bool can_retry(const struct ydoc *doc)
{
    for (uint32_t i = 0; doc->pending.n > 0 && i < doc->pending_missing.n; i++) {
        const struct missing *m = &doc->pending_missing.p[i];
        uint32_t c = store_find_client_const(doc, m->client);

        if (c != CLIENT_UNKNOWN && m->clock < doc->clients.p[c].state)
            return true;
    }
    return false;
}

/* ---- 4. deletions ------------------------------------------------------------------------ */

static void delete_range(struct ydoc *doc, uint32_t client, uint32_t clock, uint32_t end)
{
    struct client *c = &doc->clients.p[client];
    struct place at;
    const struct item *it;

    if (index_is_deleted(doc, c, clock, end < c->state ? end : c->state))
        return;
    at = index_find(doc, c, clock);
    it = &doc->items.p[index_at(c, at)];
    if (!item_deleted(it) && it->clock < clock)
        store_split(doc, c, &at, clock - it->clock);
    do {
        uint32_t h = index_at(c, at);

        it = &doc->items.p[h];
        if (it->clock >= end)
            break;
        if (item_deleted(it))
            continue;
        if (end < item_end(it)) {
            struct place right = at;

            store_split(doc, c, &right, end - it->clock);
            store_delete_item(doc, h);
            return;
        }
        store_delete_item(doc, h);
    } while (index_next(c, &at));
}

/* Applies what can be applied and appends the rest to doc->undone. */
static void apply_range(struct ydoc *doc, uint32_t c, const struct wire_range *range)
{
    uint32_t state = c == CLIENT_UNKNOWN ? 0 : doc->clients.p[c].state;
    uint32_t end = range->clock + range->len;
    struct wire_range rest = *range;

    if (range->clock < state) {
        if (state < end) {
            rest.clock = state;
            rest.len = end - state;
            VEC_PUSH(doc, doc->undone, rest);
        }
        delete_range(doc, c, range->clock, end);
    } else {
        VEC_PUSH(doc, doc->undone, rest);
    }
}

static void keep_undone(struct ydoc *doc, uint32_t from_update)
{
    struct dset d = {0};

    if (from_update > 0 && doc->undone.n > from_update) {
        d.v = doc->undone.p;
        d.n = d.cap = doc->undone.n;
        d.alloc = doc->alloc;
        dset_sort_and_merge(&d); /* in place: it never grows */
        if (d.failed)
            store_fail(doc, YDOC_ENOMEM);
        doc->undone.n = (uint32_t)d.n;
    }
    if (doc->undone.n != doc->pending_deletes.n ||
        (doc->undone.n > 0 && memcmp(doc->undone.p, doc->pending_deletes.p,
                                     doc->undone.n * sizeof(struct wire_range)) != 0))
        doc->applied |= YDOC_APPLIED_PENDING;
    doc->pending_deletes.n = 0;
    VEC_RESERVE(doc, doc->pending_deletes, doc->undone.n);
    if (doc->undone.n > 0)
        memcpy(doc->pending_deletes.p, doc->undone.p, doc->undone.n * sizeof(struct wire_range));
    doc->pending_deletes.n = doc->undone.n;
    doc->undone.n = 0;
}

static void apply_deletes(struct ydoc *doc, const struct lib0_reader *at)
{
    struct wire_deletes d;
    struct wire_range range;
    uint32_t from_update;

    doc->undone.n = 0;
    wire_deletes_init(&d, at);
    while (wire_deletes_next(&d, &range)) {
        uint32_t c = store_find_client(doc, range.client);

        do
            apply_range(doc, c, &range);
        while (quick_range(&d, &range));
    }
    from_update = doc->undone.n;
    for (uint32_t i = 0; i < doc->pending_deletes.n; i++)
        apply_range(doc, store_find_client(doc, doc->pending_deletes.p[i].client),
                    &doc->pending_deletes.p[i]);
    if (doc->undone.n > 0 || doc->pending_deletes.n > 0)
        keep_undone(doc, from_update);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* `deletes_at` 0 means that this is what was pending. */
static void apply_bytes(struct ydoc *doc, const uint8_t *update, size_t len, size_t deletes_at)
{
    struct lib0_reader deletes = schedule_load(doc, update, len, deletes_at);
    struct run run = {doc, update + len, false, 0, 0};
    bool retry;

    doc->missing.n = 0;
    schedule_run(&run);
    retry = deletes_at > 0 && can_retry(doc);
    keep_rest(&run);
    apply_deletes(doc, &deletes);
    if (!retry)
        return;
    doc->retry.n = 0;
    VEC_RESERVE(doc, doc->retry, doc->pending.n);
    memcpy(doc->retry.p, doc->pending.p, doc->pending.n);
    doc->retry.n = doc->pending.n;
    VEC_FREE(doc, doc->pending);
    doc->pending_missing.n = 0;
    apply_bytes(doc, doc->retry.p, doc->retry.n, 0);
    VEC_FREE(doc, doc->retry);
}

/* Most of the room up front: when a document is loaded no slack is left, and a
 * small update that finds no memory finds that out before it changes anything. */
static void reserve(struct ydoc *doc, const struct wire_counts *counts)
{
    uint64_t splits = counts->structs < 16 ? 2 * (counts->structs + counts->ranges) : 0;
    uint32_t room = doc->items.cap - doc->items.n;

    if (splits <= 64 && room < counts->structs + splits)
        VEC_RESERVE(doc, doc->items, counts->structs + splits + (doc->items.n == 0 ? 1 : 0));
    VEC_RESERVE(doc, doc->slab, counts->body_bytes);
    if (counts->structs >= 16)
        VEC_RESERVE(doc, doc->clients, counts->sections);
    if (counts->structs >= 64) /* a third is what deletions left, as a rule; given back soon */
        VEC_RESERVE(doc, doc->cur.deleted, counts->structs / 3);
}

struct job {
    struct ydoc *doc;
    const uint8_t *update;
    size_t len;
    const struct wire_counts *counts;
    const void *origin;
    struct run run; /* of check_pending_limit */
    struct lib0_reader deletes;
    bool started; /* the document may have changed */
};

static void transact(void *arg)
{
    struct job *job = arg;
    struct ydoc *doc = job->doc;

    store_begin(doc, job->origin, false);
    doc->work_left = doc->limits.work_max;
    doc->applied = 0;
    reserve(doc, job->counts);
    job->started = true;
    apply_bytes(doc, job->update, job->len, job->counts->deletes_at);
    if (doc->cur.touched.n > 0)
        doc->applied |= YDOC_APPLIED_STRUCTS;
    if (doc->cur.deleted.n > 0)
        doc->applied |= YDOC_APPLIED_DELETES;
    doc->work_left = UINT64_MAX; /* it is in: what follows is not the peer's choice */
    store_end(doc);
}

static void rehearse(void *arg)
{
    struct job *job = arg;

    job->deletes = schedule_load(job->doc, job->update, job->len, job->counts->deletes_at);
    schedule_run(&job->run);
}

/* Would anything wait, and would that be too much? */
static int check_pending_limit(struct ydoc *doc, const uint8_t *update, size_t len,
                               const struct wire_counts *counts)
{
    size_t held = doc->pending.n + doc->pending_deletes.n * sizeof(struct wire_range);
    size_t more = len + counts->ranges * sizeof(struct wire_range);
    struct job job = {doc, update, len, counts, NULL, {doc, update + len, true, 0, 0}, {0}, false};
    struct wire_deletes d;
    struct wire_range range;
    int rc;

    if (held + more <= doc->limits.pending_bytes_max)
        return 0;
    rc = store_run(doc, rehearse, &job);
    if (rc != 0)
        return rc;
    if (job.run.blocked > 0)
        return YDOC_ELIMIT;
    wire_deletes_init(&d, &job.deletes);
    while (wire_deletes_next(&d, &range)) {
        if (range.clock + range.len > schedule_state_of(&job.run, range.client))
            held += sizeof(struct wire_range);
    }
    return held > doc->limits.pending_bytes_max ? YDOC_ELIMIT : 0;
}

/* Clients that the document would have afterwards. */
static bool too_many_clients(struct ydoc *doc, const uint8_t *update, size_t len,
                             const struct wire_counts *counts)
{
    struct wire_walk w;
    struct wire_struct s;
    uint64_t n = doc->clients.n, last = UINT64_MAX;

    if (n + counts->sections <= doc->limits.clients_max)
        return false;
    wire_walk_init(&w, update, len);
    while (wire_walk_next(&w, &s)) {
        if (s.client != last && store_find_client(doc, s.client) == CLIENT_UNKNOWN)
            n++;
        last = s.client;
    }
    return n > doc->limits.clients_max;
}

/* Can the update bring what the pending structs lack? */
static bool may_release_pending(const struct ydoc *doc, const uint8_t *update, size_t len,
                                const struct wire_counts *counts)
{
    struct wire_section section;
    struct lib0_reader r;

    if (doc->pending.n == 0 || counts->sections != 1)
        return doc->pending.n > 0 && counts->sections > 0;
    lib0_reader_init(&r, update, len);
    lib0_read_varuint(&r);
    wire_read_section(&r, &section);
    for (uint32_t i = 0; i < doc->pending_missing.n; i++) {
        if (doc->pending_missing.p[i].client == section.client)
            return true;
    }
    return false;
}

/* Steps that the transaction might need at the very worst. */
static bool may_exceed_work(const struct ydoc *doc, const uint8_t *update, size_t len,
                            const struct wire_counts *counts)
{
    uint64_t each = (uint64_t)doc->items_live + doc->longest + counts->structs + len;
    uint64_t n = counts->structs + counts->ranges;

    if (may_release_pending(doc, update, len, counts)) {
        each += doc->pending.n;
        n += doc->pending.n / 2;
    }
    n += doc->pending_deletes.n;
    return n > 0 && each > doc->limits.work_max / n / 4;
}

static int guarded_transact(struct job *job)
{
    struct ydoc *doc = job->doc;
    uint32_t depth = doc->tx_depth, queued = doc->queue.n;
    struct ydoc *copy = NULL;
    int rc;

    if (may_exceed_work(doc, job->update, job->len, job->counts)) {
        copy = store_copy(doc);
        if (copy == NULL)
            return YDOC_ENOMEM;
    }
    rc = store_run(doc, transact, job);
    /* Once observers were called there is no way back. */
    if (rc != 0 && copy != NULL && doc->tx_depth > depth && doc->queue.n == queued) {
        store_restore(doc, copy);
        return rc;
    }
    if (copy != NULL)
        store_discard(copy);
    if (rc != 0 && !job->started)
        doc->tx_depth = depth;
    if (rc != 0 && job->started)
        doc->broken = true;
    return rc;
}

static int apply_checked(struct ydoc *doc, struct ydoc_slice bytes, const void *origin,
                         const struct ydoc_limits *limits, struct ydoc_error *err)
{
    const uint8_t *update = bytes.p;
    size_t len = bytes.len;
    struct wire_counts counts;
    struct job job = {doc, update, len, &counts, origin, {0}, {0}, false};
    int rc;

    schedule_make_notes(doc, update, len);
    rc = wire_validate_noting(bytes, limits, &counts, &doc->notes, err);
    if (rc != 0)
        return rc;
    if (too_many_clients(doc, update, len, &counts))
        return ydoc__error(err, YDOC_ELIMIT, 0, "more than %u clients in one document",
                           doc->limits.clients_max);
    rc = check_pending_limit(doc, update, len, &counts);
    if (rc == YDOC_ELIMIT)
        return ydoc__error(err, rc, 0, "more than %zu bytes would wait for missing predecessors",
                           doc->limits.pending_bytes_max);
    if (rc == 0)
        rc = guarded_transact(&job);
    store_trim_scratch(doc, counts.structs + counts.ranges);
    if (rc == YDOC_ELIMIT)
        return ydoc__error(err, rc, 0, "the update takes more than %llu steps",
                           (unsigned long long)doc->limits.work_max);
    if (rc != 0)
        return ydoc__error(err, rc, 0, "out of memory while applying an update of %zu bytes", len);
    return 0;
}

static int typing_result(int rc, struct ydoc_error *err)
{
    return rc > 0 ? 0 : ydoc__error(err, rc, 0, "out of memory while telling observers");
}

int ydoc_apply_v1_from(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin,
                       struct ydoc_error *err)
{
    struct ydoc_slice bytes = {update, len};
    int rc;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    rc = typing_apply(doc, update, len, origin);
    if (rc != 0)
        return typing_result(rc, err);
    return apply_checked(doc, bytes, origin, &doc->limits, err);
}

int ydoc_apply_v1(struct ydoc *doc, const uint8_t *update, size_t len, struct ydoc_error *err)
{
    return ydoc_apply_v1_from(doc, update, len, NULL, err);
}

int store_apply_ours(struct ydoc *doc, const struct ydoc_buf *update, const void *origin,
                     struct ydoc_error *err)
{
    struct ydoc_limits limits = update_limits(WIRE_OURS);
    int rc;

    limits.nesting_max = WIRE_NESTING_OURS;
    rc = typing_apply(doc, update->p, update->len, origin);
    if (rc != 0)
        return typing_result(rc, err);
    return apply_checked(doc, ydoc_buf_slice(update), origin, &limits, err);
}

unsigned ydoc_last_applied(const struct ydoc *doc)
{
    return doc->applied;
}
