#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
#include "ydoc_edit_samples.h"

static const struct ydoc_slice inherit = {NULL, 0};

static struct ydoc_slice text(const char *s)
{
    struct ydoc_slice slice = {(const uint8_t *)s, strlen(s)};

    return slice;
}

/* ---- a document that writes down its updates ---- */

struct desk {
    struct ydoc *doc;
    ydoc_type t, a, m;
    struct ydoc_buf updates; /* hex, a space between them */
    unsigned n;
};

static void add_hex(struct ydoc_buf *b, struct ydoc_slice bytes)
{
    char digits[3];

    for (size_t i = 0; i < bytes.len; i++) {
        snprintf(digits, sizeof(digits), "%02x", bytes.p[i]);
        ydoc_buf_append(b, digits, 2);
    }
}

static void on_update(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    struct desk *d = ctx;

    (void)doc, (void)origin;
    ydoc_buf_append(&d->updates, " ", d->updates.len > 0);
    add_hex(&d->updates, update);
    d->n++;
}

static int desk_open(struct desk *d, const struct ydoc_alloc *alloc)
{
    struct ydoc_options options = {.client_id = 1, .alloc = alloc};
    int rc = ydoc_new(&d->doc, &options);

    ydoc_buf_init(&d->updates, NULL);
    d->n = 0;
    if (rc == 0)
        rc = ydoc_root(d->doc, text("t"), YDOC_KIND_TEXT, &d->t);
    if (rc == 0)
        rc = ydoc_root(d->doc, text("a"), YDOC_KIND_ARRAY, &d->a);
    if (rc == 0)
        rc = ydoc_root(d->doc, text("m"), YDOC_KIND_MAP, &d->m);
    if (rc == 0)
        rc = ydoc_observe_updates(d->doc, 1, on_update, d);
    return rc < 0 ? rc : 0;
}

static void desk_close(struct desk *d)
{
    ydoc_free(d->doc);
    ydoc_buf_fini(&d->updates);
}

/* ---- the scripts of the samples ----
 *
 *     i INDEX TEXT           I INDEX ATTRIBUTES TEXT      insert, inheriting attributes or with
 * some d INDEX LENGTH         f INDEX LENGTH ATTRIBUTES    e INDEX JSON, an embed     D DELTA a
 * INDEX JSON           x INDEX LENGTH               n INDEX KIND, a filled type, into the list s
 * KEY JSON             u KEY                        c, clear the map           ( and ) a pair
 */

static int fill_text(struct ydoc *doc, ydoc_type type, void *ctx)
{
    (void)ctx;
    return ydoc_text_insert(doc, type, 0, text("in"), inherit);
}

static int with_any(struct ydoc *doc, const char *json,
                    int (*use)(struct ydoc *doc, const struct ydoc_value *value, void *ctx),
                    void *ctx)
{
    struct ydoc_value value = {.tag = YDOC_VALUE_ANY};
    struct ydoc_buf any;
    int rc;

    ydoc_buf_init(&any, NULL);
    rc = ydoc_any_from_json(text(json), &any, NULL);
    value.any = ydoc_buf_slice(&any);
    if (rc == 0)
        rc = use(doc, &value, ctx);
    ydoc_buf_fini(&any);
    return rc;
}

struct target {
    ydoc_type type;
    uint32_t index;
    struct ydoc_slice key;
};

static int use_in_list(struct ydoc *doc, const struct ydoc_value *value, void *ctx)
{
    const struct target *to = ctx;

    return ydoc_list_insert(doc, to->type, to->index, value, 1);
}

static int use_in_map(struct ydoc *doc, const struct ydoc_value *value, void *ctx)
{
    const struct target *to = ctx;

    return ydoc_map_set(doc, to->type, to->key, value);
}

static int fill_map(struct ydoc *doc, ydoc_type type, void *ctx)
{
    struct target to = {type, 0, text("k")};

    (void)ctx;
    return with_any(doc, "1", use_in_map, &to);
}

