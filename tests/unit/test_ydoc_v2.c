#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_samples.h"
#include "ydoc_samples_v2.h"

static const struct ydoc_slice empty_v2 = {
    (const uint8_t *)"\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", 13};

static struct ydoc *make(void)
{
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    return doc;
}

static void apply_v2(struct ydoc *doc, struct ydoc_slice u)
{
    uint8_t *copy = test_dup(u.p, u.len);
    struct ydoc_error err = {0};
    int rc = ydoc_apply_v2(doc, copy, u.len, &err);

    test_free(copy);
    CHECK_STR(err.msg, "");
    CHECK_EQ(rc, 0);
}

static void check_bytes(struct ydoc_buf *b, int rc, struct ydoc_slice want)
{
    CHECK_EQ(rc, 0);
    CHECK_MEM(b->p, b->len, want.p, want.len);
    ydoc_buf_reset(b);
}

/* Applied as v2, updates leave the states, the snapshots and the last event of
 * yjs, in both formats. */
TEST(ydoc_v2, samples_give_the_bytes_of_yjs)
{
    struct ydoc_buf b, event;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&event, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples_v2); i++) {
        const struct sample_v2 *s = &samples_v2[i];
        struct ydoc *doc = make();

        TEST_CASE(s->name);
        for (size_t k = 0; k < s->n; k++) {
            apply_v2(doc, s->updates[k]);
            if (!ydoc_has_changes(doc))
                continue;
            ydoc_buf_reset(&event);
            CHECK_EQ(ydoc_take_changes_v2(doc, &event, NULL), 0);
        }
        if (event.len > 0)
            check_bytes(&event, 0, s->event);
        check_bytes(&b, ydoc_encode_state_v1(doc, NULL, 0, &b, NULL), s->state_v1);
        check_bytes(&b, ydoc_encode_state_v2(doc, NULL, 0, &b, NULL), s->state_v2);
        check_bytes(&b, ydoc_encode_snapshot_v1(doc, &b), s->snapshot_v1);
        check_bytes(&b, ydoc_encode_snapshot_v2(doc, &b), s->snapshot_v2);
        check_bytes(&b, ydoc_merge_updates_v2(s->updates, s->n, &b, NULL), s->merged);
        ydoc_free(doc);
    }
    ydoc_buf_fini(&b);
    ydoc_buf_fini(&event);
}

/* What a peer with an empty or a full state vector lacks, and what is known. */
TEST(ydoc_v2, diff_and_contains)
{
    struct ydoc_buf b, sv;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&sv, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples_v2); i++) {
        const struct sample_v2 *s = &samples_v2[i];
        struct ydoc *doc = make();

        TEST_CASE(s->name);
        for (size_t k = 0; k < s->n; k++)
            apply_v2(doc, s->updates[k]);
        if (!ydoc_has_pending(doc)) {
            CHECK_EQ(ydoc_contains_update_v2(doc, s->merged.p, s->merged.len, NULL), 1);
            ydoc_buf_reset(&sv);
            CHECK_EQ(ydoc_convert_v1_to_v2(s->state_v1.p, s->state_v1.len, &sv, NULL), 0);
            if (i + 1 < ARRAY_LEN(samples_v2)) /* the last one loses values in v1 */
                check_bytes(&b,
                            ydoc_diff_update_v2(s->state_v2.p, s->state_v2.len,
                                                (const uint8_t *)"\0", 1, &b, NULL),
                            ydoc_buf_slice(&sv));
            ydoc_buf_reset(&sv);
            CHECK_EQ(ydoc_state_vector_from_update_v2(s->state_v2.p, s->state_v2.len, &sv, NULL),
                     0);
            check_bytes(&b, ydoc_encode_state_vector(doc, &b), ydoc_buf_slice(&sv));
        }
        ydoc_free(doc);
        doc = make();
        CHECK_EQ(ydoc_contains_update_v2(doc, s->merged.p, s->merged.len, NULL), 0);
        ydoc_free(doc);
    }
    ydoc_buf_fini(&b);
    ydoc_buf_fini(&sv);
}

