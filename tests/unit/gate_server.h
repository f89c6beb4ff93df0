#ifndef SKEIN_UNIT_GATE_SERVER_H
#define SKEIN_UNIT_GATE_SERVER_H

/* gate_server - all of Skein but the command line, in this process: a store in a
 * folder of its own, tickets, rooms on two workers, the gate, a listening server. */
#include "gate/gate.h"
#include "net_client.h"
#include "store/store.h"

static struct {
    char dir[64];
    struct store *store;
    struct auth *auth;
    struct engine *engine;
    struct gate *gate;
} skein;

static void skein_on_start(void *ctx, struct loop *l)
{
    (void)ctx;
    engine_start_worker(skein.engine, l);
}

static void skein_on_stop(void *ctx, struct loop *l)
{
    (void)ctx;
    engine_stop_worker(skein.engine, l);
}

static void skein_on_request(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    gate_on_request(skein.gate, x);
}

static void write_file(const char *name, const char *text, char *path, size_t cap)
{
    FILE *f;

    snprintf(path, cap, "%s/%s", skein.dir, name);
    f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* `tokens`: the text of a tokens file, or NULL for none. */
UNUSED_FN static void start_skein(const char *tokens, bool stateless)
{
    static const struct asset_table no_assets;
    struct http_server_options ho = default_options();
    struct store_options so = {0};
    struct auth_options ao = {0};
    struct engine_options eo;
    struct gate_options go;
    char path[128];
    struct err e;

    snprintf(skein.dir, sizeof(skein.dir), "/tmp/skein-gate-XXXXXX");
    CHECK(mkdtemp(skein.dir) != NULL);
    so.dir = skein.dir;
    CHECK_EQ(store_open(&skein.store, &so, &e), 0);
    if (tokens != NULL) {
        write_file("tokens.json", tokens, path, sizeof(path));
        ao.tokens_path = path;
    }
    CHECK_EQ(auth_new(&skein.auth, &ao, &e), 0);
    engine_options_init(&eo);
    eo.store = skein.store;
    eo.workers = 2;
    CHECK_EQ(engine_new(&skein.engine, &eo, &e), 0);
    gate_options_init(&go);
    go.engine = skein.engine;
    go.auth = skein.auth;
    go.store = skein.store;
    go.assets = &no_assets;
    go.stateless_broadcast = stateless;
    CHECK_EQ(gate_new(&skein.gate, &go, &e), 0);
    ho.workers = 2;
    ho.connections_max = 10000;
    ho.on_worker_start = skein_on_start;
    ho.on_worker_stop = skein_on_stop;
    ho.on_request = skein_on_request;
    start_server(&ho);
    gate_set_server(skein.gate, server);
}

UNUSED_FN static void stop_skein(void)
{
    char cmd[128];

    http_server_drain(server, 0);
    http_server_join(server);
    store_close(skein.store);
    http_server_free(server);
    engine_free(skein.engine);
    gate_free(skein.gate);
    auth_free(skein.auth);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", skein.dir);
    CHECK_EQ(system(cmd), 0);
}

#endif
