/* Snapshots and relative positions, held against what yjs gives. */
#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
#include "ydoc_past_samples.h"

static struct ydoc_slice slice_of(const char *s)
{
    struct ydoc_slice slice = {(const uint8_t *)s, strlen(s)};

    return slice;
}

static void apply(struct ydoc *doc, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        CHECK_EQ(ydoc_apply_v1(doc, (const uint8_t *)past_updates[i].p, past_updates[i].len, NULL),
                 0);
}

static ydoc_type root(struct ydoc *doc, const char *name, enum ydoc_kind kind)
{
    ydoc_type type;

    CHECK_EQ(ydoc_root(doc, slice_of(name), kind, &type), 0);
    return type;
}

static struct ydoc *make(const struct ydoc_alloc *alloc, size_t updates)
{
    struct ydoc_options options = {.alloc = alloc, .keep_deleted = true};
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, &options), 0);
    root(doc, "t", YDOC_KIND_TEXT);
    root(doc, "l", YDOC_KIND_ARRAY);
    root(doc, "m", YDOC_KIND_MAP);
    apply(doc, 0, updates);
    return doc;
}

static struct ydoc_snapshot *decode(const struct past_blob *b)
{
    struct ydoc_snapshot *s;

    CHECK_EQ(ydoc_snapshot_decode_v1(&s, (const uint8_t *)b->p, b->len, NULL, NULL), 0);
    return s;
}

static void check_encoded(const struct ydoc_snapshot *s, size_t n)
{
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_snapshot_encode_v1(s, &out), 0);
    CHECK_MEM(out.p, out.len, past_v1[n].p, past_v1[n].len);
    ydoc_buf_reset(&out);
    CHECK_EQ(ydoc_snapshot_encode_v2(s, &out), 0);
    CHECK_MEM(out.p, out.len, past_v2[n].p, past_v2[n].len);
    ydoc_buf_fini(&out);
}

/* A snapshot of the document, and one that is read from either format, have the
 * bytes of yjs, and are equal to each other and to no other. */
TEST(past, snapshots_have_the_bytes_of_yjs)
{
    for (size_t n = 0; n < 2; n++) {
        struct ydoc *doc = make(NULL, n == 0 ? past_split : ARRAY_LEN(past_updates));
        struct ydoc_snapshot *s, *v1 = decode(&past_v1[n]), *v2, *other = decode(&past_v1[1 - n]);

        CHECK_EQ(ydoc_snapshot_new(&s, doc), 0);
        CHECK_EQ(
            ydoc_snapshot_decode_v2(&v2, (const uint8_t *)past_v2[n].p, past_v2[n].len, NULL, NULL),
            0);
        check_encoded(s, n);
        check_encoded(v1, n);
        check_encoded(v2, n);
        CHECK(ydoc_snapshot_equal(s, v1));
        CHECK(ydoc_snapshot_equal(v1, v2));
        CHECK(!ydoc_snapshot_equal(s, other));
        ydoc_snapshot_free(s);
        ydoc_snapshot_free(v1);
        ydoc_snapshot_free(v2);
        ydoc_snapshot_free(other);
        ydoc_free(doc);
    }
}

static void check_state(const struct ydoc *doc, const void *want, size_t len)
{
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &out, NULL), 0);
    CHECK_MEM(out.p, out.len, want, len);
    ydoc_buf_fini(&out);
}

TEST(past, documents_from_snapshots_have_the_bytes_of_yjs)
{
    struct ydoc *doc = make(NULL, ARRAY_LEN(past_updates)), *then;
    struct ydoc_buf state;

    ydoc_buf_init(&state, NULL);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &state, NULL), 0);
    for (size_t n = 0; n < 2; n++) {
        struct ydoc_snapshot *s = decode(&past_v1[n]);

        CHECK_EQ(ydoc_new_from_snapshot(&then, doc, s, NULL, NULL), 0);
        check_state(then, past_states[n].p, past_states[n].len);
        check_state(doc, state.p, state.len);
        ydoc_free(then);
        ydoc_snapshot_free(s);
    }
    ydoc_buf_fini(&state);
    ydoc_free(doc);
}