/* The updates of ydoc_samples.h are those of ydoc_samples_v2.h in format v1. */
TEST(ydoc_v2, conversions_give_the_bytes_of_yjs)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        TEST_CASE(samples[i].name);
        CHECK_STR(samples[i].name, samples_v2[i].name);
        for (size_t k = 0; k < samples[i].n; k++) {
            struct ydoc_slice v1 = samples[i].updates[k], v2 = samples_v2[i].updates[k];

            check_bytes(&b, ydoc_convert_v1_to_v2(v1.p, v1.len, &b, NULL), v2);
            CHECK_EQ(ydoc_convert_v2_to_v1(v2.p, v2.len, &b, NULL), 0);
            v1 = ydoc_buf_slice(&b);
            v1.p = test_dup(v1.p, v1.len);
            ydoc_buf_reset(&b);
            check_bytes(&b, ydoc_convert_v1_to_v2(v1.p, v1.len, &b, NULL), v2);
            test_free((uint8_t *)(uintptr_t)v1.p);
        }
    }
    ydoc_buf_fini(&b);
}

static const struct {
    const char *name;
    struct ydoc_slice v2, v1;
} conversions[] = {
    {"nothing",
     {(const uint8_t *)"\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", 13},
     {(const uint8_t *)"\0\0", 2}},
    /* "x\ud83d" and "\ude00y" are one pair in the text of all strings. */
    {"halves of a surrogate pair in two strings",
     {(const uint8_t
           *)"\x00\x00\x02\x41\x00\x00\x01\x00\x03\x04\x00\x44\x0b\x07\x74\x78\xf0\x9f\x98"
             "\x80\x79\x01\x42\x00\x01\x01\x00\x00\x01\x02\x00\x00",
      32},
     {(const uint8_t
           *)"\x01\x02\x01\x00\x04\x01\x01\x74\x04\x78\xef\xbf\xbd\x44\x01\x00\x04\xef\xbf"
             "\xbd\x79\x00",
      22}},
    {"keys by number",
     {(const uint8_t
           *)"\x00\x04\x00\x02\x42\x02\x02\x47\x02\x03\x00\x03\x00\x00\x05\x06\x00\x86\x01"
             "\x87\x0c\x08\x74\x62\x6f\x6c\x64\x64\x69\x76\x01\x04\x03\x01\x01\x01\x03\x00"
             "\x01\x04\x00\x78\x78\x78\x00",
      45},
     {(const uint8_t
           *)"\x01\x04\x07\x00\x06\x01\x01\x74\x04\x62\x6f\x6c\x64\x04\x74\x72\x75\x65\x86"
             "\x07\x00\x03\x64\x69\x76\x04\x74\x72\x75\x65\x86\x07\x01\x04\x62\x6f\x6c\x64"
             "\x04\x74\x72\x75\x65\x87\x07\x02\x03\x03\x64\x69\x76\x00",
      52}},
};

TEST(ydoc_v2, what_no_yjs_writes_is_read_like_yjs)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    for (size_t i = 0; i < ARRAY_LEN(conversions); i++) {
        uint8_t *copy = test_dup(conversions[i].v2.p, conversions[i].v2.len);

        TEST_CASE(conversions[i].name);
        check_bytes(&b, ydoc_convert_v2_to_v1(copy, conversions[i].v2.len, &b, NULL),
                    conversions[i].v1);
        test_free(copy);
    }
    ydoc_buf_fini(&b);
}

/* Values whose writer was not JavaScript, and what JavaScript makes of them. */
static const struct {
    const char *name, *from, *to;
    size_t from_len, to_len;
} values[] = {
#define V(name, from, to)                                                                          \
    {                                                                                              \
        name, from, to, sizeof(from) - 1, sizeof(to) - 1                                           \
    }
    V("index keys come first",
      "\x76\x03\x01z\x7e\x02"
      "10\x7e\x01"
      "9\x78",
      "\x76\x03\x01"
      "9\x78\x02"
      "10\x7e\x01z\x7e"),
    V("the last value of a key counts, at its first place",
      "\x76\x03\x01"
      "a\x7e\x01"
      "b\x7e\x01"
      "a\x78",
      "\x76\x02\x01"
      "a\x78\x01"
      "b\x7e"),
    V("a prototype is no member",
      "\x76\x02\x09__proto__\x76\x00\x01"
      "a\x7e",
      "\x76\x01\x01"
      "a\x7e"),
    V("an integer of 32 bits", "\x7d\x80\x80\x80\x80\x10", "\x7c\x4f\x00\x00\x00"),
    V("a double that is an integer", "\x7b\x40\x08\x00\x00\x00\x00\x00\x00", "\x7d\x03"),
    V("a double that is a float", "\x7b\x3f\xf8\x00\x00\x00\x00\x00\x00", "\x7c\x3f\xc0\x00\x00"),
    V("a float that is an integer", "\x7c\xbf\x80\x00\x00", "\x7d\x41"),
    V("minus zero as a double", "\x7b\x80\x00\x00\x00\x00\x00\x00\x00", "\x7d\x40"),
    V("another NaN", "\x7c\x7f\xc0\x00\x01", "\x7b\x7f\xf8\x00\x00\x00\x00\x00\x00"),
    V("lengths in more bytes than they take", "\x75\x81\x00\x77\x82\x80\x00hi",
      "\x75\x01\x77\x02hi"),
#undef V
};