static int fill_array(struct ydoc *doc, ydoc_type type, void *ctx)
{
    static const uint8_t one[] = {125, 1}, two[] = {125, 2};
    struct ydoc_value values[2] = {{.tag = YDOC_VALUE_ANY, .any = {one, 2}},
                                   {.tag = YDOC_VALUE_ANY, .any = {two, 2}}};

    (void)ctx;
    return ydoc_list_insert(doc, type, 0, values, 2);
}

static int insert_type(struct desk *d, uint32_t index, const char *kind)
{
    struct ydoc_value value = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_ARRAY, .fill = fill_array};

    if (strcmp(kind, "text") == 0) {
        value.kind = YDOC_KIND_TEXT;
        value.fill = fill_text;
    } else if (strcmp(kind, "map") == 0) {
        value.kind = YDOC_KIND_MAP;
        value.fill = fill_map;
    }
    return ydoc_list_insert(d->doc, d->a, index, &value, 1);
}

/* What follows the n-th space. */
static const char *tail(const char *s, int n)
{
    while (n-- > 0) {
        s = strchr(s, ' ');
        CHECK(s != NULL);
        s++;
    }
    return s;
}

static int run_text_step(struct desk *d, const char *step)
{
    struct ydoc_value embed = {.tag = YDOC_VALUE_JSON};
    uint32_t index = step[0] == 'D' ? 0 : (uint32_t)atoi(step + 2);
    struct ydoc_slice attributes;

    switch (step[0]) {
    case 'i':
        return ydoc_text_insert(d->doc, d->t, index, text(tail(step, 2)), inherit);
    case 'I':
        attributes = text(tail(step, 2));
        attributes.len = (size_t)(strchr(tail(step, 2), ' ') - tail(step, 2));
        return ydoc_text_insert(d->doc, d->t, index, text(tail(step, 3)), attributes);
    case 'd':
        return ydoc_text_delete(d->doc, d->t, index, (uint32_t)atoi(tail(step, 2)));
    case 'f':
        return ydoc_text_format(d->doc, d->t, index, (uint32_t)atoi(tail(step, 2)),
                                text(tail(step, 3)));
    case 'e':
        embed.any = text(tail(step, 2));
        return ydoc_text_insert_embed(d->doc, d->t, index, &embed, inherit);
    default:
        return ydoc_text_apply_delta(d->doc, d->t, text(tail(step, 1)), NULL);
    }
}

static int run_step(struct desk *d, const char *step)
{
    struct target to = {d->a, 0, {NULL, 0}};

    switch (step[0]) {
    case '(':
        return ydoc_begin(d->doc, NULL);
    case ')':
        return ydoc_commit(d->doc, NULL);
    case 'a':
        to.index = (uint32_t)atoi(step + 2);
        return with_any(d->doc, tail(step, 2), use_in_list, &to);
    case 'x':
        return ydoc_list_delete(d->doc, d->a, (uint32_t)atoi(step + 2),
                                (uint32_t)atoi(tail(step, 2)));
    case 'n':
        return insert_type(d, (uint32_t)atoi(step + 2), tail(step, 2));
    case 's':
        to.type = d->m;
        to.key = text(tail(step, 1));
        to.key.len = (size_t)(strchr(tail(step, 1), ' ') - tail(step, 1));
        return with_any(d->doc, tail(step, 2), use_in_map, &to);
    case 'u':
        return ydoc_map_delete(d->doc, d->m, text(tail(step, 1)));
    case 'c':
        return ydoc_map_clear(d->doc, d->m);
    default:
        return run_text_step(d, step);
    }
}

static int run_script(struct desk *d, const char *script)
{
    int rc = 0;

    while (*script != '\0' && rc == 0) {
        size_t len = strcspn(script, "|");
        char step[256];

        CHECK(len < sizeof(step));
        memcpy(step, script, len);
        step[len] = '\0';
        rc = run_step(d, step);
        script += len + (script[len] == '|');
    }
    return rc;
}

static void check_state(const struct ydoc *doc, const char *want)
{
    struct ydoc_buf state, hex;

    ydoc_buf_init(&state, NULL);
    ydoc_buf_init(&hex, NULL);
    CHECK_EQ(ydoc_encode_state_v1(doc, NULL, 0, &state, NULL), 0);
    add_hex(&hex, ydoc_buf_slice(&state));
    CHECK_MEM(hex.p, hex.len, want, strlen(want));
    ydoc_buf_fini(&state);
    ydoc_buf_fini(&hex);
}

