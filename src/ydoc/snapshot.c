/* snapshot - what a document knew and had deleted at one time: a state vector and
 * a delete set. It holds no content; a document that keeps deleted content
 * (options.keep_deleted) can tell with it how it looked then.
 *
 *     v1 := delete set v1, state vector      v2 := delete set v2, state vector
 *     state vector := varuint n, n x { varuint client, varuint clock }
 *
 * What peers send need not be in order. It is kept as it came, since it is
 * written and compared that way, and looked up in an ordered copy.
 */
#include "ydoc/snapshot.h"

#include <string.h>

/* ---- making ---- */

static void init(struct ydoc_snapshot *s, const struct ydoc_alloc *alloc)
{
    s->alloc = *alloc;
    dset_init(&s->states, alloc);
    dset_init(&s->deleted, alloc);
    dset_init(&s->sorted, alloc);
    s->in_order = true;
}

int ydoc_snapshot_new_empty(struct ydoc_snapshot **out, const struct ydoc_alloc *alloc)
{
    struct ydoc_alloc a = ydoc__alloc_or_default(alloc);
    struct ydoc_snapshot *s = a.resize(a.ctx, NULL, 0, sizeof(*s));

    *out = s;
    if (s == NULL)
        return YDOC_ENOMEM;
    init(s, &a);
    return 0;
}

void ydoc_snapshot_free(struct ydoc_snapshot *s)
{
    struct ydoc_alloc alloc;

    if (s == NULL)
        return;
    alloc = s->alloc;
    dset_fini(&s->states);
    dset_fini(&s->deleted);
    dset_fini(&s->sorted);
    alloc.resize(alloc.ctx, s, sizeof(*s), 0);
}

/* Of a client that is named twice the last clock counts, as in a JS Map. */
static void drop_repeated_states(struct dset *states)
{
    size_t n = 0;

    dset_sort_clients(states);
    for (size_t i = 0; i < states->n; i++) {
        if (n > 0 && states->v[n - 1].client == states->v[i].client)
            n--;
        states->v[n++] = states->v[i];
    }
    states->n = n;
}

static bool is_in_order(const struct dset *d)
{
    for (size_t i = 1; i < d->n; i++) {
        const struct wire_range *a = &d->v[i - 1], *b = &d->v[i];

        if (a->client == b->client && (b->clock < a->clock || b->clock - a->clock < a->len))
            return false;
    }
    return true;
}

/* The end of making one: 0, or YDOC_ENOMEM, and the snapshot is gone. */
static int finish(struct ydoc_snapshot **out)
{
    struct ydoc_snapshot *s = *out;

    drop_repeated_states(&s->states);
    dset_sort_clients(&s->deleted);
    s->in_order = is_in_order(&s->deleted);
    if (!s->in_order) {
        for (size_t i = 0; i < s->deleted.n; i++)
            dset_add(&s->sorted, s->deleted.v[i].client, s->deleted.v[i].clock,
                     s->deleted.v[i].len);
        dset_sort_and_merge(&s->sorted);
    }
    if (!s->states.failed && !s->deleted.failed && !s->sorted.failed)
        return 0;
    ydoc_snapshot_free(s);
    *out = NULL;
    return YDOC_ENOMEM;
}

int ydoc_snapshot_new(struct ydoc_snapshot **out, const struct ydoc *doc)
{
    int rc;

    *out = NULL;
    if (doc->broken)
        return YDOC_EBROKEN;
    rc = ydoc_snapshot_new_empty(out, &doc->alloc);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < doc->clients.n; i++) {
        if (doc->clients.p[i].state > 0)
            dset_add(&(*out)->states, doc->clients.p[i].id, doc->clients.p[i].state, 0);
    }
    store_add_deletes(doc, &(*out)->deleted);
    return finish(out);
}

/* ---- bytes ---- */

static void read_states(struct ydoc_snapshot *s, struct lib0_reader *r)
{
    const uint8_t *at = r->p;
    uint64_t n = lib0_read_varuint(r);

    if (n > lib0_left(r) / 2)
        lib0_fail_at(r, at, "more clients than bytes");
    for (; n > 0 && r->why == NULL; n--) {
        uint64_t client = lib0_read_varuint(r), clock;

        at = r->p;
        clock = lib0_read_varuint(r);
        if (clock > UINT32_MAX)
            lib0_fail_at(r, at, "clock above 2^32-1");
        else if (r->why == NULL)
            dset_add(&s->states, client, (uint32_t)clock, 0);
    }
}