/* They are rewritten when an update is, and when it comes into a document. */
TEST(ydoc_v2, values_become_canonical)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct ydoc_buf in, want, out;
        struct ydoc_slice list[2] = {{NULL, 0}, {(const uint8_t *)"\0\0", 2}};
        struct ydoc *doc = make();

        TEST_CASE(values[i].name);
        ydoc_buf_init(&in, NULL);
        ydoc_buf_init(&want, NULL);
        ydoc_buf_init(&out, NULL);
        ydoc_buf_append(&in, "\x01\x01\x05\x00\x08\x01\x01t\x01", 9);
        ydoc_buf_append(&want, in.p, in.len);
        ydoc_buf_append(&in, values[i].from, values[i].from_len);
        ydoc_buf_append(&want, values[i].to, values[i].to_len);
        ydoc_buf_append(&in, "\0", 1);
        ydoc_buf_append(&want, "\0", 1);
        list[0] = ydoc_buf_slice(&in);
        check_bytes(&out, ydoc_merge_updates_v1(list, 2, &out, NULL), ydoc_buf_slice(&want));
        CHECK_EQ(ydoc_apply_v1(doc, in.p, in.len, NULL), 0);
        check_bytes(&out, ydoc_encode_state_v1(doc, NULL, 0, &out, NULL), ydoc_buf_slice(&want));
        ydoc_buf_fini(&in);
        ydoc_buf_fini(&want);
        ydoc_buf_fini(&out);
        ydoc_free(doc);
    }
}

/* Objects of any size are put in order, and JSON keys spelled in different ways
 * are the same key. */
TEST(ydoc_v2, json_members)
{
    static const char json[] = "{ \"\\u0061\":1, \"2\":1e0, \"a\" : [ 2.50 ] ,\"1\":\"\\/\"}";
    static const char want[] = "{\"1\":\"/\",\"2\":1,\"a\":[2.5]}";
    struct ydoc_buf in, out;
    struct ydoc_slice list[2] = {{NULL, 0}, {(const uint8_t *)"\0\0", 2}};

    ydoc_buf_init(&in, NULL);
    ydoc_buf_init(&out, NULL);
    ydoc_buf_append(&in, "\x01\x01\x05\x00\x05\x01\x01t", 8);
    ydoc_buf_append(&in, (const uint8_t[]){sizeof(json) - 1}, 1);
    ydoc_buf_append(&in, json, sizeof(json) - 1);
    ydoc_buf_append(&in, "\0", 1);
    list[0] = ydoc_buf_slice(&in);
    CHECK_EQ(ydoc_merge_updates_v1(list, 2, &out, NULL), 0);
    CHECK_MEM(out.p + 9, out.len - 10, want, sizeof(want) - 1);
    ydoc_buf_fini(&in);
    ydoc_buf_fini(&out);
}

/* The form in which a document keeps what JSON lacks never comes from outside. */
TEST(ydoc_v2, own_form_is_refused)
{
    static const char embed[] = "\x01\x01\x05\x00\x05\x01\x01t\x02\x00\x7f\x00";
    static const char format[] = "\x01\x01\x05\x00\x06\x01\x01t\x01k\x02\x00\x7f\x00";
    struct ydoc *doc = make();
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_apply_v1(doc, (const uint8_t *)embed, 12, NULL), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_apply_v1(doc, (const uint8_t *)format, 14, NULL), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_convert_v1_to_v2((const uint8_t *)embed, 12, &out, NULL), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_state_vector_from_update_v1((const uint8_t *)format, 14, &out, NULL),
             YDOC_EMALFORMED);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
}

