/* engine - the process' rooms: which worker owns which, start and stop. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "room/room_priv.h"

void engine_options_init(struct engine_options *o)
{
    *o = (struct engine_options){
        .workers = 1,
        .flush_us_max = 10000,
        .presence_us_max = 33000,
        .idle_unload_ms = 30000,
        .ring_records_max = 256,
        .ring_bytes_max = 1u << 20,
        .room_bytes_max = (size_t)1 << 30,
        .presence_age_ms = 30000,
        .presence_states_max = 20000,
        .snapshot_records = 512,
    };
}

static int check_options(const struct engine_options *o, struct err *e)
{
    if (o->store == NULL || o->workers == 0)
        return err_set(e, SK_EINVAL, "rooms need a store and at least one worker");
    if (o->ring_records_max < 4 || (o->ring_records_max & (o->ring_records_max - 1)) != 0)
        return err_set(e, SK_EINVAL, "ring records %u: must be a power of two, 4 or more",
                       o->ring_records_max);
    return 0;
}

int engine_new(struct engine **out, const struct engine_options *o, struct err *e)
{
    struct engine *g;
    int rc = check_options(o, e);

    *out = NULL;
    if (rc != 0)
        return rc;
    g = mem_alloc_zero(mem_process(), sizeof(*g));
    g->o = *o;
    atomic_init(&g->member_ids, 0);
    if (getrandom(g->seed, sizeof(g->seed), 0) != (ssize_t)sizeof(g->seed))
        abort(); /* the kernel always has 16 bytes once it has booted */
    g->hubs = mem_alloc_zero(mem_process(), o->workers * sizeof(struct hub *));
    g->loops = mem_alloc_zero(mem_process(), o->workers * sizeof(struct loop *));
    pthread_barrier_init(&g->all_started, NULL, o->workers);
    *out = g;
    return 0;
}

void engine_free(struct engine *g)
{
    for (unsigned i = 0; i < g->o.workers; i++) {
        if (g->hubs[i] != NULL)
            hub__free(g->hubs[i]);
    }
    pthread_barrier_destroy(&g->all_started);
    mem_free(mem_process(), g->loops, g->o.workers * sizeof(struct loop *));
    mem_free(mem_process(), g->hubs, g->o.workers * sizeof(struct hub *));
    mem_free(mem_process(), g, sizeof(*g));
}

static unsigned owner_index(const struct engine *g, const char *name, size_t len)
{
    return (unsigned)(map_hash(g->seed, name, len) % g->o.workers);
}

struct loop *engine_get_owner(const struct engine *g, const char *name, size_t len)
{
    return g->loops[owner_index(g, name, len)];
}

void engine_start_worker(struct engine *g, struct loop *l)
{
    unsigned i = loop_index(l);

    assert(i < g->o.workers && g->hubs[i] == NULL);
    g->loops[i] = l;
    g->hubs[i] = hub__new(g, l);
    pthread_barrier_wait(&g->all_started);
}

void engine_stop_worker(struct engine *g, struct loop *l)
{
    hub__stop(g->hubs[loop_index(l)]);
}

struct hub *hub__current(const struct engine *g)
{
    struct loop *l = loop_get_current();

    assert(l != NULL && loop_index(l) < g->o.workers);
    return g->hubs[loop_index(l)];
}

/* --- the store's health ---------------------------------------------------- */

struct health_message {
    struct loop_message message;
    struct hub *hub;
    bool degraded;
    char why[160];
};

static void health_run(struct loop *l, struct loop_message *m)
{
    struct health_message *hm = (struct health_message *)(void *)m;

    (void)l;
    if (!hm->hub->is_stopped)
        hub__set_health(hm->hub, hm->degraded, hm->why);
    mem_free(mem_process(), hm, sizeof(*hm));
}

void engine_set_health(struct engine *g, bool degraded, const char *why)
{
    for (unsigned i = 0; i < g->o.workers; i++) {
        struct health_message *hm;

        if (g->hubs[i] == NULL)
            continue;
        hm = mem_alloc_zero(mem_process(), sizeof(*hm));
        hm->message.run = health_run;
        hm->hub = g->hubs[i];
        hm->degraded = degraded;
        snprintf(hm->why, sizeof(hm->why), "%s", why);
        loop_post(g->loops[i], &hm->message);
    }
}
