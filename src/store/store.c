#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/store_internal.h"

#define QUEUE_BYTES_MAX (64u << 20)
#define RECORD_COST                                                                                \
    64 /* counted for each record beside its strings; more than it is encoded to                   \
        */

/* ---- lists and time ---- */

void store__ops_init(struct store_ops *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

void store__ops_push(struct store_ops *l, struct store_op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
}

struct store_op *store__ops_pop(struct store_ops *l)
{
    struct store_op *op = l->head;

    if (op == NULL)
        return NULL;
    l->head = op->next;
    if (l->head == NULL)
        l->tail = &l->head;
    op->next = NULL;
    return op;
}

void store__ops_move(struct store_ops *to, struct store_ops *from)
{
    if (from->head == NULL)
        return;
    *to->tail = from->head;
    to->tail = from->tail;
    store__ops_init(from);
}

int64_t store__mono_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t store__wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void store__wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us)
{
    struct timespec t;

    if (until_us == INT64_MAX) {
        pthread_cond_wait(c, lock);
        return;
    }
    t.tv_sec = (time_t)(until_us / 1000000);
    t.tv_nsec = (long)(until_us % 1000000) * 1000;
    pthread_cond_timedwait(c, lock, &t);
}

/* ---- opening and closing ---- */

static void fill_defaults(struct store_options *o)
{
    if (o->commit_gap_ms == 0)
        o->commit_gap_ms = 5;
    if (o->queue_bytes_max == 0)
        o->queue_bytes_max = QUEUE_BYTES_MAX;
    if (o->history_days == 0)
        o->history_days = 30;
    if (o->retry_ms_min == 0)
        o->retry_ms_min = 250;
    if (o->retry_ms_max < o->retry_ms_min)
        o->retry_ms_max = o->retry_ms_min > 5000 ? o->retry_ms_min : 5000;
}

static void init_shared(struct store *s)
{
    pthread_condattr_t attr;

    store__ops_init(&s->writer.pending);
    store__ops_init(&s->shared.writer_queue);
    store__ops_init(&s->shared.reader_queue);
    pthread_mutex_init(&s->shared.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->shared.writer_wake, &attr);
    pthread_cond_init(&s->shared.reader_wake, &attr);
    pthread_condattr_destroy(&attr);
}

static void store_free(struct store *s)
{
    if (s->backend != NULL)
        s->backend->ops->close(s->backend);
    pthread_cond_destroy(&s->shared.writer_wake);
    pthread_cond_destroy(&s->shared.reader_wake);
    pthread_mutex_destroy(&s->shared.lock);
    mem_free(s->mem, s, sizeof(*s));
}

static void close_reader(struct store *s)
{
    pthread_mutex_lock(&s->shared.lock);
    s->shared.reader_closing = true;
    pthread_cond_signal(&s->shared.reader_wake);
    pthread_mutex_unlock(&s->shared.lock);
    pthread_join(s->reader_thread, NULL);
}

int store_open(struct store **out, const struct store_options *o, struct err *e)
{
    struct mem_account *mem = o->mem != NULL ? o->mem : mem_process();
    struct store *s;
    int rc;

    *out = NULL;
    s = mem_alloc_zero(mem, sizeof(*s));
    if (s == NULL)
        return err_set(e, SK_ENOMEM, "no memory for the store");
    s->mem = mem;
    s->options = *o;
    fill_defaults(&s->options);
    init_shared(s);
    rc = store_sqlite_open(&s->backend, &s->options, e);
    if (rc != 0)
        goto err_after_alloc;
    s->options.dir = s->options.sqlite_vfs = NULL;
    if (pthread_create(&s->reader_thread, NULL, store__reader_main, s) != 0) {
        rc = err_set(e, SK_ENOMEM, "no thread for the store");
        goto err_after_alloc;
    }
    if (pthread_create(&s->writer_thread, NULL, store__writer_main, s) != 0) {
        rc = err_set(e, SK_ENOMEM, "no thread for the store");
        goto err_after_reader;
    }
    *out = s;
    return 0;

err_after_reader:
    close_reader(s);
err_after_alloc:
    store_free(s);
    return rc;
}

/* The reader first: what it passes on, the writer still does. */
void store_close(struct store *s)
{
    if (s == NULL)
        return;
    close_reader(s);
    pthread_mutex_lock(&s->shared.lock);
    s->shared.writer_closing = true;
    pthread_cond_signal(&s->shared.writer_wake);
    pthread_mutex_unlock(&s->shared.lock);
    pthread_join(s->writer_thread, NULL);
    assert(store__ops_is_empty(&s->shared.writer_queue));
    assert(store__ops_is_empty(&s->shared.reader_queue));
    store_free(s);
}

