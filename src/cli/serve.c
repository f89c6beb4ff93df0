/* serve - `skein serve`: puts the parts together, and takes them down again.
 *
 * From the bottom up: log, tickets, store, rooms, gate, HTTP server. Going
 * down is the same backwards, after a drain: connections are closed in slices,
 * workers end, what is queued is committed, and the status is 0.
 *
 * SIGTERM and SIGINT drain; a second one ends the process at once, which loses
 * nothing that was acknowledged. SIGHUP reads tokens and TLS files again.
 * Signals are blocked in all threads and taken by sigwait() in the main one.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/cli_store.h"
#include "gate/gate.h"
#include "net/http_server.h"
#include "room/room.h"

struct serve {
    const struct config *c;
    const struct asset_table *assets;
    struct auth *auth;
    struct store *store;
    struct engine *engine;
    struct gate *gate;
    struct http_server *http;
    sigset_t signals;

    struct {
        /* The engine while its workers run, for the store's thread. Released and
         * acquired: whoever sees it sees it whole. */
        _Atomic(struct engine *) engine;
    } shared;
};

/* --- the parts ------------------------------------------------------------------- */

static void on_health(void *user, const struct store_health *h)
{
    struct serve *s = user;
    struct engine *g = atomic_load_explicit(&s->shared.engine, memory_order_acquire);

    if (g != NULL)
        engine_set_health(g, h->code != 0, h->words);
    if (h->code == 0)
        log_info("store.recovered", LOG_NO_FIELDS);
    else
        log_error("store.degraded", "reason=%s effect=%s", h->words, "edits are not acknowledged");
}

static int open_auth(struct serve *s, struct err *e)
{
    const struct config *c = s->c;
    struct auth_options o = {.tokens_path = c->tokens, .anonymous = (enum auth_access)c->anonymous};
    char *secret;
    size_t len;
    int rc = cli_read_secret(c, &secret, &len, e);

    if (rc != 0)
        return rc;
    o.jwt_secret = secret;
    o.jwt_secret_len = len;
    rc = auth_new(&s->auth, &o, e);
    cli_free_secret(secret, len);
    if (rc == 0 && !auth_is_configured(s->auth))
        log_warn("auth.open", "effect=%s",
                 config_is_loopback(c->listen)
                     ? "no tokens are configured: everybody on this machine may write, and nobody "
                       "else can connect"
                     : "no tokens are configured: everybody may write");
    return rc;
}

static int open_store(struct serve *s, struct err *e)
{
    struct store_options o;
    char risk[240];
    int rc = cli_make_dir(s->c->data, e);

    if (rc != 0)
        return rc;
    cli_store_options(&o, s->c);
    o.on_health = on_health;
    o.user = s;
    store_risk(&o, risk, sizeof(risk));
    rc = store_open(&s->store, &o, e);
    if (rc == 0)
        log_info("store.open", "data=%s durability=%s", s->c->data, risk);
    return rc;
}

static int open_engine(struct serve *s, struct err *e)
{
    struct engine_options o;

    engine_options_init(&o);
    o.store = s->store;
    o.workers = config_workers(s->c);
    o.flush_us_max = (uint32_t)s->c->flush_max_ms * 1000;
    o.idle_unload_ms = (uint32_t)s->c->idle_unload;
    o.room_bytes_max = (size_t)s->c->room_memory_max;
    return engine_new(&s->engine, &o, e);
}

static int open_gate(struct serve *s, struct err *e)
{
    struct gate_options o;

    gate_options_init(&o);
    o.engine = s->engine;
    o.auth = s->auth;
    o.store = s->store;
    o.assets = s->assets;
    o.debug_echo = s->c->debug_echo;
    o.stateless_broadcast = s->c->stateless == CONFIG_STATELESS_BROADCAST;
    return gate_new(&s->gate, &o, e);
}

static void on_worker_start(void *ctx, struct loop *l)
{
    struct serve *s = ctx;

    engine_start_worker(s->engine, l);
}

static void on_worker_stop(void *ctx, struct loop *l)
{
    struct serve *s = ctx;

    engine_stop_worker(s->engine, l);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct serve *s = ctx;

    gate_on_request(s->gate, x);
}

static int open_http(struct serve *s, struct err *e)
{
    const struct config *c = s->c;
    struct http_server_options o = {
        .listen = c->listen,
        .workers = config_workers(c),
        .tls_cert = c->tls_cert,
        .tls_key = c->tls_key,
        .origins = (const char *const *)c->origins.items,
        .n_origins = c->origins.n,
        .trusted = (const char *const *)c->trusted_proxies.items,
        .n_trusted = c->trusted_proxies.n,
        .proxy_protocol = c->proxy_protocol,
        .ws_compress = c->ws_compress,
        .message_bytes_max = (size_t)c->message_max,
        .body_bytes_max = (size_t)c->body_max,
        .connections_max = (unsigned)c->connections_max,
        .head_timeout_ms = (unsigned)c->head_timeout,
        .idle_timeout_ms = (unsigned)c->idle_timeout,
        .ping_ms = (unsigned)c->ping,
        .ctx = s,
        .on_worker_start = on_worker_start,
        .on_worker_stop = on_worker_stop,
        .on_request = on_request,
    };
    int rc = http_server_new(&s->http, &o, e);

    if (rc == 0)
        gate_set_server(s->gate, s->http);
    return rc;
}

