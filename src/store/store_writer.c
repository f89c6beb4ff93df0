/* store_writer - the thread that makes things durable.
 *
 * It takes what is queued, applies all of it in one transaction, commits, and
 * gives the operations back; meanwhile the next ones gather. Commits begin at
 * least commit_gap_ms apart: a sync is short on a good disk, and without the
 * gap a busy server would pay one for every few edits.
 *
 * A transaction that fails is rolled back and tried again later, with the same
 * operations in the same order in front of newer ones. Only appends (and
 * flushes, which wait for them) have this patience: whoever loads, deletes or
 * makes a snapshot is told at once.
 *
 * Between commits it does one step of housekeeping at a time. */
#include "store/store_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define GROUP_BYTES_MAX (8u << 20) /* of appends in one transaction; one larger one fits, too */
#define GROUP_OPS_MAX 4096
#define CHECKPOINT_BYTES (4u << 20) /* of log, while busy */
#define CHECKPOINT_IDLE_US 1000000  /* without a commit: then any log at all */
#define CHECKPOINT_GAP_US 1000000
#define TIDY_RETRY_US 5000000

/* ---- health ---- */

static void set_health(struct store *s, int code, const char *words)
{
    struct store_health copy;
    bool is_change;

    pthread_mutex_lock(&s->shared.lock);
    is_change = s->shared.health.code != code;
    if (is_change) {
        s->shared.health = (struct store_health){.code = code, .since_ms = store__wall_ms()};
        snprintf(s->shared.health.words, sizeof(s->shared.health.words), "%s", words);
    }
    if (code != 0)
        s->shared.health.tries++;
    copy = s->shared.health;
    pthread_mutex_unlock(&s->shared.lock);
    if (!is_change)
        return;
    if (code != 0)
        log_error("store.degraded", "error=%s words=%s", err_str(code), words);
    else
        log_info("store.recovered", LOG_NO_FIELDS);
    if (s->options.on_health != NULL)
        s->options.on_health(s->options.user, &copy);
}

/* ---- giving back ---- */

static size_t cost_of(const struct store_op *op)
{
    return op->what == STORE_OP_APPEND ? ((const struct store_append *)(const void *)op)->cost : 0;
}

/* Before its operations are given back: whoever gets one back may start the next. */
static void release_queue(struct store *s, size_t bytes, size_t ops)
{
    pthread_mutex_lock(&s->shared.lock);
    assert(s->shared.queue_bytes >= bytes && s->shared.queue_ops >= ops);
    s->shared.queue_bytes -= bytes;
    s->shared.queue_ops -= ops;
    pthread_mutex_unlock(&s->shared.lock);
}

static void finish(struct store *s, struct store_op *op, int code)
{
    struct store_snapshot *p = (struct store_snapshot *)(void *)op;

    if (op->what == STORE_OP_SNAPSHOT) {
        mem_free(s->mem, p->packed, p->packed_cap);
        p->packed = NULL;
    }
    store__done(op, code);
}

/* After the commit. A room that somebody else had created in between is loaded
 * by this thread, which is rare enough. */
static void finish_committed(struct store *s, struct store_op *op)
{
    struct store_load *l = (struct store_load *)(void *)op;

    if (op->refused)
        finish(s, op, op->code);
    else if (op->what == STORE_OP_LOAD && !l->is_new)
        finish(s, op, s->backend->ops->load(s->backend, STORE_WRITER, l, &op->err));
    else
        finish(s, op, 0);
}

/* ---- one transaction ---- */

static bool is_refusal(int code)
{
    return code == SK_EINVAL || code == SK_ENOTFOUND || code == SK_ECORRUPT || code == SK_ETOOBIG;
}

static int apply_snapshot(struct store *s, const struct store_snapshot *p, struct err *e)
{
    struct store_packed packed = {.room = p->room,
                                  .seq = p->seq,
                                  .bytes = p->packed,
                                  .len = p->packed_len,
                                  .len_raw = p->bytes->len,
                                  .now_ms = store__wall_ms()};

    return s->backend->ops->put_snapshot(s->backend, &packed, e);
}

static int apply_create(struct store *s, struct store_load *l, struct err *e)
{
    int rc;

    l->is_new = false;
    rc = s->backend->ops->create_room(s->backend, l, store__wall_ms(), e);
    return rc < 0 ? rc : 0;
}

