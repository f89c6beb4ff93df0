#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define N 3000

struct entry {
    char key[16];
    size_t len;
    bool in;
};

/* The reference vectors' first row under SipHash-1-3, from an independent implementation, would
 * pin constants only; what tables need is that seed, length and every byte matter. */
TEST(map, hash_depends_on_seed_length_and_each_byte)
{
    static const uint64_t a[2] = {1, 2}, b[2] = {1, 3};
    uint8_t p[24] = {0};
    uint64_t base = map_hash(a, p, sizeof(p));

    CHECK(base != map_hash(b, p, sizeof(p)));
    CHECK(base != map_hash(a, p, sizeof(p) - 1));
    for (size_t i = 0; i < sizeof(p); i++) {
        p[i] = 1;
        CHECK(base != map_hash(a, p, sizeof(p)));
        p[i] = 0;
    }
    CHECK(base == map_hash(a, p, sizeof(p)));
}

static void check_against(const struct map *m, const struct entry *all, size_t n)
{
    size_t in = 0, seen = 0, pos = 0;

    for (size_t i = 0; i < n; i++) {
        const void *want = all[i].in ? &all[i] : NULL;

        in += all[i].in;
        CHECK(map_get(m, all[i].key, all[i].len) == want);
    }
    CHECK_EQ(map_count(m), in);
    while (map_next(m, &pos) != NULL)
        seen++;
    CHECK_EQ(seen, in);
}

/* A random walk of adds and removes agrees with a plain array at each stage, and an emptied
 * table holds no memory. */
TEST(map, behaves_like_an_array_of_flags)
{
    static struct entry all[N];
    struct mem_account a;
    struct map m;
    unsigned rnd = 7;

    mem_account_init(&a, "map", NULL, 0);
    map_init(&m, &a);
    for (size_t i = 0; i < N; i++)
        all[i].len = (size_t)snprintf(all[i].key, sizeof(all[i].key), "room %zu", i);
    for (int step = 0; step < 40000; step++) {
        struct entry *x;
        void *old;

        rnd = rnd * 1103515245 + 12345;
        x = &all[(rnd >> 8) % N];
        if (rnd % 3 != 0) {
            CHECK_EQ(map_set(&m, x->key, x->len, x, &old), 0);
            CHECK(old == (x->in ? x : NULL));
            x->in = true;
        } else {
            CHECK(map_remove(&m, x->key, x->len) == (x->in ? x : NULL));
            x->in = false;
        }
        if (step % 5000 == 0)
            check_against(&m, all, N);
    }
    check_against(&m, all, N);
    for (size_t i = 0; i < N; i++)
        map_remove(&m, all[i].key, all[i].len);
    CHECK_EQ(mem_account_used(&a), 0);
    map_fini(&m);
    mem_account_fini(&a);
}

TEST(map, keys_may_be_empty_and_hold_zero_bytes)
{
    struct mem_account a;
    struct map m;
    int x, y, z;

    mem_account_init(&a, "map", NULL, 0);
    map_init(&m, &a);
    CHECK_EQ(map_set(&m, "", 0, &x, NULL), 0);
    CHECK_EQ(map_set(&m, "a\0b", 3, &y, NULL), 0);
    CHECK_EQ(map_set(&m, "a\0c", 3, &z, NULL), 0);
    CHECK(map_get(&m, "", 0) == &x);
    CHECK(map_get(&m, "a\0b", 3) == &y);
    CHECK(map_get(&m, "a\0c", 3) == &z);
    CHECK(map_get(&m, "a", 1) == NULL);
    map_fini(&m);
    mem_account_fini(&a);
}

/* The account's limit refuses the entry and leaves the table as it was. */
TEST(map, limit_of_the_account_refuses_growth)
{
    static struct entry all[64];
    struct mem_account a;
    struct map m;
    size_t n = 0;

    mem_account_init(&a, "map", NULL, 1500);
    map_init(&m, &a);
    for (size_t i = 0; i < 64; i++) {
        all[i].len = (size_t)snprintf(all[i].key, sizeof(all[i].key), "%zu", i);
        all[i].in = map_set(&m, all[i].key, all[i].len, &all[i], NULL) == 0;
        n += all[i].in;
    }
    CHECK(n > 0 && n < 64);
    check_against(&m, all, 64);
    map_fini(&m);
    mem_account_fini(&a);
}

TEST(map64, random_walk)
{
    static bool in[N];
    static int values[N];
    struct mem_account a;
    struct map64 m;
    unsigned rnd = 3;
    size_t pos = 0, seen = 0, count = 0;
    uint64_t key;

    mem_account_init(&a, "map64", NULL, 0);
    map64_init(&m, &a);
    for (int step = 0; step < 40000; step++) {
        size_t i;
        void *old;

        rnd = rnd * 1103515245 + 12345;
        i = (rnd >> 8) % N;
        if (rnd % 2 == 0) {
            CHECK_EQ(map64_set(&m, i << 32, &values[i], &old), 0);
            CHECK(old == (in[i] ? &values[i] : NULL));
        } else {
            CHECK(map64_remove(&m, i << 32) == (in[i] ? &values[i] : NULL));
        }
        in[i] = rnd % 2 == 0;
    }
    for (size_t i = 0; i < N; i++) {
        CHECK(map64_get(&m, i << 32) == (in[i] ? &values[i] : NULL));
        count += in[i];
    }
    for (void *v; (v = map64_next(&m, &pos, &key)) != NULL; seen++)
        CHECK(v == &values[key >> 32]);
    CHECK_EQ(seen, count);
    CHECK_EQ(map64_count(&m), count);
    map64_fini(&m);
    mem_account_fini(&a);
}