static int read_snapshot(struct ydoc_snapshot *s, struct ydoc_slice bytes, bool v2,
                         const struct ydoc_limits *limits, struct ydoc_error *err)
{
    struct wire_range range;
    struct wire_deletes d;
    struct lib0_reader r;

    if (bytes.len > limits->update_bytes_max)
        return ydoc__error(err, YDOC_ELIMIT, 0, "snapshot of %zu bytes, at most %zu are allowed",
                           bytes.len, limits->update_bytes_max);
    lib0_reader_init(&r, bytes.p, bytes.len);
    wire_deletes_init(&d, &r);
    d.v2 = v2;
    while (s->deleted.n <= limits->structs_max && !s->deleted.failed &&
           wire_deletes_next(&d, &range))
        dset_add(&s->deleted, range.client, range.clock, range.len);
    if (s->deleted.n > limits->structs_max)
        return ydoc__error(err, YDOC_ELIMIT, lib0_offset(&d.r), "more than %u delete ranges",
                           limits->structs_max);
    if (d.r.why == NULL && !s->deleted.failed)
        read_states(s, &d.r);
    return lib0_error(&d.r, err);
}

static int decode(struct ydoc_snapshot **out, struct ydoc_slice bytes, bool v2,
                  const struct ydoc_options *options, struct ydoc_error *err)
{
    struct ydoc_limits limits = ydoc__limits(options != NULL ? options->limits : NULL);
    int rc = ydoc_snapshot_new_empty(out, options != NULL ? options->alloc : NULL);

    if (rc == 0) {
        rc = read_snapshot(*out, bytes, v2, &limits, err);
        if (rc != 0) {
            ydoc_snapshot_free(*out);
            *out = NULL;
            return rc;
        }
        rc = finish(out);
    }
    return rc == 0 ? 0 : ydoc__error(err, rc, 0, "%s", ydoc_strerror(rc));
}

int ydoc_snapshot_decode_v1(struct ydoc_snapshot **out, const uint8_t *p, size_t len,
                            const struct ydoc_options *options, struct ydoc_error *err)
{
    struct ydoc_slice bytes = {p, len};

    return decode(out, bytes, false, options, err);
}

int ydoc_snapshot_decode_v2(struct ydoc_snapshot **out, const uint8_t *p, size_t len,
                            const struct ydoc_options *options, struct ydoc_error *err)
{
    struct ydoc_slice bytes = {p, len};

    return decode(out, bytes, true, options, err);
}

static int finish_encoding(const struct ydoc_snapshot *s, size_t len_before, struct ydoc_buf *out)
{
    lib0_write_varuint(out, s->states.n);
    for (size_t i = 0; i < s->states.n; i++) {
        lib0_write_varuint(out, s->states.v[i].client);
        lib0_write_varuint(out, s->states.v[i].clock);
    }
    return ydoc__buf_finish(out, len_before, NULL);
}

int ydoc_snapshot_encode_v1(const struct ydoc_snapshot *s, struct ydoc_buf *out)
{
    size_t len_before = out->len;

    dset_write(&s->deleted, out);
    return finish_encoding(s, len_before, out);
}

int ydoc_snapshot_encode_v2(const struct ydoc_snapshot *s, struct ydoc_buf *out)
{
    size_t len_before = out->len;
    struct dset d = s->in_order ? s->deleted : s->sorted; /* is not moved: it is in order */

    dset_write_v2(&d, out);
    return finish_encoding(s, len_before, out);
}

/* ---- comparing ---- */

static bool same_ranges(const struct dset *a, const struct dset *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct wire_range *x = &a->v[i], *y = &b->v[i];

        if (x->client != y->client || x->clock != y->clock || x->len != y->len)
            return false;
    }
    return true;
}

bool ydoc_snapshot_equal(const struct ydoc_snapshot *a, const struct ydoc_snapshot *b)
{
    return same_ranges(&a->states, &b->states) && same_ranges(&a->deleted, &b->deleted);
}

static uint32_t state_of(const struct ydoc_snapshot *s, uint64_t client)
{
    size_t lo = 0, hi = s->states.n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->states.v[mid].client > client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->states.n && s->states.v[lo].client == client ? s->states.v[lo].clock : 0;
}

