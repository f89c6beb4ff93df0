#ifndef SKEIN_NET_WORKER_H
#define SKEIN_NET_WORKER_H

/* worker - what one loop keeps for its connections. Internal to net/.
 *
 * A worker has its own listening socket, receive buffer, arena, compressors
 * and counters; its thread alone touches them. struct http_server is what the
 * workers share: constant after http_server_start(), except `shared`.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <openssl/types.h>

#include "base/mem.h"
#include "base/rbuf.h"
#include "net/cidr.h"
#include "net/conn_out.h"
#include "net/http_date.h"
#include "net/http_fields.h"
#include "net/http_server.h"
#include "net/ws_deflate.h"

#define WORKER_RX_BYTES (128u << 10)
#define WORKER_RX_PADDING 64u /* vector code may read past the end */
#define WORKER_ARENA_BYTES (256u << 10)
#define WORKER_TWINS 64u

struct conn;

/* Written by the worker alone; others read them for the metrics. */
struct worker_stats {
    atomic_uint_fast64_t connections_open, connections_total, requests_total, ws_open, ws_total;
    atomic_uint_fast64_t bytes_in, bytes_out, messages_in, frames_out, writes_total;
    atomic_uint_fast64_t refused_total, timeouts_total, slow_closed_total;
};

/* A shared frame and the same message compressed, for the rest of this turn. */
struct worker_twin {
    struct rbuf *plain, *packed; /* a reference each; packed may be plain itself */
    unsigned window_bits;
};

struct worker {
    struct http_server *server;
    struct loop *loop;
    struct conn *conns;
    struct conn *pending, **pending_end; /* connections with work for the turn's end */
    uint8_t *rx;
    struct arena arena;
    struct ws_inflater *inflater; /* made when the first peer needs it */
    struct ws_deflater *deflater;
    struct worker_twin twins[WORKER_TWINS];
    bool has_twins;
    unsigned pongs_left; /* in the current read */
    struct {             /* beyond those: the latest ping, answered at the read's end */
        uint8_t bytes[WS_CONTROL_BYTES_MAX];
        uint8_t len;
        bool is_set;
    } late_ping;
    struct worker_stats stats;

    int listen_fd, spare_fd;
    bool is_listening, is_draining;
    uv_poll_t *listen_poll;
    struct loop_timer listen_retry;
    struct loop_timer drain_timer;
    unsigned drain_slices, drain_slice_ms;
    bool drain_is_over;
    struct loop_message start_message, drain_message;

    char date[HTTP_DATE_BYTES + 1];
    int64_t date_s;

    pthread_t thread;
    bool has_thread;
    int start_rc;
    struct err start_err;
};

struct http_server {
    struct http_server_options o; /* with strings of its own */
    struct mem_account account;   /* connections, requests, messages */
    struct cidr *trusted;
    struct worker *workers;
    struct loop **loops;
    char url[300];
    char *unix_path;
    sem_t started;
    bool is_unix, is_started, allow_any_origin;
    const char **named_origins; /* those of o.origins that are not "*" */
    unsigned n_named_origins;
    struct {
        pthread_mutex_t tls_lock;
        SSL_CTX *tls; /* under tls_lock */
        /* Listeners and connections that are open; who takes the last one away
         * ends the loops. */
        atomic_uint holds;
        atomic_uint connections;
        atomic_bool is_draining;
        atomic_uint drain_ms;
        atomic_uint_fast64_t ws_ids;
    } shared;
};

/* relaxed, and no read-modify-write: there is one writer, and readers want a figure */
static inline void stat_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

int worker__init(struct worker *w, struct http_server *s, struct loop *l);
void worker__fini(struct worker *w);
/* The turn's end: runs on_writable() and writes what is queued. */
bool worker__flush(struct worker *w);
/* "Sun, 06 Nov 1994 08:49:37 GMT", of this second. */
const char *worker__date(struct worker *w);

/* A shared frame as it goes to a peer that agreed to window_bits: compressed
 * once a turn, for all of them. Returns a new reference. */
struct rbuf *worker__packed_ref(struct worker *w, struct rbuf *frame, unsigned window_bits);
void worker__drop_twins(struct worker *w);
struct ws_deflater *worker__deflater(struct worker *w);
struct ws_inflater *worker__inflater(struct worker *w);

/* One hold fewer; the last one, while draining, stops all loops. */
void http_server__release(struct http_server *s);

/* listener.c: sockets bound to o->listen, one a worker. */
int listener__bind(struct http_server *s, struct err *e) SK_MUST_CHECK;
int listener__start(struct worker *w, struct err *e) SK_MUST_CHECK; /* on the loop's thread */
/* Takes what waits in the accept queue, unless the process is going away at once, and closes. */
void listener__stop(struct worker *w);
struct sockaddr_storage;
/* An address as text; false when it is of no family that we know. */
bool listener__format_peer(const struct sockaddr_storage *a, char out[HTTP_IP_BYTES_MAX]);

#endif
