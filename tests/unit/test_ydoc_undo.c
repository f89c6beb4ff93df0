#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
#include "ydoc/lib0.h"
#include "ydoc_undo_samples.h"

#define CLIENT 4000000001u

static struct ydoc_slice text(const char *s)
{
    struct ydoc_slice slice = {(const uint8_t *)s, strlen(s)};

    return slice;
}

static void add_hex(struct ydoc_buf *b, struct ydoc_slice bytes)
{
    char digits[3];

    for (size_t i = 0; i < bytes.len; i++) {
        snprintf(digits, sizeof(digits), "%02x", bytes.p[i]);
        ydoc_buf_append(b, digits, 2);
    }
}

/* At most 128 bytes. */
static struct ydoc_slice from_hex(const char *hex, uint8_t *bytes)
{
    struct ydoc_slice s = {bytes, strlen(hex) / 2};

    CHECK(s.len <= 128);
    for (size_t i = 0; i < s.len; i++)
        CHECK_EQ(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
    return s;
}

/* ---- a document with an undo manager ---- */

struct desk {
    struct ydoc *doc;
    struct ydoc_undo *undo;
    ydoc_type t, a, m;
    uint64_t now;
    struct ydoc_buf updates;
    char log[256]; /* of events */
    int metas;     /* that are alive */
    bool makes_metas, is_quiet;
};

static uint64_t desk_now(void *ctx)
{
    const struct desk *d = ctx;

    return d->now;
}

static void desk_on_update(struct ydoc *doc, struct ydoc_slice update, const void *origin,
                           void *ctx)
{
    struct desk *d = ctx;

    (void)doc, (void)origin;
    if (d->updates.len > 0)
        ydoc_buf_append(&d->updates, " ", 1);
    add_hex(&d->updates, update);
}

static void desk_on_event(struct ydoc_undo *undo, const struct ydoc_undo_event *event, void *ctx)
{
    static const char letters[] = "AUPCD";
    struct desk *d = ctx;
    size_t n = strlen(d->log);

    CHECK(ydoc_undo_doc(undo) == d->doc);
    if (d->is_quiet)
        return;
    CHECK(n + 2 < sizeof(d->log));
    d->log[n] = letters[event->kind];
    if (event->redo)
        d->log[n] = (char)(d->log[n] - 'A' + 'a');
    if (!d->makes_metas)
        return;
    if (event->kind == YDOC_UNDO_ADDED) {
        CHECK(*event->meta == NULL);
        *event->meta = d;
        d->metas++;
    } else if (event->kind == YDOC_UNDO_DROPPED) {
        CHECK(*event->meta == d);
        d->metas--;
    }
}

static int desk_open(struct desk *d, const struct ydoc_options *options,
                     struct ydoc_undo_options *undo)
{
    ydoc_type scope[3];
    int rc = ydoc_new(&d->doc, options);

    d->undo = NULL;
    ydoc_buf_init(&d->updates, NULL);
    d->now = 1000;
    if (rc == 0)
        rc = ydoc_root(d->doc, text("t"), YDOC_KIND_TEXT, &d->t);
    if (rc == 0)
        rc = ydoc_root(d->doc, text("a"), YDOC_KIND_ARRAY, &d->a);
    if (rc == 0)
        rc = ydoc_root(d->doc, text("m"), YDOC_KIND_MAP, &d->m);
    if (rc == 0)
        rc = ydoc_observe_updates(d->doc, 1, desk_on_update, d);
    if (rc < 0)
        return rc;
    scope[0] = d->t;
    scope[1] = d->a;
    scope[2] = d->m;
    undo->scope = scope;
    undo->scope_n = 3;
    undo->now_ms = desk_now;
    undo->on_event = desk_on_event;
    undo->ctx = d;
    return ydoc_undo_new(&d->undo, d->doc, undo);
}

static void desk_close(struct desk *d)
{
    ydoc_undo_free(d->undo);
    ydoc_free(d->doc);
    ydoc_buf_fini(&d->updates);
}

static void open_default(struct desk *d)
{
    struct ydoc_options options = {.client_id = CLIENT};
    struct ydoc_undo_options undo = {0};

    memset(d, 0, sizeof(*d));
    CHECK_EQ(desk_open(d, &options, &undo), 0);
}

static int insert(struct desk *d, uint32_t index, const char *s)
{
    struct ydoc_slice none = {NULL, 0};

    return ydoc_text_insert(d->doc, d->t, index, text(s), none);
}

static void check_text(const struct desk *d, const char *want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_text_slice(d->doc, d->t, 0, ydoc_type_length(d->doc, d->t), &b), 0);
    CHECK_MEM(b.p, b.len, want, strlen(want));
    ydoc_buf_fini(&b);
}

