#ifndef SKEIN_ROOM_ROOM_PRIV_H
#define SKEIN_ROOM_ROOM_PRIV_H

/* room_priv - what the files of room/ share, and nobody else sees.
 *
 *   engine.c   the process' rooms: which worker owns what, start and stop
 *   hub.c      one worker's rooms: finding, idling, unloading
 *   room.c     the public calls: joining, leaving, appending, presence
 *   fanout.c   the ring, flushing, and what members read
 *   room_doc.c the document behind an owned room: load, commit, acks, snapshot
 *   mirror.c   a room that another worker owns, and the messages between the two
 *   ring.c, presence.c   the two data structures
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "room/presence.h"
#include "room/ring.h"
#include "room/room.h"
#include "store/store.h"
#include "ydoc.h"

/* --- process and worker ------------------------------------------------------ */

struct hub;

struct engine {
    struct engine_options o;
    uint64_t seed[2];
    atomic_uint_least64_t member_ids; /* relaxed: only uniqueness counts */
    struct hub **hubs;                /* [workers], set before the worker serves */
    struct loop **loops;
    pthread_barrier_t all_started; /* nobody serves before every room has its owner */
};

/* Something that the store does for a room. `done` runs on the room's worker, unless
 * that has stopped; `release` is always called, last. */
struct room_op {
    struct loop_message message;
    struct room_op *next, **pprev; /* the hub's list of what is on its way */
    struct hub *hub;
    void (*done)(struct room_op *op);
    void (*release)(struct room_op *op);
};
void hub__op_start(struct hub *h, struct room_op *op);
void hub__op_cancel(struct room_op *op);   /* the store did not take it */
void hub__op_finished(struct room_op *op); /* any thread: the store's done callback */

struct hub {
    struct engine *engine;
    struct loop *loop;
    unsigned index;
    struct mem_account account;
    struct map rooms; /* owned ones and mirrors */
    struct loop_timer sweep;
    struct ydoc_buf scratch, scratch2;
    struct room_op *ops;
    bool is_stopped; /* the rooms are gone; messages that come are released */
    bool degraded;
    char why[160];
    uint32_t unloaded; /* since memory was last given back to the system */
};

struct room *hub__find_room(struct hub *h, const char *name, size_t len);
/* Finds, or makes an empty room in state ROOM_LOADING that nobody loads yet. */
int hub__get_room(struct hub *h, const char *name, size_t len, struct room **out, struct err *e);
void hub__free_room(struct room *r);
void hub__set_health(struct hub *h, bool degraded, const char *why);
void hub__stop(struct hub *h); /* frees the rooms; the store may still hold operations */
struct hub *hub__new(struct engine *g, struct loop *l);
void hub__free(struct hub *h);
struct hub *hub__current(const struct engine *g);
/* An allocator for ydoc that charges `a`. */
struct ydoc_alloc hub__ydoc_alloc(struct mem_account *a);
uint64_t hub__clock_ms(void); /* wall clock */

/* --- a room ------------------------------------------------------------------ */

enum room_state {
    ROOM_LOADING, /* members wait */
    ROOM_READY,
    ROOM_CLOSED, /* failed; freed when the last operation has come back */
};

struct ack {
    uint64_t seq;
    struct member *member; /* NULL: it has left */
    unsigned n;
};

/* The document of an owned room. */
struct room_doc {
    struct ydoc *ydoc;
    int64_t store_id;
    uint8_t epoch[STORE_EPOCH_BYTES];
    uint64_t head, durable;  /* last sequence number given; last one committed */
    uint64_t changes_author; /* who made ydoc's untaken changes; 0: nobody, or several */
    bool changes_any, changes_mixed;

    struct store_record *batch; /* since the last flush, not yet with the store */
    size_t batch_n, batch_cap, batch_bytes;
    unsigned ops; /* with the store */
    bool store_full;

    struct ack *acks; /* a queue in [acks_first, acks_first + acks_n) of a ring */
    size_t acks_first, acks_n, acks_cap;

    uint64_t snapshot_seq;
    size_t snapshot_len;
    uint64_t log_bytes; /* appended since the snapshot */
    bool snapshot_pending;
    struct rbuf *state; /* the whole document, encoded; NULL after a change */
};

struct room {
    struct hub *hub;
    struct mem_account account;
    struct rbuf *name; /* with a zero byte behind, which is not the name's */
    enum room_state state;
    bool is_mirror;

