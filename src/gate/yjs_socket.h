#ifndef SKEIN_GATE_YJS_SOCKET_H
#define SKEIN_GATE_YJS_SOCKET_H

/* yjs_socket - what the two Yjs protocols share, inside gate/.
 *
 * A socket starts without a protocol: its first frame tells. y-websocket's is
 * always `00 …` (sync), Hocuspocus' begins with the length of a document's name,
 * which is never 0. From then on frames go to the protocol's own file, which
 * strips its envelope and hands the common part (sync, awareness) to a channel.
 *
 * A channel is one document on one socket: a member of a room, the address that
 * stands before its frames (nothing for y-websocket), and the frames that came
 * before it was joined. A y-websocket socket has one channel, a Hocuspocus socket
 * as many as it likes.
 *
 * The socket moves to the worker that owns its first room, so the usual socket,
 * with one document, shares a thread with it.
 *
 *   yjs_socket.c    the socket: telling apart, moving, time-outs, writing
 *   yjs_channel.c   joining, sync, awareness, acknowledgements
 *   y_websocket.c, hocuspocus.c   the two protocols
 *
 * Memory: charged to the process; freed when the socket has closed.
 * Thread: the socket's loop.
 */
#include "base/map.h"
#include "gate/gate.h"
#include "net/ws.h"
#include "ydoc/lib0.h"

/* Close codes of our own: 44xx permanent, 45xx worth another try. */
enum {
    YJS_CLOSE_MALFORMED = 4400,
    YJS_CLOSE_UNAUTHORIZED = 4401, /* Hocuspocus' own number for it */
    YJS_CLOSE_FORBIDDEN = 4403,    /* likewise */
    YJS_CLOSE_NO_ROOM = 4404,
    YJS_CLOSE_TIMEOUT = 4408, /* likewise */
    YJS_CLOSE_GONE = 4410,    /* another incarnation of the document */
    YJS_CLOSE_TOO_BIG = 4413,
    YJS_CLOSE_UNAVAILABLE = 4503,
};

enum { YJS_SLOT_Y_WEBSOCKET, YJS_SLOT_HOCUSPOCUS };

/* The message types and sub-types of y-protocols; both protocols use them. */
enum { YJS_SYNC = 0, YJS_AWARENESS = 1, YJS_AUTH = 2, YJS_QUERY_AWARENESS = 3 };
enum { YJS_SYNC_STEP1 = 0, YJS_SYNC_STEP2 = 1, YJS_SYNC_UPDATE = 2 };

struct gate;
struct yjs_socket;
struct yjs_channel;

/* What differs between the protocols. */
struct yjs_protocol {
    const struct room_encoding *encoding;
    /* A frame has arrived. */
    void (*on_frame)(struct yjs_socket *s, uint8_t *p, size_t n);
    /* The channel has joined its room (rc 0) or was refused. May free the channel. */
    void (*on_joined)(struct yjs_channel *c, int rc, const char *why);
    void (*on_ack)(struct yjs_channel *c, unsigned n, bool applied);
    /* The room has ended the channel, or its client has sent what cannot be
     * taken. Frees the channel, or closes the socket. */
    void (*on_failed)(struct yjs_channel *c, int rc, const char *why);
    void (*on_health)(struct yjs_channel *c, bool degraded, const char *why);
    /* A message that is not sync or awareness, of a joined channel. May free it. */
    void (*on_other)(struct yjs_channel *c, uint64_t type, struct lib0_reader *r);
};

struct yjs_frame {
    struct yjs_frame *next;
    size_t len;
    uint8_t bytes[];
};

struct yjs_queue {
    struct yjs_frame *first, **last;
    size_t count, bytes;
};

struct yjs_channel {
    struct member m; /* first */
    struct yjs_socket *s;
    struct yjs_channel *next, *prev;
    struct room_encoding own; /* for an address that is this channel's alone */
    struct yjs_queue queue;   /* frames from before it was joined */
    bool is_joining;
    bool is_busy, is_dead; /* dead: freed when the call that is handling a frame returns */
    uint16_t room_len;     /* the address begins with the room's name */
    uint16_t address_len;
    char address[];
};