/* Yjs joins the two delete sets and looks whether that changes the snapshot's. */
static bool contains_deletes(const struct ydoc_snapshot *s, struct dset *joined)
{
    for (size_t i = 0; i < s->deleted.n; i++)
        dset_add(joined, s->deleted.v[i].client, s->deleted.v[i].clock, s->deleted.v[i].len);
    dset_sort_and_merge(joined);
    return same_ranges(joined, &s->deleted);
}

static int contains(const struct ydoc_snapshot *s, struct ydoc_slice update,
                    enum wire_version version, const struct ydoc_limits *limits,
                    struct ydoc_error *err)
{
    struct ydoc_limits l = ydoc__limits(limits);
    struct wire_input in = {update, version, &l, &s->alloc};
    struct wire_struct st;
    struct wire_walk w;
    struct dset d;
    bool all = true;
    int rc;

    dset_init(&d, &s->alloc);
    wire_walk_open(&w, &in);
    while (wire_walk_next(&w, &st))
        all = all && state_of(s, st.client) >= st.clock + st.len;
    dset_add_walk(&d, &w);
    rc = wire_walk_error(&w, err);
    if (rc == 0)
        rc = all && contains_deletes(s, &d);
    if (rc >= 0 && d.failed)
        rc = ydoc__error(err, YDOC_ENOMEM, 0, "out of memory");
    wire_walk_close(&w);
    dset_fini(&d);
    return rc;
}

int ydoc_snapshot_contains_update_v1(const struct ydoc_snapshot *s, const uint8_t *update,
                                     size_t len, const struct ydoc_limits *limits,
                                     struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return contains(s, u, WIRE_V1, limits, err);
}

int ydoc_snapshot_contains_update_v2(const struct ydoc_snapshot *s, const uint8_t *update,
                                     size_t len, const struct ydoc_limits *limits,
                                     struct ydoc_error *err)
{
    struct ydoc_slice u = {update, len};

    return contains(s, u, WIRE_V2, limits, err);
}

/* ---- in a document ---- */

static const struct dset *ordered(const struct ydoc_snapshot *s)
{
    return s->in_order ? &s->deleted : &s->sorted;
}

/* In order, because an item that is cut from its end needs n^2 steps. */
void snapshot_split(struct ydoc *doc, const struct ydoc_snapshot *s)
{
    for (size_t i = 0; i < s->states.n; i++) {
        const struct wire_range *state = &s->states.v[i];
        uint32_t c = store_find_client(doc, state->client);

        if (c != CLIENT_UNKNOWN && state->clock < doc->clients.p[c].state)
            store_item_from(doc, c, state->clock);
    }
    for (size_t i = 0; i < ordered(s)->n; i++) {
        const struct wire_range *gone = &ordered(s)->v[i];
        uint32_t c = store_find_client(doc, gone->client);

        if (c == CLIENT_UNKNOWN || gone->clock >= doc->clients.p[c].state)
            continue;
        store_item_from(doc, c, gone->clock);
        if (gone->clock + gone->len < doc->clients.p[c].state)
            store_item_from(doc, c, gone->clock + gone->len);
    }
}

/* What a snapshot says about one client: its clock, and its deleted ranges. */
struct snapshot_seen {
    uint32_t clock;
    size_t from, to;
};

int snapshot_view_open(struct snapshot_view *v, const struct ydoc *doc,
                       const struct ydoc_snapshot *s)
{
    size_t bytes = doc->clients.n * sizeof(struct snapshot_seen);
    struct snapshot_seen *seen;

    v->s = s;
    ydoc_buf_init(&v->seen, &doc->alloc);
    if (s == NULL || bytes == 0)
        return 0;
    if (!ydoc_buf_reserve(&v->seen, bytes))
        return YDOC_ENOMEM;
    memset(v->seen.p, 0, bytes);
    seen = (struct snapshot_seen *)(void *)v->seen.p;
    for (size_t i = 0; i < s->states.n; i++) {
        uint32_t c = store_find_client_const(doc, s->states.v[i].client);

        if (c != CLIENT_UNKNOWN)
            seen[c].clock = s->states.v[i].clock;
    }
    for (size_t i = 0, end; i < ordered(s)->n; i = end) {
        uint64_t client = ordered(s)->v[i].client;
        uint32_t c = store_find_client_const(doc, client);

        for (end = i; end < ordered(s)->n && ordered(s)->v[end].client == client;)
            end++;
        if (c != CLIENT_UNKNOWN) {
            seen[c].from = i;
            seen[c].to = end;
        }
    }
    return 0;
}

