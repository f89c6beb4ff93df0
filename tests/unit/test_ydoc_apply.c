#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
#include "ydoc/lib0.h"
#include "ydoc_samples.h"

static struct ydoc *make(void)
{
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    return doc;
}

static void apply(struct ydoc *doc, struct ydoc_slice u)
{
    uint8_t *copy = test_dup(u.p, u.len);
    struct ydoc_error err = {0};
    int rc = ydoc_apply_v1(doc, copy, u.len, &err);

    test_free(copy);
    CHECK_STR(err.msg, "");
    CHECK_EQ(rc, 0);
}

static void check_state(const struct ydoc *doc, struct ydoc_slice want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &b, NULL), 0);
    CHECK_MEM(b.p, b.len, want.p, want.len);
    ydoc_buf_fini(&b);
}

static void check_sv(const struct ydoc *doc, struct ydoc_slice want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_encode_state_vector(doc, &b), 0);
    CHECK_MEM(b.p, b.len, want.p, want.len);
    ydoc_buf_fini(&b);
}

/* After the same updates the state, the state vector and the last update event
 * are the bytes that yjs gives. */
TEST(ydoc, samples_give_the_bytes_of_yjs)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        struct ydoc *doc = make();
        struct ydoc_buf event, last;

        TEST_CASE(s->name);
        ydoc_buf_init(&event, NULL);
        ydoc_buf_init(&last, NULL);
        ydoc_buf_append(&last, "\0\0", 2);
        for (size_t k = 0; k < s->n; k++) {
            apply(doc, s->updates[k]);
            ydoc_buf_reset(&event);
            if (!ydoc_has_changes(doc))
                continue;
            CHECK_EQ(ydoc_take_changes_v1(doc, &event, NULL), 0);
            ydoc_buf_reset(&last);
            ydoc_buf_append(&last, event.p, event.len);
        }
        check_state(doc, s->state);
        check_sv(doc, s->sv);
        CHECK_MEM(last.p, last.len, s->event.p, s->event.len);
        ydoc_shrink(doc);
        check_state(doc, s->state);
        ydoc_buf_fini(&event);
        ydoc_buf_fini(&last);
        ydoc_free(doc);
    }
}

TEST(ydoc, merging_gives_the_bytes_of_yjs)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct ydoc_buf out;

        TEST_CASE(samples[i].name);
        ydoc_buf_init(&out, NULL);
        CHECK_EQ(ydoc_merge_updates_v1(samples[i].updates, samples[i].n, &out, NULL), 0);
        CHECK_MEM(out.p, out.len, samples[i].merged.p, samples[i].merged.len);
        ydoc_buf_fini(&out);
    }
}

/* An update cut at any byte is refused and leaves no trace. */
TEST(ydoc, every_truncation_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];

        TEST_CASE(s->name);
        for (size_t k = 0; k < s->n; k++) {
            struct ydoc *doc = make();
            struct ydoc_buf before;

            for (size_t j = 0; j < k; j++)
                apply(doc, s->updates[j]);
            ydoc_buf_init(&before, NULL);
            CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &before, NULL), 0);
            for (size_t cut = 0; cut < s->updates[k].len; cut++) {
                uint8_t *copy = test_dup(s->updates[k].p, cut);
                struct ydoc_error err;

                CHECK_EQ(ydoc_apply_v1(doc, copy, cut, &err), YDOC_EMALFORMED);
                CHECK(err.offset <= cut);
                check_state(doc, ydoc_buf_slice(&before));
                test_free(copy);
            }
            ydoc_buf_fini(&before);
            ydoc_free(doc);
        }
    }
}

/* A duplicate changes nothing and says so; what was applied is contained. */
TEST(ydoc, duplicates)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        struct ydoc *doc = make();

        TEST_CASE(s->name);
        for (size_t k = 0; k < s->n; k++)
            apply(doc, s->updates[k]);
        ydoc_forget_changes(doc);
        for (size_t k = 0; k < s->n && !ydoc_has_pending(doc); k++) {
            apply(doc, s->updates[k]);
            CHECK_EQ(ydoc_last_applied(doc), 0);
            CHECK(!ydoc_has_changes(doc));
            CHECK_EQ(ydoc_contains_update_v1(doc, s->updates[k].p, s->updates[k].len, NULL), 1);
        }
        check_state(doc, s->state);
        ydoc_free(doc);
    }
}

