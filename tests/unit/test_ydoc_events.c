#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"

/* One history of local edits and a remote update, watched by everything that can
 * watch, and what yjs 13.6 calls in the same history, in its order. */

static const struct ydoc_slice none = {NULL, 0};

static struct ydoc_slice str(const char *s)
{
    struct ydoc_slice v = {(const uint8_t *)s, strlen(s)};

    return v;
}

struct world {
    struct ydoc *doc;
    ydoc_type t, a, m, x;
    struct ydoc_buf log;
    int number; /* of on_again */
    bool edited;
    int rc; /* the first error of any call */
};

static void must(struct world *w, int rc)
{
    if (w->rc == 0 && rc < 0)
        w->rc = rc;
}

static void say(struct world *w, const char *words)
{
    ydoc_buf_append(&w->log, words, strlen(words));
}

/* ---- observers ---- */

static void say_event(struct world *w, struct ydoc_event *e)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    ydoc_buf_append(&b, " ", 1);
    must(w, ydoc_event_path_json(e, &b));
    ydoc_buf_append(&b, " ", 1);
    must(w, ydoc_event_delta_json(e, &b));
    ydoc_buf_append(&b, " ", 1);
    must(w, ydoc_event_keys_json(e, &b));
    ydoc_buf_append(&w->log, b.p, b.len);
    ydoc_buf_fini(&b);
}

/* Works the delta out beforehand: that is a transaction, whose observers write to
 * the log too. */
static void ask(struct world *w, struct ydoc_event *e)
{
    uint32_t iter = 0;
    struct ydoc_op op;

    must(w, ydoc_event_next_op(e, &iter, &op));
}

static void say_name(struct world *w, ydoc_type type)
{
    struct ydoc_slice name = ydoc_type_name(w->doc, type);

    ydoc_buf_append(&w->log, name.p, name.len);
}

static void on_event(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct world *w = ctx;

    (void)doc;
    ask(w, e);
    say(w, "on ");
    say_name(w, ydoc_event_target(e));
    say_event(w, e);
    say(w, "\n");
}

static void on_events(struct ydoc *doc, struct ydoc_event *const *events, size_t n, void *ctx)
{
    struct world *w = ctx;

    (void)doc;
    for (size_t i = 0; i < n; i++)
        ask(w, events[i]);
    say(w, "deep ");
    say_name(w, n > 0 ? ydoc_event_current_target(events[0]) : 0);
    for (size_t i = 0; i < n; i++) {
        say(w, " |");
        say_event(w, events[i]);
    }
    say(w, "\n");
}

static void on_before(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx)
{
    (void)doc;
    (void)tx;
    say(ctx, "before\n");
}

static void on_after(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx)
{
    (void)doc;
    say(ctx, tx->local ? "after local\n" : "after remote\n");
}

static void on_all(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx)
{
    (void)doc;
    say(ctx, tx == NULL ? "all\n" : "all with a transaction\n");
}

static struct ydoc_value number(uint8_t n)
{
    static const uint8_t encoded[8][2] = {{125, 0}, {125, 1}, {125, 2}, {125, 3},
                                          {125, 4}, {125, 5}, {125, 6}, {125, 7}};
    struct ydoc_value v = {.tag = YDOC_VALUE_ANY, .any = {encoded[n], 2}};

    return v;
}

static struct ydoc_value string(const char *s)
{
    struct ydoc_value v = {.tag = YDOC_VALUE_STRING, .any = str(s)};

    return v;
}

static struct ydoc_value simple(const uint8_t *tag)
{
    struct ydoc_value v = {.tag = YDOC_VALUE_ANY, .any = {tag, 1}};

    return v;
}

static void set(struct world *w, ydoc_type map, const char *key, struct ydoc_value v)
{
    must(w, ydoc_map_set(w->doc, map, str(key), &v));
}

/* Edits, and is not called again. */
static void on_again(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct world *w = ctx;
    struct ydoc_value v;

    (void)e;
    if (w->edited || ydoc_map_get(doc, w->m, str("again"), &v) != 0)
        return;
    w->edited = true;
    must(w, ydoc_text_insert(doc, w->t, 0, str("!"), none));
    set(w, w->m, "again", number(2));
    ydoc_unobserve(doc, w->number);
}

/* ---- the history ---- */