void snapshot_view_close(struct snapshot_view *v)
{
    ydoc_buf_fini(&v->seen);
}

static const struct snapshot_seen *seen_of(const struct snapshot_view *v, const struct item *it)
{
    return (const struct snapshot_seen *)(const void *)v->seen.p + item_client(it);
}

bool snapshot_knows(const struct snapshot_view *v, const struct item *it)
{
    return v->s == NULL || it->clock < seen_of(v, it)->clock;
}

static bool was_deleted(const struct snapshot_view *v, const struct item *it)
{
    const struct wire_range *ranges = ordered(v->s)->v;
    size_t lo = seen_of(v, it)->from, hi = seen_of(v, it)->to, from = lo;

    while (lo < hi) { /* the first range that starts behind it */
        size_t mid = lo + (hi - lo) / 2;

        if (ranges[mid].clock <= it->clock)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > from && it->clock - ranges[lo - 1].clock < ranges[lo - 1].len;
}

bool snapshot_shows(const struct snapshot_view *v, const struct item *it)
{
    if (v->s == NULL)
        return !item_deleted(it);
    return snapshot_knows(v, it) && !was_deleted(v, it);
}

/* ---- a document as it was ---- */

struct restore {
    struct ydoc *doc;
    const struct ydoc_snapshot *s;
    struct ydoc_buf update;
};

static void write_restored(void *arg)
{
    struct restore *job = arg;
    struct ydoc *doc = job->doc;
    const struct dset *states = &job->s->states;
    uint64_t n = 0;

    store_begin(doc, NULL, true);
    for (size_t i = 0; i < states->n; i++)
        n += states->v[i].clock > 0;
    lib0_write_varuint(&job->update, n);
    for (size_t i = 0; i < states->n; i++) {
        uint32_t c = store_find_client(doc, states->v[i].client), clock = states->v[i].clock;

        if (clock == 0)
            continue;
        if (clock < doc->clients.p[c].state)
            store_item_from(doc, c, clock);
        store_write_below(doc, c, clock, &job->update);
    }
    dset_write(&job->s->deleted, &job->update);
    store_end(doc);
}

static int check_restorable(const struct ydoc *doc, const struct ydoc_snapshot *s,
                            struct ydoc_error *err)
{
    if (doc->broken)
        return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
    if (!doc->keep_deleted)
        return ydoc__error(err, YDOC_ENOENT, 0,
                           "the document does not keep what is deleted (keep_deleted)");
    for (size_t i = 0; i < s->states.n; i++) {
        uint32_t c = store_find_client_const(doc, s->states.v[i].client);

        if (s->states.v[i].clock > (c == CLIENT_UNKNOWN ? 0 : doc->clients.p[c].state))
            return ydoc__error(err, YDOC_ERANGE, 0,
                               "the snapshot has changes of client %llu that the document lacks",
                               (unsigned long long)s->states.v[i].client);
    }
    return 0;
}

int ydoc_new_from_snapshot(struct ydoc **out, struct ydoc *doc, const struct ydoc_snapshot *s,
                           const struct ydoc_options *options, struct ydoc_error *err)
{
    struct restore job = {doc, s, {0}};
    int rc = check_restorable(doc, s, err);

    *out = NULL;
    if (rc != 0)
        return rc;
    ydoc_buf_init(&job.update, &doc->alloc);
    rc = store_run(doc, write_restored, &job);
    if (rc != 0)
        doc->broken = true;
    else if (job.update.failed)
        rc = YDOC_ENOMEM;
    if (rc == 0)
        rc = ydoc_new(out, options);
    if (rc != 0)
        ydoc__error(err, rc, 0, "%s", ydoc_strerror(rc));
    else
        rc = store_apply_ours(*out, &job.update, "snapshot", err);
    if (rc != 0) {
        ydoc_free(*out);
        *out = NULL;
    }
    ydoc_buf_fini(&job.update);
    return rc;
}