/* 0 also when the operation was refused: that is its own affair. */
static int apply(struct store *s, struct store_op *op, struct err *e)
{
    const struct store_backend_ops *b = s->backend->ops;
    struct err why = {0};
    int rc = 0;

    op->refused = false;
    if (op->what == STORE_OP_APPEND)
        rc = b->append(s->backend, (struct store_append *)(void *)op, &why);
    else if (op->what == STORE_OP_SNAPSHOT)
        rc = apply_snapshot(s, (struct store_snapshot *)(void *)op, &why);
    else if (op->what == STORE_OP_LOAD)
        rc = apply_create(s, (struct store_load *)(void *)op, &why);
    else if (op->what == STORE_OP_DELETE)
        rc = b->delete_room(s->backend, ((struct store_delete *)(void *)op)->room, store__wall_ms(),
                            &why);
    if (is_refusal(rc)) {
        op->refused = true;
        op->code = rc;
        op->err = why;
        return 0;
    }
    return rc != 0 ? err_set(e, rc, "%s", why.msg) : 0;
}

struct group {
    struct store_op *end; /* first operation that is not in it */
    uint64_t records, record_bytes, snapshots, snapshot_bytes;
    size_t bytes, cost, ops;
    bool has_flush;
};

static void count_op(struct group *g, const struct store_op *op)
{
    const struct store_append *a = (const struct store_append *)(const void *)op;
    const struct store_snapshot *p = (const struct store_snapshot *)(const void *)op;

    g->ops++;
    g->cost += cost_of(op);
    g->bytes += cost_of(op);
    if (op->what == STORE_OP_FLUSH)
        g->has_flush = true;
    if (op->refused)
        return;
    if (op->what == STORE_OP_APPEND) {
        g->records += a->count;
        for (size_t i = 0; i < a->count; i++)
            g->record_bytes += a->records[i].bytes->len;
    } else if (op->what == STORE_OP_SNAPSHOT) {
        g->bytes += p->packed_len;
        g->snapshots++;
        g->snapshot_bytes += p->packed_len;
    }
}

/* Nothing pending means that only the disk is tried. */
static int run_transaction(struct store *s, struct group *g, struct err *e)
{
    const struct store_backend_ops *b = s->backend->ops;
    struct store_op *op = s->writer.pending.head;
    int rc = b->begin(s->backend, e);

    if (rc == 0 && op == NULL)
        rc = b->probe(s->backend, store__wall_ms(), e);
    for (; rc == 0 && op != NULL && g->bytes < GROUP_BYTES_MAX && g->ops < GROUP_OPS_MAX;
         op = op->next) {
        rc = apply(s, op, e);
        if (rc == 0)
            count_op(g, op);
    }
    g->end = op;
    if (rc == 0)
        rc = b->commit(s->backend, e);
    if (rc != 0)
        b->rollback(s->backend);
    return rc;
}

static void publish(struct store *s, const struct group *g, int64_t took_us)
{
    struct store_stats *t = &s->shared.stats;

    pthread_mutex_lock(&s->shared.lock);
    t->commits++;
    t->commit_us += (uint64_t)took_us;
    if ((uint64_t)took_us > t->commit_us_max)
        t->commit_us_max = (uint64_t)took_us;
    t->records += g->records;
    t->record_bytes += g->record_bytes;
    t->snapshots += g->snapshots;
    t->snapshot_bytes += g->snapshot_bytes;
    t->wal_bytes = s->backend->ops->wal_bytes(s->backend);
    pthread_mutex_unlock(&s->shared.lock);
}

/* Relaxed only. When a sync has failed, the pages may count as clean although
 * they were not written; copying the log into the database writes them anew. */
static int sync_log(struct store *s)
{
    struct err e = {0};
    int rc = s->backend->ops->sync(s->backend, &e);

    if (rc != 0)
        rc = s->backend->ops->checkpoint(s->backend, STORE_WRITER, &e);
    if (rc != 0 || s->writer.retry_us == 0) /* a commit that fails has its own say */
        set_health(s, rc, e.msg);
    s->writer.sync_us = rc == 0 ? 0 : store__mono_us() + (int64_t)s->options.retry_ms_min * 1000;
    return rc;
}

