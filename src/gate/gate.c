#include "gate/gate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "gate/gate_priv.h"
#include "gate/rest.h"
#include "gate/yjs_socket.h"
#include "net/http_uri.h"
#include "net/ws_echo.h"
#include "store/store.h"

#define WORKERS_MAX 64
#define METRICS_BYTES_MAX (1u << 20)

struct gate {
    struct gate_options o;
    const struct http_server *server;
    struct ydoc_buf scratch[WORKERS_MAX];
};

void gate_options_init(struct gate_options *o)
{
    *o = (struct gate_options){
        .auth_timeout_ms = 30000,
        .keepalive_ms = 10000,
        .channels_max = 10000,
    };
}

int gate_new(struct gate **out, const struct gate_options *o, struct err *e)
{
    struct gate *g;

    *out = NULL;
    if (o->engine == NULL || o->auth == NULL || o->assets == NULL)
        return err_set(e, SK_EINVAL, "a gate needs rooms, tickets and the page's files");
    g = mem_alloc_zero(mem_process(), sizeof(*g));
    g->o = *o;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        ydoc_buf_init(&g->scratch[i], NULL);
    *out = g;
    return 0;
}

void gate_free(struct gate *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        ydoc_buf_fini(&g->scratch[i]);
    mem_free(mem_process(), g, sizeof(*g));
}

void gate_set_server(struct gate *g, const struct http_server *s)
{
    g->server = s;
}

const struct gate_options *gate__options(const struct gate *g)
{
    return &g->o;
}

bool gate__is_open(const struct gate *g)
{
    struct auth_ticket t;

    return !auth_is_configured(g->o.auth) || auth_check(g->o.auth, "", 0, "", 0, &t, NULL) == 0;
}

struct http_str gate__get_bearer(const struct http_request *req)
{
    static const char scheme[] = "Bearer ";
    const size_t n = sizeof(scheme) - 1;
    const struct http_str *h = http_header_get(req, "Authorization");

    if (h == NULL || h->len <= n || strncasecmp(h->p, scheme, n) != 0)
        return (struct http_str){NULL, 0};
    return (struct http_str){h->p + n, h->len - n};
}

struct ydoc_buf *gate__scratch(struct gate *g, const struct loop *l)
{
    assert(loop_index(l) < WORKERS_MAX);
    return &g->scratch[loop_index(l)];
}

/* --- WebSockets ---------------------------------------------------------------- */

static void upgrade_yjs(struct gate *g, struct http_exchange *x)
{
    struct yjs_socket *s = yjs_socket_new(g, http_exchange_request(x));
    struct ws *ws = http_upgrade(x, &yjs_socket_ops, s, NULL);

    if (ws == NULL)
        yjs_socket_free(s);
    else
        yjs_socket_attach(s, ws);
}

static bool is_type(const struct http_request *req, const char *type)
{
    char value[16];
    long n = http_query_get(req->query, "type", value, sizeof(value));

    return n == (long)strlen(type) && memcmp(value, type, (size_t)n) == 0;
}

static bool has_type(const struct http_request *req)
{
    char value[64];

    return http_query_get(req->query, "type", value, sizeof(value)) != SK_ENOTFOUND;
}

static void upgrade(struct gate *g, struct http_exchange *x)
{
    const struct http_request *req = http_exchange_request(x);

    if (http_str_is(req->path, "/debug/echo") && g->o.debug_echo)
        (void)http_upgrade(x, &ws_echo_ops, NULL, NULL);
    else if (http_str_is(req->path, "/api/ws") && has_type(req) && !is_type(req, "yjs"))
        http_respond_text(x, 400, "unknown type: this server speaks ?type=yjs\n");
    else
        upgrade_yjs(g, x);
}

/* --- for whoever runs the server ------------------------------------------------- */