/* ---- the bytes of yjs ---- */

static int fill_text(struct ydoc *doc, ydoc_type type, void *ctx)
{
    struct ydoc_slice none = {NULL, 0};

    return ydoc_text_insert(doc, type, 0, text(ctx), none);
}

static ydoc_type first_text(const struct desk *d)
{
    struct ydoc_value v;

    for (uint32_t i = 0; ydoc_list_get(d->doc, d->a, i, &v) == 0; i++) {
        if (v.tag == YDOC_VALUE_TYPE)
            return v.type;
    }
    return 0;
}

static int run_list_step(struct desk *d, const struct step *s)
{
    struct ydoc_slice none = {NULL, 0};
    struct ydoc_value v = {.tag = YDOC_VALUE_STRING};

    switch (s->op) {
    case ADD_TEXT:
        v.tag = YDOC_VALUE_TYPE;
        v.kind = YDOC_KIND_TEXT;
        v.fill = fill_text;
        v.ctx = (void *)(uintptr_t)s->text;
        return ydoc_list_insert(d->doc, d->a, s->index, &v, 1);
    case ADD:
        v.any = text(s->text);
        return ydoc_list_insert(d->doc, d->a, s->index, &v, 1);
    case REMOVE:
        return ydoc_list_delete(d->doc, d->a, s->index, s->len);
    case INSERT_IN:
        return ydoc_text_insert(d->doc, first_text(d), s->index, text(s->text), none);
    case DELETE_IN:
        return ydoc_text_delete(d->doc, first_text(d), s->index, s->len);
    default:
        v.any = text(s->text);
        return ydoc_map_set(d->doc, d->m, text(s->where), &v);
    }
}

static int run_step(struct desk *d, const struct step *s)
{
    struct ydoc_slice update;
    uint8_t bytes[128];

    switch (s->op) {
    case INSERT:
        return insert(d, s->index, s->text);
    case DELETE:
        return ydoc_text_delete(d->doc, d->t, s->index, s->len);
    case FORMAT:
        return ydoc_text_format(d->doc, d->t, s->index, s->len, text(s->text));
    case UNSET:
        return ydoc_map_delete(d->doc, d->m, text(s->where));
    case UNDO:
        return ydoc_undo_undo(d->undo);
    case REDO:
        return ydoc_undo_redo(d->undo);
    case STOP:
        ydoc_undo_stop_capturing(d->undo);
        return 0;
    case REMOTE:
        update = from_hex(remotes[s->index], bytes);
        return ydoc_apply_v1_from(d->doc, update.p, update.len, remotes, NULL);
    default:
        return run_list_step(d, s);
    }
}

/* What was done, a digit for each undo and redo; the first error, or 0. */
static int run_row(struct desk *d, const struct row *row, char *done)
{
    int rc = 0;

    for (size_t i = 0; i < STEPS_MAX && rc >= 0; i++) {
        const struct step *s = &row->steps[i];

        if (s->op == INSERT && s->text == NULL)
            break;
        rc = run_step(d, s);
        if (rc >= 0 && (s->op == UNDO || s->op == REDO))
            *done++ = (char)('0' + rc);
    }
    *done = '\0';
    return rc < 0 ? rc : 0;
}

static void check_state(const struct desk *d, const char *want)
{
    struct ydoc_buf state, hex;

    ydoc_buf_init(&state, NULL);
    ydoc_buf_init(&hex, NULL);
    CHECK_EQ(ydoc_encode_state_v1(d->doc, NULL, 0, &state, NULL), 0);
    add_hex(&hex, ydoc_buf_slice(&state));
    CHECK_MEM(hex.p, hex.len, want, strlen(want));
    ydoc_buf_fini(&state);
    ydoc_buf_fini(&hex);
}

/* The order of a list is not in the bytes. */
static void check_content(const struct desk *d, const struct row *row)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_text(d->doc, text("t"), &b), 0);
    CHECK_MEM(b.p, b.len, row->text, strlen(row->text));
    ydoc_buf_reset(&b);
    CHECK_EQ(ydoc_read_root_json(d->doc, text("a"), YDOC_KIND_ARRAY, &b), 0);
    CHECK_MEM(b.p, b.len, row->list, strlen(row->list));
    ydoc_buf_fini(&b);
}