static void begin(struct world *w)
{
    must(w, ydoc_begin(w->doc, NULL));
}

static void commit(struct world *w)
{
    must(w, ydoc_commit(w->doc, NULL));
}

static int fill_map(struct ydoc *doc, ydoc_type type, void *ctx)
{
    struct ydoc_value v = string("v");

    (void)ctx;
    return ydoc_map_set(doc, type, str("k"), &v);
}

static ydoc_type child(struct world *w, ydoc_type list, uint32_t index)
{
    struct ydoc_value v = {0};

    must(w, ydoc_list_get(w->doc, list, index, &v));
    return v.type;
}

static void edit_text_and_lists(struct world *w)
{
    static const uint8_t yes[] = {120};
    struct ydoc_value values[3] = {number(1), string("x"), simple(yes)};
    struct ydoc_value embed = {.tag = YDOC_VALUE_JSON, .any = str("{\"image\":\"u\"}")};
    struct ydoc_value map = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_MAP, .fill = fill_map};

    must(w, ydoc_text_insert(w->doc, w->t, 0, str("hello"), none));
    begin(w);
    must(w, ydoc_text_format(w->doc, w->t, 0, 2, str("{\"bold\":true}")));
    must(w, ydoc_text_insert(w->doc, w->t, 5, str(" world"), str("{}")));
    must(w, ydoc_text_delete(w->doc, w->t, 0, 1));
    commit(w);
    must(w, ydoc_text_insert_embed(w->doc, w->t, 1, &embed, none));
    must(w, ydoc_list_insert(w->doc, w->a, 0, values, 3));
    must(w, ydoc_list_insert(w->doc, w->a, 1, &map, 1));
}

static void edit_maps(struct world *w)
{
    static const uint8_t null[] = {126};
    ydoc_type nested = child(w, w->a, 1);
    struct ydoc_value list = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_ARRAY};

    set(w, nested, "k", number(2));
    begin(w);
    set(w, w->m, "k1", number(1));
    set(w, w->m, "k2", list);
    must(w, ydoc_map_delete(w->doc, w->m, str("k1")));
    commit(w);
    set(w, w->m, "k2", number(5));
    begin(w);
    set(w, w->m, "k3", number(1));
    set(w, nested, "z", simple(null));
    must(w, ydoc_map_delete(w->doc, nested, str("k")));
    must(w, ydoc_text_delete(w->doc, w->t, 0, 1));
    must(w, ydoc_list_delete(w->doc, w->a, 0, 1));
    set(w, nested, "z", string("y"));
    commit(w);
    begin(w);
    set(w, nested, "q", number(1));
    must(w, ydoc_list_delete(w->doc, w->a, 0, 2));
    commit(w);
}

static void edit_xml(struct world *w)
{
    struct ydoc_value p = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_XML_ELEMENT, .name = str("p")};
    struct ydoc_value text = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_XML_TEXT};
    ydoc_type element;

    must(w, ydoc_list_insert(w->doc, w->x, 0, &p, 1));
    element = child(w, w->x, 0);
    begin(w);
    set(w, element, "class", string("c"));
    must(w, ydoc_list_insert(w->doc, element, 0, &text, 1));
    commit(w);
    must(w, ydoc_text_insert(w->doc, child(w, element, 0), 0, str("in"), none));
    set(w, element, "class", string("d"));
}

static void edit_from_elsewhere(struct world *w)
{
    static const uint8_t update[] = {
        1,   3, 2, 0, 198, 1, 6,  1,   34,  4,   98, 111, 108, 100, 4,   116, 114, 117, 101,
        198, 1, 2, 1, 3,   4, 98, 111, 108, 100, 4,  110, 117, 108, 108, 136, 1,   16,  1,
        125, 7, 1, 1, 7,   0, 2,  5,   2,   14,  2,  17,  5,   23,  4,   28,  1,   33,  1};

    w->number = ydoc_observe(w->doc, w->m, on_again, w);
    must(w, w->number);
    set(w, w->m, "again", number(1));
    must(w, ydoc_apply_v1(w->doc, update, sizeof(update), NULL));
}

static int observe(struct world *w, ydoc_type type)
{
    must(w, ydoc_observe(w->doc, type, on_event, w));
    must(w, ydoc_observe_deep(w->doc, type, on_events, w));
    return w->rc;
}