/* Relaxed only. The transaction stands whatever comes of it, so it is the
 * flushes that fail. */
static void sync_flushes(struct store *s, const struct group *g)
{
    int rc = sync_log(s);

    for (struct store_op *op = s->writer.pending.head; rc != 0 && op != g->end; op = op->next) {
        if (op->what == STORE_OP_FLUSH) {
            op->refused = true;
            op->code = rc;
        }
    }
}

static void on_committed(struct store *s, const struct group *g, int64_t took_us)
{
    s->writer.retry_us = s->writer.retry_gap_us = 0;
    s->writer.wrote_us = store__mono_us();
    s->writer.tidy_us = 0;
    publish(s, g, took_us);
    set_health(s, 0, "");
    if (s->options.relaxed_ms > 0 && s->writer.sync_us == 0)
        s->writer.sync_us = s->writer.begin_us + (int64_t)s->options.relaxed_ms * 1000;
    if (s->options.relaxed_ms > 0 && g->has_flush)
        sync_flushes(s, g);
    release_queue(s, g->cost, g->ops);
    while (s->writer.pending.head != g->end)
        finish_committed(s, store__ops_pop(&s->writer.pending));
}

/* Gives back everything that has no patience, or all of it. True when that was
 * something: without it, the rest may succeed. */
static bool fail_pending(struct store *s, int code, const char *words, bool all)
{
    struct store_ops keep, failed;
    struct store_op *op;
    size_t cost = 0, count = 0;

    store__ops_init(&keep);
    store__ops_init(&failed);
    while ((op = store__ops_pop(&s->writer.pending)) != NULL) {
        bool is_patient = op->what == STORE_OP_APPEND || op->what == STORE_OP_FLUSH;

        store__ops_push(is_patient && !all ? &keep : &failed, op);
        cost += is_patient && !all ? 0 : cost_of(op);
        count += is_patient && !all ? 0 : 1;
    }
    store__ops_move(&s->writer.pending, &keep);
    release_queue(s, cost, count);
    while ((op = store__ops_pop(&failed)) != NULL) {
        struct store_load *l = (struct store_load *)(void *)op;

        if (op->what == STORE_OP_LOAD) {
            store_load_fini(l);
            memset(l->epoch, 0, sizeof(l->epoch));
        }
        err_set(&op->err, code, "%s", words);
        finish(s, op, code);
    }
    return count > 0;
}

static void on_failed(struct store *s, int code, const char *words, bool is_closing)
{
    int64_t max = (int64_t)s->options.retry_ms_max * 1000;
    int64_t gap = s->writer.retry_gap_us;
    bool some;

    set_health(s, code, words);
    some = fail_pending(s, code, words, false);
    if (is_closing && !some) {
        fail_pending(s, code, words, true);
        return;
    }
    gap = gap == 0 ? (int64_t)s->options.retry_ms_min * 1000 : gap * 2;
    s->writer.retry_gap_us = gap > max ? max : gap;
    s->writer.retry_us = some ? 1 : store__mono_us() + s->writer.retry_gap_us;
}

static void commit_group(struct store *s, bool is_closing)
{
    struct group g = {0};
    struct err e = {0};
    int rc;

    s->writer.begin_us = store__mono_us();
    rc = run_transaction(s, &g, &e);
    if (rc == 0)
        on_committed(s, &g, store__mono_us() - s->writer.begin_us);
    else
        on_failed(s, rc, e.msg, is_closing);
}

/* ---- housekeeping ---- */

static void tidy(struct store *s)
{
    struct err e = {0};
    int wait_ms = 0;
    int rc = s->backend->ops->tidy(s->backend, store__wall_ms(), &wait_ms, &e);

    if (rc != s->writer.tidy_code && rc != 0)
        log_warn("store.tidy_failed", "error=%s words=%s", err_str(rc), e.msg);
    s->writer.tidy_code = rc;
    s->writer.tidy_us = wait_ms < 0 ? INT64_MAX : store__mono_us() + (int64_t)wait_ms * 1000;
    if (rc == 0 && wait_ms == 0)
        s->writer.wrote_us = store__mono_us();
    pthread_mutex_lock(&s->shared.lock);
    s->shared.stats.purged = s->backend->ops->purged(s->backend);
    pthread_mutex_unlock(&s->shared.lock);
}