TEST(ydoc_undo, samples_give_the_bytes_of_yjs)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char done[STEPS_MAX + 1];
        struct desk d;

        TEST_CASE(rows[i].name);
        open_default(&d);
        CHECK_EQ(run_row(&d, &rows[i], done), 0);
        CHECK_STR(done, rows[i].done);
        CHECK_MEM(d.updates.p, d.updates.len, rows[i].updates, strlen(rows[i].updates));
        check_state(&d, rows[i].state);
        check_content(&d, &rows[i]);
        desk_close(&d);
    }
}

/* ---- memory ---- */

/* Whichever allocation fails, nothing leaks, and the answer says that there was no memory. */
TEST(ydoc_undo, out_of_memory_at_every_allocation)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = YDOC_ENOMEM;

        TEST_CASE(rows[i].name);
        for (long calls = 0; rc != 0; calls++) {
            struct account account = {0, calls};
            struct ydoc_alloc alloc = {account_resize, &account};
            struct ydoc_options options = {.alloc = &alloc, .client_id = CLIENT};
            struct ydoc_undo_options undo = {0};
            char done[STEPS_MAX + 1];
            struct desk d = {.makes_metas = true};

            rc = desk_open(&d, &options, &undo);
            if (rc == 0)
                rc = run_row(&d, &rows[i], done);
            CHECK(rc == 0 || rc == YDOC_ENOMEM || rc == YDOC_EBROKEN);
            if (rc == 0) {
                check_state(&d, rows[i].state);
                CHECK_EQ(ydoc_memory_used(d.doc), account.held);
            }
            desk_close(&d);
            CHECK_EQ(account.held, 0);
            CHECK_EQ(d.metas, 0);
        }
    }
}

/* ---- what goes together ---- */

/* Changes less than the timeout apart are one step, counted from the last of them. */
TEST(ydoc_undo, captures_what_follows_quickly)
{
    struct desk d;

    open_default(&d);
    CHECK_EQ(insert(&d, 0, "a"), 0);
    d.now += 499;
    CHECK_EQ(insert(&d, 1, "b"), 0);
    d.now += 499;
    CHECK_EQ(insert(&d, 2, "c"), 0);
    d.now += 500;
    CHECK_EQ(insert(&d, 3, "d"), 0);
    ydoc_undo_stop_capturing(d.undo);
    CHECK_EQ(insert(&d, 4, "e"), 0);
    CHECK_STR(d.log, "AUUAA");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "abcd");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "abc");
    CHECK(ydoc_undo_can_undo(d.undo));
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "");
    CHECK(!ydoc_undo_can_undo(d.undo));
    CHECK(ydoc_undo_can_redo(d.undo));
    CHECK_EQ(ydoc_undo_undo(d.undo), 0);
    desk_close(&d);
}

TEST(ydoc_undo, captures_each_when_asked)
{
    struct ydoc_undo_options undo = {.capture_each = true};
    struct desk d = {0};

    CHECK_EQ(desk_open(&d, NULL, &undo), 0);
    CHECK_EQ(insert(&d, 0, "a"), 0);
    CHECK_EQ(insert(&d, 1, "b"), 0);
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "a");
    desk_close(&d);
}

/* ---- origins ---- */

static const char ours[] = "ours", others[] = "others";

static void insert_from(struct desk *d, const void *origin, const char *s)
{
    CHECK_EQ(ydoc_begin(d->doc, origin), 0);
    CHECK_EQ(insert(d, 0, s), 0);
    CHECK_EQ(ydoc_commit(d->doc, NULL), 0);
}

TEST(ydoc_undo, tracks_the_given_origins_only)
{
    static const void *const origins[] = {ours};
    struct ydoc_undo_options undo = {.origins = origins, .origins_n = 1, .capture_each = true};
    struct desk d = {0};

    CHECK_EQ(desk_open(&d, NULL, &undo), 0);
    insert_from(&d, ours, "a");
    insert_from(&d, NULL, "b");
    insert_from(&d, others, "c");
    CHECK_EQ(ydoc_undo_add_origin(d.undo, others), 0);
    insert_from(&d, others, "d");
    ydoc_undo_remove_origin(d.undo, others);
    insert_from(&d, others, "e");
    CHECK_STR(d.log, "AA");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "ecba");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    check_text(&d, "ecb");
    CHECK_EQ(ydoc_undo_undo(d.undo), 0);
    CHECK_EQ(ydoc_undo_redo(d.undo), 1);
    check_text(&d, "ecba");
    desk_close(&d);
}