static void make_world(struct world *w, const struct ydoc_alloc *alloc)
{
    struct ydoc_options options = {.client_id = 1, .alloc = alloc};

    memset(w, 0, sizeof(*w));
    ydoc_buf_init(&w->log, NULL);
    must(w, ydoc_new(&w->doc, &options));
    if (w->doc == NULL)
        return;
    must(w, ydoc_root(w->doc, str("t"), YDOC_KIND_TEXT, &w->t));
    must(w, ydoc_root(w->doc, str("a"), YDOC_KIND_ARRAY, &w->a));
    must(w, ydoc_root(w->doc, str("m"), YDOC_KIND_MAP, &w->m));
    must(w, ydoc_root(w->doc, str("x"), YDOC_KIND_XML_FRAGMENT, &w->x));
}

static void run_history(struct world *w)
{
    const ydoc_type roots[] = {w->t, w->a, w->m, w->x};

    for (size_t i = 0; i < ARRAY_LEN(roots); i++)
        observe(w, roots[i]);
    must(w, ydoc_observe_transactions(w->doc, YDOC_BEFORE_TRANSACTION, on_before, w));
    must(w, ydoc_observe_transactions(w->doc, YDOC_AFTER_TRANSACTION, on_after, w));
    must(w, ydoc_observe_transactions(w->doc, YDOC_AFTER_ALL_TRANSACTIONS, on_all, w));
    edit_text_and_lists(w);
    edit_maps(w);
    edit_xml(w);
    edit_from_elsewhere(w);
}

static void free_world(struct world *w)
{
    ydoc_free(w->doc);
    ydoc_buf_fini(&w->log);
}

