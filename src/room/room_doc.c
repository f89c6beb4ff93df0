/* room_doc - the document behind an owned room.
 *
 *   load      snapshot and log from the store, applied in order
 *   append    an update is checked and integrated; what was new about it goes to
 *             the members with the next flush, and the bytes as they came to the
 *             log with the same flush's batch
 *   commit    the batch is with the store; when it is durable, its authors hear it
 *   snapshot  the whole document, once the log behind the last one has grown
 *
 * What members are sent is not the update that came in but what it changed: a
 * duplicate goes to nobody, and several edits between two flushes leave as one
 * update. What the log keeps is what came in, with who and when.
 *
 * FAILURE. The store retries a disk that is full or broken by itself, and nothing
 * is acknowledged meanwhile. When its queue is full, appends are refused with
 * SK_EAGAIN. When a batch is lost for good (the room's stored data is damaged),
 * the room closes: its members come back to what is stored, and send again what
 * they have.
 */
#include <assert.h>
#include <string.h>

#include "base/metrics.h"
#include "room/room_priv.h"

#define COMMIT_RETRY_MS 100
#define BATCH_BYTES_MAX (16u << 20) /* waiting for a store that is full */
#define SNAPSHOT_IDLE_RECORDS 32
#define SNAPSHOT_RECORDS_FACTOR 16 /* at the latest after so many times snapshot_records */

/* --- loading ------------------------------------------------------------------- */

struct load_op {
    struct room_op op;
    struct room *room;
    bool is_more; /* the log was longer than one read */
    uint64_t began_us;
    struct store_load load;
    struct store_read read;
};

static void load_fail(struct room *r, int rc, const char *why)
{
    room__on_ready(r, rc, why);
}

static int apply_log(struct room_doc *d, const struct store_log *log, struct ydoc_error *ye)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct store_entry *en = &log->entries[i];
        int rc = ydoc_apply_v1(d->ydoc, en->bytes, en->len, ye);

        if (rc != 0)
            return rc;
        d->log_bytes += en->len;
    }
    return 0;
}

static int new_ydoc(struct room *r)
{
    struct ydoc_alloc alloc = hub__ydoc_alloc(&r->account);
    /* A relay makes no edits of its own: what the log holds is what clients sent. */
    struct ydoc_options o = {.alloc = &alloc, .no_format_cleanup = true};

    return ydoc_new(&r->doc.ydoc, &o);
}

static int take_load(struct room *r, struct store_load *ld, struct ydoc_error *ye)
{
    struct room_doc *d = &r->doc;
    int rc = new_ydoc(r);

    if (rc != 0)
        return rc;
    d->store_id = ld->room;
    memcpy(d->epoch, ld->epoch, sizeof(d->epoch));
    r->has_incarnation = true;
    d->head = d->durable = ld->head;
    d->snapshot_seq = ld->snapshot_seq;
    if (ld->snapshot != NULL) {
        d->snapshot_len = ld->snapshot->len;
        rc = ydoc_apply_v1(d->ydoc, ld->snapshot->bytes, ld->snapshot->len, ye);
    }
    return rc != 0 ? rc : apply_log(d, &ld->log, ye);
}

static void on_store_done(struct store_op *op)
{
    hub__op_finished(op->user);
}

/* The log goes on behind what was read. True when another read is under way. */
static bool read_on(struct load_op *lo, const struct store_log *log)
{
    uint64_t next = log->entries[log->count - 1].seq + 1;
    struct load_op *more;

    if (!log->more)
        return false;
    more = mem_alloc_zero(&lo->room->hub->account, sizeof(*more));
    more->op.done = lo->op.done;
    more->op.release = lo->op.release;
    more->room = lo->room;
    more->is_more = true;
    more->read.op.done = on_store_done;
    more->read.op.user = &more->op;
    more->read.room = lo->room->doc.store_id;
    more->read.from = next;
    hub__op_start(lo->room->hub, &more->op);
    if (store_read_log(lo->room->hub->engine->o.store, &more->read) == 0) {
        lo->room->doc.ops++;
        return true;
    }
    hub__op_cancel(&more->op);
    load_fail(lo->room, SK_EAGAIN, "the store does not take requests: try again");
    return true;
}