static void check_delta(const struct ydoc *doc, const char *want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_delta(doc, text("t"), &b), 0);
    CHECK_MEM(b.p, b.len, want, strlen(want));
    ydoc_buf_fini(&b);
}

TEST(ydoc_edit, samples_give_the_bytes_of_yjs)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct desk d;

        TEST_CASE(rows[i].name);
        CHECK_EQ(desk_open(&d, NULL), 0);
        CHECK_EQ(run_script(&d, rows[i].script), 0);
        CHECK_MEM(d.updates.p, d.updates.len, rows[i].updates, strlen(rows[i].updates));
        check_state(d.doc, rows[i].state);
        check_delta(d.doc, rows[i].delta);
        desk_close(&d);
    }
}

/* Whichever allocation fails, nothing leaks, and a broken document stays broken. */
TEST(ydoc_edit, out_of_memory_at_every_allocation)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = YDOC_ENOMEM;

        TEST_CASE(rows[i].name);
        for (long calls = 0; rc != 0; calls++) {
            struct account account = {0, calls};
            struct ydoc_alloc alloc = {account_resize, &account};
            struct desk d = {0};

            rc = desk_open(&d, &alloc);
            if (rc == 0)
                rc = run_script(&d, rows[i].script);
            CHECK(rc == 0 || rc == YDOC_ENOMEM || rc == YDOC_EBROKEN);
            account.calls_left = 1000000;
            if (rc == 0) {
                check_state(d.doc, rows[i].state);
            } else if (d.doc != NULL &&
                       ydoc_text_insert(d.doc, d.t, 0, text("x"), inherit) == YDOC_EBROKEN) {
                CHECK_EQ(ydoc_begin(d.doc, NULL), YDOC_EBROKEN);
                CHECK_EQ(ydoc_map_clear(d.doc, d.m), YDOC_EBROKEN);
            }
            desk_close(&d);
            CHECK_EQ(account.held, 0);
        }
    }
}

/* ---- what is refused leaves no trace ---- */

static int set_value(struct desk *d, struct ydoc_value value)
{
    return ydoc_map_set(d->doc, d->m, text("k"), &value);
}

static int try_refused(struct desk *d, unsigned number)
{
    static const uint8_t deep[] = {117, 1, 117, 1, 117, 1, 117, 1, 126}, cut[] = {119, 5, 'a'};
    static const uint8_t two[] = {126, 126}, not_utf8[] = {'a', 0xff};
    static const struct ydoc_slice bad = {not_utf8, 2};
    struct ydoc *doc = d->doc;
    struct ydoc_value one = {.tag = YDOC_VALUE_ANY, .any = {two, 1}};
    struct ydoc_value embed = {.tag = YDOC_VALUE_JSON, .any = text("{\"a\":}")};
    struct ydoc_value odd = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_UNKNOWN};

    switch (number) {
    case 0:
        return ydoc_text_insert(doc, d->t, 0, bad, inherit);
    case 1:
        return ydoc_text_insert(doc, d->t, 0, text("x"), text("[1]"));
    case 2:
        return ydoc_text_insert(doc, d->t, 0, text("x"), text("{\"a\":1"));
    case 3:
        return ydoc_text_format(doc, d->t, 0, 1, text("{\"a\" 1}"));
    case 4:
        return ydoc_text_insert_embed(doc, d->t, 0, &embed, inherit);
    case 5:
        return ydoc_text_insert_embed(doc, d->t, 0, &odd, inherit);
    case 6:
        return ydoc_text_apply_delta(doc, d->t, text("{}"), NULL);
    case 7:
        return ydoc_text_apply_delta(doc, d->t, text("[{\"insert\":\"a\"},{\"keep\":1}]"), NULL);
    case 8:
        return ydoc_text_apply_delta(doc, d->t, text("[{\"insert\":\"a\"},{\"retain\":-1}]"), NULL);
    case 9:
        return ydoc_text_apply_delta(doc, d->t, text("[{\"retain\":9999999}]"), NULL);
    case 10:
        return ydoc_text_apply_delta(doc, d->t, text("[{\"insert\":null}]"), NULL);
    case 11:
        return ydoc_text_format(doc, d->t, 0, 9999999, text("{\"a\":1}"));
    case 12:
        return ydoc_list_insert(doc, d->a, 3, &one, 1);
    case 13:
        return ydoc_list_delete(doc, d->a, 1, 2);
    case 14:
        return ydoc_list_insert(doc, d->t, 0, &one, 1);
    case 15:
        return ydoc_text_insert(doc, d->a, 0, text("x"), inherit);
    case 16:
        return ydoc_map_set(doc, d->a, text("k"), &one);
    case 17:
        return ydoc_map_set(doc, d->m, bad, &one);
    case 18:
        return set_value(d, (struct ydoc_value){.tag = YDOC_VALUE_ANY, .any = {two, 2}});
    case 19:
        return set_value(d, (struct ydoc_value){.tag = YDOC_VALUE_ANY, .any = {cut, 3}});
    case 20:
        return set_value(d, (struct ydoc_value){.tag = YDOC_VALUE_STRING, .any = bad});
    case 21:
        return set_value(d, (struct ydoc_value){.tag = YDOC_VALUE_DOC, .any = {two, 1}});
    case 22:
        return set_value(d, (struct ydoc_value){.tag = YDOC_VALUE_ANY, .any = {deep, 9}});
    case 23:
        return ydoc_map_clear(doc, 12345);
    default:
        return 0;
    }
}

