#include <ydoc.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
#include "ydoc_awareness_script.h"

/* A script's world: one awareness of client 100, and what it reported. */
struct world {
    struct ydoc_awareness *a;
    struct ydoc_buf log;
    uint64_t now;
};

static void log_text(struct ydoc_buf *log, const char *s)
{
    ydoc_buf_append(log, s, strlen(s));
}

static void log_ids(struct ydoc_buf *log, const char *sign, const uint64_t *v, size_t n)
{
    char s[40];

    log_text(log, sign);
    for (size_t i = 0; i < n; i++) {
        snprintf(s, sizeof(s), "%s%llu", i > 0 ? "," : "", (unsigned long long)v[i]);
        log_text(log, s);
    }
}

static void on_event(void *ctx, const struct ydoc_awareness *a,
                     const struct ydoc_awareness_event *ev)
{
    static const char *const causes[] = {"local", "remote", "timeout"};
    struct world *w = ctx;

    CHECK(w->a == a || w->a == NULL);
    log_text(&w->log, ev->kind == YDOC_AWARENESS_CHANGE ? "change " : "update ");
    log_text(&w->log, causes[ev->cause]);
    log_ids(&w->log, " +", ev->added, ev->added_n);
    log_ids(&w->log, " ~", ev->updated, ev->updated_n);
    log_ids(&w->log, " -", ev->removed, ev->removed_n);
    log_text(&w->log, ";");
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void log_hex(struct ydoc_buf *log, const struct ydoc_buf *b)
{
    char s[3];

    for (size_t i = 0; i < b->len; i++) {
        snprintf(s, sizeof(s), "%02x", b->p[i]);
        log_text(log, s);
    }
}

static struct ydoc_slice slice(const char *s)
{
    struct ydoc_slice v = {(const uint8_t *)s, strlen(s)};

    return v;
}

static void encode_all(struct world *w)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_awareness_encode_all(w->a, &b), 0);
    log_hex(&w->log, &b);
    ydoc_buf_fini(&b);
}

static void apply_hex(struct world *w, const char *hex)
{
    static uint8_t bytes[4096];
    struct ydoc_slice update = {bytes, 0};

    CHECK(strlen(hex) / 2 <= sizeof(bytes));
    update.len = from_hex(hex, bytes);
    CHECK_EQ(ydoc_awareness_apply(w->a, update, w->now, NULL, NULL), 0);
}

/* The first letter says what to do; see gen in the script's comment. */
static void run_step(struct world *w, const char *step)
{
    const char *arg = strlen(step) > 2 ? step + 2 : "";
    static const struct ydoc_slice null;
    uint64_t client;

    switch (step[0]) {
    case 'N':
        w->now = strtoull(arg, NULL, 10);
        break;
    case 'L':
        CHECK_EQ(ydoc_awareness_set_local(w->a, *arg != 0 ? slice(arg) : null, w->now, NULL), 0);
        break;
    case 'F':
        CHECK_EQ(ydoc_awareness_set_local_field(w->a, slice("f"), slice(arg), w->now, NULL), 0);
        break;
    case 'A':
        apply_hex(w, arg);
        break;
    case 'R':
        client = strtoull(arg, NULL, 10);
        CHECK_EQ(ydoc_awareness_remove(w->a, &client, 1, w->now, NULL), 0);
        break;
    case 'T':
        CHECK_EQ(ydoc_awareness_tick(w->a, w->now), 0);
        break;
    default:
        encode_all(w);
    }
}

static void world_init(struct world *w)
{
    struct ydoc_awareness_options options = {.client = 100, .on_event = on_event, .ctx = w};

    memset(w, 0, sizeof(*w));
    ydoc_buf_init(&w->log, NULL);
    w->now = 1000000;
    CHECK_EQ(ydoc_awareness_new(&w->a, &options, w->now), 0);
    CHECK_EQ(w->log.len, 0);
}

static void world_fini(struct world *w)
{
    ydoc_awareness_free(w->a);
    ydoc_buf_fini(&w->log);
}

/* Every step reports what y-protocols reports, and leaves the same states in the
 * same order. */
TEST(ydoc_awareness, script)
{
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < ARRAY_LEN(awareness_script); i++) {
        TEST_CASE(awareness_script[i].step);
        ydoc_buf_reset(&w.log);
        run_step(&w, awareness_script[i].step);
        ydoc_buf_append(&w.log, "", 1);
        CHECK_STR((const char *)w.log.p, awareness_script[i].log);
    }
    world_fini(&w);
}