/* Deltas between any two, plain text, and the document is as before. */
TEST(past, texts_read_as_in_yjs)
{
    struct ydoc *doc = make(NULL, ARRAY_LEN(past_updates));
    struct ydoc_snapshot *s[2] = {decode(&past_v1[0]), decode(&past_v1[1])};
    ydoc_type type = root(doc, "t", YDOC_KIND_TEXT);
    struct ydoc_buf out, state;

    ydoc_buf_init(&out, NULL);
    ydoc_buf_init(&state, NULL);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &state, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(past_deltas); i++) {
        int now = past_deltas[i].snapshot, before = past_deltas[i].before;
        struct ydoc_at at = {now < 0 ? NULL : s[now], before < 0 ? NULL : s[before], NULL, NULL};

        ydoc_buf_reset(&out);
        CHECK_EQ(ydoc_text_delta_at(doc, type, &at, &out), 0);
        CHECK_MEM(out.p, out.len, past_deltas[i].delta, strlen(past_deltas[i].delta));
    }
    for (size_t n = 0; n < 2; n++) {
        ydoc_buf_reset(&out);
        CHECK_EQ(ydoc_text_string_at(doc, type, s[n], &out), 0);
        CHECK_MEM(out.p, out.len, past_strings[n], strlen(past_strings[n]));
        ydoc_snapshot_free(s[n]);
    }
    check_state(doc, state.p, state.len);
    ydoc_buf_fini(&out);
    ydoc_buf_fini(&state);
    ydoc_free(doc);
}

static void one_user(struct ydoc_buf *json, bool removed, const struct ydoc_id *id, void *ctx)
{
    const char *words = removed ? "{\"user\":7,\"type\":\"removed\"}" : "{ \"new\":1 }";

    CHECK(id->client == 7 || id->client == 9);
    *(int *)ctx += 1;
    ydoc_buf_append(json, words, strlen(words));
}

static void no_json(struct ydoc_buf *json, bool removed, const struct ydoc_id *id, void *ctx)
{
    (void)removed;
    (void)id;
    (void)ctx;
    ydoc_buf_append(json, "{", 1);
}

/* The caller says who has changed what; what is no JSON ends the reading. */
TEST(past, changes_are_attributed_by_the_caller)
{
    struct ydoc *doc = make(NULL, ARRAY_LEN(past_updates));
    struct ydoc_snapshot *s = decode(&past_v1[0]);
    ydoc_type type = root(doc, "t", YDOC_KIND_TEXT);
    int calls = 0;
    struct ydoc_at at = {NULL, s, one_user, &calls};
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_text_delta_at(doc, type, &at, &out), 0);
    CHECK(calls > 0);
    /* The attribute is written as JSON.stringify would. */
    ydoc_buf_append(&out, "", 1);
    CHECK(strstr((const char *)out.p, "\"ychange\":{\"new\":1}") != NULL);
    ydoc_buf_reset(&out);
    at.change = no_json;
    CHECK_EQ(ydoc_text_delta_at(doc, type, &at, &out), YDOC_EMALFORMED);
    CHECK_EQ(out.len, 0);
    ydoc_buf_fini(&out);
    ydoc_snapshot_free(s);
    ydoc_free(doc);
}

struct seen {
    struct ydoc_buf any; /* the values that are such */
    ydoc_type nested;
    int n, stop;
};

static int on_entry(struct ydoc_slice key, const struct ydoc_value *value, void *ctx)
{
    struct seen *seen = ctx;

    ydoc_buf_append(&seen->any, key.p, key.len);
    if (value->tag == YDOC_VALUE_TYPE)
        seen->nested = value->type;
    else
        ydoc_buf_append(&seen->any, value->any.p, value->any.len);
    return ++seen->n == seen->stop ? 77 : 0;
}