TEST(ydoc_edit, refused_edits_leave_no_trace)
{
    static const int codes[] = {YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_EMALFORMED,
                                YDOC_EMALFORMED, YDOC_EKIND,      YDOC_EMALFORMED, YDOC_EMALFORMED,
                                YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_ERANGE,
                                YDOC_ERANGE,     YDOC_ERANGE,     YDOC_EKIND,      YDOC_EKIND,
                                YDOC_EKIND,      YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_EMALFORMED,
                                YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_EMALFORMED, YDOC_ENOENT};
    struct ydoc_limits limits = {.nesting_max = 3, .update_bytes_max = 1000};
    struct ydoc_options options = {.client_id = 1, .limits = &limits};
    char long_text[1001];
    struct desk d;
    unsigned n;

    CHECK_EQ(desk_open(&d, NULL), 0);
    ydoc_free(d.doc);
    CHECK_EQ(ydoc_new(&d.doc, &options), 0);
    CHECK_EQ(ydoc_root(d.doc, text("t"), YDOC_KIND_TEXT, &d.t), 0);
    CHECK_EQ(ydoc_root(d.doc, text("a"), YDOC_KIND_ARRAY, &d.a), 0);
    CHECK_EQ(ydoc_root(d.doc, text("m"), YDOC_KIND_MAP, &d.m), 0);
    CHECK_EQ(run_script(&d, "i 0 ab|a 0 1|a 0 2"), 0);
    CHECK(ydoc_observe_updates(d.doc, 1, on_update, &d) > 0);
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        char name[32];

        snprintf(name, sizeof(name), "refused %u", i);
        TEST_CASE(name);
        CHECK_EQ(try_refused(&d, i), codes[i]);
    }
    memset(long_text, 'x', sizeof(long_text));
    CHECK_EQ(
        ydoc_text_insert(d.doc, d.t, 0, (struct ydoc_slice){(uint8_t *)long_text, 1001}, inherit),
        YDOC_ELIMIT);
    CHECK_EQ(ydoc_map_delete(d.doc, d.m, text("none")), 0);
    CHECK_EQ(d.n, 0);
    CHECK_EQ(ydoc_type_length(d.doc, d.t), 2);
    CHECK_EQ(ydoc_type_length(d.doc, d.a), 2);
    n = d.n;
    CHECK_EQ(run_script(&d, "i 2 c"), 0);
    CHECK_EQ(d.n, n + 1);
    desk_close(&d);
}

/* A type that was deleted is gone, for good: its number may be another type's, and was so more
 * than 2^16 times. */