static void load_done(struct room_op *op)
{
    struct load_op *lo = (struct load_op *)(void *)op;
    struct room *r = lo->room;
    struct store_op *so = lo->is_more ? &lo->read.op : &lo->load.op;
    const struct store_log *log = lo->is_more ? &lo->read.log : &lo->load.log;
    struct ydoc_error ye = {0};
    int rc;

    r->doc.ops--;
    if (so->code != 0) {
        load_fail(r, so->code, so->err.msg);
        return;
    }
    rc = lo->is_more ? apply_log(&r->doc, log, &ye) : take_load(r, &lo->load, &ye);
    if (rc == YDOC_ENOMEM || rc == YDOC_EBROKEN) {
        load_fail(r, SK_ETOOBIG, "the document is larger than the room's memory limit");
        return;
    }
    if (rc != 0) {
        load_fail(r, SK_ECORRUPT, "the stored document is damaged");
        return;
    }
    if (log->count > 0 && read_on(lo, log))
        return;
    ydoc_forget_changes(r->doc.ydoc);
    metrics_add(METRIC_ROOM_LOADS, 1);
    metrics_observe_us(METRIC_LOAD_TIME, loop_now_us(r->hub->loop) - lo->began_us);
    room__on_ready(r, 0, NULL);
}

static void load_release(struct room_op *op)
{
    struct load_op *lo = (struct load_op *)(void *)op;

    store_load_fini(&lo->load);
    store_log_fini(&lo->read.log);
    mem_free(&op->hub->account, lo, sizeof(*lo));
}

int doc__start_load(struct room *r)
{
    struct load_op *lo = mem_alloc_zero(&r->hub->account, sizeof(*lo));
    int rc;

    lo->op.done = load_done;
    lo->op.release = load_release;
    lo->room = r;
    lo->began_us = loop_now_us(r->hub->loop);
    lo->load.op.done = on_store_done;
    lo->load.op.user = &lo->op;
    lo->load.key = (struct store_key){"", STORE_DOCUMENT, room_name(r)};
    lo->load.create = true;
    hub__op_start(r->hub, &lo->op);
    rc = store_load(r->hub->engine->o.store, &lo->load);
    if (rc != 0) {
        hub__op_cancel(&lo->op);
        return rc;
    }
    r->doc.ops++;
    return 0;
}

static void release_batch(struct mem_account *a, struct store_record *records, size_t n, size_t cap)
{
    for (size_t i = 0; i < n; i++) {
        rbuf_unref(records[i].bytes);
        rbuf_unref(records[i].author);
    }
    mem_free(a, records, cap * sizeof(*records));
}

void doc__fini(struct room *r)
{
    struct room_doc *d = &r->doc;

    ydoc_free(d->ydoc);
    release_batch(&r->hub->account, d->batch, d->batch_n, d->batch_cap);
    mem_free(&r->account, d->acks, d->acks_cap * sizeof(*d->acks));
    rbuf_unref(d->state);
    *d = (struct room_doc){0};
}

void doc__drop_cache(struct room *r)
{
    rbuf_unref(r->doc.state);
    r->doc.state = NULL;
}

void doc__shrink(struct room *r)
{
    doc__drop_cache(r);
    if (r->is_shrunk || r->doc.ydoc == NULL)
        return;
    ydoc_shrink(r->doc.ydoc);
    r->is_shrunk = true;
}

/* --- acknowledgements ------------------------------------------------------------- */

static struct ack *ack_at(struct room_doc *d, size_t i)
{
    return &d->acks[(d->acks_first + i) & (d->acks_cap - 1)];
}