static const char calls[] =
    "before\n"
    "before\n"
    "on t [] [{\"insert\":\"hello\"}] {}\n"
    "deep t | [] [{\"insert\":\"hello\"}] {}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "before\n"
    "on t [] "
    "[{\"delete\":1},{\"retain\":1,\"attributes\":{\"bold\":true}},{\"retain\":3},{\"insert\":\" "
    "world\"}] {}\n"
    "deep t | [] "
    "[{\"delete\":1},{\"retain\":1,\"attributes\":{\"bold\":true}},{\"retain\":3},{\"insert\":\" "
    "world\"}] {}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "before\n"
    "on t [] [{\"retain\":1},{\"insert\":{\"image\":\"u\"}}] {}\n"
    "deep t | [] [{\"retain\":1},{\"insert\":{\"image\":\"u\"}}] {}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "on a [] [{\"insert\":[1,\"x\",true]}] {}\n"
    "deep a | [] [{\"insert\":[1,\"x\",true]}] {}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on a [] [{\"retain\":1},{\"insert\":[{\"k\":\"v\"}]}] {}\n"
    "deep a | [] [{\"retain\":1},{\"insert\":[{\"k\":\"v\"}]}] {}\n"
    "after local\n"
    "all\n"
    "before\n"
    "deep a | [1] [] {\"k\":{\"action\":\"update\",\"oldValue\":\"v\"}}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on m [] [] {\"k2\":{\"action\":\"add\"}}\n"
    "deep m | [] [] {\"k2\":{\"action\":\"add\"}}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on m [] [] {\"k2\":{\"action\":\"update\",\"oldValue\":[]}}\n"
    "deep m | [] [] {\"k2\":{\"action\":\"update\",\"oldValue\":[]}}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on m [] [] {\"k3\":{\"action\":\"add\"}}\n"
    "before\n"
    "on t [] [{\"delete\":1},{\"retain\":10,\"attributes\":{\"bold\":null}}] {}\n"
    "on a [] [{\"delete\":1}] {}\n"
    "deep m | [] [] {\"k3\":{\"action\":\"add\"}}\n"
    "deep a | [] [{\"delete\":1}] {} | [0] [] "
    "{\"z\":{\"action\":\"add\"},\"k\":{\"action\":\"delete\",\"oldValue\":2}}\n"
    "deep t | [] [{\"delete\":1},{\"retain\":10,\"attributes\":{\"bold\":null}}] {}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "on a [] [{\"delete\":2}] {}\n"
    "deep a | [] [{\"delete\":2}] {}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on x [] [{\"insert\":[\"<p></p>\"]}] {}\n"
    "deep x | [] [{\"insert\":[\"<p></p>\"]}] {}\n"
    "after local\n"
    "all\n"
    "before\n"
    "deep x | [0] [{\"insert\":[\"\"]}] {\"class\":{\"action\":\"add\"}}\n"
    "after local\n"
    "all\n"
    "before\n"
    "before\n"
    "deep x | [0,0] [{\"insert\":\"in\"}] {}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "deep x | [0] [] {\"class\":{\"action\":\"update\",\"oldValue\":\"c\"}}\n"
    "after local\n"
    "all\n"
    "before\n"
    "on m [] [] {\"again\":{\"action\":\"add\"}}\n"
    "before\n"
    "before\n"
    "deep m | [] [] {\"again\":{\"action\":\"add\"}}\n"
    "after local\n"
    "before\n"
    "on t [] [{\"insert\":\"!\"}] {}\n"
    "deep t | [] [{\"insert\":\"!\"}] {}\n"
    "after local\n"
    "on m [] [] {\"again\":{\"action\":\"update\",\"oldValue\":1}}\n"
    "deep m | [] [] {\"again\":{\"action\":\"update\",\"oldValue\":1}}\n"
    "after local\n"
    "after local\n"
    "all\n"
    "before\n"
    "before\n"
    "on t [] [{\"retain\":3,\"attributes\":{\"bold\":true}}] {}\n"
    "on a [] [{\"retain\":1},{\"insert\":[7]}] {}\n"
    "on m [] [] {\"k3\":{\"action\":\"delete\",\"oldValue\":1}}\n"
    "deep t | [] [{\"retain\":3,\"attributes\":{\"bold\":true}}] {}\n"
    "deep a | [] [{\"retain\":1},{\"insert\":[7]}] {}\n"
    "deep m | [] [] {\"k3\":{\"action\":\"delete\",\"oldValue\":1}}\n"
    "after remote\n"
    "before\n"
    "after local\n"
    "after local\n"
    "all\n";

static const uint8_t state[] = {
    0x02, 0x03, 0x02, 0x00, 0xc6, 0x01, 0x06, 0x01, 0x22, 0x04, 0x62, 0x6f, 0x6c, 0x64, 0x04, 0x74,
    0x72, 0x75, 0x65, 0xc6, 0x01, 0x02, 0x01, 0x03, 0x04, 0x62, 0x6f, 0x6c, 0x64, 0x04, 0x6e, 0x75,
    0x6c, 0x6c, 0x88, 0x01, 0x10, 0x01, 0x7d, 0x07, 0x19, 0x01, 0x00, 0x01, 0x01, 0x01, 0x74, 0x02,
    0x84, 0x01, 0x01, 0x01, 0x6c, 0x84, 0x01, 0x02, 0x02, 0x6c, 0x6f, 0x41, 0x01, 0x00, 0x01, 0xc1,
    0x01, 0x01, 0x01, 0x02, 0x01, 0x84, 0x01, 0x04, 0x06, 0x20, 0x77, 0x6f, 0x72, 0x6c, 0x64, 0xc5,
    0x01, 0x06, 0x01, 0x02, 0x0d, 0x7b, 0x22, 0x69, 0x6d, 0x61, 0x67, 0x65, 0x22, 0x3a, 0x22, 0x75,
    0x22, 0x7d, 0x01, 0x01, 0x01, 0x61, 0x01, 0x81, 0x01, 0x0e, 0x01, 0x88, 0x01, 0x0f, 0x01, 0x78,
    0xc1, 0x01, 0x0e, 0x01, 0x0f, 0x01, 0x00, 0x02, 0x21, 0x01, 0x01, 0x6d, 0x02, 0x6b, 0x31, 0x01,
    0x21, 0x01, 0x01, 0x6d, 0x02, 0x6b, 0x32, 0x01, 0xa8, 0x01, 0x15, 0x01, 0x7d, 0x05, 0x21, 0x01,
    0x01, 0x6d, 0x02, 0x6b, 0x33, 0x01, 0x00, 0x03, 0x07, 0x01, 0x01, 0x78, 0x03, 0x01, 0x70, 0x21,
    0x00, 0x01, 0x1b, 0x05, 0x63, 0x6c, 0x61, 0x73, 0x73, 0x01, 0x07, 0x00, 0x01, 0x1b, 0x06, 0x04,
    0x00, 0x01, 0x1d, 0x02, 0x69, 0x6e, 0xa8, 0x01, 0x1c, 0x01, 0x77, 0x01, 0x64, 0x21, 0x01, 0x01,
    0x6d, 0x05, 0x61, 0x67, 0x61, 0x69, 0x6e, 0x01, 0xc4, 0x01, 0x06, 0x01, 0x0d, 0x01, 0x21, 0xa8,
    0x01, 0x21, 0x01, 0x7d, 0x02, 0x01, 0x01, 0x07, 0x00, 0x02, 0x05, 0x02, 0x0e, 0x02, 0x11, 0x05,
    0x17, 0x04, 0x1c, 0x01, 0x21, 0x01};

static void check_state(struct world *w)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_encode_state_v1(w->doc, NULL, 0, &b, NULL), 0);
    CHECK_MEM(b.p, b.len, state, sizeof(state));
    ydoc_buf_fini(&b);
}

/* Who is called, in which order, with what: as yjs does, and so are the bytes
 * that are left, which depend on deltas having been asked for. */
TEST(ydoc_events, a_history_of_yjs)
{
    struct world w;

    make_world(&w, NULL);
    run_history(&w);
    CHECK_EQ(w.rc, 0);
    ydoc_buf_append(&w.log, "", 1);
    CHECK_STR((const char *)w.log.p, calls);
    check_state(&w);
    free_world(&w);
}

/* Whichever allocation fails, and whether the memory comes back or not, nothing
 * leaks and nothing is touched that is not there. */
TEST(ydoc_events, out_of_memory_at_every_allocation)
{
    for (int forever = 0; forever < 2; forever++) {
        bool done = false;

        for (long n = 0; !done; n++) {
            struct account account = {0, n};
            struct ydoc_alloc alloc = {account_resize, &account};
            struct world w;

            make_world(&w, &alloc);
            if (w.doc != NULL && w.rc == 0) {
                run_history(&w);
                done = w.rc == 0;
                if (!forever)
                    account.calls_left = 1000000;
                if (w.rc != 0)
                    run_history(&w);
            }
            free_world(&w);
            CHECK_EQ(account.held, 0);
        }
    }
}

/* ---- the iterators ---- */

struct seen {
    struct world *w;
    int calls;
};

static void on_list(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct seen *seen = ctx;
    uint32_t iter = 0, keys = 0;
    struct ydoc_value v;
    struct ydoc_slice key;
    struct ydoc_op op;
    ydoc_type map;

    seen->calls++;
    CHECK(ydoc_event_target(e) == seen->w->a && ydoc_event_current_target(e) == seen->w->a);
    CHECK(ydoc_event_is_local(e) && ydoc_event_list_changed(e));
    CHECK(ydoc_event_origin(e) == seen->w);
    CHECK(!ydoc_event_next_key(e, &keys, &key));
    CHECK(!ydoc_event_value(e, 0, &v)); /* nobody has asked for the delta yet */
    CHECK_EQ(ydoc_event_next_op(e, &iter, &op), 1);
    CHECK_EQ(op.kind, YDOC_OP_INSERT);
    CHECK(op.text.p == NULL && op.attributes.p == NULL);
    CHECK_EQ(op.len, 3);
    CHECK_EQ(op.values, 3);
    CHECK(ydoc_event_value(e, op.first, &v));
    CHECK(v.tag == YDOC_VALUE_ANY);
    CHECK_MEM(v.any.p, v.any.len, "\x7d\x01", 2);
    CHECK(ydoc_event_value(e, op.first + 1, &v));
    CHECK_MEM(v.any.p, v.any.len, "\x77\x01x", 3);
    CHECK(ydoc_event_value(e, op.first + 2, &v));
    CHECK(v.tag == YDOC_VALUE_TYPE && v.kind == YDOC_KIND_XML_ELEMENT);
    CHECK_MEM(v.name.p, v.name.len, "b", 1);
    map = v.type;
    CHECK_EQ(ydoc_type_kind(doc, map), YDOC_KIND_XML_ELEMENT);
    CHECK(!ydoc_event_value(e, op.first + 3, &v));
    CHECK_EQ(ydoc_event_next_op(e, &iter, &op), 1);
    CHECK_EQ(op.kind, YDOC_OP_DELETE);
    CHECK_EQ(op.len, 1);
    CHECK_EQ(ydoc_event_next_op(e, &iter, &op), 0);
}

/* A delta op by op: values, the handle and name of a new type. */
TEST(ydoc_events, list_ops)
{
    struct ydoc_value values[3] = {number(1), string("x"), {0}}, old = number(2);
    struct seen seen = {NULL, 0};
    struct world w;

    values[2].tag = YDOC_VALUE_TYPE;
    values[2].kind = YDOC_KIND_XML_ELEMENT;
    values[2].name = str("b");
    make_world(&w, NULL);
    seen.w = &w;
    CHECK_EQ(ydoc_list_insert(w.doc, w.a, 0, &old, 1), 0);
    CHECK(ydoc_observe(w.doc, w.a, on_list, &seen) > 0);
    CHECK_EQ(ydoc_begin(w.doc, &w), 0);
    CHECK_EQ(ydoc_list_insert(w.doc, w.a, 0, values, 3), 0);
    CHECK_EQ(ydoc_list_delete(w.doc, w.a, 3, 1), 0);
    CHECK_EQ(ydoc_commit(w.doc, NULL), 0);
    CHECK_EQ(seen.calls, 1);
    free_world(&w);
}

static void on_keys(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct seen *seen = ctx;
    struct ydoc_key_change change;
    struct ydoc_slice key;
    uint32_t iter = 0;

    (void)doc;
    seen->calls++;
    CHECK(!ydoc_event_list_changed(e));
    CHECK(ydoc_event_next_key(e, &iter, &key));
    CHECK_MEM(key.p, key.len, "b", 1);
    CHECK(ydoc_event_next_key(e, &iter, &key));
    CHECK_MEM(key.p, key.len, "gone", 4);
    CHECK(ydoc_event_next_key(e, &iter, &key));
    CHECK_MEM(key.p, key.len, "a", 1);
    CHECK(!ydoc_event_next_key(e, &iter, &key));
    iter = 0;
    CHECK(ydoc_event_next_key_change(e, &iter, &change));
    CHECK_MEM(change.key.p, change.key.len, "b", 1);
    CHECK_EQ(change.action, YDOC_KEY_UPDATE);
    CHECK(change.old.tag == YDOC_VALUE_TYPE && change.old.kind == YDOC_KIND_MAP);
    CHECK_EQ(ydoc_type_length(doc, change.old.type), 0);
    CHECK(ydoc_event_next_key_change(e, &iter, &change));
    CHECK_MEM(change.key.p, change.key.len, "a", 1);
    CHECK_EQ(change.action, YDOC_KEY_ADD);
    CHECK(!ydoc_event_next_key_change(e, &iter, &change));
}

/* Keys in the order in which they first changed; what came and went is no change. */
TEST(ydoc_events, key_changes)
{
    struct ydoc_value map = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_MAP};
    struct seen seen = {NULL, 0};
    struct world w;

    make_world(&w, NULL);
    set(&w, w.m, "b", map);
    CHECK(ydoc_observe(w.doc, w.m, on_keys, &seen) > 0);
    begin(&w);
    set(&w, w.m, "b", number(1));
    set(&w, w.m, "gone", number(1));
    set(&w, w.m, "a", number(1));
    set(&w, w.m, "b", number(2));
    CHECK_EQ(ydoc_map_delete(w.doc, w.m, str("gone")), 0);
    commit(&w);
    CHECK_EQ(w.rc, 0);
    CHECK_EQ(seen.calls, 1);
    free_world(&w);
}

/* ---- observers that come and go ---- */

struct ring {
    struct world *w;
    int numbers[3];
    int called[3];
};

static void on_second(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    (void)doc;
    (void)e;
    ((struct ring *)ctx)->called[1]++;
}

static void on_third(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    (void)doc;
    (void)e;
    ((struct ring *)ctx)->called[2]++;
}

static void on_first(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct ring *r = ctx;

    (void)e;
    r->called[0]++;
    ydoc_unobserve(doc, r->numbers[1]);
    ydoc_unobserve(doc, r->numbers[0]);
    r->numbers[2] = ydoc_observe(doc, r->w->m, on_third, r);
}

/* Who was removed inside a callback is not called, who was added is, as in Yjs. */
TEST(ydoc_events, observers_change_inside_a_callback)
{
    struct ring r = {0};
    struct world w;

    make_world(&w, NULL);
    r.w = &w;
    r.numbers[0] = ydoc_observe(w.doc, w.m, on_first, &r);
    r.numbers[1] = ydoc_observe(w.doc, w.m, on_second, &r);
    CHECK(r.numbers[0] > 0 && r.numbers[1] > r.numbers[0]);
    set(&w, w.m, "k", number(1));
    CHECK_EQ(r.called[0], 1);
    CHECK_EQ(r.called[1], 0);
    CHECK_EQ(r.called[2], 1);
    ydoc_unobserve(w.doc, r.numbers[2]);
    set(&w, w.m, "k", number(2));
    CHECK_EQ(r.called[2], 1);
    CHECK_EQ(w.rc, 0);
    free_world(&w);
}

/* An observer goes with its type, also when the number is given to another one. */
TEST(ydoc_events, observers_go_with_their_type)
{
    struct ydoc_value map = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_MAP};
    struct ring r = {0};
    struct world w;
    ydoc_type nested;

    make_world(&w, NULL);
    must(&w, ydoc_list_insert(w.doc, w.a, 0, &map, 1));
    nested = child(&w, w.a, 0);
    CHECK(ydoc_observe(w.doc, nested, on_second, &r) > 0);
    set(&w, nested, "k", number(1));
    CHECK_EQ(r.called[1], 1);
    must(&w, ydoc_list_delete(w.doc, w.a, 0, 1));
    CHECK_EQ(ydoc_observe(w.doc, nested, on_second, &r), YDOC_ENOENT);
    must(&w, ydoc_list_insert(w.doc, w.a, 0, &map, 1));
    set(&w, child(&w, w.a, 0), "k", number(2));
    CHECK_EQ(r.called[1], 1);
    CHECK_EQ(w.rc, 0);
    free_world(&w);
}

/* ---- subdocuments ---- */

static void on_subdocs(struct ydoc *doc, const struct ydoc_subdocs *s, void *ctx)
{
    struct world *w = ctx;
    const struct ydoc_slice *lists[] = {s->added, s->removed, s->loaded};
    const size_t n[] = {s->added_n, s->removed_n, s->loaded_n};
    static const char *const names[] = {"added", " removed", " loaded"};

    (void)doc;
    for (size_t list = 0; list < 3; list++) {
        say(w, names[list]);
        for (size_t i = 0; i < n[list]; i++) {
            say(w, " ");
            ydoc_buf_append(&w->log, lists[list][i].p, lists[list][i].len);
        }
    }
    say(w, "\n");
}

TEST(ydoc_events, subdocuments)
{
    struct ydoc_value one = {.tag = YDOC_VALUE_DOC, .name = str("one")}, two = one;
    struct world w, far;
    struct ydoc_buf b;

    two.name = str("two");
    two.any.p = (const uint8_t *)"\x76\1\x8"
                                 "autoLoad\x78";
    two.any.len = 12;
    make_world(&w, NULL);
    make_world(&far, NULL);
    CHECK(ydoc_observe_subdocs(w.doc, on_subdocs, &w) > 0);
    CHECK(ydoc_observe_subdocs(far.doc, on_subdocs, &far) > 0);
    begin(&w);
    set(&w, w.m, "1", one);
    set(&w, w.m, "2", two);
    set(&w, w.m, "3", one);
    must(&w, ydoc_map_delete(w.doc, w.m, str("3")));
    commit(&w);
    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_encode_state_v1(w.doc, NULL, 0, &b, NULL), 0);
    CHECK_EQ(ydoc_apply_v1(far.doc, b.p, b.len, NULL), 0);
    ydoc_buf_fini(&b);
    set(&w, w.m, "1", number(1));
    ydoc_buf_append(&w.log, "", 1);
    ydoc_buf_append(&far.log, "", 1);
    CHECK_STR((const char *)w.log.p, "added one two removed loaded one two one\n"
                                     "added removed one loaded\n");
    CHECK_STR((const char *)far.log.p, "added one two removed loaded two\n");
    CHECK_EQ(w.rc, 0);
    free_world(&w);
    free_world(&far);
}