/* Values that were changed since, and a type that is deleted now, are as they were. */
TEST(past, lists_and_maps_read_as_in_yjs)
{
    struct ydoc *doc = make(NULL, ARRAY_LEN(past_updates));
    struct ydoc_snapshot *s = decode(&past_v1[0]);
    ydoc_type list = root(doc, "l", YDOC_KIND_ARRAY), map = root(doc, "m", YDOC_KIND_MAP);
    struct seen seen = {0};

    ydoc_buf_init(&seen.any, NULL);
    CHECK_EQ(ydoc_list_each_at(doc, list, s, on_entry, &seen), 0);
    CHECK_MEM(seen.any.p, seen.any.len, "\x7d\x01\x77\x03two\x78", 8);
    ydoc_buf_reset(&seen.any);
    CHECK_EQ(ydoc_list_each_at(doc, list, NULL, on_entry, &seen), 0);
    CHECK_MEM(seen.any.p, seen.any.len, "\x7d\x01\x78\x7e", 4);
    ydoc_buf_reset(&seen.any);
    CHECK_EQ(ydoc_map_each_at(doc, map, s, on_entry, &seen), 0);
    CHECK_MEM(seen.any.p, seen.any.len, "k\x77\x03oldn", 7);
    ydoc_buf_reset(&seen.any);
    CHECK_EQ(ydoc_type_length(doc, seen.nested), 0);
    CHECK_EQ(ydoc_text_string_at(doc, seen.nested, s, &seen.any), 0);
    CHECK_MEM(seen.any.p, seen.any.len, "nested", 6);
    ydoc_buf_reset(&seen.any);
    CHECK_EQ(ydoc_read_root_json_at(doc, slice_of("m"), YDOC_KIND_MAP, s, &seen.any), 0);
    CHECK_MEM(seen.any.p, seen.any.len, "{\"k\":\"old\",\"n\":\"nested\"}", 24);
    seen.n = 0;
    seen.stop = 2;
    CHECK_EQ(ydoc_list_each_at(doc, list, s, on_entry, &seen), 77);
    CHECK_EQ(seen.n, 2);
    ydoc_buf_fini(&seen.any);
    ydoc_snapshot_free(s);
    ydoc_free(doc);
}

/* A snapshot contains the updates that came before it, and no other. */
TEST(past, snapshots_contain_what_came_before)
{
    struct ydoc_snapshot *s = decode(&past_v1[0]), *all = decode(&past_v1[1]), *none;
    struct ydoc_buf v2;

    CHECK_EQ(ydoc_snapshot_new_empty(&none, NULL), 0);
    ydoc_buf_init(&v2, NULL);
    for (size_t i = 0; i < ARRAY_LEN(past_updates); i++) {
        const uint8_t *p = (const uint8_t *)past_updates[i].p;
        size_t len = past_updates[i].len;

        CHECK_EQ(ydoc_snapshot_contains_update_v1(s, p, len, NULL, NULL), i < past_split);
        CHECK_EQ(ydoc_snapshot_contains_update_v1(all, p, len, NULL, NULL), 1);
        CHECK_EQ(ydoc_snapshot_contains_update_v1(none, p, len, NULL, NULL), 0);
        CHECK_EQ(ydoc_snapshot_contains_update_v1(all, p, len - 1, NULL, NULL), YDOC_EMALFORMED);
        ydoc_buf_reset(&v2);
        CHECK_EQ(ydoc_convert_v1_to_v2(p, len, &v2, NULL), 0);
        CHECK_EQ(ydoc_snapshot_contains_update_v2(s, v2.p, v2.len, NULL, NULL), i < past_split);
    }
    ydoc_buf_fini(&v2);
    ydoc_snapshot_free(s);
    ydoc_snapshot_free(all);
    ydoc_snapshot_free(none);
}

typedef int (*decode_fn)(struct ydoc_snapshot **out, const uint8_t *p, size_t len,
                         const struct ydoc_options *options, struct ydoc_error *err);

/* Cut at any byte, it is refused. */
TEST(past, every_truncation_of_a_snapshot_is_refused)
{
    for (size_t n = 0; n < 4; n++) {
        const struct past_blob *b = n < 2 ? &past_v1[n] : &past_v2[n - 2];
        decode_fn fn = n < 2 ? ydoc_snapshot_decode_v1 : ydoc_snapshot_decode_v2;

        for (size_t cut = 0; cut < b->len; cut++) {
            uint8_t *copy = test_dup(b->p, cut);
            struct ydoc_snapshot *s;
            struct ydoc_error err;

            CHECK_EQ(fn(&s, copy, cut, NULL, &err), YDOC_EMALFORMED);
            CHECK(s == NULL);
            CHECK(err.offset <= cut);
            test_free(copy);
        }
    }
}

/* What peers may send: repeated clients, ranges out of order and overlapping, empty
 * ones, and clocks that no document has. */
