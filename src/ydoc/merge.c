/* merge - functions over updates that need no document: merge, diff, state
 * vector.
 *
 * They give the bytes that Yjs's lazy readers and writers give. Yjs sorts all
 * its readers again for every struct; here a heap keeps them in the same order:
 * client descending, clock ascending, and among equals the reader used last
 * comes first, because it sits at the front of Yjs's array when that is sorted
 * stably. Where a GC and an item meet at one id, Yjs's comparison contradicts
 * itself and the outcome depends on the JavaScript engine; here the GC wins.
 */
#include "ydoc/dset.h"
#include "ydoc/wire.h"

#include <assert.h>
#include <string.h>

/* ---- writing sections whose number and sizes are known only afterwards ---- */

struct section_mark {
    size_t at; /* in body */
    uint64_t structs;
};

struct lazy_writer {
    struct ydoc_buf body;  /* client, clock and structs of each section */
    struct ydoc_buf marks; /* struct section_mark, one a section */
    uint64_t client;
    uint64_t next; /* clock at which the open section goes on */
    struct section_mark open;
};

static void writer_init(struct lazy_writer *w, const struct ydoc_alloc *alloc)
{
    memset(w, 0, sizeof(*w));
    ydoc_buf_init(&w->body, alloc);
    ydoc_buf_init(&w->marks, alloc);
}

static void writer_fini(struct lazy_writer *w)
{
    ydoc_buf_fini(&w->body);
    ydoc_buf_fini(&w->marks);
}

static void writer_close_section(struct lazy_writer *w)
{
    if (w->open.structs > 0)
        ydoc_buf_append(&w->marks, &w->open, sizeof(w->open));
    w->open.structs = 0;
}

/* Yjs opens a section for another client only. One for a struct that does not go on
 * where the last one ended, too, keeps what is written readable when somebody's
 * update names a client twice; no update of Yjs's does that without one between. */
static void writer_add(struct lazy_writer *w, const struct wire_struct *s, uint32_t offset)
{
    if (w->open.structs > 0 && (w->client != s->client || w->next != (uint64_t)s->clock + offset))
        writer_close_section(w);
    if (w->open.structs == 0) {
        w->client = s->client;
        w->open.at = w->body.len;
        lib0_write_varuint(&w->body, s->client);
        lib0_write_varuint(&w->body, (uint64_t)s->clock + offset);
    }
    wire_write(&w->body, s, offset);
    w->next = (uint64_t)s->clock + s->len;
    w->open.structs++;
}

static void writer_finish(struct lazy_writer *w, struct ydoc_buf *out)
{
    size_t n;

    writer_close_section(w);
    n = w->marks.len / sizeof(struct section_mark);
    lib0_write_varuint(out, n);
    for (size_t i = 0; i < n; i++) {
        struct section_mark m, next = {w->body.len, 0};

        memcpy(&m, w->marks.p + i * sizeof(m), sizeof(m));
        if (i + 1 < n)
            memcpy(&next, w->marks.p + (i + 1) * sizeof(m), sizeof(m));
        lib0_write_varuint(out, m.structs);
        ydoc_buf_append(out, w->body.p + m.at, next.at - m.at);
    }
    if (w->body.failed || w->marks.failed)
        out->failed = true;
}

/* ---- merge ------------------------------------------------------------------ */

struct reader {
    struct wire_walk walk;
    struct wire_struct cur;
    int64_t stamp;
};

struct merger {
    struct reader **heap;
    size_t n;
    int64_t stamp;
    struct lazy_writer out;
    /* The struct that is written next, once it is sure that nothing joins it. */
    bool have;
    struct wire_struct held;
    uint32_t held_offset;
};

static uint64_t end_of(const struct wire_struct *s)
{
    return (uint64_t)s->clock + s->len;
}

/* Skips say nothing, so they are left out. */
static bool reader_next(struct reader *r)
{
    do {
        if (!wire_walk_next(&r->walk, &r->cur))
            return false;
    } while (r->cur.ref == WIRE_SKIP);
    return true;
}

static bool goes_before(const struct reader *a, const struct reader *b)
{
    if (a->cur.client != b->cur.client)
        return a->cur.client > b->cur.client;
    if (a->cur.clock != b->cur.clock)
        return a->cur.clock < b->cur.clock;
    if ((a->cur.ref == WIRE_GC) != (b->cur.ref == WIRE_GC))
        return a->cur.ref == WIRE_GC;
    return a->stamp < b->stamp;
}

static void heap_sift_down(struct merger *m, size_t i)
{
    struct reader *r = m->heap[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= m->n)
            break;
        if (child + 1 < m->n && goes_before(m->heap[child + 1], m->heap[child]))
            child++;
        if (!goes_before(m->heap[child], r))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = r;
}

static void heap_pop(struct merger *m)
{
    m->heap[0] = m->heap[--m->n];
    if (m->n > 0)
        heap_sift_down(m, 0);
}