void store_risk(const struct store_options *o, char *words, size_t size)
{
    if (o->relaxed_ms == 0)
        snprintf(words, size,
                 "durable: an acknowledged edit survives a crash of the server and a power cut");
    else
        snprintf(words, size,
                 "relaxed: an acknowledged edit survives a crash of the server; a power cut or a "
                 "crash of the system loses what was acknowledged in the last %u ms",
                 o->relaxed_ms);
}

void store_get_health(struct store *s, struct store_health *out)
{
    pthread_mutex_lock(&s->shared.lock);
    *out = s->shared.health;
    pthread_mutex_unlock(&s->shared.lock);
}

void store_get_stats(struct store *s, struct store_stats *out)
{
    pthread_mutex_lock(&s->shared.lock);
    *out = s->shared.stats;
    out->queue_bytes = s->shared.queue_bytes;
    out->queue_ops = s->shared.queue_ops;
    pthread_mutex_unlock(&s->shared.lock);
}

/* ---- queues ---- */

static bool wants_answer(const struct store_op *op)
{
    return op->what != STORE_OP_APPEND && op->what != STORE_OP_SNAPSHOT;
}

/* The writer is woken only when it waits for work. Between two commits it wakes
 * by itself, and a wake-up for each append would cost more than the append. */
static void push_writer_locked(struct store *s, struct store_op *op)
{
    store__ops_push(&s->shared.writer_queue, op);
    s->shared.queue_ops++;
    if (wants_answer(op))
        s->shared.retry_now = true;
    if (s->shared.writer_idle || wants_answer(op)) {
        s->shared.writer_idle = false;
        pthread_cond_signal(&s->shared.writer_wake);
    }
}

void store__push_writer(struct store *s, struct store_op *op)
{
    pthread_mutex_lock(&s->shared.lock);
    push_writer_locked(s, op);
    pthread_mutex_unlock(&s->shared.lock);
}

static void push_reader(struct store *s, struct store_op *op)
{
    pthread_mutex_lock(&s->shared.lock);
    assert(!s->shared.reader_closing);
    store__ops_push(&s->shared.reader_queue, op);
    if (s->shared.reader_idle) {
        s->shared.reader_idle = false;
        pthread_cond_signal(&s->shared.reader_wake);
    }
    pthread_mutex_unlock(&s->shared.lock);
}

static void start_op(struct store_op *op, enum store_what what)
{
    assert(op->done != NULL);
    op->what = (uint8_t)what;
    op->code = 0;
    op->err.code = 0;
    op->err.msg[0] = 0;
    op->refused = false;
}

void store__done(struct store_op *op, int code)
{
    op->code = code;
    if (code == 0)
        op->err.msg[0] = 0;
    else if (op->err.msg[0] == 0)
        err_set(&op->err, code, "%s", err_str(code));
    op->err.code = code;
    op->done(op);
}

/* ---- operations ---- */

const char *store_kind_name(enum store_kind kind)
{
    switch (kind) {
    case STORE_DOCUMENT:
        return "document";
    case STORE_SESSION:
        return "session";
    case STORE_CHANNEL:
        return "channel";
    }
    return NULL;
}

static bool is_text(const char *s, size_t min, size_t max)
{
    size_t n = 0;

    if (s == NULL)
        return false;
    for (; s[n] != 0; n++)
        if (n == max || (unsigned char)s[n] < 0x20 || s[n] == 0x7f)
            return false;
    return n >= min;
}

int store_load(struct store *s, struct store_load *l)
{
    if (!is_text(l->key.tenant, 0, STORE_TENANT_BYTES_MAX) ||
        !is_text(l->key.name, 1, STORE_NAME_BYTES_MAX) || store_kind_name(l->key.kind) == NULL)
        return SK_EINVAL;
    if (s->options.read_only && l->create)
        return SK_EROFS;
    start_op(&l->op, STORE_OP_LOAD);
    l->is_new = false;
    l->room = 0;
    memset(l->epoch, 0, sizeof(l->epoch));
    l->created_ms = 0;
    l->head = l->snapshot_seq = 0;
    l->snapshot = NULL;
    l->log = (struct store_log){0};
    push_reader(s, &l->op);
    return 0;
}

