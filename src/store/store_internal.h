#ifndef SKEIN_STORE_STORE_INTERNAL_H
#define SKEIN_STORE_STORE_INTERNAL_H

/* store_internal - what store.c, store_writer.c and store_reader.c share.
 *
 * An operation travels like this; it is in one list at a time:
 *
 *     append, delete ──────────────────► writer queue ─► pending ─► done
 *     snapshot, flush ─► reader queue ─►──┘
 *     load ────────────► reader queue ─► done, or, to create it, the writer queue
 *     read, list ──────► reader queue ─► done
 */
#include <pthread.h>

#include "store/store_backend.h"

enum store_what {
    STORE_OP_LOAD = 1, /* on the writer's queue: create */
    STORE_OP_APPEND,
    STORE_OP_SNAPSHOT,
    STORE_OP_DELETE,
    STORE_OP_FLUSH,
    STORE_OP_READ,
    STORE_OP_LIST,
};

struct store_ops {
    struct store_op *head, **tail;
};

struct store {
    struct store_backend *backend;
    struct store_options options; /* defaults filled in; dir and vfs are not kept */
    struct mem_account *mem;
    pthread_t writer_thread, reader_thread;

    /* The writer thread's own. Times are monotonic microseconds. */
    struct {
        struct store_ops pending; /* taken from the queue, not durable yet */
        int64_t begin_us;         /* of the last transaction */
        int64_t wrote_us;         /* when something was last written */
        int64_t retry_us;         /* not before this; 0: nothing has failed */
        int64_t retry_gap_us;
        int64_t tidy_us;       /* INT64_MAX: after the next commit */
        int64_t sync_us;       /* relaxed: when the log has to be synced; 0: it is */
        int64_t checkpoint_us; /* not before this */
        bool checkpoint_runs;
        int tidy_code, checkpoint_code; /* of the last one, so that a failure is logged once */
    } writer;

    struct {
        pthread_mutex_t lock;
        pthread_cond_t writer_wake, reader_wake;
        struct store_ops writer_queue, reader_queue;
        bool writer_idle, reader_idle; /* waits for an operation: must be woken */
        bool writer_closing, reader_closing;
        bool retry_now; /* somebody waits who wants an answer rather than patience */
        bool checkpoint_wanted, checkpoint_done;
        size_t queue_bytes, queue_ops;
        struct store_health health;
        struct store_stats stats;
    } shared;
};

/* store.c */
void store__ops_init(struct store_ops *l);
void store__ops_push(struct store_ops *l, struct store_op *op);
struct store_op *store__ops_pop(struct store_ops *l); /* NULL when empty */
void store__ops_move(struct store_ops *to, struct store_ops *from);
static inline bool store__ops_is_empty(const struct store_ops *l)
{
    return l->head == NULL;
}

void store__push_writer(struct store *s, struct store_op *op);
/* Gives op back to its owner. Call without the lock. */
void store__done(struct store_op *op, int code);
int64_t store__mono_us(void);
int64_t store__wall_ms(void);
/* Waits for the condition until `until_us`, or for ever with INT64_MAX. */
void store__wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us);

/* store_writer.c */
void *store__writer_main(void *arg);

/* store_reader.c */
void *store__reader_main(void *arg);

#endif
