#include "room/presence.h"

#include <string.h>

#include "harness.h"

#define OWNER_A 7
#define OWNER_B 8

struct fixture {
    struct mem_account account;
    struct presence p;
    struct ydoc_buf in, out;
};

static void setup(struct fixture *f, uint32_t states_max)
{
    mem_account_init(&f->account, "test", NULL, 0);
    presence_init(&f->p, &f->account, states_max);
    ydoc_buf_init(&f->in, NULL);
    ydoc_buf_init(&f->out, NULL);
}

static void teardown(struct fixture *f)
{
    presence_fini(&f->p);
    mem_account_fini(&f->account);
    ydoc_buf_fini(&f->in);
    ydoc_buf_fini(&f->out);
}

static int say(struct fixture *f, uint64_t owner, uint64_t client, uint64_t clock, const char *json,
               uint64_t now_ms)
{
    struct ydoc_awareness_entry en = {.client = client, .clock = clock, .is_null = json == NULL};

    if (json != NULL)
        en.json = (struct ydoc_slice){(const uint8_t *)json, strlen(json)};
    ydoc_buf_reset(&f->in);
    ydoc_awareness_begin(&f->in, 1);
    ydoc_awareness_add(&f->in, &en);
    return presence_apply(&f->p, f->in.p, f->in.len, owner, now_ms, NULL);
}

/* y-protocols' rule of acceptance, row by row, on one client. */
TEST(presence, clock_rules)
{
    static const struct {
        const char *name;
        uint64_t clock;
        const char *json;
        int news;
    } rows[] = {
        {"clock 0 is not news", 0, "{}", 0},
        {"first", 1, "{\"a\":1}", 1},
        {"the same again", 1, "{\"a\":1}", 0},
        {"older", 0, "{\"a\":2}", 0},
        {"newer", 2, "{\"a\":3}", 1},
        {"equal and gone", 2, NULL, 1},
        {"gone again", 2, NULL, 0},
        {"late message of a client that is gone", 2, "{\"a\":3}", 0},
        {"it comes back", 3, "{}", 1},
        {"newer and gone", 4, NULL, 1},
    };
    struct fixture f;

    setup(&f, 100);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].name);
        CHECK_EQ(say(&f, OWNER_A, 1001, rows[i].clock, rows[i].json, 0), rows[i].news);
    }
    CHECK(presence_is_empty(&f.p));
    teardown(&f);
}

/* However often a state changes between two takes, it is in the take once, as it is. */
TEST(presence, changes_are_collected)
{
    struct ydoc_awareness_iter it;
    struct ydoc_awareness_entry en;
    struct fixture f;

    setup(&f, 100);
    for (uint64_t clock = 1; clock <= 50; clock++)
        CHECK_EQ(say(&f, OWNER_A, 1001, clock, clock < 50 ? "{\"x\":1}" : "{\"x\":2}", 0), 1);
    CHECK(presence_has_changes(&f.p));
    CHECK_EQ(presence_take_changes(&f.p, &f.out), 0);
    CHECK(!presence_has_changes(&f.p));
    CHECK_EQ(ydoc_awareness_validate(&it, f.out.p, f.out.len, NULL, NULL), 0);
    CHECK(ydoc_awareness_next(&it, &en));
    CHECK_EQ(en.clock, 50);
    CHECK_MEM(en.json.p, en.json.len, "{\"x\":2}", 7);
    CHECK(!ydoc_awareness_next(&it, &en));
    teardown(&f);
}

/* A client belongs to the member that announced it last, and goes with it. */
TEST(presence, goes_with_its_owner)
{
    struct fixture f;

    setup(&f, 100);
    CHECK_EQ(say(&f, OWNER_A, 1, 1, "{}", 0), 1);
    CHECK_EQ(say(&f, OWNER_A, 2, 1, "{}", 0), 1);
    CHECK_EQ(say(&f, OWNER_B, 2, 2, "{}", 0), 1); /* reconnected before the old socket died */
    presence_forget_changes(&f.p);
    presence_remove_owner(&f.p, OWNER_A);
    CHECK_EQ(f.p.n_states, 1);
    CHECK_EQ(f.p.n_changed, 1);
    presence_remove_owner(&f.p, OWNER_B);
    CHECK(presence_is_empty(&f.p));
    teardown(&f);
}

TEST(presence, expires_what_is_not_renewed)
{
    struct fixture f;

    setup(&f, 100);
    CHECK_EQ(say(&f, OWNER_A, 1, 1, "{}", 1000), 1);
    CHECK_EQ(say(&f, OWNER_A, 2, 1, "{}", 20000), 1);
    presence_expire(&f.p, 30999, 30000);
    CHECK_EQ(f.p.n_states, 2);
    presence_expire(&f.p, 31000, 30000);
    CHECK_EQ(f.p.n_states, 1);
    teardown(&f);
}

/* The limit refuses new clients and leaves those that are there alone. */
TEST(presence, states_have_a_maximum)
{
    struct fixture f;

    setup(&f, 3);
    for (uint64_t c = 1; c <= 3; c++)
        CHECK_EQ(say(&f, OWNER_A, c, 1, "{}", 0), 1);
    CHECK_EQ(say(&f, OWNER_A, 4, 1, "{}", 0), SK_ETOOBIG);
    CHECK_EQ(say(&f, OWNER_A, 3, 2, "{}", 0), 1);
    teardown(&f);
}

/* A message cut at any byte is refused and changes nothing. */
TEST(presence, every_truncation_is_refused)
{
    struct fixture f;
    struct err e;

    setup(&f, 100);
    CHECK_EQ(say(&f, OWNER_A, 1001, 1, "{\"user\":{\"name\":\"A\"}}", 0), 1);
    presence_clear(&f.p);
    for (size_t cut = 0; cut < f.in.len; cut++) {
        uint8_t *copy = test_dup(f.in.p, cut);

        CHECK_EQ(presence_apply(&f.p, copy, cut, OWNER_A, 0, &e), SK_EBADMSG);
        CHECK(!presence_has_changes(&f.p));
        test_free(copy);
    }
    teardown(&f);
}