static int64_t checkpoint_due(const struct store *s)
{
    uint64_t bytes = s->backend->ops->wal_bytes(s->backend);
    int64_t due;

    if (bytes == 0 || s->writer.checkpoint_runs)
        return INT64_MAX;
    due = bytes >= CHECKPOINT_BYTES ? 0 : s->writer.wrote_us + CHECKPOINT_IDLE_US;
    return due > s->writer.checkpoint_us ? due : s->writer.checkpoint_us;
}

static void checkpoint_start(struct store *s)
{
    s->writer.checkpoint_runs = true;
    pthread_mutex_lock(&s->shared.lock);
    s->shared.checkpoint_wanted = true;
    s->shared.reader_idle = false;
    pthread_cond_signal(&s->shared.reader_wake);
    pthread_mutex_unlock(&s->shared.lock);
}

static void checkpoint_end(struct store *s)
{
    struct err e = {0};
    int rc = s->backend->ops->checkpoint(s->backend, STORE_WRITER, &e);

    if (rc != 0 && rc != s->writer.checkpoint_code)
        log_warn("store.checkpoint_failed", "error=%s words=%s", err_str(rc), e.msg);
    s->writer.checkpoint_code = rc;
    s->writer.checkpoint_runs = false;
    s->writer.checkpoint_us = store__mono_us() + CHECKPOINT_GAP_US;
}

/* ---- the loop ---- */

struct turn {
    bool commit, is_closing, checkpoint_done, stop;
};

/* When the next transaction may begin. */
static int64_t commit_due(const struct store *s)
{
    int64_t paced = s->writer.begin_us + (int64_t)s->options.commit_gap_ms * 1000;

    if (s->shared.writer_closing)
        return 0;
    if (store__ops_is_empty(&s->writer.pending) && store__ops_is_empty(&s->shared.writer_queue))
        return s->writer.retry_us != 0 ? s->writer.retry_us : INT64_MAX;
    if (s->writer.retry_us == 0)
        return store__ops_is_empty(&s->writer.pending) ? paced : 0;
    return s->shared.retry_now ? paced : s->writer.retry_us;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something other than a commit is due. */
static int64_t other_due(const struct store *s)
{
    int64_t due = checkpoint_due(s);

    if (s->writer.retry_us == 0)
        due = min64(due, s->writer.tidy_us);
    if (s->writer.sync_us != 0)
        due = min64(due, s->writer.sync_us);
    return due;
}

/* Waits for the next thing to do. */
static void wait_turn(struct store *s, struct turn *t)
{
    pthread_mutex_lock(&s->shared.lock);
    for (;;) {
        int64_t now = store__mono_us();
        int64_t commit = commit_due(s), other = other_due(s);

        t->is_closing = s->shared.writer_closing;
        t->checkpoint_done = s->shared.checkpoint_done;
        t->commit = now >= commit;
        if (t->commit || t->checkpoint_done || now >= other)
            break;
        s->shared.writer_idle = commit == INT64_MAX; /* else it looks by itself when due */
        store__wait(&s->shared.writer_wake, &s->shared.lock, min64(commit, other));
        s->shared.writer_idle = false;
    }
    s->shared.checkpoint_done = false;
    if (t->commit) {
        s->shared.retry_now = false;
        store__ops_move(&s->writer.pending, &s->shared.writer_queue);
    }
    pthread_mutex_unlock(&s->shared.lock);
    t->stop = t->is_closing && store__ops_is_empty(&s->writer.pending);
}

void *store__writer_main(void *arg)
{
    struct store *s = arg;

    for (;;) {
        struct turn t;
        int64_t now;

        wait_turn(s, &t);
        if (t.stop)
            break;
        if (t.commit)
            commit_group(s, t.is_closing);
        now = store__mono_us();
        if (t.checkpoint_done)
            checkpoint_end(s);
        else if (now >= checkpoint_due(s) && !t.is_closing)
            checkpoint_start(s);
        if (s->writer.sync_us != 0 && now >= s->writer.sync_us)
            (void)sync_log(s);
        if (s->writer.retry_us == 0 && now >= s->writer.tidy_us && !t.is_closing)
            tidy(s);
    }
    return NULL;
}