/* ---- scope ---- */

TEST(ydoc_undo, leaves_alone_what_is_outside_of_the_scope)
{
    ydoc_type other, gone;
    struct ydoc_value v = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_TEXT};
    struct ydoc_slice none = {NULL, 0};
    struct desk d;

    open_default(&d);
    CHECK_EQ(ydoc_root(d.doc, text("o"), YDOC_KIND_TEXT, &other), 0);
    CHECK_EQ(ydoc_text_insert(d.doc, other, 0, text("x"), none), 0);
    CHECK_STR(d.log, "");
    CHECK_EQ(ydoc_undo_add_scope(d.undo, other), 0);
    CHECK_EQ(ydoc_text_insert(d.doc, other, 1, text("y"), none), 0);
    CHECK_STR(d.log, "A");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    CHECK_EQ(ydoc_type_length(d.doc, other), 1);

    CHECK_EQ(ydoc_list_insert(d.doc, d.a, 0, &v, 1), 0);
    CHECK_EQ(ydoc_list_get(d.doc, d.a, 0, &v), 0);
    gone = v.type;
    CHECK_EQ(ydoc_list_delete(d.doc, d.a, 0, 1), 0);
    CHECK_EQ(ydoc_undo_add_scope(d.undo, gone), YDOC_ENOENT);
    desk_close(&d);
}

TEST(ydoc_undo, takes_the_whole_document)
{
    struct ydoc_slice none = {NULL, 0};
    struct ydoc_undo *undo;
    struct ydoc *doc;
    ydoc_type t;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_undo_new(&undo, doc, NULL), 0);
    CHECK_EQ(ydoc_root(doc, text("t"), YDOC_KIND_TEXT, &t), 0);
    CHECK_EQ(ydoc_text_insert(doc, t, 0, text("x"), none), 0);
    CHECK_EQ(ydoc_undo_undo(undo), 1);
    CHECK_EQ(ydoc_type_length(doc, t), 0);
    ydoc_undo_free(undo);
    ydoc_free(doc);
}

/* ---- filters ---- */

static bool capture_local(const struct ydoc_undo *undo, const void *origin, bool local, void *ctx)
{
    const struct desk *d = ctx;

    CHECK(ydoc_undo_doc(undo) == d->doc);
    return local && origin != ours;
}

static bool keep_texts(const struct ydoc_undo *undo, const struct ydoc_undo_item *item, void *ctx)
{
    const struct desk *d = ctx;

    CHECK_EQ(item->client, ydoc_client_id(ydoc_undo_doc(undo)));
    CHECK(item->parent == d->a ? item->key.p == NULL : item->parent == d->m && item->key.len == 1);
    return ydoc_type_kind(d->doc, item->type) != YDOC_KIND_TEXT;
}

TEST(ydoc_undo, asks_what_to_capture_and_what_to_delete)
{
    struct ydoc_undo_options undo = {.capture = capture_local, .delete_filter = keep_texts};
    struct ydoc_value v[2] = {{.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_TEXT},
                              {.tag = YDOC_VALUE_STRING, .any = text("s")}};
    struct desk d = {0};

    CHECK_EQ(desk_open(&d, NULL, &undo), 0);
    insert_from(&d, ours, "a");
    CHECK_STR(d.log, "");
    CHECK_EQ(ydoc_list_insert(d.doc, d.a, 0, v, 2), 0);
    CHECK_EQ(ydoc_map_set(d.doc, d.m, text("k"), &v[1]), 0);
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    CHECK_EQ(ydoc_type_length(d.doc, d.a), 1);
    CHECK_EQ(ydoc_map_get(d.doc, d.m, text("k"), &v[1]), YDOC_ENOENT);
    desk_close(&d);
}

/* ---- events ---- */