/* The update of each kind of refusal of hostile input. */
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    int rc;
} hostile_rows[] = {
    {"empty", "", 0, YDOC_EMALFORMED},
    {"2^31 structs", "\x01\x80\x80\x80\x80\x08\x01\x00\x04\x00\x00", 11, YDOC_EMALFORMED},
    {"a million clients", "\xc0\x84\x3d\x01\x01\x00", 6, YDOC_EMALFORMED},
    {"2^31 ranges", "\x00\x01\x05\x80\x80\x80\x80\x08\x00\x01", 10, YDOC_EMALFORMED},
    {"array of 2^40", "\x01\x01\x05\x00\x08\x01\x01t\x01\x75\x80\x80\x80\x80\x80\x20\x00", 17,
     YDOC_EMALFORMED},
    {"Any count of 2^31", "\x01\x01\x05\x00\x08\x01\x01t\x80\x80\x80\x80\x08\x7e\x00", 15,
     YDOC_EMALFORMED},
    {"not UTF-8", "\x01\x01\x05\x00\x04\x01\x01t\x02\xc3\x28\x00", 12, YDOC_EMALFORMED},
    {"encoded surrogate", "\x01\x01\x05\x00\x04\x01\x01t\x03\xed\xa0\x80\x00", 13, YDOC_EMALFORMED},
    {"origin is itself", "\x01\x01\x05\x00\x84\x05\x00\x01x\x00", 10, YDOC_EMALFORMED},
    {"origin is its future", "\x01\x01\x05\x00\x84\x05\x07\x01x\x00", 10, YDOC_EMALFORMED},
    {"right origin is itself", "\x01\x01\x05\x00\x44\x05\x00\x01x\x00", 10, YDOC_EMALFORMED},
    {"parent is itself", "\x01\x01\x05\x00\x04\x00\x05\x00\x01x\x00", 11, YDOC_EMALFORMED},
    {"unknown shared type", "\x01\x01\x05\x00\x07\x01\x01t\x07\x00", 10, YDOC_EMALFORMED},
    {"content 11", "\x01\x01\x05\x00\x0b\x01\x01t\x00\x00", 10, YDOC_EMALFORMED},
    {"content 31", "\x01\x01\x05\x00\x1f\x01\x01t\x00\x00", 10, YDOC_EMALFORMED},
    {"Skip with flags", "\x01\x01\x05\x00\x8a\x01\x00", 7, YDOC_EMALFORMED},
    {"value of tag 115", "\x01\x01\x05\x00\x08\x01\x01t\x01\x73\x00", 11, YDOC_EMALFORMED},
    {"embed is not JSON", "\x01\x01\x05\x00\x05\x01\x01t\x01{\x00", 11, YDOC_EMALFORMED},
    {"format is not JSON", "\x01\x01\x05\x00\x06\x01\x01t\x01k\x01x\x00", 13, YDOC_EMALFORMED},
    {"subdocument without options", "\x01\x01\x05\x00\x09\x01\x01t\x01g\x7e\x00", 12,
     YDOC_EMALFORMED},
    {"clock and length above 2^32", "\x01\x01\x05\xff\xff\xff\xff\x0f\x00\x01\x00", 11,
     YDOC_EMALFORMED},
    {"clock above 2^32", "\x01\x01\x05\x80\x80\x80\x80\x10\x00\x01\x00", 11, YDOC_EMALFORMED},
    {"range above 2^32", "\x00\x01\x05\x01\xff\xff\xff\xff\x0f\x01", 10, YDOC_EMALFORMED},
    {"client above 2^53", "\x01\x01\x80\x80\x80\x80\x80\x80\x80\x10\x00\x00\x01\x00", 14,
     YDOC_EMALFORMED},
    {"parent is no type", "\x01\x02\x05\x00\x04\x01\x01t\x01x\x04\x00\x05\x00\x01y\x00", 17, 0},
    {"trailing bytes", "\x00\x00zzz", 5, 0},
    {"empty text before an item that names it",
     "\x01\x02\x05\x00\x04\x01\x01t\x00\x84\x05\x00\x01x\x00", 15, 0},
    {"Deleted of length 0", "\x01\x01\x05\x00\x01\x01\x01t\x00\x00", 10, 0},
    {"range of length 0", "\x00\x01\x05\x01\x00\x00", 6, 0},
};

