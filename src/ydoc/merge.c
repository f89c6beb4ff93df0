/* merge - many updates into one, without a document.
 *
 * It gives the bytes that Yjs's lazy readers and writers give. Yjs sorts all its
 * readers again for every struct; here they come in the same order: client
 * descending, clock ascending, and among equals the reader used last first,
 * because it sits at the front of Yjs's array when that is sorted stably. Where a
 * GC and an item meet at one id, Yjs's comparison contradicts itself and the
 * outcome depends on the JavaScript engine; here the GC wins.
 *
 * The first struct of each update makes an entry. If the entries are in order
 * already, as those of a log are, they are taken from the front, and the few
 * updates that have been begun and not finished wait in a heap; otherwise all of
 * them are in the heap from the start. An update is only opened while it is
 * being read, so that ten thousand keystrokes take one reader.
 */
#include "ydoc/update.h"
#include "ydoc/update_writer.h"

#include <assert.h>
#include <string.h>

struct reader {
    struct wire_walk walk;
    struct wire_struct cur;
    size_t update;
    struct reader *next; /* in the list of free ones, or of open ones */
    struct reader *before;
};

struct entry {
    uint64_t client;
    int64_t stamp;
    uint32_t clock;
    bool gc;
    struct reader *reader; /* NULL: not opened yet, and stamp is the update's number */
};

struct merger {
    const struct ydoc_slice *updates;
    size_t n;
    enum wire_version from;
    struct ydoc_limits limits;
    struct ydoc_alloc alloc;
    struct ydoc_error *err;
    int rc;

    /* v[0 … heap_n) is the heap, v[at … end) come in order. */
    struct entry *v;
    size_t heap_n, at, end;
    int64_t stamp;
    struct reader *free_readers, *open_readers;

    struct update_writer out;
    struct dset deletes;
    /* Where the last struct ended. A GC or Skip is not written before it is sure
     * that nothing joins it. */
    bool have;
    struct wire_struct held;
    uint32_t held_offset;
};

/* ---- readers ---- */

static uint64_t end_of(const struct wire_struct *s)
{
    return (uint64_t)s->clock + s->len;
}

static void fail(struct merger *m, size_t update, int rc, const struct ydoc_error *e)
{
    if (m->rc == 0)
        m->rc = ydoc__error(m->err, rc, e->offset, "update %zu: %.120s", update, e->msg);
}