static int acks_reserve(struct room *r)
{
    struct room_doc *d = &r->doc;
    size_t cap = d->acks_cap == 0 ? 4 : d->acks_cap * 2;
    struct ack *acks;

    if (d->acks_n < d->acks_cap)
        return 0;
    acks = mem_alloc(&r->account, cap * sizeof(*acks));
    if (acks == NULL)
        return SK_ETOOBIG;
    for (size_t i = 0; i < d->acks_n; i++)
        acks[i] = *ack_at(d, i);
    mem_free(&r->account, d->acks, d->acks_cap * sizeof(*d->acks));
    d->acks = acks;
    d->acks_cap = cap;
    d->acks_first = 0;
    return 0;
}

/* acks_reserve() has made room. Consecutive appends of one member that will be
 * durable together are one entry. */
static void ack_later(struct room_doc *d, struct member *m, uint64_t seq)
{
    struct ack *last = d->acks_n > 0 ? ack_at(d, d->acks_n - 1) : NULL;
    uint64_t batch_first = d->head - d->batch_n + 1;

    if (last != NULL && last->member == m && last->seq >= batch_first) {
        last->seq = seq;
        last->n++;
        return;
    }
    *ack_at(d, d->acks_n++) = (struct ack){seq, m, 1};
}

static void send_acks(struct room *r)
{
    struct room_doc *d = &r->doc;

    while (d->acks_n > 0 && ack_at(d, 0)->seq <= d->durable) {
        struct ack a = *ack_at(d, 0);

        d->acks_first = (d->acks_first + 1) & (d->acks_cap - 1);
        d->acks_n--;
        if (a.member == NULL)
            continue;
        metrics_add(METRIC_ACKS, a.n);
        a.member->ops->on_ack(a.member, a.n, true);
    }
}

void doc__forget_member(struct room *r, const struct member *m)
{
    for (size_t i = 0; i < r->doc.acks_n; i++) {
        if (ack_at(&r->doc, i)->member == m)
            ack_at(&r->doc, i)->member = NULL;
    }
}

/* --- appending ---------------------------------------------------------------------- */

static int batch_reserve(struct room *r, size_t n, struct err *e)
{
    struct room_doc *d = &r->doc;
    size_t cap = d->batch_cap == 0 ? 4 : d->batch_cap * 2;

    if (d->store_full && d->batch_bytes + n > BATCH_BYTES_MAX)
        return err_set(e, SK_EAGAIN,
                       "the store is behind, and nothing more can be kept: try later");
    if (d->batch_n == d->batch_cap) {
        d->batch = mem_resize(&r->hub->account, d->batch, d->batch_cap * sizeof(*d->batch),
                              cap * sizeof(*d->batch));
        d->batch_cap = cap;
    }
    return 0;
}

static int refuse(struct room *r, int rc, const struct ydoc_error *ye, struct err *e)
{
    metrics_add(METRIC_UPDATES_REFUSED, 1);
    if (rc == YDOC_EMALFORMED)
        return err_set(e, SK_EBADMSG, "update, byte %zu: %s", ye->offset, ye->msg);
    if (rc == YDOC_ELIMIT)
        return err_set(e, SK_ETOOBIG, "update, byte %zu: %s", ye->offset, ye->msg);
    if (rc == YDOC_EBROKEN)
        room__close(r, SK_ETOOBIG, "the document is at its memory limit");
    return err_set(e, SK_ETOOBIG, "the document is at its memory limit");
}

static void note_author(struct room_doc *d, const struct member *m)
{
    if (d->changes_any && d->changes_author != m->id)
        d->changes_author = 0;
    else if (!d->changes_any)
        d->changes_author = m->id;
    d->changes_any = true;
}

