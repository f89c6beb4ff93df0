/* http_server - options, the workers' threads, draining and counters.
 *
 * Draining: every worker closes its listener, ends idle HTTP connections, and
 * closes WebSockets in slices, so that the clients do not all come back in the
 * same moment. Listeners and connections each hold the server; whoever lets go
 * last stops all loops. None stops before: rooms on one loop may have members
 * on another.
 */
#include "net/http_server.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop_internal.h"
#include "net/origin.h"

#define DRAIN_SLICES 20u
#define DRAIN_SLICE_MS_MIN 10u
#define DRAIN_LAST_MS (CONN_CLOSE_MS + CONN_LINGER_MS + 500u)

#define DEFAULT(value, otherwise) ((value) != 0 ? (value) : (otherwise))

/* --- options -------------------------------------------------------------- */

static const char *const *dup_strings(struct mem_account *a, const char *const *from, size_t n)
{
    const char **copy;

    if (n == 0)
        return NULL;
    copy = mem_alloc(a, n * sizeof(*copy));
    assert(copy != NULL); /* this account has no limit */
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_dup_str(a, from[i]);
    return copy;
}

static void free_strings(struct mem_account *a, const char *const *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free_str(a, (char *)(uintptr_t)p[i]);
    mem_free(a, (void *)(uintptr_t)p, n * sizeof(*p));
}

static const char *dup_or_null(struct mem_account *a, const char *s)
{
    return s != NULL ? mem_dup_str(a, s) : NULL;
}

static void copy_options(struct http_server *s, const struct http_server_options *o)
{
    struct mem_account *a = &s->account;

    s->o = *o;
    s->o.listen = mem_dup_str(a, o->listen);
    s->o.tls_cert = dup_or_null(a, o->tls_cert);
    s->o.tls_key = dup_or_null(a, o->tls_key);
    s->o.origins = dup_strings(a, o->origins, o->n_origins);
    s->o.trusted = dup_strings(a, o->trusted, o->n_trusted);
    s->o.message_bytes_max = DEFAULT(o->message_bytes_max, 16u << 20);
    s->o.body_bytes_max = DEFAULT(o->body_bytes_max, 1u << 20);
    s->o.connections_max = DEFAULT(o->connections_max, 20000u);
    s->o.head_timeout_ms = DEFAULT(o->head_timeout_ms, 10000u);
    s->o.idle_timeout_ms = DEFAULT(o->idle_timeout_ms, 60000u);
    s->o.ping_ms = DEFAULT(o->ping_ms, 30000u);
}

static int read_origins(struct http_server *s, struct err *e)
{
    if (s->o.n_origins == 0)
        return 0;
    s->named_origins = mem_alloc(&s->account, s->o.n_origins * sizeof(*s->named_origins));
    for (size_t i = 0; i < s->o.n_origins; i++) {
        const char *origin = s->o.origins[i];

        if (strcmp(origin, "*") == 0)
            s->allow_any_origin = true;
        else if (origin_pattern_is_valid(origin))
            s->named_origins[s->n_named_origins++] = origin;
        else
            return err_set(e, SK_EINVAL,
                           "origin \"%s\": expected https://host[:port], https://*.host or *",
                           origin);
    }
    return 0;
}

static int read_trusted(struct http_server *s, struct err *e)
{
    if (s->o.proxy_protocol && s->o.n_trusted == 0)
        return err_set(e, SK_EINVAL,
                       "the PROXY protocol needs the addresses of the proxies that are trusted");
    if (s->o.n_trusted == 0)
        return 0;
    s->trusted = mem_alloc(&s->account, s->o.n_trusted * sizeof(*s->trusted));
    for (size_t i = 0; i < s->o.n_trusted; i++)
        if (!cidr_parse(&s->trusted[i], s->o.trusted[i]))
            return err_set(e, SK_EINVAL, "trusted proxy \"%s\": expected an address or a network",
                           s->o.trusted[i]);
    return 0;
}

static int read_options(struct http_server *s, struct err *e)
{
    int rc = read_origins(s, e);

    if (rc == 0)
        rc = read_trusted(s, e);
    if (rc == 0 && (s->o.tls_cert == NULL) != (s->o.tls_key == NULL))
        rc = err_set(e, SK_EINVAL, "TLS needs both a certificate and a key");
    if (rc == 0 && s->o.tls_cert != NULL)
        rc = tls__context_new(&s->shared.tls, s->o.tls_cert, s->o.tls_key, e);
    return rc;
}

/* --- new and free --------------------------------------------------------- */

static int make_workers(struct http_server *s, struct err *e)
{
    struct mem_account *a = &s->account;

    s->workers = mem_alloc_zero(a, s->o.workers * sizeof(*s->workers));
    s->loops = mem_alloc_zero(a, s->o.workers * sizeof(struct loop *));
    for (unsigned i = 0; i < s->o.workers; i++)
        s->workers[i].listen_fd = s->workers[i].spare_fd = -1;
    for (unsigned i = 0; i < s->o.workers; i++) {
        int rc = loop_new(&s->loops[i], i, mem_process(), e);

        if (rc != 0)
            return rc;
        rc = worker__init(&s->workers[i], s, s->loops[i]);
        if (rc != 0)
            return err_set(e, rc, "no memory for worker %u", i);
    }
    return 0;
}