static bool check(struct merger *m, const struct reader *r)
{
    struct ydoc_error e;
    int rc = wire_walk_error(&r->walk, &e);

    if (rc != 0)
        fail(m, r->update, rc, &e);
    return rc == 0;
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

static struct reader *take_reader(struct merger *m)
{
    static const struct ydoc_error none = {YDOC_ENOMEM, 0, "out of memory"};
    struct reader *r = m->free_readers;

    if (r != NULL) {
        m->free_readers = r->next;
    } else {
        r = m->alloc.resize(m->alloc.ctx, NULL, 0, sizeof(*r));
        if (r == NULL) {
            fail(m, 0, YDOC_ENOMEM, &none);
            return NULL;
        }
    }
    r->walk.columns = NULL; /* nothing to close yet */
    r->before = NULL;
    r->next = m->open_readers;
    if (r->next != NULL)
        r->next->before = r;
    m->open_readers = r;
    return r;
}

static void open_reader(struct merger *m, struct reader *r, size_t update)
{
    struct wire_input in = {m->updates[update], m->from, &m->limits, &m->alloc};

    r->update = update;
    wire_walk_open(&r->walk, &in);
}

static void give_reader(struct merger *m, struct reader *r)
{
    wire_walk_close(&r->walk);
    if (r->before != NULL)
        r->before->next = r->next;
    else
        m->open_readers = r->next;
    if (r->next != NULL)
        r->next->before = r->before;
    r->next = m->free_readers;
    m->free_readers = r;
}

static void free_readers(struct merger *m)
{
    while (m->open_readers != NULL)
        give_reader(m, m->open_readers);
    while (m->free_readers != NULL) {
        struct reader *r = m->free_readers;

        m->free_readers = r->next;
        m->alloc.resize(m->alloc.ctx, r, sizeof(*r), 0);
    }
}

/* All structs are read: the deletions follow. */
static void end_reader(struct merger *m, struct reader *r)
{
    dset_add_walk(&m->deletes, &r->walk);
    check(m, r);
    give_reader(m, r);
}

/* ---- their order ---- */

static struct entry entry_of(struct reader *r, int64_t stamp)
{
    struct entry e = {r->cur.client, stamp, r->cur.clock, r->cur.ref == WIRE_GC, r};

    return e;
}

static bool goes_before(const struct entry *a, const struct entry *b)
{
    if (a->client != b->client)
        return a->client > b->client;
    if (a->clock != b->clock)
        return a->clock < b->clock;
    if (a->gc != b->gc)
        return a->gc;
    return a->stamp < b->stamp;
}

static void sift_down(struct entry *v, size_t i, size_t n)
{
    struct entry e = v[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        if (child + 1 < n && goes_before(&v[child + 1], &v[child]))
            child++;
        if (!goes_before(&v[child], &e))
            break;
        v[i] = v[child];
        i = child;
    }
    v[i] = e;
}

static void heap_push(struct merger *m, const struct entry *e)
{
    size_t i = m->heap_n++;

    /* Whatever is pushed was taken before: there is room below m->at. */
    assert(m->heap_n <= m->at);
    for (; i > 0 && goes_before(e, &m->v[(i - 1) / 2]); i = (i - 1) / 2)
        m->v[i] = m->v[(i - 1) / 2];
    m->v[i] = *e;
}

static bool take_next(struct merger *m, struct entry *e)
{
    bool queued = m->at < m->end;

    if (queued && (m->heap_n == 0 || goes_before(&m->v[m->at], &m->v[0]))) {
        *e = m->v[m->at++];
        return true;
    }
    if (m->heap_n == 0)
        return false;
    *e = m->v[0];
    m->v[0] = m->v[--m->heap_n];
    if (m->heap_n > 0)
        sift_down(m->v, 0, m->heap_n);
    return true;
}

/* One entry for each update that has structs. */
static void list_entries(struct merger *m)
{
    struct reader *r = take_reader(m);
    bool sorted = true;

    if (r == NULL)
        return;
    for (size_t i = 0; i < m->n && m->rc == 0; i++) {
        open_reader(m, r, i);
        if (reader_next(r)) {
            m->v[m->end] = entry_of(r, (int64_t)i);
            m->v[m->end].reader = NULL;
            sorted = sorted && (m->end == 0 || goes_before(&m->v[m->end - 1], &m->v[m->end]));
            m->end++;
        } else {
            dset_add_walk(&m->deletes, &r->walk);
            check(m, r);
        }
        wire_walk_close(&r->walk);
    }
    give_reader(m, r);
    if (sorted)
        return;
    m->heap_n = m->at = m->end;
    for (size_t i = m->heap_n / 2; i-- > 0;)
        sift_down(m->v, i, m->heap_n);
}

/* ---- merging ---- */

static bool waits(const struct wire_struct *s)
{
    return s->ref == WIRE_GC || s->ref == WIRE_SKIP;
}

static void write_held(struct merger *m)
{
    if (m->have && waits(&m->held))
        update_writer_add(&m->out, &m->held, m->held_offset);
}

static void hold(struct merger *m, const struct wire_struct *s, uint32_t offset)
{
    write_held(m);
    m->have = true;
    m->held.ref = s->ref;
    m->held.client = s->client;
    m->held.clock = s->clock;
    m->held.len = s->len;
    m->held_offset = offset;
    if (!waits(s))
        update_writer_add(&m->out, s, offset);
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

/* Yjs's merging of one reader's next structs, and what becomes of the reader. */
static void merge_entry(struct merger *m, const struct entry *e)
{
    struct reader *r = e->reader;
    struct entry again;
    bool more = true;

    if (r == NULL) {
        r = take_reader(m);
        if (r == NULL)
            return;
        open_reader(m, r, (size_t)e->stamp);
        more = reader_next(r);
    }
    if (more && merge_step(m, r)) {
        again = entry_of(r, --m->stamp);
        heap_push(m, &again);
    } else {
        end_reader(m, r);
    }
}

static void merge_all(struct merger *m, enum wire_version to, struct ydoc_buf *out)
{
    struct entry e;

    dset_init(&m->deletes, &m->alloc);
    update_writer_init(&m->out, to, &m->alloc);
    list_entries(m);
    while (m->rc == 0 && take_next(m, &e))
        merge_entry(m, &e);
    write_held(m);
    if (m->rc == 0) {
        dset_sort_and_merge(&m->deletes);
        update_writer_finish(&m->out, &m->deletes, out);
    }
    free_readers(m);
    update_writer_fini(&m->out);
    dset_fini(&m->deletes);
}

/* Yjs hands one update back as it is; here it is checked. */
static int merge_one(const struct ydoc_slice *update, enum wire_version version,
                     struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_limits limits = update_limits(version);
    struct update_conversion check_only = {*update, {version, version}, &limits};
    struct ydoc_error e;
    size_t len_before = out->len;
    int rc = update_convert(&check_only, NULL, &e);

    if (rc != 0)
        return ydoc__error(err, rc, e.offset, "update 0: %.120s", e.msg);
    ydoc_buf_append(out, update->p, update->len);
    return ydoc__buf_finish(out, len_before, err);
}

int update_merge(const struct ydoc_slice *updates, size_t n, struct update_formats formats,
                 struct ydoc_buf *out, struct ydoc_error *err)
{
    struct merger m = {0};
    size_t len_before = out->len, bytes = n * sizeof(*m.v);

    if (n == 1 && formats.from == formats.to)
        return merge_one(updates, formats.from, out, err);
    m.updates = updates;
    m.n = n;
    m.from = formats.from;
    m.limits = update_limits(formats.from);
    m.alloc = out->alloc;
    m.err = err;
    if (n > 0) {
        m.v = n > SIZE_MAX / sizeof(*m.v) ? NULL : m.alloc.resize(m.alloc.ctx, NULL, 0, bytes);
        if (m.v == NULL)
            return ydoc__error(err, YDOC_ENOMEM, 0, "out of memory for %zu updates", n);
    }
    merge_all(&m, formats.to, out);
    if (n > 0)
        m.alloc.resize(m.alloc.ctx, m.v, bytes, 0);
    return m.rc != 0 ? m.rc : ydoc__buf_finish(out, len_before, err);
}

int ydoc_merge_updates_v1(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V1, WIRE_V1};

    return update_merge(updates, n, formats, out, err);
}

int ydoc_merge_updates_v2(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err)
{
    struct update_formats formats = {WIRE_V2, WIRE_V2};

    return update_merge(updates, n, formats, out, err);
}