/* The update was new: to the log, and to the others. Consumes `bytes`. */
static void record_take(struct room *r, struct member *m, struct rbuf *bytes)
{
    struct room_doc *d = &r->doc;

    d->batch[d->batch_n++] =
        (struct store_record){.time_ms = (int64_t)hub__clock_ms(),
                              .conn = m->connection,
                              .bytes = bytes,
                              .author = m->user != NULL ? rbuf_ref(m->user) : NULL,
                              .kind = RECORD_UPDATE};
    d->batch_bytes += bytes->len;
    d->log_bytes += bytes->len;
    d->head++;
    note_author(d, m);
    doc__drop_cache(r);
    r->is_shrunk = false;
    metrics_add(METRIC_UPDATES, 1);
    metrics_add(METRIC_UPDATE_BYTES, bytes->len);
    fanout__schedule(r);
}

/* A reader may say again what everybody knows, as clients do when they connect. */
static int append_reader(struct room *r, struct member *m, enum append_kind kind, const uint8_t *p,
                         size_t n, struct err *e)
{
    struct ydoc_error ye;
    int known = ydoc_contains_update_v1(r->doc.ydoc, p, n, &ye);

    if (known < 0)
        return refuse(r, known, &ye, e);
    m->ops->on_ack(m, 1, kind == APPEND_SYNC && known == 1);
    return 0;
}

int doc__append(struct room *r, struct member *m, enum append_kind kind, const uint8_t *p, size_t n,
                struct err *e)
{
    struct room_doc *d = &r->doc;
    struct ydoc_error ye;
    struct rbuf *bytes;
    int rc;

    if (m->access != MEMBER_WRITE)
        return append_reader(r, m, kind, p, n, e);
    rc = batch_reserve(r, n, e);
    if (rc != 0)
        return rc;
    if (acks_reserve(r) != 0 || (bytes = rbuf_dup(&r->hub->account, p, n)) == NULL)
        return err_set(e, SK_ETOOBIG, "the room is at its memory limit");
    rc = ydoc_apply_v1(d->ydoc, p, n, &ye);
    if (rc != 0) {
        rbuf_unref(bytes);
        return refuse(r, rc, &ye, e);
    }
    if (ydoc_last_applied(d->ydoc) != 0) {
        record_take(r, m, bytes);
    } else {
        rbuf_unref(bytes);
    }
    /* A duplicate is durable when what it repeats is. */
    if (d->durable == d->head)
        m->ops->on_ack(m, 1, true);
    else
        ack_later(d, m, d->head);
    return 0;
}

/* --- committing ------------------------------------------------------------------------ */

struct commit_op {
    struct room_op op;
    struct room *room;
    struct store_append append;
    struct store_record *records;
    size_t n, cap;
    uint64_t began_us;
};

static void commit_done(struct room_op *op)
{
    struct commit_op *c = (struct commit_op *)(void *)op;
    struct room *r = c->room;

    r->doc.ops--;
    if (c->append.op.code != 0) {
        room__close(r, c->append.op.code, c->append.op.err.msg);
        return;
    }
    metrics_observe_us(METRIC_DURABLE_TIME, loop_now_us(r->hub->loop) - c->began_us);
    r->doc.durable = c->append.first_seq + c->n - 1;
    send_acks(r);
    doc__snapshot_if_due(r, false);
}

static void commit_release(struct room_op *op)
{
    struct commit_op *c = (struct commit_op *)(void *)op;

    release_batch(&op->hub->account, c->records, c->n, c->cap);
    mem_free(&op->hub->account, c, sizeof(*c));
}

/* Moves the batch into an operation; gives it back when the store does not take it. */
static int commit(struct room *r)
{
    struct room_doc *d = &r->doc;
    struct commit_op *c = mem_alloc_zero(&r->hub->account, sizeof(*c));
    int rc;

    c->op.done = commit_done;
    c->op.release = commit_release;
    c->room = r;
    c->began_us = loop_now_us(r->hub->loop);
    c->append.op.done = on_store_done;
    c->append.op.user = &c->op;
    c->append.room = d->store_id;
    c->append.first_seq = d->head - d->batch_n + 1;
    c->append.records = c->records = d->batch;
    c->append.count = c->n = d->batch_n;
    c->cap = d->batch_cap;
    hub__op_start(r->hub, &c->op);
    rc = store_append(r->hub->engine->o.store, &c->append);
    if (rc != 0) {
        c->records = NULL;
        c->n = c->cap = 0;
        hub__op_cancel(&c->op);
        return rc;
    }
    d->ops++;
    d->batch = NULL;
    d->batch_n = d->batch_cap = d->batch_bytes = 0;
    return 0;
}