TEST(past, odd_snapshots_are_kept_or_refused)
{
    static const char odd[] = "\x02\x07\x03\x05\x02\x00\x03\x01\x05\x07\x01\x02\x00\x02\x07\x01\x07"
                              "\x09";
    static const char kept[] = "\x01\x07\x03\x05\x02\x00\x03\x01\x05\x01\x07\x09";
    static const struct past_blob bad[] = {
        {"\x00\xff\xff\xff\xff\x0f", 6},                  /* more clients than bytes */
        {"\x01\x07\xff\xff\xff\xff\x0f\x00", 8},          /* more ranges */
        {"\x00\x01\x07\xff\xff\xff\xff\x1f", 8},          /* a clock above 2^32-1 */
        {"\x01\x07\x01\xff\xff\xff\xff\x0f\x02\x00", 10}, /* a range beyond it */
    };
    struct ydoc_snapshot *s;
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_snapshot_decode_v1(&s, (const uint8_t *)odd, sizeof(odd) - 1, NULL, NULL), 0);
    CHECK_EQ(ydoc_snapshot_encode_v1(s, &out), 0);
    CHECK_MEM(out.p, out.len, kept, sizeof(kept) - 1);
    ydoc_buf_reset(&out);
    CHECK_EQ(ydoc_snapshot_encode_v2(s, &out), 0);
    CHECK_MEM(out.p, out.len, "\x01\x07\x01\x00\x06\x01\x07\x09", 8);
    ydoc_snapshot_free(s);
    ydoc_buf_fini(&out);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ydoc_error err;

        CHECK_EQ(ydoc_snapshot_decode_v1(&s, (const uint8_t *)bad[i].p, bad[i].len, NULL, &err),
                 YDOC_EMALFORMED);
        CHECK(s == NULL);
    }
}

/* Nothing can be made of a snapshot that knows more than the document, nor from a
 * document that collects; such snapshots read as far as they go. */
TEST(past, snapshots_that_do_not_fit_are_refused)
{
    struct ydoc *doc = make(NULL, past_split), *then, *collects;
    struct ydoc_snapshot *s = decode(&past_v1[1]);
    struct ydoc_at at = {s, NULL, NULL, NULL};
    struct ydoc_error err;
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_new_from_snapshot(&then, doc, s, NULL, &err), YDOC_ERANGE);
    CHECK(then == NULL);
    CHECK_EQ(ydoc_text_delta_at(doc, root(doc, "t", YDOC_KIND_TEXT), &at, &out), 0);
    CHECK_EQ(ydoc_text_delta_at(doc, root(doc, "l", YDOC_KIND_ARRAY), &at, &out), YDOC_EKIND);
    CHECK_EQ(ydoc_text_delta_at(doc, 12345, &at, &out), YDOC_ENOENT);
    CHECK_EQ(ydoc_new(&collects, NULL), 0);
    CHECK_EQ(ydoc_new_from_snapshot(&then, collects, s, NULL, &err), YDOC_ENOENT);
    ydoc_buf_fini(&out);
    ydoc_snapshot_free(s);
    ydoc_free(collects);
    ydoc_free(doc);
}

/* ---- relative positions ---- */

static struct ydoc_relpos position(struct ydoc *doc, size_t i)
{
    enum ydoc_kind kind = past_positions[i].root[0] == 't' ? YDOC_KIND_TEXT : YDOC_KIND_ARRAY;
    struct ydoc_relpos pos;

    CHECK_EQ(ydoc_relpos_from_index(doc, root(doc, past_positions[i].root, kind),
                                    past_positions[i].index, past_positions[i].assoc, &pos),
             0);
    return pos;
}

static uint32_t resolve(struct ydoc *doc, const struct ydoc_relpos *pos)
{
    struct ydoc_position at;

    CHECK_EQ(ydoc_relpos_resolve(doc, pos, true, &at), 0);
    return at.index;
}