    struct member *members; /* local ones, joined or waiting */
    uint32_t n_members;
    struct map64 guests; /* members on other workers; owned rooms only */
    uint32_t *links;     /* [workers]: guests from there; NULL while there are none */

    struct ring ring;
    struct presence presence;
    uint64_t flushed_us, presence_us; /* when last */
    struct loop_task flush_task;
    struct loop_timer flush_timer, commit_timer;
    uint64_t idle_since_ms;
    bool has_incarnation;
    bool is_shrunk; /* gave its slack back since the last edit */
    struct room_doc doc;
};

static inline size_t room_name_len(const struct room *r)
{
    return r->name->len - 1;
}

static inline const char *room_name(const struct room *r)
{
    return (const char *)r->name->bytes;
}

/* --- room.c ------------------------------------------------------------------- */

/* The member is in: tells it, and that the store is degraded if it is. It may leave
 * in that call, and be freed. */
void room__admit(struct room *r, struct member *m);
/* The room is loaded (rc 0) or cannot be: tells all who wait. */
void room__on_ready(struct room *r, int rc, const char *why);
/* Ends all memberships and the room itself. */
void room__close(struct room *r, int rc, const char *why);
void room__detach(struct member *m);

/* --- fanout.c ------------------------------------------------------------------ */

void fanout__schedule(struct room *r);
void fanout__on_task(struct loop *l, struct loop_task *t);
void fanout__on_timer(struct loop *l, struct loop_timer *t);
/* Puts a record into the ring; consumes both references. */
void fanout__push_take(struct room *r, enum record_kind kind, uint64_t author, struct rbuf *body,
                       struct rbuf *before);
/* Makes a record of what changed since the last one. Before any other push: what
 * a falling member has is told from the ring's records alone. */
void fanout__push_changes(struct room *r);
void fanout__wake_members(struct room *r);
/* What all have read needs no place any more: before a push. */
void fanout__drop_read(struct room *r);

/* --- room_doc.c ---------------------------------------------------------------- */

int doc__start_load(struct room *r);
void doc__fini(struct room *r);
void doc__drop_cache(struct room *r);
void doc__shrink(struct room *r); /* for a room that has become quiet */
int doc__append(struct room *r, struct member *m, enum append_kind kind, const uint8_t *p, size_t n,
                struct err *e);
int doc__sync(struct room *r, struct member *m, const uint8_t *sv, size_t n, struct err *e);
/* Takes what changed since the last flush as one update. */
int doc__take_changes(struct room *r, struct rbuf **update, struct rbuf **before, uint64_t *author);
void doc__forget_member(struct room *r, const struct member *m);
/* What a member that read up to record `seq` has, as a state vector. `newest`: the
 * clocks before changes that are not in the ring yet, or NULL. */
struct rbuf *doc__state_vector_at(struct room *r, uint64_t seq, const struct rbuf *newest);
struct rbuf *doc__encode_since(struct room *r, const struct rbuf *sv);
void doc__commit(struct room *r); /* gives the batch to the store */
void doc__on_commit_timer(struct loop *l, struct loop_timer *t);
bool doc__is_settled(const struct room *r); /* nothing on its way to the store */
/* Starts a snapshot if the log since the last one is worth it. */
void doc__snapshot_if_due(struct room *r, bool idle);

/* --- mirror.c ------------------------------------------------------------------- */

void mirror__join(struct room *r, struct member *m);
void mirror__leave(struct room *r, struct member *m);
int mirror__append(struct room *r, struct member *m, enum append_kind kind, const uint8_t *p,
                   size_t n, struct err *e);
int mirror__sync(struct room *r, struct member *m, const uint8_t *sv, size_t n, struct err *e);
int mirror__present(struct room *r, struct member *m, const uint8_t *p, size_t n);
int mirror__post(struct room *r, struct member *m, const uint8_t *p, size_t n);
/* Owner's side: sends a record to every worker that has members of the room. */
void mirror__send_record(struct room *r, enum record_kind kind, uint64_t author, struct rbuf *body);
void mirror__drop_guests(struct room *r, int rc, const char *why);
void mirror__admit_guests(struct room *r);
void mirror__free_guests(struct room *r);
/* A mirror's member needs what it has missed, from the owner. */
void mirror__ask_resync(struct room *r, struct member *m);
bool mirror__is_guest(const struct member *m);

#endif