/* A value that waits for its predecessor keeps what JSON lacks. */
TEST(ydoc_v2, pending_keeps_values)
{
    const struct sample_v2 *s = &samples_v2[ARRAY_LEN(samples_v2) - 1];
    struct ydoc *doc = make();
    struct ydoc_buf b;

    CHECK_STR(s->name, "values that JSON lacks");
    ydoc_buf_init(&b, NULL);
    for (size_t k = s->n; k-- > 0;) {
        apply_v2(doc, s->updates[k]);
        CHECK_EQ(ydoc_has_pending(doc), k > 0);
        CHECK_EQ(ydoc_encode_state_v2(doc, NULL, 0, &b, NULL), 0);
        if (k > 0)
            CHECK(memcmp(b.p, s->state_v2.p, b.len < s->state_v2.len ? b.len : s->state_v2.len) !=
                  0);
        ydoc_buf_reset(&b);
    }
    check_bytes(&b, ydoc_encode_state_v2(doc, NULL, 0, &b, NULL), s->state_v2);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

TEST(ydoc_v2, merging_nothing)
{
    struct ydoc_slice list[2] = {empty_v2, empty_v2};
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    check_bytes(&b, ydoc_merge_updates_v2(NULL, 0, &b, NULL), empty_v2);
    check_bytes(&b, ydoc_merge_updates_v2(list, 1, &b, NULL), empty_v2);
    check_bytes(&b, ydoc_merge_updates_v2(list, 2, &b, NULL), empty_v2);
    ydoc_buf_fini(&b);
}

/* An update cut at any byte is refused and leaves no trace. */
TEST(ydoc_v2, every_truncation_is_refused)
{
    struct ydoc_buf b, before;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_init(&before, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples_v2); i++) {
        const struct sample_v2 *s = &samples_v2[i];

        TEST_CASE(s->name);
        for (size_t k = 0; k < s->n; k++) {
            struct ydoc *doc = make();

            for (size_t j = 0; j < k; j++)
                apply_v2(doc, s->updates[j]);
            ydoc_buf_reset(&before);
            CHECK_EQ(ydoc_encode_state_v2(doc, NULL, 0, &before, NULL), 0);
            for (size_t cut = 0; cut < s->updates[k].len; cut++) {
                uint8_t *copy = test_dup(s->updates[k].p, cut);
                struct ydoc_slice list[2] = {empty_v2, {copy, cut}};
                struct ydoc_error err;

                CHECK_EQ(ydoc_apply_v2(doc, copy, cut, &err), YDOC_EMALFORMED);
                CHECK(err.offset <= cut);
                CHECK_EQ(ydoc_validate_update_v2(copy, cut, NULL, NULL), YDOC_EMALFORMED);
                CHECK_EQ(ydoc_contains_update_v2(doc, copy, cut, NULL), YDOC_EMALFORMED);
                CHECK_EQ(ydoc_convert_v2_to_v1(copy, cut, &b, NULL), YDOC_EMALFORMED);
                CHECK_EQ(ydoc_merge_updates_v2(list, 2, &b, &err), YDOC_EMALFORMED);
                CHECK_EQ(strncmp(err.msg, "update 1: ", 10), 0);
                CHECK_EQ(b.len, 0);
                test_free(copy);
            }
            check_bytes(&b, ydoc_encode_state_v2(doc, NULL, 0, &b, NULL), ydoc_buf_slice(&before));
            ydoc_free(doc);
        }
    }
    ydoc_buf_fini(&b);
    ydoc_buf_fini(&before);
}

/* v1 updates that are checked while they are merged. */
TEST(ydoc_v2, merging_v1_checks_every_update)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct ydoc_slice whole = samples[i].updates[0];

        TEST_CASE(samples[i].name);
        for (size_t cut = 0; cut < whole.len; cut++) {
            uint8_t *copy = test_dup(whole.p, cut);
            struct ydoc_slice list[3] = {whole, {copy, cut}, whole};
            struct ydoc_error err;

            CHECK_EQ(ydoc_merge_updates_v1(list, 3, &b, &err), YDOC_EMALFORMED);
            CHECK_EQ(strncmp(err.msg, "update 1: ", 10), 0);
            CHECK_EQ(ydoc_diff_update_v1(copy, cut, (const uint8_t *)"\0", 1, &b, &err),
                     YDOC_EMALFORMED);
            CHECK_EQ(ydoc_convert_v1_to_v2(copy, cut, &b, &err), YDOC_EMALFORMED);
            CHECK_EQ(b.len, 0);
            test_free(copy);
        }
    }
    ydoc_buf_fini(&b);
}