void doc__commit(struct room *r)
{
    int rc;

    if (r->doc.batch_n == 0)
        return;
    rc = commit(r);
    r->doc.store_full = rc == SK_EAGAIN;
    if (rc == SK_EAGAIN)
        loop_timer_start(r->hub->loop, &r->commit_timer, COMMIT_RETRY_MS);
    else if (rc != 0)
        room__close(r, rc, "the store refused the edit");
}

void doc__on_commit_timer(struct loop *l, struct loop_timer *t)
{
    struct room *r = (struct room *)(void *)((char *)t - offsetof(struct room, commit_timer));

    (void)l;
    doc__commit(r);
}

bool doc__is_settled(const struct room *r)
{
    return r->doc.ops == 0 && r->doc.batch_n == 0;
}

/* --- snapshots ---------------------------------------------------------------------------- */

struct snapshot_op {
    struct room_op op;
    struct room *room;
    struct store_snapshot put;
};

static void snapshot_done(struct room_op *op)
{
    struct snapshot_op *s = (struct snapshot_op *)(void *)op;
    struct room_doc *d = &s->room->doc;

    d->ops--;
    d->snapshot_pending = false;
    if (s->put.op.code != 0)
        return; /* the log has everything; the next one is due when it has grown again */
    d->snapshot_len = s->put.bytes->len;
    metrics_add(METRIC_SNAPSHOTS, 1);
}

static void snapshot_release(struct room_op *op)
{
    struct snapshot_op *s = (struct snapshot_op *)(void *)op;

    rbuf_unref(s->put.bytes);
    mem_free(&op->hub->account, s, sizeof(*s));
}

/* The document as it is now, encoded; a reference for the caller. NULL: no memory. */
static struct rbuf *whole_state(struct room *r)
{
    struct ydoc_buf *out = &r->hub->scratch;

    if (r->doc.state == NULL) {
        ydoc_buf_reset(out);
        if (ydoc_encode_state_v1(r->doc.ydoc, NULL, 0, out, NULL) != 0)
            return NULL;
        r->doc.state = rbuf_dup(&r->hub->account, out->p, out->len);
    }
    return r->doc.state != NULL ? rbuf_ref(r->doc.state) : NULL;
}

static void snapshot(struct room *r)
{
    struct room_doc *d = &r->doc;
    struct rbuf *bytes = whole_state(r);
    struct snapshot_op *s;

    if (bytes == NULL)
        return;
    s = mem_alloc_zero(&r->hub->account, sizeof(*s));
    s->op.done = snapshot_done;
    s->op.release = snapshot_release;
    s->room = r;
    s->put.op.done = on_store_done;
    s->put.op.user = &s->op;
    s->put.room = d->store_id;
    s->put.seq = d->head;
    s->put.bytes = bytes;
    hub__op_start(r->hub, &s->op);
    if (store_put_snapshot(r->hub->engine->o.store, &s->put) != 0) {
        hub__op_cancel(&s->op);
        return;
    }
    d->ops++;
    d->snapshot_pending = true;
    d->snapshot_seq = d->head;
    d->log_bytes = 0;
}

void doc__snapshot_if_due(struct room *r, bool idle)
{
    struct room_doc *d = &r->doc;
    uint64_t records = d->head - d->snapshot_seq;
    uint64_t due = r->hub->engine->o.snapshot_records;

    if (d->ydoc == NULL || d->snapshot_pending || d->batch_n > 0 || r->state != ROOM_READY)
        return;
    if (idle ? records >= SNAPSHOT_IDLE_RECORDS
             : records >= due * SNAPSHOT_RECORDS_FACTOR ||
                   (records >= due && d->log_bytes >= d->snapshot_len / 2))
        snapshot(r);
}