TEST(ydoc, hostile_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++) {
        struct ydoc *doc = make();
        uint8_t *copy = test_dup(hostile_rows[i].bytes, hostile_rows[i].len);
        struct ydoc_error err = {0};
        struct ydoc_buf b;

        TEST_CASE(hostile_rows[i].name);
        apply(doc, samples[0].updates[0]);
        CHECK_EQ(ydoc_apply_v1(doc, copy, hostile_rows[i].len, &err), hostile_rows[i].rc);
        CHECK_EQ(ydoc_validate_update_v1(copy, hostile_rows[i].len, NULL, NULL),
                 hostile_rows[i].rc);
        CHECK(hostile_rows[i].rc == 0 || err.msg[0] != '\0');
        ydoc_buf_init(&b, NULL);
        CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &b, NULL), 0);
        ydoc_buf_fini(&b);
        apply(doc, samples[0].updates[1]);
        test_free(copy);
        ydoc_free(doc);
    }
}

/* An item takes the place of the empty one that it names as its origin. */
TEST(ydoc, empty_text_is_dropped)
{
    struct ydoc_slice root = {(const uint8_t *)"t", 1};
    struct ydoc *doc = make();
    struct ydoc_buf b;

    apply(doc, (struct ydoc_slice){(const uint8_t *)"\x01\x02\x05\x00\x04\x01\x01t\x00\x84\x05\x00"
                                                    "\x01x\x00",
                                   15});
    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_text(doc, root, &b), 0);
    CHECK_MEM(b.p, b.len, "x", 1);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

static void append_struct_at_start(struct ydoc_buf *b, uint64_t client)
{
    lib0_write_varuint(b, 1);
    lib0_write_varuint(b, client);
    lib0_write_varuint(b, 0);
    lib0_write_raw(b, "\x04\x01\x01t\x01x", 6);
}

/* In a transaction a refused update leaves what the transaction did and may still do. */
static void edit_around_refusal(struct ydoc *doc, const struct ydoc_buf *update)
{
    struct ydoc_slice text = {(const uint8_t *)"\xc3\xa9\xc3\xa9", 4}, none = {NULL, 0};
    struct ydoc_slice name = {(const uint8_t *)"new", 3};
    struct ydoc_buf b;
    ydoc_type type;

    CHECK_EQ(ydoc_root(doc, name, YDOC_KIND_TEXT, &type), 0);
    CHECK_EQ(ydoc_begin(doc, NULL), 0);
    CHECK_EQ(ydoc_text_insert(doc, type, 0, text, none), 0);
    CHECK_EQ(ydoc_apply_v1(doc, update->p, update->len, NULL), YDOC_ELIMIT);
    CHECK_EQ(ydoc_text_delete(doc, type, 1, 1), 0); /* cutting the text is a step */
    CHECK_EQ(ydoc_commit(doc, NULL), 0);
    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_text(doc, name, &b), 0);
    CHECK_MEM(b.p, b.len, text.p, 2);
    ydoc_buf_fini(&b);
}

/* Items of n clients at one place, each walking past all before it: refused by
 * the limit on work, and the document is as it was. */