/* Columns: key clocks, clients, left, right, infos, text, parents, types, lengths. */
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    int rc;
} hostile_rows[] = {
#define ROW(name, bytes, rc)                                                                       \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, rc                                                         \
    }
    ROW("nothing at all", "", YDOC_EMALFORMED),
    ROW("no columns", "\0", YDOC_EMALFORMED),
    ROW("2^53-1 structs and empty columns",
        "\0\0\0\0\0\0\1\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\x0f\0\0", YDOC_EMALFORMED),
    ROW("2^53-1 structs of one run",
        "\0\0\1\5\0\0\1\0\1\0\0\0\2\x41\0\1\xff\xff\xff\xff\xff\xff\xff\x0f\0\0", YDOC_ELIMIT),
    ROW("a run of 2^31 collected structs",
        "\0\0\1\5\0\0\1\0\1\0\0\0\5\x41\xff\xff\xff\x07\1\x80\x80\x80\x80\x08\0\0", YDOC_ELIMIT),
    ROW("2^15 structs of length 0",
        "\0\0\1\5\0\0\1\0\1\0\0\0\5\x40\xff\xff\xff\x07\1\x80\x80\2\0\0", 0),
    ROW("a column longer than the update", "\0\x7f\0", YDOC_EMALFORMED),
    ROW("text longer than its column", "\0\0\0\0\0\0\1\5\0\0\0\0\0", YDOC_EMALFORMED),
    ROW("text that is not UTF-8", "\0\0\0\0\0\0\3\2\xc3\x28\0\0\0\0\0", YDOC_EMALFORMED),
    ROW("a string past the end of the text", "\0\0\1\5\0\0\1\4\5\2tx\1\2\1\1\0\0\1\1\0\0",
        YDOC_EMALFORMED),
    ROW("strings past the end of the lengths", "\0\0\1\5\0\0\1\4\4\2tx\1\1\1\0\0\1\1\0\0",
        YDOC_EMALFORMED),
    ROW("a negative clock", "\0\0\2\x45\0\1\x42\0\1\x84\3\1x\1\0\0\0\1\1\0\0", YDOC_EMALFORMED),
    ROW("a clock above 2^32", "\0\0\2\x45\0\6\x80\x80\x80\x80\x80\x02\0\1\x84\3\1x\1\0\0\0\1\1\7\0",
        YDOC_EMALFORMED),
    ROW("an origin that is itself", "\0\0\2\x45\0\1\0\0\1\x84\3\1x\1\0\0\0\1\1\0\0",
        YDOC_EMALFORMED),
    ROW("an unknown shared type", "\0\0\1\5\0\0\1\7\3\1t\1\1\1\1\7\0\1\1\0\0", YDOC_EMALFORMED),
    ROW("content 11", "\0\0\1\5\0\0\1\x0b\3\1t\1\1\1\0\0\1\1\0\0", YDOC_EMALFORMED),
    ROW("a Skip with flags", "\0\0\1\5\0\0\1\x8a\1\0\0\0\0\1\1\0\1\0", YDOC_EMALFORMED),
    ROW("2^31 values", "\0\0\1\5\0\0\1\x08\3\1t\1\1\1\0\5\x80\x80\x80\x80\x10\1\1\0\x7e\0",
        YDOC_EMALFORMED),
    ROW("2^31 legacy values", "\0\0\1\5\0\0\1\x02\3\1t\1\1\1\0\5\x80\x80\x80\x80\x10\1\1\0\0",
        YDOC_EMALFORMED),
    ROW("an embed without a value", "\0\0\1\5\0\0\1\5\3\1t\1\1\1\0\0\1\1\0", YDOC_EMALFORMED),
    ROW("a value of tag 115", "\0\0\1\5\0\0\1\5\3\1t\1\1\1\0\0\1\1\0\x73\0", YDOC_EMALFORMED),
    ROW("ranges past 2^32", "\0\0\0\0\0\0\1\0\0\0\0\0\1\5\1\1\xff\xff\xff\xff\x0f",
        YDOC_EMALFORMED),
    ROW("ranges that are not there", "\0\0\0\0\0\0\1\0\0\0\0\0\1\5\x7f\1\1", YDOC_EMALFORMED),
    ROW("a million clients", "\0\0\0\0\0\0\1\0\0\0\0\xc0\x84\x3d\0\0", YDOC_EMALFORMED),
#undef ROW
};

