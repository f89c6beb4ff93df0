/* apply - one update, one transaction.
 *
 * 1. A keystroke that continues the client's last text is appended in place
 *    (apply_typing): nine of ten updates of an editor, and no work but parsing.
 * 2. Everything else is checked whole first; a refused update never gets near
 *    the document. Memory can still end, and the walk through concurrent items
 *    can exceed its limit, in the middle: where the latter is possible at all,
 *    a copy of the document is made first and put back.
 * 3. The structs are integrated straight from the bytes (schedule.c); what
 *    lacks a predecessor becomes pending.
 * 4. Deletions, then what was pending once more, then the transaction's end.
 */
#include "ydoc/schedule.h"

#include <assert.h>
#include <string.h>

#include "ydoc/quick.h"

/* ---- 1. typing ------------------------------------------------------------------ */

/* `01 01 client clock 84|c4 origin [right] len text 00` */
struct typed {
    uint64_t client, origin_client, right_client;
    uint32_t clock, origin_clock, right_clock, units;
    bool has_right;
    struct ydoc_slice text;
};

static bool read_typed(struct typed *t, const uint8_t *update, size_t len)
{
    struct lib0_reader r;
    uint64_t clock, origin_clock, right_clock = 0, units;
    uint8_t info;

    if (len < 8 || update[0] != 1 || update[1] != 1)
        return false;
    lib0_reader_init(&r, update + 2, len - 2);
    t->client = lib0_read_varuint(&r);
    clock = lib0_read_varuint(&r);
    info = lib0_read_u8(&r);
    if (info != (WIRE_STRING | WIRE_HAS_ORIGIN) &&
        info != (WIRE_STRING | WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT))
        return false;
    t->origin_client = lib0_read_varuint(&r);
    origin_clock = lib0_read_varuint(&r);
    t->has_right = (info & WIRE_HAS_RIGHT) != 0;
    t->right_client = 0;
    if (t->has_right) {
        t->right_client = lib0_read_varuint(&r);
        right_clock = lib0_read_varuint(&r);
    }
    if (t->client != t->origin_client || origin_clock + 1 != clock || right_clock > UINT32_MAX)
        return false;
    t->text = lib0_read_varstring(&r, &units);
    if (lib0_read_u8(&r) != 0 || r.why != NULL || units == 0 || units > UINT32_MAX - 1 ||
        clock > UINT32_MAX - units)
        return false;
    t->clock = (uint32_t)clock;
    t->origin_clock = (uint32_t)origin_clock;
    t->right_clock = (uint32_t)right_clock;
    t->units = (uint32_t)units;
    return true;
}

/* Would Yjs put the text directly behind `last` and merge the two at once, and
 * stop there? */
static bool continues(const struct ydoc *doc, const struct item *last, const struct typed *t)
{
    const struct item *right;

    if (item_kind(last) != WIRE_STRING || (last->origin_flags & 0xff) != 0 ||
        doc->slots.p[last->slot].key != 0)
        return false;
    if (item_origin_client(last) == item_client(last) && last->origin_clock + 1 == last->clock)
        return false; /* may merge further to the left */
    if (!t->has_right)
        return last->right_client == NO_CLIENT && last->right == 0;
    if (last->right == 0 || last->right_client == NO_CLIENT)
        return false;
    right = &doc->items.p[last->right];
    return last->right_client == item_client(right) && last->right_clock == right->clock &&
           right->clock == t->right_clock &&
           doc->clients.p[item_client(right)].id == t->right_client;
}

/* Where the text goes if it fits without growing anything. */
static bool make_room(struct ydoc *doc, const struct client *c, const struct item *last, size_t n)
{
    uint32_t end = last->content + last->bytes;

    if (end == doc->slab.n && doc->slab.cap - doc->slab.n >= n) {
        doc->slab.n += (uint32_t)n;
        return true;
    }
    if (end <= c->room_end && c->room_end - end >= n) {
        doc->slab_waste -= (uint32_t)n;
        return true;
    }
    return false;
}

static bool apply_typing(struct ydoc *doc, const uint8_t *update, size_t len)
{
    struct typed t;
    struct client *c;
    struct item *last;
    struct place at;
    uint32_t number;

    if (doc->pending.n > 0 || doc->pending_deletes.n > 0 || !read_typed(&t, update, len))
        return false;
    number = store_find_client(doc, t.client);
    if (number == CLIENT_UNKNOWN)
        return false;
    c = &doc->clients.p[number];
    if (c->state != t.clock || c->state == 0 ||
        (c->acc_mark != doc->acc && doc->acc_touched.n == doc->acc_touched.cap))
        return false;
    last = &doc->items.p[index_last(c, &at)];
    if (!continues(doc, last, &t) || !make_room(doc, c, last, t.text.len))
        return false;
    memcpy(doc->slab.p + last->content + last->bytes, t.text.p, t.text.len);
    last->bytes += (uint32_t)t.text.len;
    last->len += t.units;
    if (last->bytes != last->len && last->len > doc->longest)
        doc->longest = last->len;
    doc->types.p[doc->slots.p[last->slot].type].length += t.units;
    if (c->acc_mark != doc->acc) {
        doc->acc_touched.p[doc->acc_touched.n++] = number;
        c->acc_mark = doc->acc;
        c->acc_before = c->state;
    }
    c->state += t.units;
    doc->applied = YDOC_APPLIED_STRUCTS;
    return true;
}