TEST(ydoc, work_is_limited)
{
    struct ydoc_limits limits = {.work_max = 100000};
    struct ydoc_options options = {.limits = &limits};
    struct ydoc_error err;
    struct ydoc_buf b, sv;
    struct ydoc *doc;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&sv, NULL);
    CHECK_EQ(ydoc_new(&doc, &options), 0);
    apply(doc, samples[0].updates[0]);
    lib0_write_varuint(&b, 5000);
    for (uint64_t i = 5000; i > 0; i--)
        append_struct_at_start(&b, i * 3);
    lib0_write_u8(&b, 0);
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, &err), 0); /* descending ids stop at once */
    ydoc_buf_reset(&b);
    lib0_write_varuint(&b, 1);
    append_struct_at_start(&b, 20000);
    lib0_write_u8(&b, 0);
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, &err), 0);
    CHECK_EQ(ydoc_encode_state_vector(doc, &sv), 0);
    ydoc_buf_reset(&b);
    lib0_write_varuint(&b, 1000);
    for (uint64_t i = 1000; i > 0; i--)
        append_struct_at_start(&b, 30000 + i);
    lib0_write_u8(&b, 0);
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, &err), YDOC_ELIMIT);
    check_sv(doc, ydoc_buf_slice(&sv));
    apply(doc, samples[0].updates[1]);
    edit_around_refusal(doc, &b);
    ydoc_buf_fini(&b);
    ydoc_buf_fini(&sv);
    ydoc_free(doc);
}

/* What would wait is bounded; what can be integrated is not. */
TEST(ydoc, pending_is_limited)
{
    struct ydoc_limits limits = {.pending_bytes_max = 40};
    struct ydoc_options options = {.limits = &limits};
    struct ydoc_buf b;
    struct ydoc *doc;

    ydoc_buf_init(&b, NULL);
    lib0_write_raw(&b, "\x01\x01\x05\x07\x84\x05\x06\x60", 8);
    for (int i = 0; i < 96; i++)
        lib0_write_u8(&b, 'x');
    lib0_write_u8(&b, 0);
    CHECK_EQ(ydoc_new(&doc, &options), 0);
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, NULL), YDOC_ELIMIT);
    CHECK(!ydoc_has_pending(doc));
    apply(doc, (struct ydoc_slice){(const uint8_t *)"\x01\x01\x05\x00\x04\x01\x01t\x07"
                                                    "abcdefg\x00",
                                   17});
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, NULL), 0);
    CHECK(!ydoc_has_pending(doc));
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

/* Structs that came too early are integrated when what they need arrives. */
TEST(ydoc, pending_is_retried)
{
    const struct sample *s = &samples[1];
    struct ydoc *doc = make();

    CHECK_STR(s->name, "text in pieces, reversed");
    for (size_t k = 0; k < s->n; k++) {
        apply(doc, s->updates[k]);
        CHECK_EQ(ydoc_has_pending(doc), k + 1 < s->n);
        CHECK((ydoc_last_applied(doc) & YDOC_APPLIED_PENDING) != 0 || k + 1 == s->n);
    }
    ydoc_free(doc);
}

/* Changes over several applies are one update that brings another document up,
 * and the state vectors before them can be had again. */
TEST(ydoc, changes_and_rewind)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        struct ydoc *doc = make(), *other = make();
        struct ydoc_buf update, before[2], sv[2], rewound;
        struct ydoc_slice list[2];

        TEST_CASE(s->name);
        ydoc_buf_init(&update, NULL);
        ydoc_buf_init(&rewound, NULL);
        for (size_t half = 0; half < 2; half++) {
            ydoc_buf_init(&before[half], NULL);
            ydoc_buf_init(&sv[half], NULL);
            CHECK_EQ(ydoc_encode_state_vector(doc, &sv[half]), 0);
            for (size_t k = half * (s->n / 2); k < (half == 0 ? s->n / 2 : s->n); k++)
                apply(doc, s->updates[k]);
            ydoc_buf_reset(&update);
            CHECK_EQ(ydoc_take_changes_v1(doc, &update, &before[half]), 0);
            CHECK(!ydoc_has_changes(doc));
            apply(other, ydoc_buf_slice(&update));
        }
        list[0] = ydoc_buf_slice(&before[1]);
        list[1] = ydoc_buf_slice(&before[0]);
        for (size_t n = 1; n <= 2; n++) {
            ydoc_buf_reset(&rewound);
            CHECK_EQ(ydoc_rewind_state_vector(doc, list, n, &rewound), 0);
            CHECK_MEM(rewound.p, rewound.len, sv[2 - n].p, sv[2 - n].len);
        }
        ydoc_buf_reset(&update);
        CHECK_EQ(ydoc_encode_state_vector(doc, &update), 0);
        check_sv(other, ydoc_buf_slice(&update));
        for (size_t half = 0; half < 2; half++) {
            ydoc_buf_fini(&before[half]);
            ydoc_buf_fini(&sv[half]);
        }
        ydoc_buf_fini(&update);
        ydoc_buf_fini(&rewound);
        ydoc_free(doc);
        ydoc_free(other);
    }
}