static void hold(struct merger *m, const struct wire_struct *s, uint32_t offset)
{
    if (m->have)
        writer_add(&m->out, &m->held, m->held_offset);
    m->held = *s;
    m->held_offset = offset;
    m->have = true;
}

/* `r` holds a struct of the same client as m->held that ends after it.
 * True: the struct was taken. */
static bool join(struct merger *m, struct reader *r)
{
    uint64_t held_end = end_of(&m->held);
    struct wire_struct skip = {0};
    uint32_t overlap;

    if (held_end < r->cur.clock) {
        if (m->held.ref == WIRE_SKIP) {
            m->held.len = (uint32_t)(end_of(&r->cur) - m->held.clock);
            return false;
        }
        skip.ref = WIRE_SKIP;
        skip.client = m->held.client;
        skip.clock = (uint32_t)held_end;
        skip.len = (uint32_t)(r->cur.clock - held_end);
        hold(m, &skip, 0);
        return false;
    }
    overlap = (uint32_t)(held_end - r->cur.clock);
    if (overlap > 0 && m->held.ref == WIRE_SKIP) {
        m->held.len -= overlap;
        overlap = 0;
    }
    if (m->held.ref == WIRE_GC && r->cur.ref == WIRE_GC) {
        m->held.len += r->cur.len - overlap;
        return false;
    }
    hold(m, &r->cur, overlap);
    return true;
}

/* Handles the first reader; false when it is exhausted. */
static bool merge_step(struct merger *m, struct reader *r)
{
    uint64_t first = r->cur.client;

    if (!m->have) {
        hold(m, &r->cur, 0);
        if (!reader_next(r))
            return false;
    } else {
        bool moved = false;

        while (end_of(&r->cur) <= end_of(&m->held) && r->cur.client >= m->held.client) {
            if (!reader_next(r))
                return false;
            moved = true;
        }
        if (r->cur.client != first || (moved && r->cur.clock > end_of(&m->held)))
            return true;
        if (first != m->held.client) {
            hold(m, &r->cur, 0);
            if (!reader_next(r))
                return false;
        } else if (join(m, r) && !reader_next(r)) {
            return false;
        }
    }
    while (r->cur.client == first && r->cur.clock == end_of(&m->held)) {
        hold(m, &r->cur, 0);
        if (!reader_next(r))
            return false;
    }
    return true;
}

static void merge_run(struct merger *m)
{
    for (size_t i = m->n / 2; i-- > 0;)
        heap_sift_down(m, i);
    while (m->n > 0) {
        struct reader *r = m->heap[0];

        if (merge_step(m, r)) {
            r->stamp = --m->stamp;
            heap_sift_down(m, 0);
        } else {
            heap_pop(m);
        }
    }
    if (m->have)
        writer_add(&m->out, &m->held, m->held_offset);
}

static int validate_list(const struct ydoc_slice *updates, size_t n, struct ydoc_error *err)
{
    struct ydoc_limits limits = ydoc__limits(NULL);

    for (size_t i = 0; i < n; i++) {
        struct wire_counts counts;
        struct ydoc_error e;
        int rc = wire_validate(updates[i].p, updates[i].len, &limits, &counts, &e);

        if (rc != 0)
            return ydoc__error(err, rc, e.offset, "update %zu: %.120s", i, e.msg);
    }
    return 0;
}

static void merge_all(struct reader *readers, struct reader **heap, size_t n,
                      const struct ydoc_slice *updates, struct ydoc_buf *out)
{
    struct merger m = {0};
    struct dset deletes;

    dset_init(&deletes, &out->alloc);
    writer_init(&m.out, &out->alloc);
    m.heap = heap;
    for (size_t i = 0; i < n; i++) {
        wire_walk_init(&readers[i].walk, updates[i].p, updates[i].len);
        readers[i].stamp = (int64_t)i;
        if (reader_next(&readers[i]))
            heap[m.n++] = &readers[i];
    }
    merge_run(&m);
    writer_finish(&m.out, out);
    for (size_t i = 0; i < n; i++)
        dset_add_wire(&deletes, &readers[i].walk.r);
    dset_sort_and_merge(&deletes);
    dset_write(&deletes, out);
    writer_fini(&m.out);
    dset_fini(&deletes);
}

int ydoc_merge_updates_v1(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    size_t len_before = out->len;
    size_t each = sizeof(struct reader) + sizeof(struct reader *);
    struct reader *readers;
    int rc = validate_list(updates, n, err);

    if (rc != 0)
        return rc;
    if (n == 1) {
        ydoc_buf_append(out, updates[0].p, updates[0].len);
        return ydoc__buf_finish(out, len_before, err);
    }
    if (n == 0) {
        ydoc_buf_append(out, "\0\0", 2);
        return ydoc__buf_finish(out, len_before, err);
    }
    readers = n > SIZE_MAX / each ? NULL : out->alloc.resize(out->alloc.ctx, NULL, 0, n * each);
    if (readers == NULL)
        return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory for %zu updates", n);
    merge_all(readers, (struct reader **)(void *)(readers + n), n, updates, out);
    out->alloc.resize(out->alloc.ctx, readers, n * each, 0);
    return ydoc__buf_finish(out, len_before, err);
}