TEST(ydoc_edit, handles_of_deleted_types)
{
    struct ydoc_value value = {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_TEXT};
    ydoc_type old, list;
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_root(doc, text("a"), YDOC_KIND_ARRAY, &list), 0);
    CHECK_EQ(ydoc_list_insert(doc, list, 0, &value, 1), 0);
    CHECK_EQ(ydoc_list_get(doc, list, 0, &value), 0);
    CHECK_EQ(value.tag, YDOC_VALUE_TYPE);
    CHECK_EQ(value.kind, YDOC_KIND_TEXT);
    old = value.type;
    CHECK_EQ(ydoc_text_insert(doc, old, 0, text("!"), inherit), 0);
    CHECK(ydoc_type_parent(doc, old) == list);
    for (int i = 0; i < 66000; i++) {
        CHECK_EQ(ydoc_list_delete(doc, list, 0, 1), 0);
        CHECK_EQ(ydoc_list_insert(doc, list, 0, &value, 1), 0);
    }
    CHECK_EQ(ydoc_text_insert(doc, old, 0, text("x"), inherit), YDOC_ENOENT);
    CHECK_EQ(ydoc_type_length(doc, old), 0);
    CHECK_EQ(ydoc_type_kind(doc, old), YDOC_KIND_UNKNOWN);
    ydoc_free(doc);
}

/* ---- transactions ---- */

static int fill_and_commit(struct ydoc *doc, ydoc_type type, void *ctx)
{
    struct ydoc_error err;
    int rc = ydoc_text_insert(doc, type, 0, text("x"), inherit);

    (void)ctx;
    CHECK_EQ(ydoc_commit(doc, &err), YDOC_EBUSY); /* the edit's own is not to be ended here */
    return rc;
}

TEST(ydoc_edit, transactions_nest)
{
    struct ydoc_value value = {
        .tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_TEXT, .fill = fill_and_commit};
    struct desk d;

    CHECK_EQ(desk_open(&d, NULL), 0);
    CHECK_EQ(ydoc_commit(d.doc, NULL), YDOC_EBUSY);
    CHECK_EQ(run_script(&d, "(|i 0 a|(|i 1 b|)|i 2 c"), 0);
    CHECK_EQ(d.n, 0);
    CHECK_EQ(run_script(&d, ")"), 0);
    CHECK_EQ(d.n, 1);
    CHECK_EQ(ydoc_commit(d.doc, NULL), YDOC_EBUSY);
    CHECK_EQ(ydoc_list_insert(d.doc, d.a, 0, &value, 1), 0);
    CHECK_EQ(d.n, 2);
    CHECK_EQ(run_script(&d, "(|(|)|)|(|)"), 0); /* nothing was done: nobody is told */
    CHECK_EQ(d.n, 2);
    desk_close(&d);
}

static int failing_fill(struct ydoc *doc, ydoc_type type, void *ctx)
{
    int rc = ydoc_text_insert(doc, type, 0, text("x"), inherit);

    (void)ctx;
    return rc != 0 ? rc : YDOC_ERANGE;
}

TEST(ydoc_edit, a_fill_that_fails_ends_the_edit)
{
    struct ydoc_value values[2] = {
        {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_TEXT, .fill = failing_fill},
        {.tag = YDOC_VALUE_TYPE, .kind = YDOC_KIND_MAP}};
    struct desk d;

    CHECK_EQ(desk_open(&d, NULL), 0);
    CHECK_EQ(ydoc_list_insert(d.doc, d.a, 0, values, 2), YDOC_ERANGE);
    CHECK_EQ(ydoc_type_length(d.doc, d.a), 1); /* what was inserted before stays */
    CHECK_EQ(d.n, 1);
    CHECK_EQ(run_script(&d, "i 0 x"), 0);
    desk_close(&d);
}

struct echo {
    struct desk *d;
    int left, number;
};

static void answer_update(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    struct echo *e = ctx;

    (void)update, (void)origin;
    if (e->left-- > 0)
        CHECK_EQ(ydoc_text_insert(doc, e->d->t, 0, text("e"), inherit), 0);
    else
        ydoc_unobserve(doc, e->number);
}