/* Bytes, JSON, and the index after further edits. */
TEST(past, positions_are_those_of_yjs)
{
    for (size_t i = 0; i < ARRAY_LEN(past_positions); i++) {
        struct ydoc *doc = make(NULL, past_split);
        struct ydoc_relpos pos = position(doc, i), read, parsed;
        const struct past_blob *want = &past_positions[i].encoded;
        struct ydoc_buf out, name;

        TEST_CASE(past_positions[i].json);
        ydoc_buf_init(&out, NULL);
        ydoc_buf_init(&name, NULL);
        CHECK_EQ(ydoc_relpos_to_json(&pos, &out), 0);
        CHECK_MEM(out.p, out.len, past_positions[i].json, strlen(past_positions[i].json));
        CHECK_EQ(ydoc_relpos_from_json(&parsed, ydoc_buf_slice(&out), &name, NULL), 0);
        CHECK(ydoc_relpos_equal(&pos, &parsed));
        ydoc_buf_reset(&out);
        CHECK_EQ(ydoc_relpos_encode(&pos, &out), 0);
        CHECK_MEM(out.p, out.len, want->p, want->len);
        CHECK_EQ(ydoc_relpos_decode(&read, out.p, out.len, NULL), 0);
        CHECK_EQ(ydoc_relpos_equal(&pos, &read), (pos.parts & YDOC_RELPOS_ITEM) == 0);
        apply(doc, past_split, ARRAY_LEN(past_updates));
        CHECK_EQ(resolve(doc, &read), past_positions[i].later);
        CHECK_EQ(resolve(doc, &parsed), past_positions[i].later);
        ydoc_buf_fini(&out);
        ydoc_buf_fini(&name);
        ydoc_free(doc);
    }
}

/* Inside a nested type, before it is deleted and after; and ids that nobody has. */
TEST(past, positions_that_lead_nowhere)
{
    struct ydoc *doc = make(NULL, past_split);
    struct ydoc_value value;
    struct ydoc_relpos pos;
    struct ydoc_position at;
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    CHECK_EQ(ydoc_map_get(doc, root(doc, "m", YDOC_KIND_MAP), slice_of("n"), &value), 0);
    CHECK_EQ(ydoc_relpos_from_index(doc, value.type, 6, 0, &pos), 0);
    CHECK_EQ(pos.parts, YDOC_RELPOS_TYPE);
    CHECK_EQ(ydoc_relpos_encode(&pos, &out), 0);
    CHECK_EQ(out.p[0], 2);
    CHECK_EQ(resolve(doc, &pos), 6);
    CHECK_EQ(ydoc_relpos_from_index(doc, value.type, 3, 0, &pos), 0);
    CHECK_EQ(pos.parts, YDOC_RELPOS_TYPE | YDOC_RELPOS_ITEM);
    CHECK_EQ(resolve(doc, &pos), 3);
    apply(doc, past_split, ARRAY_LEN(past_updates));
    CHECK_EQ(resolve(doc, &pos), 0);
    pos.item.clock = 4000;
    CHECK_EQ(ydoc_relpos_resolve(doc, &pos, true, &at), YDOC_ENOENT);
    pos.item.client = 123;
    CHECK_EQ(ydoc_relpos_resolve(doc, &pos, false, &at), YDOC_ENOENT);
    pos.parts = YDOC_RELPOS_TYPE;
    pos.type.clock = 0; /* text, no type */
    CHECK_EQ(ydoc_relpos_resolve(doc, &pos, false, &at), YDOC_ENOENT);
    pos.parts = 0;
    CHECK_EQ(ydoc_relpos_resolve(doc, &pos, false, &at), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_relpos_encode(&pos, &out), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_relpos_from_index(doc, 99, 0, 0, &pos), YDOC_ENOENT);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
}

/* A position that lacks its last byte lacks its assoc, which is then 0; cut
 * anywhere else it is refused. */
TEST(past, every_truncation_of_a_position)
{
    static const struct past_blob whole[] = {
        {"\x00\x87\x01\x83\x02\x41", 6}, {"\x01\x04text\x41", 7}, {"\x02\x87\x01\x83\x02\x41", 6}};

    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        for (size_t cut = 0; cut <= whole[i].len; cut++) {
            uint8_t *copy = test_dup(whole[i].p, cut);
            bool enough = cut + 1 >= whole[i].len;
            struct ydoc_relpos pos;
            struct ydoc_error err;

            CHECK_EQ(ydoc_relpos_decode(&pos, copy, cut, &err), enough ? 0 : YDOC_EMALFORMED);
            CHECK_EQ(pos.parts, enough ? 1u << i : 0);
            CHECK_EQ(pos.assoc, cut == whole[i].len ? -1 : 0);
            test_free(copy);
        }
    }
}