/* ---- diff --------------------------------------------------------------------- */

int ydoc_validate_state_vector(const uint8_t *sv, size_t len, struct ydoc_error *err)
{
    struct lib0_reader r;
    uint64_t n;

    lib0_reader_init(&r, sv, len);
    n = lib0_read_varuint(&r);
    if (n > lib0_left(&r) / 2)
        lib0_fail_at(&r, r.base, "more clients than bytes");
    for (uint64_t i = 0; i < n && r.why == NULL; i++) {
        lib0_read_varuint(&r);
        lib0_read_varuint(&r);
    }
    return lib0_error(&r, err);
}

/* A state vector for look-ups: sorted by client, kept in a dset whose `clock`
 * is the state (clamped: nothing we accept lies beyond 2^32-1). */
static int load_state_vector(struct dset *out, const uint8_t *sv, size_t len,
                             struct ydoc_error *err)
{
    struct lib0_reader r;
    uint64_t n;
    int rc = ydoc_validate_state_vector(sv, len, err);

    if (rc != 0)
        return rc;
    lib0_reader_init(&r, sv, len);
    n = lib0_read_varuint(&r);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t client = lib0_read_varuint(&r);
        uint64_t clock = lib0_read_varuint(&r);

        dset_add(out, client, clock > UINT32_MAX ? UINT32_MAX : (uint32_t)clock, 0);
    }
    dset_sort_clients(out);
    return out->failed ? ydoc__error(err, YDOC_ENOMEM, 0, "out of memory") : 0;
}

/* Of a client that is named twice the last entry counts, as in a JS Map. */
static uint32_t state_of(const struct dset *sv, uint64_t client)
{
    size_t lo = 0, hi = sv->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (sv->v[mid].client >= client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && sv->v[lo - 1].client == client ? sv->v[lo - 1].clock : 0;
}

static void diff_structs(struct wire_walk *walk, const struct dset *sv, struct lazy_writer *out)
{
    struct wire_struct s;
    bool more = wire_walk_next(walk, &s);

    while (more) {
        uint64_t client = s.client;
        uint32_t state = state_of(sv, client);

        if (s.ref == WIRE_SKIP || end_of(&s) <= state) {
            more = wire_walk_next(walk, &s);
            continue;
        }
        writer_add(out, &s, state > s.clock ? state - s.clock : 0);
        while ((more = wire_walk_next(walk, &s)) && s.client == client)
            writer_add(out, &s, 0);
    }
}

int ydoc_diff_update_v1(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err)
{
    size_t len_before = out->len;
    struct lazy_writer writer;
    struct wire_walk walk;
    struct dset state, deletes;
    int rc = ydoc_validate_update_v1(update, len, NULL, err);

    if (rc != 0)
        return rc;
    dset_init(&state, &out->alloc);
    dset_init(&deletes, &out->alloc);
    writer_init(&writer, &out->alloc);
    rc = load_state_vector(&state, sv, sv_len, err);
    if (rc == 0) {
        wire_walk_init(&walk, update, len);
        diff_structs(&walk, &state, &writer);
        writer_finish(&writer, out);
        dset_add_wire(&deletes, &walk.r);
        dset_sort_clients(&deletes);
        dset_write(&deletes, out);
        rc = ydoc__buf_finish(out, len_before, err);
    }
    writer_fini(&writer);
    dset_fini(&state);
    dset_fini(&deletes);
    return rc;
}

/* ---- state vector ---------------------------------------------------------------- */

/* Yjs counts a Skip at clock 0 when it is the very first struct; elsewhere a
 * Skip ends the counting. */
int ydoc_state_vector_from_update_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err)
{
    size_t len_before = out->len;
    struct wire_walk walk;
    struct wire_struct s;
    struct dset found;
    uint64_t clock = 0, client = 0;
    bool first = true, stopped = false;
    int rc = ydoc_validate_update_v1(update, len, NULL, err);

    if (rc != 0)
        return rc;
    dset_init(&found, &out->alloc);
    wire_walk_init(&walk, update, len);
    while (wire_walk_next(&walk, &s)) {
        if (first || s.client != client) {
            if (clock > 0)
                dset_add(&found, client, (uint32_t)clock, 0);
            client = s.client;
            stopped = s.clock != 0;
            clock = first && !stopped ? end_of(&s) : 0;
            first = false;
        }
        if (s.ref == WIRE_SKIP)
            stopped = true;
        if (!stopped)
            clock = end_of(&s);
    }
    if (clock > 0)
        dset_add(&found, client, (uint32_t)clock, 0);
    lib0_write_varuint(out, found.n);
    for (size_t i = 0; i < found.n; i++) {
        lib0_write_varuint(out, found.v[i].client);
        lib0_write_varuint(out, found.v[i].clock);
    }
    if (found.failed)
        out->failed = true;
    dset_fini(&found);
    return ydoc__buf_finish(out, len_before, err);
}