/* Edits of observers are transactions of their own, in order, after the one they are told of. */
TEST(ydoc_edit, observers_that_edit)
{
    struct ydoc_buf b;
    struct desk d;
    struct echo e = {&d, 3, 0};

    CHECK_EQ(desk_open(&d, NULL), 0);
    e.number = ydoc_observe_updates(d.doc, 2, answer_update, &e);
    CHECK(e.number > 0);
    CHECK_EQ(run_script(&d, "i 0 a"), 0);
    CHECK_EQ(d.n, 4);
    CHECK_EQ(run_script(&d, "i 0 b"), 0);
    CHECK_EQ(d.n, 5);
    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_text(d.doc, text("t"), &b), 0);
    CHECK_MEM(b.p, b.len, "beeea", 5);
    ydoc_buf_fini(&b);
    desk_close(&d);
}

/* ---- the position index ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct model {
    uint32_t v[4096];
    uint32_t n;
};

static void model_insert(struct model *m, uint32_t at, uint32_t value)
{
    memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(*m->v));
    m->v[at] = value;
    m->n++;
}

static void model_delete(struct model *m, uint32_t at, uint32_t len)
{
    memmove(m->v + at, m->v + at + len, (m->n - at - len) * sizeof(*m->v));
    m->n -= len;
}

static uint32_t number_at(const struct ydoc *doc, ydoc_type list, uint32_t index)
{
    struct ydoc_value value;
    uint32_t v = 0;

    CHECK_EQ(ydoc_list_get(doc, list, index, &value), 0);
    CHECK_EQ(value.tag, YDOC_VALUE_BYTES);
    CHECK_EQ(value.any.len, sizeof(v));
    memcpy(&v, value.any.p, sizeof(v));
    return v;
}

static void random_list_edit(struct ydoc *doc, ydoc_type list, struct model *m, uint32_t *seed)
{
    uint32_t at = next_random(seed) % (m->n + 1), value = next_random(seed);
    struct ydoc_value one = {.tag = YDOC_VALUE_BYTES, .any = {(uint8_t *)&value, sizeof(value)}};

    if (m->n > 0 && (m->n > 1500 || next_random(seed) % 3 == 0)) {
        uint32_t len = 1 + next_random(seed) % 4;

        at = at == m->n ? at - 1 : at;
        len = len < m->n - at ? len : m->n - at;
        CHECK_EQ(ydoc_list_delete(doc, list, at, len), 0);
        model_delete(m, at, len);
    } else {
        CHECK_EQ(ydoc_list_insert(doc, list, at, &one, 1), 0);
        model_insert(m, at, value);
    }
}

/* After thousands of edits anywhere every index finds what a plain array has there. */
TEST(ydoc_edit, index_is_right_after_random_edits)
{
    static struct model m;
    uint32_t seed = 1;
    struct desk d;

    m.n = 0;
    CHECK_EQ(desk_open(&d, NULL), 0);
    for (uint32_t i = 0; i < 6000; i++) {
        random_list_edit(d.doc, d.a, &m, &seed);
        CHECK_EQ(ydoc_type_length(d.doc, d.a), m.n);
        if (m.n > 0) {
            uint32_t at = next_random(&seed) % m.n;

            CHECK_EQ(number_at(d.doc, d.a, at), m.v[at]);
        }
        if (i % 2000 == 1999)
            ydoc_shrink(d.doc); /* the index is built anew */
    }
    for (uint32_t i = 0; i < m.n; i++)
        CHECK_EQ(number_at(d.doc, d.a, i), m.v[i]);
    desk_close(&d);
}

static void random_text_edit(struct ydoc *doc, ydoc_type t, uint32_t *seed)
{
    static const char *const formats[] = {"{\"b\":true}", "{\"b\":null}", "{\"i\":1}"};
    uint32_t length = ydoc_type_length(doc, t), at = next_random(seed) % (length + 1);
    uint32_t len = 1 + next_random(seed) % 5;
    char s[2] = {(char)('a' + next_random(seed) % 26), 0};

    len = len < length - at ? len : length - at;
    switch (next_random(seed) % 4) {
    case 0:
        CHECK_EQ(ydoc_text_delete(doc, t, at, len), 0);
        break;
    case 1:
        CHECK_EQ(ydoc_text_format(doc, t, at, len, text(formats[next_random(seed) % 3])), 0);
        break;
    default:
        CHECK_EQ(ydoc_text_insert(doc, t, at, text(s), inherit), 0);
    }
}

