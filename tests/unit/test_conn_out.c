#include "net/conn_out.h"

#include <string.h>

#include "harness.h"
#include "net/cidr.h"

static uint8_t arena_bytes[4096];
static struct arena arena;
static struct conn_out out;

/* Takes everything off the queue in steps of at most `step` bytes. */
static size_t drain(uint8_t *to, size_t step)
{
    struct iovec iov[4];
    size_t n = 0;

    while (out.n > 0) {
        int pieces = conn_out_get_iov(&out, &arena, iov, 4);
        size_t taken = 0;

        for (int i = 0; i < pieces && taken < step; i++) {
            size_t part = iov[i].iov_len < step - taken ? iov[i].iov_len : step - taken;

            memcpy(to + n, iov[i].iov_base, part);
            n += part;
            taken += part;
        }
        conn_out_consume(&out, mem_process(), taken);
    }
    return n;
}

static void put_text(const char *s)
{
    memcpy(conn_out_put_arena(&out, mem_process(), &arena, strlen(s)), s, strlen(s));
}

static void fill(void)
{
    static const uint8_t constant[] = "constant ";

    arena = (struct arena){arena_bytes, 0, sizeof(arena_bytes)};
    conn_out_init(&out);
    for (unsigned i = 0; i < 10; i++) {
        put_text("small ");
        put_text("and ");
        CHECK(conn_out_put_take(&out, mem_process(), rbuf_dup(mem_process(), "shared ", 7)));
        CHECK(conn_out_put_take(&out, mem_process(), rbuf_new(mem_process(), 0)));
        CHECK(conn_out_put_static(&out, mem_process(), constant, 9));
    }
}

/* Bytes leave in the order in which they were queued, however few a socket
 * takes at a time, and before or after they were copied out of the arena. */
TEST(conn_out, order_in_steps)
{
    uint8_t got[1000];
    size_t before = mem_account_used(mem_process());

    for (size_t step = 1; step < 300; step += 7) {
        fill();
        CHECK_EQ(out.n, 30); /* neighbours in the arena are one piece */
        CHECK_EQ(out.bytes, 260);
        if (step % 2 == 0) {
            conn_out_consume(&out, mem_process(), 3);
            CHECK(conn_out_settle(&out, &arena, mem_process()));
            memset(arena_bytes, 0, sizeof(arena_bytes));
            CHECK_EQ(drain(got, step), 257);
            CHECK_MEM(got, 23, "ll and shared constant ", 23);
        } else {
            CHECK_EQ(drain(got, step), 260);
            CHECK_MEM(got + 234, 26, "small and shared constant ", 26);
        }
        CHECK_EQ(out.bytes, 0);
        CHECK_EQ(mem_account_used(mem_process()), before);
    }
}

TEST(conn_out, drop_keeps_what_has_begun)
{
    uint8_t got[100];
    size_t before = mem_account_used(mem_process());

    fill();
    conn_out_consume(&out, mem_process(), 2);
    conn_out_drop_unsent(&out, mem_process());
    CHECK_EQ(out.bytes, 8);
    CHECK_EQ(drain(got, 100), 8);
    CHECK_MEM(got, 8, "all and ", 8);
    fill();
    conn_out_consume(&out, mem_process(), 10);
    conn_out_drop_unsent(&out, mem_process());
    CHECK_EQ(out.n, 0);
    fill();
    conn_out_fini(&out, mem_process());
    CHECK_EQ(out.bytes, 0);
    CHECK_EQ(mem_account_used(mem_process()), before);
}

TEST(conn_out, full_arena_is_refused)
{
    arena = (struct arena){arena_bytes, 0, 10};
    conn_out_init(&out);
    CHECK(conn_out_put_arena(&out, mem_process(), &arena, 11) == NULL);
    CHECK(conn_out_put_arena(&out, mem_process(), &arena, 10) != NULL);
    CHECK(conn_out_put_arena(&out, mem_process(), &arena, 1) == NULL);
    conn_out_fini(&out, mem_process());
}

static const struct {
    const char *set, *ip;
    bool has;
} cidr_rows[] = {
    {"10.0.0.0/8", "10.255.1.2", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/9", "10.128.0.1", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"::1", "::1", true},
    {"10.0.0.0/8", "::ffff:10.1.1.1", true},
    {"unix", "unix", true},
    {"unix", "127.0.0.1", false},
    {"10.0.0.0/8", "unix", false},
    {"10.0.0.0/8", "nonsense", false},
};

TEST(cidr, rows)
{
    static const char *const bad[] = {"",       "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/ 8",
                                      "10.0.0", "::/129",      "host",      "10.0.0.0/8x",
                                      "/8"};
    struct cidr c;

    for (size_t i = 0; i < ARRAY_LEN(cidr_rows); i++) {
        TEST_CASE(cidr_rows[i].set);
        CHECK(cidr_parse(&c, cidr_rows[i].set));
        CHECK_EQ(cidr_has(&c, 1, cidr_rows[i].ip), cidr_rows[i].has);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        TEST_CASE(bad[i]);
        CHECK(!cidr_parse(&c, bad[i]));
    }
}
