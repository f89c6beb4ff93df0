#include "room/ring.h"

#include "harness.h"

static struct room_record record(struct mem_account *a, size_t len)
{
    return (struct room_record){.kind = RECORD_UPDATE, .body = rbuf_new(a, len)};
}

static void push(struct ring *r, struct mem_account *a, size_t len)
{
    struct room_record rec = record(a, len);

    CHECK_EQ(ring_push_take(r, &rec), 0);
}

/* Records keep their numbers while the ring grows and wraps around. */
TEST(ring, numbers_stay)
{
    struct mem_account a;
    struct ring r;

    mem_account_init(&a, "test", NULL, 0);
    ring_init(&r, &a, 16, 1 << 20);
    for (size_t i = 0; i < 100; i++) {
        if (ring_is_full(&r, i))
            ring_drop(&r, r.tail + 1);
        push(&r, &a, i);
        for (uint64_t k = r.tail; k < r.head; k++)
            CHECK_EQ(ring_get(&r, k)->body->len, k);
    }
    CHECK_EQ(r.head, 100);
    CHECK_EQ(r.tail, 84);
    ring_fini(&r);
    mem_account_fini(&a);
}

/* The maximum of bytes makes it full, but one record is always taken. */
TEST(ring, bytes_have_a_maximum)
{
    struct mem_account a;
    struct ring r;

    mem_account_init(&a, "test", NULL, 0);
    ring_init(&r, &a, 16, 100);
    CHECK(!ring_is_full(&r, 1000));
    push(&r, &a, 1000);
    CHECK(ring_is_full(&r, 1));
    ring_drop(&r, 1);
    CHECK_EQ(r.bytes, 0);
    push(&r, &a, 60);
    CHECK(!ring_is_full(&r, 40));
    CHECK(ring_is_full(&r, 41));
    ring_fini(&r);
    mem_account_fini(&a);
}

/* At the account's limit the record is refused and released, and the ring stays whole. */
TEST(ring, refuses_at_the_accounts_limit)
{
    struct mem_account a, bodies;
    struct ring r;
    struct room_record rec;
    int rc = 0;

    mem_account_init(&bodies, "bodies", NULL, 0);
    mem_account_init(&a, "test", NULL, 8 * sizeof(struct room_record));
    ring_init(&r, &a, 64, 1 << 20);
    for (int i = 0; i < 16 && rc == 0; i++) {
        rec = record(&bodies, 1);
        rc = ring_push_take(&r, &rec);
    }
    CHECK_EQ(rc, SK_ETOOBIG);
    CHECK_EQ(r.head - r.tail, 4);
    ring_fini(&r);
    mem_account_fini(&a);
    mem_account_fini(&bodies);
}