struct deep_count {
    size_t n;
    bool nearest_first;
};

static void count_deep(struct ydoc *doc, struct ydoc_event *const *events, size_t n, void *ctx)
{
    struct deep_count *count = ctx;
    struct ydoc_buf path;

    (void)doc;
    count->n += n;
    ydoc_buf_init(&path, NULL);
    CHECK_EQ(ydoc_event_path_json(events[0], &path), 0);
    count->nearest_first = path.len == 2;
    ydoc_buf_fini(&path);
}

/* Changes in types that are nested as deep as a peer likes reach a deep observer at the root and
 * one half way, each once. */
TEST(ydoc_events, deep_observers_of_deep_nesting)
{
    enum { DEPTH = 20000 };
    static ydoc_type types[DEPTH];
    static const uint8_t one[] = {125, 1};
    struct ydoc_value map = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_MAP}, got;
    struct ydoc_value value = {.tag = YDOC_VALUE_ANY, .any = {one, 2}};
    struct ydoc_slice k = {(const uint8_t *)"k", 1}, v = {(const uint8_t *)"v", 1};
    struct deep_count at_root = {0}, half_way = {0};
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_root(doc, k, YDOC_KIND_MAP, &types[0]), 0);
    for (size_t i = 1; i < DEPTH; i++) {
        CHECK_EQ(ydoc_map_set(doc, types[i - 1], k, &map), 0);
        CHECK_EQ(ydoc_map_get(doc, types[i - 1], k, &got), 0);
        types[i] = got.type;
    }
    CHECK(ydoc_observe_deep(doc, types[0], count_deep, &at_root) > 0);
    CHECK(ydoc_observe_deep(doc, types[DEPTH / 2], count_deep, &half_way) > 0);
    CHECK_EQ(ydoc_begin(doc, NULL), 0);
    for (size_t i = DEPTH; i-- > 0;)
        CHECK_EQ(ydoc_map_set(doc, types[i], v, &value), 0);
    CHECK_EQ(ydoc_commit(doc, NULL), 0);
    CHECK_EQ(at_root.n, DEPTH);
    CHECK_EQ(half_way.n, DEPTH / 2);
    CHECK(at_root.nearest_first && half_way.nearest_first);
    ydoc_free(doc);
}