TEST(past, bad_positions_are_refused)
{
    static const struct past_blob bad[] = {
        {"\x03\x01\x01\x00", 4},                             /* no such kind */
        {"\x01\x02\xc3\x28\x00", 5},                         /* not UTF-8 */
        {"\x01\xff\xff\xff\xff\xff\xff\x0f", 8},             /* longer than the input */
        {"\x00\xff\xff\xff\xff\xff\xff\xff\xff\x0f\x00", 11} /* above 2^53-1 */
    };
    static const char *const bad_json[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"assoc\":1}",
        "{\"tname\":1}",
        "{\"item\":7}",
        "{\"item\":{\"client\":1}}",
        "{\"item\":{\"client\":-1,\"clock\":2}}",
        "{\"item\":{\"client\":1,\"clock\":2.5}}",
        "{\"item\":{\"client\":90071992547409920,\"clock\":2}}",
        "{\"tname\":\"t\",\"assoc\":0.5}",
    };
    struct ydoc_relpos pos;
    struct ydoc_error err;
    struct ydoc_buf name;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_EQ(ydoc_relpos_decode(&pos, (const uint8_t *)bad[i].p, bad[i].len, &err),
                 YDOC_EMALFORMED);
    ydoc_buf_init(&name, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad_json); i++) {
        TEST_CASE(bad_json[i]);
        CHECK_EQ(ydoc_relpos_from_json(&pos, slice_of(bad_json[i]), &name, &err), YDOC_EMALFORMED);
        CHECK_EQ(name.len, 0);
    }
    CHECK_EQ(ydoc_relpos_from_json(&pos,
                                   slice_of(" {\"x\":[{}],\"assoc\":-3,\"item\":null,"
                                            "\"tname\":\"\\u0061\\n\"}"),
                                   &name, &err),
             0);
    CHECK_EQ(pos.parts, YDOC_RELPOS_ROOT);
    CHECK_EQ(pos.assoc, -3);
    CHECK_MEM(pos.root.p, pos.root.len, "a\n", 2);
    ydoc_buf_fini(&name);
}

/* ---- memory ---- */

/* Everything once; 0, or the first error. */
static int use_the_past(struct ydoc *doc, const struct ydoc_options *options)
{
    struct ydoc_snapshot *s = NULL, *now = NULL;
    struct ydoc_at at = {NULL, NULL, NULL, NULL};
    ydoc_type type = root(doc, "t", YDOC_KIND_TEXT);
    struct ydoc *then = NULL;
    struct ydoc_relpos pos;
    struct ydoc_buf out;
    int rc;

    ydoc_buf_init(&out, options->alloc);
    rc = ydoc_snapshot_decode_v1(&s, (const uint8_t *)past_v1[0].p, past_v1[0].len, options, NULL);
    if (rc == 0)
        rc = ydoc_snapshot_new(&now, doc);
    at.snapshot = now;
    at.before = s;
    if (rc == 0)
        rc = ydoc_text_delta_at(doc, type, &at, &out);
    if (rc == 0)
        rc = ydoc_new_from_snapshot(&then, doc, s, options, NULL);
    if (rc == 0)
        rc = ydoc_relpos_from_index(doc, type, 99, -1, &pos);
    if (rc == 0)
        rc = ydoc_relpos_encode(&pos, &out);
    ydoc_free(then);
    ydoc_snapshot_free(s);
    ydoc_snapshot_free(now);
    ydoc_buf_fini(&out);
    return rc;
}

/* Whichever allocation fails, nothing leaks. */
TEST(past, out_of_memory_at_every_allocation)
{
    long failures = 0;

    for (int rc = YDOC_ENOMEM; rc != 0; failures++) {
        struct account account = {0, 1000000};
        struct ydoc_alloc alloc = {account_resize, &account};
        struct ydoc_options options = {.alloc = &alloc, .keep_deleted = true};
        struct ydoc *doc = make(&alloc, ARRAY_LEN(past_updates));

        account.calls_left = failures;
        rc = use_the_past(doc, &options);
        CHECK(rc == 0 || rc == YDOC_ENOMEM);
        ydoc_free(doc);
        CHECK_EQ(account.held, 0);
    }
    CHECK(failures > 20);
}