/* A diff against a state vector brings its owner up to date. */
TEST(ydoc, diffs_bring_a_peer_up_to_date)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        struct ydoc *doc = make(), *peer = make();
        struct ydoc_buf sv, diff, again;

        TEST_CASE(s->name);
        ydoc_buf_init(&sv, NULL);
        ydoc_buf_init(&diff, NULL);
        ydoc_buf_init(&again, NULL);
        for (size_t k = 0; k < s->n; k++) {
            apply(doc, s->updates[k]);
            if (k < s->n / 2)
                apply(peer, s->updates[k]);
        }
        CHECK_EQ(ydoc_encode_state_vector(peer, &sv), 0);
        CHECK_EQ(ydoc_encode_state_v1(doc, sv.p, sv.len, &diff, NULL), 0);
        apply(peer, ydoc_buf_slice(&diff));
        check_sv(peer, s->sv);
        ydoc_buf_reset(&diff);
        CHECK_EQ(ydoc_diff_update_v1(s->state.p, s->state.len, s->sv.p, s->sv.len, &diff, NULL), 0);
        CHECK(ydoc_has_pending(doc) || diff.p[0] == 0);
        CHECK_EQ(ydoc_state_vector_from_update_v1(s->state.p, s->state.len, &again, NULL), 0);
        if (!ydoc_has_pending(doc))
            CHECK_MEM(again.p, again.len, s->sv.p, s->sv.len);
        ydoc_buf_fini(&sv);
        ydoc_buf_fini(&diff);
        ydoc_buf_fini(&again);
        ydoc_free(doc);
        ydoc_free(peer);
    }
}

/* Applies from update `k` on; the number of the first that found no memory. */
static size_t apply_from(struct ydoc *doc, const struct sample *s, size_t k)
{
    for (; k < s->n; k++) {
        int rc = ydoc_apply_v1(doc, s->updates[k].p, s->updates[k].len, NULL);

        CHECK(rc == 0 || rc == YDOC_ENOMEM);
        if (rc != 0)
            break;
    }
    return k;
}

/* Whichever allocation fails, nothing leaks, and the document is either as it
 * was, and goes on when there is memory again, or says that it is broken. */
TEST(ydoc, out_of_memory_at_every_allocation)
{
    size_t went_on = 0;

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        size_t done = 0;

        TEST_CASE(s->name);
        for (long calls = 0; done < s->n; calls++) {
            struct account account = {0, calls};
            struct ydoc_alloc alloc = {account_resize, &account};
            struct ydoc_options options = {.alloc = &alloc};
            struct ydoc *doc;

            if (ydoc_new(&doc, &options) != 0)
                continue;
            done = apply_from(doc, s, 0);
            account.calls_left = 1000000;
            if (done == s->n || ydoc_apply_v1(doc, s->updates[done].p, s->updates[done].len,
                                              NULL) != YDOC_EBROKEN) {
                CHECK_EQ(apply_from(doc, s, done < s->n ? done + 1 : done), s->n);
                check_state(doc, s->state);
                went_on += done < s->n;
            }
            ydoc_free(doc);
            CHECK_EQ(account.held, 0);
        }
    }
    CHECK(went_on > 0);
}