/* --- what members are sent ------------------------------------------------------------------ */

int doc__take_changes(struct room *r, struct rbuf **update, struct rbuf **before, uint64_t *author)
{
    struct room_doc *d = &r->doc;
    struct ydoc_buf *u = &r->hub->scratch, *b = &r->hub->scratch2;

    *update = *before = NULL;
    *author = d->changes_author;
    ydoc_buf_reset(u);
    ydoc_buf_reset(b);
    if (ydoc_take_changes_v1(d->ydoc, u, b) != 0)
        return SK_ETOOBIG;
    d->changes_any = false;
    d->changes_author = 0;
    *update = rbuf_dup(&r->hub->account, u->p, u->len);
    *before = rbuf_dup(&r->hub->account, b->p, b->len);
    return 0;
}

int doc__sync(struct room *r, struct member *m, const uint8_t *sv, size_t n, struct err *e)
{
    struct ydoc_buf *own = &r->hub->scratch2, *out = &r->hub->scratch;
    struct ydoc_error ye;
    struct rbuf *whole;

    ydoc_buf_reset(own);
    if (ydoc_encode_state_vector(r->doc.ydoc, own) != 0)
        return err_set(e, SK_ETOOBIG, "the document is at its memory limit");
    if (n == 1 && sv[0] == 0) { /* it has nothing: everybody who comes new gets the same bytes */
        whole = whole_state(r);
        if (whole == NULL)
            return err_set(e, SK_ETOOBIG, "the document is at its memory limit");
        m->ops->on_sync(m, own->p, own->len, whole->bytes, whole->len);
        rbuf_unref(whole);
        return 0;
    }
    ydoc_buf_reset(out);
    if (ydoc_encode_state_v1(r->doc.ydoc, sv, n, out, &ye) != 0)
        return err_set(e, SK_ETOOBIG, "the document is at its memory limit");
    m->ops->on_sync(m, own->p, own->len, out->p, out->len);
    return 0;
}

struct rbuf *doc__state_vector_at(struct room *r, uint64_t seq, const struct rbuf *newest)
{
    static const uint8_t nothing[] = {0};
    struct ydoc_buf *out = &r->hub->scratch;
    size_t n = (size_t)(r->ring.head - seq) + 1, k = 0;
    struct ydoc_slice *befores;

    ydoc_buf_reset(out);
    if (r->is_mirror)
        return rbuf_dup(&r->hub->account, nothing, sizeof(nothing));
    befores = mem_alloc(&r->hub->account, n * sizeof(*befores));
    if (newest != NULL)
        befores[k++] = (struct ydoc_slice){newest->bytes, newest->len};
    for (uint64_t i = r->ring.head; i > seq; i--) {
        const struct room_record *rec = ring_get(&r->ring, i - 1);

        if (rec->before != NULL)
            befores[k++] = (struct ydoc_slice){rec->before->bytes, rec->before->len};
    }
    /* Without memory for it, it is as if the member had nothing: it gets everything. */
    if (ydoc_rewind_state_vector(r->doc.ydoc, befores, k, out) != 0) {
        ydoc_buf_reset(out);
        ydoc_buf_append(out, nothing, sizeof(nothing));
    }
    mem_free(&r->hub->account, befores, n * sizeof(*befores));
    return rbuf_dup(&r->hub->account, out->p, out->len);
}

struct rbuf *doc__encode_since(struct room *r, const struct rbuf *sv)
{
    struct ydoc_buf *out = &r->hub->scratch;

    ydoc_buf_reset(out);
    if (ydoc_encode_state_v1(r->doc.ydoc, sv->bytes, sv->len, out, NULL) != 0)
        return NULL;
    return rbuf_dup(&r->hub->account, out->p, out->len);
}