/* --- the process ------------------------------------------------------------------- */

/* As many files as the connections need; the limit that a login shell gets is too low. */
static void raise_file_limit(uint64_t connections)
{
    struct rlimit r;
    rlim_t want = (rlim_t)connections + 64;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= want)
        return;
    r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur < want)
        log_warn("files.limit", "allowed=%llu wanted=%llu effect=%s",
                 (unsigned long long)r.rlim_cur, (unsigned long long)want,
                 "fewer connections than connections-max");
}

static void block_signals(struct serve *s)
{
    sigemptyset(&s->signals);
    sigaddset(&s->signals, SIGTERM);
    sigaddset(&s->signals, SIGINT);
    sigaddset(&s->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk: the write says so */
}

static void reload(struct serve *s)
{
    struct err e;

    if (auth_reload(s->auth, &e) != 0)
        log_error("reload.failed", "what=tokens reason=%s effect=%s", e.msg, "the old ones stay");
    else if (s->c->tokens != NULL)
        log_info("reload.done", "what=tokens");
    if (s->c->tls_cert == NULL)
        return;
    if (http_server_reload_tls(s->http, &e) != 0)
        log_error("reload.failed", "what=tls reason=%s effect=%s", e.msg, "the old one stays");
    else
        log_info("reload.done", "what=tls");
}

/* Returns at the first signal that ends the server. */
static int wait_for_end(struct serve *s)
{
    int sig = 0;

    for (;;) {
        if (sigwait(&s->signals, &sig) == 0 && sig != SIGHUP)
            return sig;
        if (sig == SIGHUP)
            reload(s);
    }
}

/* The second signal: whoever waits has waited enough. */
static void *end_at_next_signal(void *arg)
{
    struct serve *s = arg;
    int sig = 0;

    while (sigwait(&s->signals, &sig) != 0 || sig == SIGHUP)
        ;
    _exit(128 + sig);
}

static void drain(struct serve *s, int sig)
{
    pthread_t thread;

    log_info("drain.begin", "signal=%s within_ms=%llu", sig == SIGINT ? "INT" : "TERM",
             (unsigned long long)s->c->drain);
    if (pthread_create(&thread, NULL, end_at_next_signal, s) == 0)
        pthread_detach(thread);
    http_server_drain(s->http, (unsigned)s->c->drain);
    atomic_store_explicit(&s->shared.engine, NULL, memory_order_release);
    http_server_join(s->http);
}

/* The store first: what it still reports goes to the workers' mailboxes. Freeing
 * the server empties those, and only then nothing refers to the rooms' hubs. */
static void close_all(struct serve *s)
{
    store_close(s->store);
    if (s->http != NULL)
        http_server_free(s->http);
    if (s->engine != NULL)
        engine_free(s->engine);
    gate_free(s->gate);
    auth_free(s->auth);
}

static int open_all(struct serve *s, struct err *e)
{
    int rc = open_auth(s, e);

    if (rc == 0)
        rc = open_store(s, e);
    if (rc == 0)
        rc = open_engine(s, e);
    if (rc == 0)
        rc = open_gate(s, e);
    if (rc == 0)
        rc = open_http(s, e);
    if (rc == 0)
        rc = http_server_start(s->http, e);
    return rc;
}

static int serve_run(const struct config *c, const struct asset_table *assets, struct err *e)
{
    struct serve s = {.c = c, .assets = assets};
    int rc;

    block_signals(&s);
    raise_file_limit(c->connections_max);
    rc = open_all(&s, e);
    if (rc == 0) {
        atomic_store_explicit(&s.shared.engine, s.engine, memory_order_release);
        fprintf(stderr, "listening on %s\n", http_server_url(s.http));
        drain(&s, wait_for_end(&s));
    }
    close_all(&s);
    if (rc == 0)
        log_info("drain.done", LOG_NO_FIELDS);
    return rc;
}

static void warn_unknown_env(void *ctx, const char *name)
{
    (void)ctx;
    log_warn("settings.unknown", "variable=%s effect=ignored", name);
}

int cli_serve(int argc, char **argv, const struct cli_host *host)
{
    struct cli c;
    struct err e;
    int rc = cli_load(&c, "serve", argc, argv, host, NULL);

    if (rc == CLI_OK && c.n_args > 0)
        rc = cli_fail_usage(&c, "no arguments are taken, only settings");
    if (rc == CLI_OK) {
        log_set_level((enum log_level)c.config.log_level);
        log_set_format((enum log_format)c.config.log_format);
        settings_each_unknown_env(c.groups, 1, host->envp, warn_unknown_env, NULL);
        if (config_check(&c.config, &e) != 0 || serve_run(&c.config, host->assets, &e) != 0)
            rc = cli_fail(&e);
    }
    cli_unload(&c);
    return rc;
}