static struct ydoc_slice make_update(struct ydoc_buf *b, uint64_t first, uint64_t n,
                                     const char *json)
{
    ydoc_buf_reset(b);
    ydoc_awareness_begin(b, n);
    for (uint64_t i = 0; i < n; i++) {
        struct ydoc_awareness_entry e = {.client = first + i, .clock = 1, .json = slice(json)};

        ydoc_awareness_add(b, &e);
    }
    return ydoc_buf_slice(b);
}

/* A message that is cut anywhere, or breaks a limit, changes nothing. */
TEST(ydoc_awareness, refuses_whole_messages)
{
    struct ydoc_awareness_options options = {.clients_max = 4, .state_bytes_max = 9};
    struct ydoc_awareness *a;
    struct ydoc_error err;
    struct ydoc_slice u;
    struct ydoc_buf b, all;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&all, NULL);
    CHECK_EQ(ydoc_awareness_new(&a, &options, 0), 0);
    u = make_update(&b, 5, 3, "{\"a\":[1]}");
    for (size_t cut = 0; cut < u.len; cut++) {
        uint8_t *part = test_dup(u.p, cut);
        struct ydoc_slice s = {part, cut};

        CHECK_EQ(ydoc_awareness_apply(a, s, 0, NULL, &err), YDOC_EMALFORMED);
        CHECK(err.offset <= cut);
        test_free(part);
    }
    u = make_update(&b, 5, 4, "{}");
    CHECK_EQ(ydoc_awareness_apply(a, u, 0, NULL, &err), YDOC_ELIMIT);
    u = make_update(&b, 5, 1, "\"12345678\"");
    CHECK_EQ(ydoc_awareness_apply(a, u, 0, NULL, &err), YDOC_ELIMIT);
    u = make_update(&b, 5, 1, "{\"a\":}");
    CHECK_EQ(ydoc_awareness_apply(a, u, 0, NULL, &err), YDOC_EMALFORMED);
    CHECK_EQ(err.offset, 9);
    CHECK_EQ(ydoc_awareness_encode_all(a, &all), 0);
    CHECK_MEM(all.p, all.len, "\x01\x00\x00\x02{}", 6);
    u = make_update(&b, 5, 3, "{}");
    CHECK_EQ(ydoc_awareness_apply(a, u, 0, NULL, &err), 0);
    u = make_update(&b, 8, 1, "{}");
    CHECK_EQ(ydoc_awareness_apply(a, u, 0, NULL, &err), YDOC_ELIMIT);
    CHECK_EQ(ydoc_awareness_set_local(a, slice("\"12345678\""), 0, &err), YDOC_ELIMIT);
    CHECK_EQ(ydoc_awareness_set_local(a, slice("{"), 0, &err), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_awareness_set_local_field(a, slice("abc"), slice("1e9"), 0, &err), YDOC_ELIMIT);
    ydoc_awareness_free(a);
    ydoc_buf_fini(&b);
    ydoc_buf_fini(&all);
}

/* Clients that have gone make room after a while, and the order stays. */
TEST(ydoc_awareness, forgets_the_gone)
{
    struct ydoc_awareness_options options = {.client = 1, .clients_max = 4};
    static const uint64_t gone[] = {5, 7};
    struct ydoc_awareness_entry e;
    struct ydoc_awareness *a;
    struct ydoc_buf b;
    uint32_t iter = 0;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_awareness_new(&a, &options, 0), 0);
    CHECK_EQ(ydoc_awareness_apply(a, make_update(&b, 5, 3, "{}"), 0, NULL, NULL), 0);
    CHECK_EQ(ydoc_awareness_remove(a, gone, 2, 10, NULL), 0);
    CHECK(ydoc_awareness_get(a, 5, &e) && e.is_null && e.clock == 1);
    ydoc_awareness_forget(a, 999, 1000);
    CHECK(ydoc_awareness_get(a, 5, &e));
    ydoc_awareness_forget(a, 1000, 1000);
    CHECK(!ydoc_awareness_get(a, 5, &e) && !ydoc_awareness_get(a, 7, &e));
    CHECK_EQ(ydoc_awareness_encode(a, gone, 1, &b), YDOC_ENOENT);
    CHECK_EQ(ydoc_awareness_apply(a, make_update(&b, 8, 2, "{}"), 0, NULL, NULL), 0);
    for (uint64_t i = 0; i < 4; i++) {
        static const uint64_t order[] = {1, 6, 8, 9};

        CHECK(ydoc_awareness_next_state(a, &iter, &e));
        CHECK_EQ(e.client, order[i]);
    }
    CHECK(!ydoc_awareness_next_state(a, &iter, &e));
    CHECK(!ydoc_awareness_next_state(a, &iter, &e));
    ydoc_awareness_free(a);
    ydoc_buf_fini(&b);
}