static void on_once(struct ydoc *doc, struct ydoc_event *e, void *ctx)
{
    struct world *w = ctx;

    (void)e;
    ydoc_unobserve(doc, w->number);
    must(w, ydoc_text_insert(doc, w->t, 0, str("<"), none));
}

/* Typing does not go on behind what an observer wrote before it took itself away. */
TEST(ydoc_events, typing_after_an_observer_that_edits)
{
    struct ydoc_buf text;
    struct world w;

    make_world(&w, NULL);
    w.number = ydoc_observe(w.doc, w.t, on_once, &w);
    CHECK(w.number > 0);
    must(&w, ydoc_text_insert(w.doc, w.t, 0, str("abc"), none));
    must(&w, ydoc_text_insert(w.doc, w.t, 3, str("d"), none));
    ydoc_buf_init(&text, NULL);
    CHECK_EQ(ydoc_read_text(w.doc, str("t"), &text), 0);
    CHECK_MEM(text.p, text.len, "<abdc", 5);
    CHECK_EQ(w.rc, 0);
    ydoc_buf_fini(&text);
    free_world(&w);
}

static void on_any_subdocs(struct ydoc *doc, const struct ydoc_subdocs *s, void *ctx)
{
    struct world *w = ctx;

    CHECK(doc == w->doc);
    CHECK_EQ(s->added_n, 1);
}

/* What observers hold is part of what the document holds. */
TEST(ydoc_events, memory_is_accounted)
{
    struct account account = {0, 1000000};
    struct ydoc_alloc alloc = {account_resize, &account};
    struct ydoc_value one = {.tag = YDOC_VALUE_DOC, .name = str("one")};
    struct world w;

    make_world(&w, &alloc);
    CHECK(ydoc_observe_subdocs(w.doc, on_any_subdocs, &w) > 0);
    set(&w, w.m, "1", one);
    CHECK_EQ(ydoc_memory_used(w.doc), account.held);
    CHECK_EQ(w.rc, 0);
    free_world(&w);
    CHECK_EQ(account.held, 0);
}