int http_server_new(struct http_server **out, const struct http_server_options *o, struct err *e)
{
    struct http_server *s;
    int rc;

    *out = NULL;
    assert(o->on_request != NULL && o->listen != NULL);
    if (o->workers == 0)
        return err_set(e, SK_EINVAL, "at least one worker is needed");
    s = mem_alloc_zero(mem_process(), sizeof(*s));
    if (s == NULL)
        return err_set(e, SK_ENOMEM, "no memory for the server");
    mem_account_init(&s->account, "connections", mem_process(), 0);
    pthread_mutex_init(&s->shared.tls_lock, NULL);
    sem_init(&s->started, 0, 0);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    copy_options(s, o);
    rc = read_options(s, e);
    if (rc == 0)
        rc = make_workers(s, e);
    if (rc == 0)
        rc = listener__bind(s, e);
    if (rc != 0) {
        http_server_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void free_options(struct http_server *s)
{
    struct mem_account *a = &s->account;

    mem_free_str(a, (char *)(uintptr_t)s->o.listen);
    mem_free_str(a, (char *)(uintptr_t)s->o.tls_cert);
    mem_free_str(a, (char *)(uintptr_t)s->o.tls_key);
    free_strings(a, s->o.origins, s->o.n_origins);
    free_strings(a, s->o.trusted, s->o.n_trusted);
    mem_free(a, s->named_origins, s->o.n_origins * sizeof(*s->named_origins));
    mem_free(a, s->trusted, s->o.n_trusted * sizeof(*s->trusted));
}

void http_server_free(struct http_server *s)
{
    struct mem_account *a;

    if (s == NULL)
        return;
    a = &s->account;
    for (unsigned i = 0; s->workers != NULL && i < s->o.workers; i++) {
        assert(!s->workers[i].has_thread);
        if (s->workers[i].listen_fd >= 0)
            close(s->workers[i].listen_fd);
        worker__fini(&s->workers[i]);
    }
    for (unsigned i = 0; s->loops != NULL && i < s->o.workers; i++)
        loop_free(s->loops[i]);
    mem_free(a, s->workers, s->o.workers * sizeof(*s->workers));
    mem_free(a, s->loops, s->o.workers * sizeof(struct loop *));
    if (s->unix_path != NULL)
        unlink(s->unix_path);
    mem_free_str(a, s->unix_path);
    tls__context_free(s->shared.tls);
    free_options(s);
    sem_destroy(&s->started);
    pthread_mutex_destroy(&s->shared.tls_lock);
    mem_account_fini(a);
    mem_free(mem_process(), s, sizeof(*s));
}

/* --- running -------------------------------------------------------------- */

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct http_server *s = w->server;

    loop__bind(w->loop);
    if (s->o.on_worker_start != NULL)
        s->o.on_worker_start(s->o.ctx, w->loop);
    w->start_rc = listener__start(w, &w->start_err);
    if (w->start_rc != 0)
        http_server__release(s);
    sem_post(&s->started);
    loop_run(w->loop);
    if (s->o.on_worker_stop != NULL)
        s->o.on_worker_stop(s->o.ctx, w->loop);
    loop__bind(NULL);
    return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct worker *w)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->has_thread = rc == 0;
    return rc;
}

int http_server_start(struct http_server *s, struct err *e)
{
    unsigned n_started = 0;
    int rc = 0;

    assert(!s->is_started);
    s->is_started = true;
    atomic_store(&s->shared.holds, s->o.workers);
    for (unsigned i = 0; i < s->o.workers && rc == 0; i++) {
        int code = start_thread(&s->workers[i]);

        if (code != 0)
            rc = err_set(e, SK_EIO, "thread of worker %u: %s", i, strerror(code));
        else
            n_started++;
    }
    for (unsigned i = n_started; i < s->o.workers; i++)
        http_server__release(s);
    for (unsigned i = 0; i < n_started; i++)
        while (sem_wait(&s->started) != 0) {
        }
    for (unsigned i = 0; i < n_started && rc == 0; i++) {
        rc = s->workers[i].start_rc;
        if (rc != 0)
            err_set(e, rc, "%s", s->workers[i].start_err.msg);
    }
    if (rc != 0) {
        http_server_drain(s, 0);
        http_server_join(s);
    }
    return rc;
}