static void exchange(struct ydoc *from, struct ydoc *to)
{
    struct ydoc_buf sv, update;

    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&update, NULL);
    CHECK_EQ(ydoc_encode_state_vector(to, &sv), 0);
    CHECK_EQ(ydoc_encode_state_v1(from, sv.p, sv.len, &update, NULL), 0);
    CHECK_EQ(ydoc_apply_v1(to, update.p, update.len, NULL), 0);
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&update);
}

/* The text without what is no text, unit by unit. */
static void check_slices(const struct ydoc *doc, ydoc_type t)
{
    struct ydoc_buf whole, unit;

    ydoc_buf_init(&whole, NULL);
    ydoc_buf_init(&unit, NULL);
    CHECK_EQ(ydoc_read_text(doc, text("t"), &whole), 0);
    CHECK_EQ(ydoc_type_length(doc, t), whole.len);
    for (uint32_t i = 0; i < whole.len; i++) {
        ydoc_buf_reset(&unit);
        CHECK_EQ(ydoc_text_slice(doc, t, i, 1, &unit), 0);
        CHECK_MEM(unit.p, unit.len, whole.p + i, 1);
    }
    ydoc_buf_fini(&whole);
    ydoc_buf_fini(&unit);
}

/* It keeps in step with remote changes, splits, merges and format clean-up. */
TEST(ydoc_edit, index_is_right_among_remote_edits)
{
    struct ydoc_options options[2] = {{.client_id = 1}, {.client_id = 2}};
    struct ydoc *docs[2];
    uint32_t seed = 7;
    ydoc_type t[2];

    for (int i = 0; i < 2; i++) {
        CHECK_EQ(ydoc_new(&docs[i], &options[i]), 0);
        CHECK_EQ(ydoc_root(docs[i], text("t"), YDOC_KIND_TEXT, &t[i]), 0);
    }
    for (uint32_t round = 0; round < 150; round++) {
        for (int k = 0; k < 12; k++)
            random_text_edit(docs[k % 2], t[k % 2], &seed);
        exchange(docs[0], docs[1]);
        exchange(docs[1], docs[0]);
        exchange(docs[0], docs[1]); /* what the clean-up has deleted */
        if (round % 10 == 9) {
            check_slices(docs[0], t[0]);
            check_slices(docs[1], t[1]);
        }
    }
    ydoc_free(docs[0]);
    ydoc_free(docs[1]);
}

/* A document that is only synchronised has no index. The first far access makes it, and an idle
 * document gives it back. */
TEST(ydoc_edit, no_index_before_somebody_looks)
{
    struct ydoc_options options = {.client_id = 2};
    size_t plain, indexed;
    struct ydoc *copy;
    static const uint8_t byte[1] = {7};
    struct ydoc_value one = {.tag = YDOC_VALUE_BYTES, .any = {byte, 1}};
    ydoc_type list;
    struct desk d;

    CHECK_EQ(desk_open(&d, NULL), 0);
    for (uint32_t i = 0; i < 300; i++)
        CHECK_EQ(ydoc_list_insert(d.doc, d.a, i / 2, &one, 1), 0);
    CHECK_EQ(ydoc_new(&copy, &options), 0);
    exchange(d.doc, copy);
    ydoc_shrink(copy);
    plain = ydoc_memory_used(copy);
    CHECK_EQ(ydoc_root(copy, text("a"), YDOC_KIND_ARRAY, &list), 0);
    CHECK_EQ(ydoc_list_get(copy, list, 3, &one), 0);
    CHECK_EQ(ydoc_memory_used(copy), plain); /* near the start nothing is needed */
    CHECK_EQ(ydoc_list_get(copy, list, 299, &one), 0);
    indexed = ydoc_memory_used(copy);
    CHECK(indexed > plain);
    CHECK_EQ(ydoc_list_get(copy, list, 150, &one), 0);
    CHECK_EQ(ydoc_memory_used(copy), indexed);
    ydoc_shrink(copy);
    CHECK_EQ(ydoc_memory_used(copy), plain);
    ydoc_free(copy);
    desk_close(&d);
}