/* ---- pending structs ------------------------------------------------------------------ */

static void write_rest_section(const struct run *run, const struct source *src,
                               struct ydoc_buf *body)
{
    struct wire_section section = wire_section_at(src->client, src->p, src->clock, src->left);
    struct wire_struct s;
    struct lib0_reader r;
    uint64_t n = 0;

    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    while (wire_next(&r, &section, &s, YDOC__NESTING_MAX))
        n++;
    section.p = src->p;
    section.clock = src->clock;
    section.left = src->left;
    lib0_write_varuint(body, n);
    lib0_write_varuint(body, src->client);
    lib0_write_varuint(body, src->clock);
    lib0_reader_init(&r, src->p, (size_t)(run->end - src->p));
    while (wire_next(&r, &section, &s, YDOC__NESTING_MAX))
        wire_write(body, &s, 0);
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
    struct ydoc_slice list[2] = {{doc->pending.p, doc->pending.n}, {rest->p, rest->len}};

    if (doc->pending.n == 0)
        return ydoc_merge_updates_v1(&list[1], 1, merged, NULL);
    return ydoc_merge_updates_v1(list, 2, merged, NULL);
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
    struct place at = index_find(doc, c, clock);
    const struct item *it = &doc->items.p[index_at(c, at)];

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

static void begin_transaction(struct ydoc *doc)
{
    doc->tx++;
    if (doc->tx == 0) {
        for (uint32_t i = 0; i < doc->clients.n; i++)
            doc->clients.p[i].tx_mark = 0;
        doc->tx = 1;
    }
    doc->tx_touched.n = 0;
    doc->tx_deleted.n = 0;
    doc->tx_merge.n = 0;
    doc->work.n = 0;
    doc->work_left = doc->limits.work_max;
    doc->applied = 0;
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
}

struct job {
    struct ydoc *doc;
    const uint8_t *update;
    size_t len;
    const struct wire_counts *counts;
    struct run run; /* of check_pending_limit */
    struct lib0_reader deletes;
    bool started; /* the document may have changed */
};

/* Runs what may fail in the middle; see store.h. */
static int unwinding(struct job *job, void (*work)(struct job *job))
{
    jmp_buf failure;

    job->doc->failure = 0;
    job->doc->on_failure = &failure;
    if (setjmp(failure) == 0)
        work(job);
    job->doc->on_failure = NULL;
    return job->doc->failure;
}

static void transact(struct job *job)
{
    struct ydoc *doc = job->doc;

    begin_transaction(doc);
    reserve(doc, job->counts);
    job->started = true;
    apply_bytes(doc, job->update, job->len, job->counts->deletes_at);
    store_finish_transaction(doc);
    if (doc->tx_touched.n > 0)
        doc->applied |= YDOC_APPLIED_STRUCTS;
    if (doc->tx_deleted.n > 0)
        doc->applied |= YDOC_APPLIED_DELETES;
}

static void rehearse(struct job *job)
{
    job->deletes = schedule_load(job->doc, job->update, job->len, job->counts->deletes_at);
    schedule_run(&job->run);
}

/* Would anything wait, and would that be too much? */
static int check_pending_limit(struct ydoc *doc, const uint8_t *update, size_t len,
                               const struct wire_counts *counts)
{
    size_t held = doc->pending.n + doc->pending_deletes.n * sizeof(struct wire_range);
    size_t more = len + counts->ranges * sizeof(struct wire_range);
    struct job job = {doc, update, len, counts, {doc, update + len, true, 0, 0}, {0}, false};
    struct wire_deletes d;
    struct wire_range range;
    int rc;

    if (held + more <= doc->limits.pending_bytes_max)
        return 0;
    rc = unwinding(&job, rehearse);
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

static int guarded_transact(struct ydoc *doc, const uint8_t *update, size_t len,
                            const struct wire_counts *counts)
{
    struct job job = {doc, update, len, counts, {0}, {0}, false};
    struct ydoc *copy = NULL;
    int rc;

    if (may_exceed_work(doc, update, len, counts)) {
        copy = store_copy(doc);
        if (copy == NULL)
            return YDOC_ENOMEM;
    }
    rc = unwinding(&job, transact);
    if (rc != 0 && copy != NULL) {
        store_restore(doc, copy);
        return rc;
    }
    if (copy != NULL)
        store_discard(copy);
    if (rc != 0 && job.started)
        doc->broken = true;
    return rc;
}

int ydoc_apply_v1(struct ydoc *doc, const uint8_t *update, size_t len, struct ydoc_error *err)
{
    struct ydoc_slice bytes = {update, len};
    struct wire_counts counts;
    int rc;

    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    if (apply_typing(doc, update, len))
        return 0;
    schedule_make_notes(doc, update, len);
    rc = wire_validate_noting(bytes, &doc->limits, &counts, &doc->notes, err);
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
        rc = guarded_transact(doc, update, len, &counts);
    if (rc == YDOC_ELIMIT)
        return ydoc__error(err, rc, 0, "the update takes more than %llu steps",
                           (unsigned long long)doc->limits.work_max);
    if (rc != 0)
        return ydoc__error(err, rc, 0, "out of memory while applying an update of %zu bytes", len);
    return 0;
}

unsigned ydoc_last_applied(const struct ydoc *doc)
{
    return doc->applied;
}