/* Every stack item is announced, and its meta is given back when it goes. */
TEST(ydoc_undo, says_what_becomes_of_stack_items)
{
    struct desk d;

    open_default(&d);
    d.makes_metas = true;
    CHECK_EQ(insert(&d, 0, "a"), 0);
    CHECK_EQ(insert(&d, 1, "b"), 0);
    ydoc_undo_stop_capturing(d.undo);
    CHECK_EQ(insert(&d, 2, "c"), 0);
    CHECK_STR(d.log, "AUA");
    CHECK_EQ(d.metas, 2);
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    CHECK_STR(d.log, "AUAaPD");
    CHECK_EQ(ydoc_undo_redo(d.undo), 1);
    CHECK_STR(d.log, "AUAaPDApd");
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    memset(d.log, 0, sizeof(d.log));
    CHECK_EQ(insert(&d, 2, "d"), 0); /* clears the redo stack first */
    CHECK_STR(d.log, "dCA");
    CHECK_EQ(d.metas, 2);
    CHECK_EQ(ydoc_undo_clear(d.undo, true, true), 0);
    CHECK_STR(d.log, "dCADDC");
    CHECK_EQ(d.metas, 0);
    CHECK_EQ(ydoc_undo_undo(d.undo), 0);
    CHECK_EQ(insert(&d, 0, "e"), 0);
    desk_close(&d);
    CHECK_EQ(d.metas, 0);
}

/* ---- collecting ---- */

static size_t state_bytes(const struct desk *d)
{
    struct ydoc_buf b;
    size_t len;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_encode_state_v1(d->doc, NULL, 0, &b, NULL), 0);
    len = b.len;
    ydoc_buf_fini(&b);
    return len;
}

/* A deleted text stays in the document as long as it can be restored. */
TEST(ydoc_undo, keeps_what_it_may_restore)
{
    char page[1001];
    size_t kept;
    struct desk d;

    memset(page, 'x', 1000);
    page[1000] = '\0';
    open_default(&d);
    CHECK_EQ(insert(&d, 0, page), 0);
    ydoc_undo_stop_capturing(d.undo);
    CHECK_EQ(ydoc_text_delete(d.doc, d.t, 0, 1000), 0);
    kept = state_bytes(&d);
    CHECK(kept > 1000);
    CHECK_EQ(ydoc_undo_clear(d.undo, true, false), 0);
    CHECK_EQ(state_bytes(&d), kept); /* it was deleted long ago: nobody looks at it again */
    CHECK_EQ(insert(&d, 0, page), 0);
    ydoc_undo_free(d.undo);
    d.undo = NULL;
    CHECK_EQ(ydoc_text_delete(d.doc, d.t, 0, 1000), 0);
    CHECK(state_bytes(&d) < kept + 100);
    desk_close(&d);
}

/* ---- depth ---- */

#define DEPTH 3000u

/* An array of client `n` inside the array of the client before. */
static void apply_nested(struct desk *d, uint32_t n)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    lib0_write_raw(&b, "\1\1", 2);
    lib0_write_varuint(&b, n);
    lib0_write_raw(&b, n == 1 ? "\0\7\1\1a" : "\0\7\0", n == 1 ? 5 : 3);
    if (n > 1) {
        lib0_write_varuint(&b, n - 1);
        lib0_write_u8(&b, 0);
    }
    lib0_write_raw(&b, "\0\0", 2);
    CHECK_EQ(ydoc_apply_v1_from(d->doc, b.p, b.len, others, NULL), 0);
    ydoc_buf_fini(&b);
}

static uint32_t nested_depth(const struct desk *d)
{
    struct ydoc_value v = {.type = d->a};
    uint32_t depth = 0;

    while (ydoc_list_get(d->doc, v.type, 0, &v) == 0)
        depth++;
    return depth;
}

/* Types that a peer has nested deeply are deleted from the innermost outwards, so that the first
 * one to come back needs all of the others. */
TEST(ydoc_undo, restores_parents_before_children_without_a_stack)
{
    static ydoc_type types[DEPTH + 1];
    struct ydoc_value v;
    struct desk d;

    open_default(&d);
    d.is_quiet = true;
    types[0] = d.a;
    for (uint32_t n = 1; n <= DEPTH; n++) {
        apply_nested(&d, n);
        CHECK_EQ(ydoc_list_get(d.doc, types[n - 1], 0, &v), 0);
        types[n] = v.type;
    }
    CHECK_EQ(nested_depth(&d), DEPTH);
    for (uint32_t n = DEPTH; n > 0; n--)
        CHECK_EQ(ydoc_list_delete(d.doc, types[n - 1], 0, 1), 0);
    CHECK_EQ(nested_depth(&d), 0);
    CHECK_EQ(ydoc_undo_undo(d.undo), 1);
    CHECK_EQ(nested_depth(&d), DEPTH);
    CHECK_EQ(ydoc_undo_redo(d.undo), 1);
    CHECK_EQ(nested_depth(&d), 0);
    desk_close(&d);
}