static bool add_name(void *ctx, const struct ydoc_awareness_entry *e, struct ydoc_buf *json)
{
    if (e->is_null)
        return false;
    log_text(json, ctx);
    return true;
}

TEST(ydoc_awareness, modifies)
{
    struct ydoc_awareness_modifier good = {add_name, "{ \"n\": 1.0 }"}, bad = {add_name, "{"};
    static const uint8_t update[] = "\x02\x05\x01\x03[ ]\x06\x02\x04null";
    struct ydoc_slice u = {update, sizeof(update) - 1};
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_awareness_modify(u, NULL, &good, &out, NULL), 0);
    CHECK_MEM(out.p, out.len, "\x02\x05\x01\x07{\"n\":1}\x06\x02\x04null", 18);
    CHECK_EQ(ydoc_awareness_modify(u, NULL, &bad, &out, NULL), YDOC_EMALFORMED);
    CHECK_EQ(out.len, 18);
    ydoc_buf_fini(&out);
}

/* Whichever allocation fails, nothing leaks, what is reported is true, and the
 * same message goes through later. */
TEST(ydoc_awareness, failing_memory)
{
    for (size_t n = 0;; n++) {
        struct account m = {0, (long)n};
        struct ydoc_alloc alloc = {account_resize, &m};
        struct ydoc_awareness_options options = {.alloc = &alloc, .client = 1};
        struct ydoc_awareness *a;
        struct ydoc_buf b;
        int rc;

        ydoc_buf_init(&b, NULL);
        rc = ydoc_awareness_new(&a, &options, 0);
        CHECK(rc == 0 || rc == YDOC_ENOMEM);
        if (rc != 0) {
            CHECK_EQ(m.held, 0);
            continue;
        }
        make_update(&b, 5, 40, "{\"b\":1,\"a\":2}");
        rc = ydoc_awareness_apply(a, ydoc_buf_slice(&b), 0, NULL, NULL);
        if (rc == 0)
            rc = ydoc_awareness_set_local(a, slice("{\"x\":1}"), 0, NULL);
        if (rc == 0)
            rc = ydoc_awareness_tick(a, 100000);
        CHECK(rc == 0 || rc == YDOC_ENOMEM);
        CHECK_EQ(ydoc_awareness_memory_used(a), m.held);
        m.calls_left = LONG_MAX;
        CHECK_EQ(ydoc_awareness_apply(a, ydoc_buf_slice(&b), 0, NULL, NULL), 0);
        CHECK_EQ(ydoc_awareness_memory_used(a), m.held);
        ydoc_awareness_free(a);
        ydoc_buf_fini(&b);
        CHECK_EQ(m.held, 0);
        if (rc == 0)
            break;
    }
}

/* A hundred thousand clients that differ in high bits only cost what any do. */
TEST(ydoc_awareness, many_clients)
{
    struct ydoc_awareness_options options = {.clients_max = 200000};
    struct ydoc_awareness_entry e;
    struct ydoc_awareness *a;
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_awareness_new(&a, &options, 0), 0);
    ydoc_awareness_begin(&b, 100000);
    for (uint64_t i = 0; i < 100000; i++) {
        struct ydoc_awareness_entry in = {.client = i << 36, .clock = 1, .json = slice("{}")};

        ydoc_awareness_add(&b, &in);
    }
    CHECK_EQ(ydoc_awareness_apply(a, ydoc_buf_slice(&b), 0, NULL, NULL), 0);
    CHECK(ydoc_awareness_get(a, UINT64_C(99999) << 36, &e) && !e.is_null);
    CHECK(!ydoc_awareness_get(a, 1, &e));
    ydoc_awareness_free(a);
    ydoc_buf_fini(&b);
}
