/* store_reader - the thread for everything that may take a while and that no
 * acknowledgement waits for: loads, reads, lists, compressing snapshots, and
 * copying the write-ahead log into the database. */
#include "store/store_internal.h"

#include <assert.h>
#include <zstd.h>

#define SNAPSHOT_LEVEL 3 /* about 300 MB/s; level 9 saves a tenth and takes five times as long */

/* One zstd frame with its own checksum and length. */
static int pack_snapshot(struct store *s, struct store_snapshot *p)
{
    size_t cap = ZSTD_compressBound(p->bytes->len), n;
    ZSTD_CCtx *ctx = ZSTD_createCCtx();

    if (ctx == NULL)
        return SK_ENOMEM;
    p->packed = mem_alloc(s->mem, cap);
    p->packed_cap = cap;
    if (p->packed == NULL) {
        ZSTD_freeCCtx(ctx);
        return SK_ENOMEM;
    }
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, SNAPSHOT_LEVEL);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
    n = ZSTD_compress2(ctx, p->packed, cap, p->bytes->bytes, p->bytes->len);
    ZSTD_freeCCtx(ctx);
    if (ZSTD_isError(n))
        return SK_ENOMEM; /* the only reason left when the bound is kept */
    p->packed_len = n;
    return 0;
}

static void run_snapshot(struct store *s, struct store_snapshot *p)
{
    int rc = pack_snapshot(s, p);

    if (rc == 0) {
        store__push_writer(s, &p->op);
        return;
    }
    mem_free(s->mem, p->packed, p->packed_cap);
    p->packed = NULL;
    store__done(&p->op, rc);
}

static void run_load(struct store *s, struct store_load *l)
{
    int rc = s->backend->ops->load(s->backend, STORE_READER, l, &l->op.err);

    if (rc == SK_ENOTFOUND && l->create)
        store__push_writer(s, &l->op);
    else
        store__done(&l->op, rc);
}

static void run(struct store *s, struct store_op *op)
{
    const struct store_backend_ops *b = s->backend->ops;

    switch (op->what) {
    case STORE_OP_LOAD:
        run_load(s, (struct store_load *)(void *)op);
        return;
    case STORE_OP_SNAPSHOT:
        run_snapshot(s, (struct store_snapshot *)(void *)op);
        return;
    case STORE_OP_FLUSH:
        store__push_writer(s, op);
        return;
    case STORE_OP_READ:
        store__done(op, b->read_log(s->backend, (struct store_read *)(void *)op, &op->err));
        return;
    default:
        assert(op->what == STORE_OP_LIST);
        store__done(op, b->list_rooms(s->backend, (struct store_list *)(void *)op, &op->err));
    }
}

/* The bulk of the log; the writer does the rest, which only it can finish. A
 * failure shows again, in words, when the writer does its part. */
static void run_checkpoint(struct store *s)
{
    (void)s->backend->ops->checkpoint(s->backend, STORE_READER, NULL);
    pthread_mutex_lock(&s->shared.lock);
    s->shared.checkpoint_done = true;
    pthread_cond_signal(&s->shared.writer_wake);
    pthread_mutex_unlock(&s->shared.lock);
}

void *store__reader_main(void *arg)
{
    struct store *s = arg;

    pthread_mutex_lock(&s->shared.lock);
    for (;;) {
        struct store_op *op = store__ops_pop(&s->shared.reader_queue);
        bool checkpoint = s->shared.checkpoint_wanted;

        if (op == NULL && !checkpoint) {
            if (s->shared.reader_closing)
                break;
            s->shared.reader_idle = true;
            store__wait(&s->shared.reader_wake, &s->shared.lock, INT64_MAX);
            continue;
        }
        s->shared.checkpoint_wanted = false;
        pthread_mutex_unlock(&s->shared.lock);
        if (checkpoint)
            run_checkpoint(s);
        if (op != NULL)
            run(s, op);
        pthread_mutex_lock(&s->shared.lock);
    }
    pthread_mutex_unlock(&s->shared.lock);
    return NULL;
}