static void put_server(struct buf *b, const struct http_server *server)
{
    struct http_server_stats s;

    http_server_get_stats(server, &s);
#define COUNTER(field, help) metrics_put(b, "counter", "net_" #field, "", help, (double)s.field)
#define GAUGE(field, help) metrics_put(b, "gauge", "net_" #field, "", help, (double)s.field)
    GAUGE(connections_open, "Open connections.");
    GAUGE(ws_open, "Open WebSockets.");
    COUNTER(connections_total, "Connections accepted.");
    COUNTER(requests_total, "HTTP requests answered or upgraded.");
    COUNTER(ws_total, "WebSockets opened.");
    COUNTER(messages_in, "WebSocket messages received.");
    COUNTER(frames_out, "WebSocket frames sent.");
    COUNTER(writes_total, "System calls that wrote to sockets.");
    COUNTER(bytes_in, "Bytes received.");
    COUNTER(bytes_out, "Bytes sent.");
    COUNTER(refused_total, "Connections and requests refused.");
    COUNTER(timeouts_total, "Connections closed because they were too slow or silent.");
    COUNTER(slow_closed_total, "Connections closed because the peer did not read.");
#undef COUNTER
#undef GAUGE
}

static void put_store(struct buf *b, struct store *store)
{
    struct store_stats s;
    struct store_health h;

    store_get_stats(store, &s);
    store_get_health(store, &h);
    metrics_put(b, "counter", "store_commits_total", "", "Transactions of the store.",
                (double)s.commits);
    metrics_put(b, "counter", "store_records_total", "", "Records made durable.",
                (double)s.records);
    metrics_put(b, "counter", "store_commit_seconds_total", "", "Time spent in transactions.",
                (double)s.commit_us / 1e6);
    metrics_put(b, "gauge", "store_queue_bytes", "", "Bytes waiting to be made durable.",
                (double)s.queue_bytes);
    metrics_put(b, "gauge", "store_wal_bytes", "", "Size of the write-ahead log.",
                (double)s.wal_bytes);
    metrics_put(b, "gauge", "store_degraded", "", "1 while edits do not become durable.",
                h.code != 0);
}

static void respond_metrics(struct gate *g, struct http_exchange *x)
{
    static const struct http_header headers[] = {{"Content-Type", METRICS_CONTENT_TYPE}};
    struct buf b;

    buf_init(&b, mem_process(), METRICS_BYTES_MAX);
    metrics_render(&b);
    if (g->server != NULL)
        put_server(&b, g->server);
    if (g->o.store != NULL)
        put_store(&b, g->o.store);
    http_respond(x, 200, headers, 1, rbuf_dup(mem_process(), b.p, b.len));
    buf_fini(&b);
}

static void respond_ready(struct gate *g, struct http_exchange *x)
{
    struct store_health h = {0};
    char text[300];

    if (g->server != NULL && http_server_is_draining(g->server)) {
        http_respond_text(x, 503, "draining\n");
        return;
    }
    if (g->o.store != NULL)
        store_get_health(g->o.store, &h);
    if (h.code == 0) {
        http_respond_text(x, 200, "ready\n");
        return;
    }
    snprintf(text, sizeof(text), "edits are not becoming durable: %s\n", h.words);
    http_respond_text(x, 503, text);
}

static void respond(struct gate *g, struct http_exchange *x)
{
    const struct http_request *req = http_exchange_request(x);

    if (req->method != HTTP_GET && req->method != HTTP_HEAD)
        http_respond_text(x, 405, "only GET and HEAD here\n");
    else if (http_str_is(req->path, "/healthz"))
        http_respond_text(x, 200, "ok\n");
    else if (http_str_is(req->path, "/readyz"))
        respond_ready(g, x);
    else if (http_str_is(req->path, "/metrics"))
        respond_metrics(g, x);
    else if (http_str_is(req->path, "/api/ws"))
        http_respond_text(x, 426, "this is a WebSocket endpoint: connect with ?type=yjs\n");
    else if (!rest_respond(g, x) && !http_respond_asset(x, g->o.assets))
        http_respond_text(x, 404, "nothing here\n");
}

void gate_on_request(void *ctx, struct http_exchange *x)
{
    struct gate *g = ctx;

    if (http_header_has_token(http_exchange_request(x), "Upgrade", "websocket"))
        upgrade(g, x);
    else
        respond(g, x);
}
