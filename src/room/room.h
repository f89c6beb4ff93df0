#ifndef SKEIN_ROOM_ROOM_H
#define SKEIN_ROOM_ROOM_H

/* room - a room is a log with people in it.
 *
 * A gateway joins a member to a room, appends what its client sends, presents
 * its cursor, and reads what the others did. It knows no document, no store and
 * no other worker; the room knows no protocol: it holds bodies (a Yjs update, an
 * awareness update, a message) and asks the gateway's encoding for the frame,
 * once for all members that share it.
 *
 * A room belongs to one worker, by a hash of its name. engine_get_owner() tells
 * which, so that a socket with a single room can move there. A member on another
 * worker works all the same: its worker keeps a mirror of the room, with the
 * ring and the presence but without the document, and the two talk by mailbox.
 * Which of the two it is does not show in this interface.
 *
 * Reading is pulling. on_wake() says that there is something; the gateway calls
 * room_read() when its socket can take bytes, and gets one frame a call. A
 * member that falls off the ring gets a frame made from the state instead.
 *
 * Acknowledged means durable: on_ack() comes after the commit.
 *
 * Threads: all calls on the loop of the member's connection.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rbuf.h"
#include "net/loop.h"

struct engine;
struct room;
struct member;
struct store;

#define ROOM_NAME_BYTES_MAX 1024
#define ROOM_ENCODINGS_MAX 4

struct engine_options {
    struct store *store;
    unsigned workers;
    uint32_t flush_us_max; /* how long a busy room may hold an edit back to send several as one */
    uint32_t presence_us_max;  /* the same for cursors, in a room of many */
    uint32_t idle_unload_ms;   /* a room without members leaves memory after this */
    uint32_t ring_records_max; /* records kept for slow readers; a power of two */
    size_t ring_bytes_max;
    size_t room_bytes_max;        /* memory of one room, its document included */
    uint32_t presence_age_ms;     /* a state that is not renewed is dropped */
    uint32_t presence_states_max; /* clients in one room */
    uint32_t snapshot_records;    /* a snapshot is taken after so many records */
};
void engine_options_init(struct engine_options *o); /* the defaults */

int engine_new(struct engine **out, const struct engine_options *o, struct err *e) SK_MUST_CHECK;
/* After all workers have stopped, the store is closed and the loops are freed, in
 * this order: what was on its way is released by the loops. */
void engine_free(struct engine *g);
/* On the worker's own thread, before it serves and after its last connection is
 * gone. Starting waits until all workers have got here. */
void engine_start_worker(struct engine *g, struct loop *l);
void engine_stop_worker(struct engine *g, struct loop *l);
/* The store has stopped (or resumed) making edits durable. Any thread; members are told. */
void engine_set_health(struct engine *g, bool degraded, const char *why);
/* The loop of the worker that owns the room. Any thread. */
struct loop *engine_get_owner(const struct engine *g, const char *name, size_t len);
/* Whether `name` may be a room's: 1 to 1,024 bytes of UTF-8 without control characters. */
int room_check_name(const char *name, size_t len, struct err *e) SK_MUST_CHECK;

/* --- records and their encodings ------------------------------------------- */

enum record_kind {
    RECORD_UPDATE,   /* body: a Yjs update, v1 */
    RECORD_PRESENCE, /* body: an awareness update of y-protocols */
    RECORD_MESSAGE,  /* body: bytes that the room does not look into */
};

/* A protocol's way of putting a record into a frame. `slot` is the encoding's
 * place in every record's cache, below ROOM_ENCODINGS_MAX; ROOM_UNSHARED makes a
 * frame for each member. The result is NULL when the protocol does not carry this
 * kind, or memory is at its limit. */
#define ROOM_UNSHARED ROOM_ENCODINGS_MAX
struct room_encoding {
    unsigned slot;
    struct rbuf *(*encode)(const struct room_encoding *self, struct mem_account *a,
                           enum record_kind kind, const char *room, size_t room_len,
                           const uint8_t *body, size_t len);
};

/* --- members ---------------------------------------------------------------- */

enum member_access {
    MEMBER_READ,
    MEMBER_WRITE,
};

struct member_ops {
    /* The room is loaded and the member in it, or rc < 0: it is not, with words.
     * May be called before room_join() returns. */
    void (*on_joined)(struct member *m, int rc, const char *why);
    /* There is something to read. At most once until the member has read all. */
    void (*on_wake)(struct member *m);
    /* The answer to room_sync(): the server's state vector, and what the member lacks. */
    void (*on_sync)(struct member *m, const uint8_t *sv, size_t sv_len, const uint8_t *update,
                    size_t len);
    /* n appends of this member, in order: durable (applied), or not taken because
     * it may only read. */
    void (*on_ack)(struct member *m, unsigned n, bool applied);
    /* The room ends the membership, with a reason for the wire; the member has left. */
    void (*on_closed)(struct member *m, int rc, const char *why);
    /* The store has stopped (or resumed) making edits durable. */
    void (*on_health)(struct member *m, bool degraded, const char *why);
};

/* Embedded in the gateway's own struct. The first four fields are the gateway's
 * to fill in before room_join(); what they point to must outlive the membership. */
struct member {
    const struct member_ops *ops;
    const struct room_encoding *encoding;
    enum member_access access;
    struct rbuf *user;   /* who it is, for the log; borrowed; NULL when nobody knows */
    uint64_t connection; /* for the log */

    uint64_t id; /* unique in the process while it runs; from here on the room's */
    struct room *room;
    struct member *next, *prev;
    uint64_t cursor;     /* the next record to read */
    struct rbuf *resync; /* fell off the ring: the state vector it had then */
    bool joined, woken, owes_presence;
};

void room_join(struct engine *g, struct member *m, const char *name, size_t len);
/* Also while joining. No callback comes after it. Not a member is allowed. */
void room_leave(struct member *m);
bool room_has_joined(const struct member *m);

enum append_kind {
    APPEND_EDIT, /* something new */
    APPEND_SYNC, /* what the client had when it connected: a reader may send what is known */
};
/* Takes a Yjs update. 0: on_ack() follows. SK_EBADMSG, SK_ETOOBIG: refused, the
 * document is as it was, no ack follows. SK_EAGAIN: the store is behind. */
int room_append(struct member *m, enum append_kind kind, const uint8_t *p, size_t n,
                struct err *e) SK_MUST_CHECK;
/* Asks for what a client with this state vector lacks; on_sync() answers. */
int room_sync(struct member *m, const uint8_t *sv, size_t n, struct err *e) SK_MUST_CHECK;
/* Takes an awareness update. */
int room_present(struct member *m, const uint8_t *p, size_t n, struct err *e) SK_MUST_CHECK;
/* Sends a message to all members, the sender included. */
int room_post(struct member *m, const uint8_t *p, size_t n, struct err *e) SK_MUST_CHECK;

/* The next frame, with a reference for the caller; NULL when all is read. */
struct rbuf *room_read(struct member *m);
/* The presence of everybody as a frame; NULL when nobody has any. */
struct rbuf *room_read_presence(struct member *m);
/* The 16 bytes that name this life of the document, once joined; NULL on a mirror
 * that has not heard yet. */
const uint8_t *room_get_incarnation(const struct member *m);

#endif