void store_load_fini(struct store_load *l)
{
    rbuf_unref(l->snapshot);
    store_log_fini(&l->log);
    l->is_new = false;
    l->room = 0;
    l->created_ms = 0;
    l->head = l->snapshot_seq = 0;
    l->snapshot = NULL;
}

static int check_records(const struct store_append *a, size_t *cost)
{
    size_t sum = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct store_record *r = &a->records[i];

        if (r->bytes->len > STORE_RECORD_BYTES_MAX ||
            (r->author != NULL && r->author->len > STORE_AUTHOR_BYTES_MAX))
            return SK_ETOOBIG;
        sum += r->bytes->len + (r->author != NULL ? r->author->len : 0) + RECORD_COST;
        if (sum > STORE_APPEND_BYTES_MAX)
            return SK_ETOOBIG;
    }
    *cost = sum;
    return 0;
}

int store_append(struct store *s, struct store_append *a)
{
    int rc;

    if (a->count == 0 || a->room <= 0 || a->first_seq == 0 || a->first_seq > INT64_MAX - a->count)
        return SK_EINVAL;
    if (s->options.read_only)
        return SK_EROFS;
    rc = check_records(a, &a->cost);
    if (rc != 0)
        return rc;
    start_op(&a->op, STORE_OP_APPEND);
    pthread_mutex_lock(&s->shared.lock);
    assert(!s->shared.writer_closing);
    /* One append is let into an empty queue however large it is: it must get through. */
    if (s->shared.queue_bytes > 0 &&
        (a->cost > s->options.queue_bytes_max ||
         s->shared.queue_bytes > s->options.queue_bytes_max - a->cost)) {
        rc = SK_EAGAIN;
    } else {
        s->shared.queue_bytes += a->cost;
        push_writer_locked(s, &a->op);
    }
    pthread_mutex_unlock(&s->shared.lock);
    return rc;
}

int store_put_snapshot(struct store *s, struct store_snapshot *p)
{
    if (p->room <= 0 || p->seq == 0 || p->seq > INT64_MAX)
        return SK_EINVAL;
    if (s->options.read_only)
        return SK_EROFS;
    if (p->bytes->len > STORE_SNAPSHOT_BYTES_MAX)
        return SK_ETOOBIG;
    start_op(&p->op, STORE_OP_SNAPSHOT);
    p->packed = NULL;
    p->packed_len = p->packed_cap = 0;
    push_reader(s, &p->op);
    return 0;
}

int store_read_log(struct store *s, struct store_read *r)
{
    if (r->room <= 0 || r->from > INT64_MAX)
        return SK_EINVAL;
    start_op(&r->op, STORE_OP_READ);
    r->log = (struct store_log){0};
    push_reader(s, &r->op);
    return 0;
}

int store_list_rooms(struct store *s, struct store_list *l)
{
    if (!is_text(l->tenant, 0, STORE_TENANT_BYTES_MAX) || store_kind_name(l->kind) == NULL ||
        l->limit == 0 || l->limit > STORE_LIST_MAX)
        return SK_EINVAL;
    start_op(&l->op, STORE_OP_LIST);
    l->rooms = NULL;
    l->names = NULL;
    l->count = l->names_len = l->rooms_cap = 0;
    push_reader(s, &l->op);
    return 0;
}

void store_list_fini(struct store_list *l)
{
    struct mem_account *mem = l->mem != NULL ? l->mem : mem_process();

    mem_free(mem, l->rooms, l->rooms_cap * sizeof(l->rooms[0]));
    mem_free(mem, l->names, l->names_len);
    l->rooms = NULL;
    l->names = NULL;
    l->count = l->names_len = l->rooms_cap = 0;
}

int store_delete_room(struct store *s, struct store_delete *d)
{
    if (d->room <= 0)
        return SK_EINVAL;
    if (s->options.read_only)
        return SK_EROFS;
    start_op(&d->op, STORE_OP_DELETE);
    store__push_writer(s, &d->op);
    return 0;
}

/* Through the reader's queue, so that it comes behind the snapshots in there. */
int store_flush(struct store *s, struct store_op *op)
{
    start_op(op, STORE_OP_FLUSH);
    push_reader(s, op);
    return 0;
}

/* ---- waiting ---- */

static void on_waited(struct store_op *op)
{
    struct store_waiter *w = op->user;

    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void store_waiter_init(struct store_waiter *w, struct store_op *op)
{
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->op = op;
    w->is_done = false;
    op->done = on_waited;
    op->user = w;
}

int store_waiter_wait(struct store_waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    return w->op->code;
}