void http_server__release(struct http_server *s)
{
    /* acq_rel: whoever takes the last hold sees all that was done under the others */
    if (atomic_fetch_sub_explicit(&s->shared.holds, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < s->o.workers; i++)
        loop_stop(s->loops[i]);
}

void http_server_join(struct http_server *s)
{
    for (unsigned i = 0; i < s->o.workers; i++) {
        if (!s->workers[i].has_thread)
            continue;
        pthread_join(s->workers[i].thread, NULL);
        s->workers[i].has_thread = false;
    }
}

/* --- draining ------------------------------------------------------------- */

static unsigned count_open(const struct worker *w)
{
    unsigned n = 0;

    for (const struct conn *c = w->conns; c != NULL; c = c->next)
        n += c->state == CONN_WS && !ws_is_closing(&c->ws) && !c->ws.is_moving;
    return n;
}

static void close_some(struct worker *w, unsigned n)
{
    for (struct conn *c = w->conns; c != NULL && n > 0; c = c->next) {
        if (c->state != CONN_WS || ws_is_closing(&c->ws) || c->ws.is_moving)
            continue;
        ws_close(&c->ws, WS_CLOSE_RESTART, "the server restarts; connect again");
        n--;
    }
}

static void abort_rest(struct worker *w)
{
    for (struct conn *c = w->conns, *next; c != NULL; c = next) {
        next = c->next; /* an abort unlinks only its own connection */
        if (c->state != CONN_WS || !c->ws.is_moving)
            conn__abort(c);
    }
}

static void on_drain_tick(struct loop *l, struct loop_timer *t)
{
    struct worker *w = (struct worker *)((char *)t - offsetof(struct worker, drain_timer));

    if (w->drain_slices > 0) {
        unsigned open = count_open(w);

        close_some(w, (open + w->drain_slices - 1) / w->drain_slices);
        w->drain_slices--;
        w->drain_is_over = w->drain_slices == 0;
        loop_timer_start(l, t, w->drain_is_over ? DRAIN_LAST_MS : w->drain_slice_ms);
        return;
    }
    abort_rest(w);
    loop_timer_start(l, t, DRAIN_LAST_MS); /* for one that was on its way to this loop */
}

static void on_drain(struct loop *l, struct loop_message *m)
{
    struct worker *w = (struct worker *)((char *)m - offsetof(struct worker, drain_message));
    /* relaxed: the message that brought us here orders it */
    unsigned ms = atomic_load_explicit(&w->server->shared.drain_ms, memory_order_relaxed);

    w->is_draining = true;
    for (struct conn *c = w->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == CONN_PROXY)
            conn__abort(c);
        else if (c->state == CONN_HTTP)
            http__drain(c);
    }
    w->drain_slice_ms = ms / DRAIN_SLICES;
    w->drain_slices = w->drain_slice_ms >= DRAIN_SLICE_MS_MIN ? DRAIN_SLICES : 1;
    w->drain_timer.run = on_drain_tick;
    listener__stop(w);
    on_drain_tick(l, &w->drain_timer);
}

void http_server_drain(struct http_server *s, unsigned within_ms)
{
    bool before;

    if (!s->is_started)
        return;
    atomic_store_explicit(&s->shared.drain_ms, within_ms, memory_order_relaxed);
    /* seq_cst: only the first call posts */
    before = atomic_exchange(&s->shared.is_draining, true);
    if (before)
        return;
    for (unsigned i = 0; i < s->o.workers; i++) {
        if (!s->workers[i].has_thread)
            continue;
        s->workers[i].drain_message.run = on_drain;
        loop_post(s->loops[i], &s->workers[i].drain_message);
    }
}

bool http_server_is_draining(const struct http_server *s)
{
    return atomic_load(&((struct http_server *)(uintptr_t)s)->shared.is_draining);
}

/* --- the rest ------------------------------------------------------------- */

int http_server_reload_tls(struct http_server *s, struct err *e)
{
    SSL_CTX *fresh, *old;
    int rc;

    if (s->o.tls_cert == NULL)
        return err_set(e, SK_EINVAL, "this server does not use TLS");
    rc = tls__context_new(&fresh, s->o.tls_cert, s->o.tls_key, e);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&s->shared.tls_lock);
    old = s->shared.tls;
    s->shared.tls = fresh;
    pthread_mutex_unlock(&s->shared.tls_lock);
    tls__context_free(old); /* open connections hold it as long as they need it */
    return 0;
}

unsigned http_server_workers(const struct http_server *s)
{
    return s->o.workers;
}

struct loop *http_server_loop(const struct http_server *s, unsigned i)
{
    assert(i < s->o.workers);
    return s->loops[i];
}

const char *http_server_url(const struct http_server *s)
{
    return s->url;
}

void http_server_get_stats(const struct http_server *s, struct http_server_stats *st)
{
    memset(st, 0, sizeof(*st));
    for (unsigned i = 0; i < s->o.workers; i++) {
        struct worker_stats *from = &s->workers[i].stats;

/* relaxed: figures, which order nothing */
#define SUM(name) st->name += atomic_load_explicit(&from->name, memory_order_relaxed)
        SUM(connections_open);
        SUM(connections_total);
        SUM(requests_total);
        SUM(ws_open);
        SUM(ws_total);
        SUM(bytes_in);
        SUM(bytes_out);
        SUM(messages_in);
        SUM(frames_out);
        SUM(writes_total);
        SUM(refused_total);
        SUM(timeouts_total);
        SUM(slow_closed_total);
#undef SUM
    }
}