/* The account is charged exactly what the document says it uses. */
TEST(ydoc, memory_is_accounted)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct account account = {0, 1000000};
        struct ydoc_alloc alloc = {account_resize, &account};
        struct ydoc_options options = {.alloc = &alloc};
        struct ydoc *doc;

        TEST_CASE(samples[i].name);
        CHECK_EQ(ydoc_new(&doc, &options), 0);
        for (size_t k = 0; k < samples[i].n; k++)
            apply(doc, samples[i].updates[k]);
        CHECK_EQ(ydoc_memory_used(doc), account.held);
        ydoc_shrink(doc);
        CHECK_EQ(ydoc_memory_used(doc), account.held);
        ydoc_free(doc);
        CHECK_EQ(account.held, 0);
    }
}

static void *count_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    (void)old_size;
    *(size_t *)ctx += new_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}

/* A hundred people who type at once do not make the text outgrow itself, nor
 * have it moved again and again. */
TEST(ydoc, typing_by_turns_stays_small)
{
    size_t asked = 0;
    struct ydoc_alloc alloc = {count_resize, &asked};
    struct ydoc_options options = {.alloc = &alloc};
    struct ydoc *doc;
    struct ydoc_slice root = {(const uint8_t *)"t", 1};
    struct ydoc_buf b;

    CHECK_EQ(ydoc_new(&doc, &options), 0);
    ydoc_buf_init(&b, NULL);
    for (uint32_t clock = 0; clock < 300; clock++) {
        for (uint64_t client = 1; client <= 100; client++) {
            ydoc_buf_reset(&b);
            lib0_write_raw(&b, "\1\1", 2);
            lib0_write_varuint(&b, client);
            lib0_write_varuint(&b, clock);
            if (clock == 0) {
                lib0_write_raw(&b, "\4\1\1t", 4);
            } else {
                lib0_write_u8(&b, 0x84);
                lib0_write_varuint(&b, client);
                lib0_write_varuint(&b, clock - 1);
            }
            lib0_write_raw(&b, "\1x\0", 3);
            CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, NULL), 0);
        }
    }
    CHECK(ydoc_memory_used(doc) < 30000 * 4 + 100 * 400);
    CHECK(asked < 30000 * 40);
    ydoc_shrink(doc);
    CHECK(ydoc_memory_used(doc) < 30000 + 100 * 200);
    ydoc_buf_reset(&b);
    CHECK_EQ(ydoc_read_text(doc, root, &b), 0);
    CHECK_EQ(b.len, 30000);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

/* Types nested a hundred thousand deep are deleted and collected without
 * recursion. */
TEST(ydoc, deep_types)
{
    struct ydoc *doc = make();
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    lib0_write_u8(&b, 1);
    lib0_write_varuint(&b, 100000);
    lib0_write_raw(&b, "\5\0\7\1\1t\0", 7);
    for (uint32_t i = 1; i < 100000; i++) {
        lib0_write_raw(&b, "\7\0\5", 3);
        lib0_write_varuint(&b, i - 1);
        lib0_write_u8(&b, 0);
    }
    lib0_write_u8(&b, 0);
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, NULL), 0);
    ydoc_buf_reset(&b);
    CHECK_EQ(ydoc_read_json(doc, &b), 0);
    apply(doc, (struct ydoc_slice){(const uint8_t *)"\0\1\5\1\0\1", 6});
    ydoc_buf_reset(&b);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &b, NULL), 0);
    CHECK(b.len < 40);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

/* A text is split at its front a hundred thousand times in falling order. */
TEST(ydoc, many_splits)
{
    enum { UNITS = 100000 };
    struct ydoc *doc = make();
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    lib0_write_raw(&b, "\1\1\5\0\4\1\1t", 8);
    lib0_write_varuint(&b, 2 * UNITS);
    for (int i = 0; i < UNITS; i++)
        lib0_write_raw(&b, "\xc3\xa9", 2);
    lib0_write_raw(&b, "\1\5", 2);
    lib0_write_varuint(&b, UNITS / 2);
    for (uint32_t i = UNITS; i > 0; i -= 2) {
        lib0_write_varuint(&b, i - 1);
        lib0_write_u8(&b, 1);
    }
    CHECK_EQ(ydoc_apply_v1(doc, b.p, b.len, NULL), 0);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}