/* Whatever the columns say, an answer comes, and the document stays usable. */
TEST(ydoc_v2, hostile_rows)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++) {
        struct ydoc *doc = make();
        uint8_t *copy = test_dup(hostile_rows[i].bytes, hostile_rows[i].len);
        struct ydoc_slice list[2] = {{copy, hostile_rows[i].len}, empty_v2};
        struct ydoc_error err = {0};
        int rc = hostile_rows[i].rc;

        TEST_CASE(hostile_rows[i].name);
        CHECK_EQ(ydoc_validate_update_v2(copy, list[0].len, NULL, &err), rc);
        CHECK(rc == 0 || (err.msg[0] != '\0' && err.offset <= list[0].len));
        CHECK_EQ(ydoc_merge_updates_v2(list, 2, &b, NULL), rc);
        CHECK_EQ(ydoc_convert_v2_to_v1(copy, list[0].len, &b, NULL), rc);
        CHECK_EQ(ydoc_apply_v2(doc, copy, list[0].len, NULL), rc);
        ydoc_buf_reset(&b);
        CHECK_EQ(ydoc_encode_state_v2(doc, NULL, 0, &b, NULL), 0);
        ydoc_buf_reset(&b);
        test_free(copy);
        ydoc_free(doc);
    }
    ydoc_buf_fini(&b);
}

/* An allocator that fails from the nth growing request on. */
struct meter {
    size_t left;
    size_t held;
};

static void *meter_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct meter *m = ctx;
    void *q;

    if (new_size == 0) {
        m->held -= old_size;
        free(p);
        return NULL;
    }
    if (new_size > old_size && m->left-- == 0) {
        m->left = 0;
        return NULL;
    }
    q = realloc(p, new_size);
    CHECK(q != NULL);
    m->held += new_size - old_size;
    return q;
}

static int run_all(const struct sample_v2 *s, struct ydoc_buf *out)
{
    int rc = ydoc_merge_updates_v2(s->updates, s->n, out, NULL);

    if (rc == 0)
        rc = ydoc_convert_v2_to_v1(s->state_v2.p, s->state_v2.len, out, NULL);
    if (rc == 0)
        rc = ydoc_convert_v1_to_v2(s->state_v1.p, s->state_v1.len, out, NULL);
    if (rc == 0)
        rc = ydoc_diff_update_v2(s->merged.p, s->merged.len, (const uint8_t *)"\1\1\1", 3, out,
                                 NULL);
    if (rc == 0)
        rc = ydoc_state_vector_from_update_v2(s->merged.p, s->merged.len, out, NULL);
    return rc;
}

/* Whichever allocation fails: the call says so and holds nothing. */
TEST(ydoc_v2, failing_allocations)
{
    for (size_t i = 0; i < ARRAY_LEN(samples_v2); i++) {
        int rc = YDOC_ENOMEM;

        TEST_CASE(samples_v2[i].name);
        for (size_t n = 0; rc != 0; n++) {
            struct meter meter = {n, 0};
            struct ydoc_alloc alloc = {meter_resize, &meter};
            struct ydoc_buf out;

            CHECK(n < 10000);
            ydoc_buf_init(&out, &alloc);
            rc = run_all(&samples_v2[i], &out);
            CHECK(rc == 0 || rc == YDOC_ENOMEM);
            ydoc_buf_fini(&out);
            CHECK_EQ(meter.held, 0);
        }
    }
}

/* The same for a document: it is as it was, or says that it is broken. */
TEST(ydoc_v2, failing_allocations_of_a_document)
{
    for (size_t i = 0; i < ARRAY_LEN(samples_v2); i++) {
        const struct sample_v2 *s = &samples_v2[i];
        bool failed = true;

        TEST_CASE(s->name);
        for (size_t n = 0; failed; n++) {
            struct meter meter = {SIZE_MAX, 0};
            struct ydoc_alloc alloc = {meter_resize, &meter};
            struct ydoc_options options = {.alloc = &alloc};
            struct ydoc *doc;
            struct ydoc_buf out;
            int rc = 0;

            CHECK(n < 10000);
            CHECK_EQ(ydoc_new(&doc, &options), 0);
            ydoc_buf_init(&out, &alloc);
            meter.left = n;
            for (size_t k = 0; k < s->n && rc == 0; k++)
                rc = ydoc_apply_v2(doc, s->updates[k].p, s->updates[k].len, NULL);
            if (rc == 0)
                rc = ydoc_encode_state_v2(doc, NULL, 0, &out, NULL);
            if (rc == 0)
                rc = ydoc_encode_snapshot_v2(doc, &out);
            if (rc == 0)
                rc = ydoc_take_changes_v2(doc, &out, NULL);
            failed = rc != 0;
            CHECK(!failed || rc == YDOC_ENOMEM);
            ydoc_buf_fini(&out);
            ydoc_free(doc);
            CHECK_EQ(meter.held, 0);
        }
    }
}