struct yjs_socket {
    struct ws *ws;
    struct gate *gate;
    const struct yjs_protocol *protocol; /* NULL until the first frame */
    struct yjs_channel *channels;
    struct map by_address;
    uint32_t n_channels, n_unjoined;
    size_t unjoined_bytes, unjoined_frames;
    bool has_sent; /* since the last look of the timer */
    bool is_moving;
    bool has_authenticated; /* an auth message came, whatever it was worth */
    struct loop_timer timer;
    uint64_t deadline_ms;   /* for the first channel to join; 0: it has */
    struct yjs_queue stash; /* frames that wait for the new loop */
    char *room;             /* named in the URL; NULL: none */
    size_t room_len;
    char *token; /* likewise, ends with a zero byte */
    size_t token_cap;
    char *incarnation; /* likewise, 32 hex digits */
    size_t incarnation_len;
};

/* --- yjs_socket.c ---------------------------------------------------------------- */

extern const struct ws_ops yjs_socket_ops;
/* Takes the parameters of the URL; `room` is what the path says, for y-websocket. */
struct yjs_socket *yjs_socket_new(struct gate *g, const struct http_request *req);
void yjs_socket_attach(struct yjs_socket *s, struct ws *ws);
void yjs_socket_free(struct yjs_socket *s);
void yjs_socket_close(struct yjs_socket *s, uint16_t code, const char *why);
/* Queues a message that has been written into `b`, and resets it. */
void yjs_socket_send(struct yjs_socket *s, struct ydoc_buf *b);
/* An empty buffer for one message; valid until the next call on this thread's loop. */
struct ydoc_buf *yjs_socket_scratch(struct yjs_socket *s);
/* Goes to the loop that owns the room, unless it is there; the frame that named
 * the room is kept and comes again. True: it moves, touch nothing any more. */
bool yjs_socket_move_to_room(struct yjs_socket *s, const char *room, size_t len,
                             const uint8_t *frame, size_t n);
int yjs_queue_push(struct yjs_queue *q, const uint8_t *p, size_t n);
struct yjs_frame *yjs_queue_pop(struct yjs_queue *q); /* the caller frees it */
void yjs_frame_free(struct yjs_frame *f);
void yjs_queue_fini(struct yjs_queue *q);

/* --- yjs_channel.c ----------------------------------------------------------------- */

/* A channel that has not joined. The address begins with the room's name. NULL
 * when the socket has too many. */
struct yjs_channel *yjs_channel_new(struct yjs_socket *s, const char *address, size_t len,
                                    size_t room_len);
struct yjs_channel *yjs_channel_find(struct yjs_socket *s, const char *address, size_t len);
void yjs_channel_free(struct yjs_channel *c); /* leaves the room */
/* Checks the token and joins. SK_EDENIED with the reason; else on_joined() follows. */
int yjs_channel_join(struct yjs_channel *c, const char *token, size_t len, struct err *why);
/* A message without its envelope. Queues it while the channel is not joined. */
void yjs_channel_take(struct yjs_channel *c, const uint8_t *p, size_t n);
/* Starts a message: the address, if there is one. */
struct ydoc_buf *yjs_channel_begin(struct yjs_channel *c);
void yjs_channel_take_sync(struct yjs_channel *c, struct lib0_reader *r);
void yjs_channel_send_presence(struct yjs_channel *c);
/* Handles what was queued, after on_joined(). */
void yjs_channel_drain(struct yjs_channel *c);
const char *yjs_channel_room(const struct yjs_channel *c);

/* --- the protocols ------------------------------------------------------------------- */

extern const struct yjs_protocol y_websocket_protocol;
extern const struct yjs_protocol hocuspocus_protocol;

#endif
