#include "auth/auth.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/jwt.h"
#include "auth/tokens.h"
#include "harness.h"

#define SECRET "a secret of the tests, long enough"
#define NOW 1700000000

/* --- patterns ------------------------------------------------------------ */

static const struct {
    const char *pattern, *room;
    bool covers;
} pattern_rows[] = {
    {"*", "", true},          {"*", "a/b", true},       {"", "", true},
    {"", "a", false},         {"a", "a", true},         {"a", "ab", false},
    {"a*", "a", true},        {"a*", "abc", true},      {"a*", "ba", false},
    {"*a", "bba", true},      {"*a", "ab", false},      {"a*c", "abc", true},
    {"a*c", "ac", true},      {"a*c", "abcd", false},   {"a**c", "axyc", true},
    {"*a*b*", "xaxbx", true}, {"*a*b*", "xbxa", false}, {"docs-*", "docs-1", true},
    {"a*b*c", "abbc", true},  {"a*b*c", "acb", false},  {"?", "a", false},
    {"*aab", "aaaab", true},
};

TEST(auth, patterns)
{
    for (size_t i = 0; i < ARRAY_LEN(pattern_rows); i++) {
        const char *p = pattern_rows[i].pattern, *r = pattern_rows[i].room;

        TEST_CASE(p);
        CHECK_EQ(auth_pattern_covers(p, strlen(p), r, strlen(r)), pattern_rows[i].covers);
    }
}

/* --- JSON web tokens ------------------------------------------------------ */

static const char *make(struct buf *b, const char *claims)
{
    buf_reset(b);
    jwt_encode(b, SECRET, strlen(SECRET), claims, strlen(claims));
    return buf_str(b);
}

static int check(const char *token, size_t len, const char *room, struct auth_ticket *t,
                 struct err *e)
{
    return jwt_check(SECRET, strlen(SECRET), NOW, token, len, room, strlen(room), t, e);
}

/* Each row is a token's claims, and what they are worth in the room "a/b" at NOW. */
static const struct {
    const char *claims;
    enum auth_access access;
    const char *user, *reason;
    int64_t expires_s;
} claim_rows[] = {
    {"{}", AUTH_WRITE, "", NULL, 0},
    {"{\"sub\":\"ann\",\"name\":\"Ann\"}", AUTH_WRITE, "ann", NULL, 0},
    {"{\"name\":\"Ann\"}", AUTH_WRITE, "Ann", NULL, 0},
    {"{\"access\":\"read\"}", AUTH_READ, "", NULL, 0},
    {"{\"access\":\"write\"}", AUTH_WRITE, "", NULL, 0},
    {"{\"access\":\"none\"}", AUTH_NONE, "", "permission-denied", 0},
    {"{\"access\":\"Write\"}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"access\":1}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"access\":null}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"rooms\":[\"a/*\"]}", AUTH_WRITE, "", NULL, 0},
    {"{\"rooms\":[\"b\",\"a/b\"]}", AUTH_WRITE, "", NULL, 0},
    {"{\"rooms\":[\"b\"]}", AUTH_NONE, "", "permission-denied", 0},
    {"{\"rooms\":[]}", AUTH_NONE, "", "permission-denied", 0},
    {"{\"rooms\":\"*\"}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"rooms\":[1]}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"exp\":1700000001}", AUTH_WRITE, "", NULL, 1700000001},
    {"{\"exp\":1699999941}", AUTH_WRITE, "", NULL, 1699999941},
    {"{\"exp\":1699999940}", AUTH_NONE, "", "token-expired", 0},
    {"{\"exp\":1699999941.5}", AUTH_WRITE, "", NULL, 1699999941},
    {"{\"exp\":0}", AUTH_NONE, "", "token-expired", 0},
    {"{\"exp\":-1}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"exp\":\"1700000001\"}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"exp\":1e300}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"exp\":null}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"nbf\":1700000060}", AUTH_WRITE, "", NULL, 0},
    {"{\"nbf\":1700000061}", AUTH_NONE, "", "token-not-yet-valid", 0},
    {"{\"sub\":1}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"sub\":\"a\\nb\"}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"sub\":\"a\\u0000b\"}", AUTH_NONE, "", "token-invalid", 0},
    {"{\"sub\":\"a\",\"sub\":\"b\"}", AUTH_NONE, "", "token-invalid", 0},
    {"[]", AUTH_NONE, "", "token-invalid", 0},
    {"{", AUTH_NONE, "", "token-invalid", 0},
    {"", AUTH_NONE, "", "token-invalid", 0},
};

TEST(jwt, claims)
{
    struct buf b;

    buf_init(&b, mem_process(), 4 * LIMIT_TOKEN_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(claim_rows); i++) {
        const char *token = make(&b, claim_rows[i].claims);
        struct auth_ticket t;
        struct err e = {0, ""};
        int rc;

        TEST_CASE(claim_rows[i].claims);
        rc = check(token, strlen(token), "a/b", &t, &e);
        CHECK_EQ(rc, claim_rows[i].reason == NULL ? 0 : SK_EDENIED);
        CHECK_STR(e.msg, claim_rows[i].reason == NULL ? "" : claim_rows[i].reason);
        CHECK_EQ(t.access, claim_rows[i].access);
        CHECK_STR(t.user, claim_rows[i].user);
        CHECK_EQ(t.expires_s, claim_rows[i].expires_s);
    }
    buf_fini(&b);
}

/* Tokens made elsewhere, under the secret of the example in RFC 7515, A.1, and its neighbours. */
static const struct {
    const char *name, *token;
    bool ok;
} token_rows[] = {
    /* printf '%s' '{"alg":"HS256"}' and '{"sub":"ann"}', signed by openssl dgst -sha256 -hmac */
    {"made by openssl",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.gVz8LCv1KJkeODVQ1aJOw78oNeprm-UruxvrtKpol_8", true},
    {"alg none", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", false},
    {"alg HS512, though signed",
     "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbm4ifQ.kI_3BwBYOU0UwWmv5j9GgkMHpk3kc1oXe06-Y7Qb6f8", false},
    {"crit",
     "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ.eyJzdWIiOiJhbm4ifQ.ugRd4bwgdTmH-2gtE8Vsnei25_"
     "XFTAXwuyKGp-dznNk",
     false},
    {"alg in lower case",
     "eyJhbGciOiJoczI1NiJ9.eyJzdWIiOiJhbm4ifQ.OZyh-GGSJOD03VGUY9z1bXTZU_oI6-WCXZi09WNV4Dc", false},
    {"another secret",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.xegJqkyuP8dNml48Tw8WFJRynCOepD6jJFcVzbVfDiU", false},
    {"padding",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.gVz8LCv1KJkeODVQ1aJOw78oNeprm-UruxvrtKpol_8=", false},
    {"no dots", "abc", false},
    {"empty", "", false},
    {"two dots only", "..", false},
    {"four parts", "eyJhbGciOiJIUzI1NiJ9.e30.AA.AA", false},
};

TEST(jwt, tokens_from_elsewhere)
{
    for (size_t i = 0; i < ARRAY_LEN(token_rows); i++) {
        size_t len = strlen(token_rows[i].token);
        struct auth_ticket t;
        struct err e = {0, ""};

        TEST_CASE(token_rows[i].name);
        CHECK_EQ(check(token_rows[i].token, len, "r", &t, &e), token_rows[i].ok ? 0 : SK_EDENIED);
        CHECK_STR(e.msg, token_rows[i].ok ? "" : "token-invalid");
        CHECK_STR(t.user, token_rows[i].ok ? "ann" : "");
    }
}

/* Every truncation, and every single changed character, is refused: no two texts are one token. */
TEST(jwt, every_truncation_and_change_is_refused)
{
    struct buf b;
    const char *token;
    struct auth_ticket t;
    struct err e;
    size_t len;

    buf_init(&b, mem_process(), LIMIT_TOKEN_BYTES);
    token = make(&b, "{\"sub\":\"ann\",\"rooms\":[\"a\"]}");
    len = strlen(token);
    CHECK_EQ(check(token, len, "a", &t, &e), 0);
    for (size_t i = 0; i < len; i++) {
        uint8_t *cut = test_dup(token, i), *changed = test_dup(token, len);

        CHECK_EQ(check((char *)cut, i, "a", &t, &e), SK_EDENIED);
        for (const char *c = "Aa0-_.=+/ \n"; *c != 0; c++) {
            changed[i] = (uint8_t)*c;
            if (token[i] != *c)
                CHECK_EQ(check((char *)changed, len, "a", &t, &e), SK_EDENIED);
        }
        test_free(cut);
        test_free(changed);
    }
    buf_fini(&b);
}

TEST(jwt, longest_token)
{
    static char claims[LIMIT_TOKEN_BYTES];
    struct buf b;
    struct auth_ticket t;
    struct err e;
    const char *token;

    buf_init(&b, mem_process(), 4 * LIMIT_TOKEN_BYTES);
    snprintf(claims, sizeof(claims), "{\"x\":\"%06000d\"}", 0);
    token = make(&b, claims);
    CHECK(strlen(token) <= LIMIT_TOKEN_BYTES);
    CHECK_EQ(check(token, strlen(token), "a", &t, &e), 0);
    snprintf(claims, sizeof(claims), "{\"x\":\"%06200d\"}", 0);
    token = make(&b, claims);
    CHECK(strlen(token) > LIMIT_TOKEN_BYTES);
    CHECK_EQ(check(token, strlen(token), "a", &t, &e), SK_EDENIED);
    buf_fini(&b);
}

/* --- static tokens --------------------------------------------------------- */

#define TABLE                                                                                      \
    "{\"w\":{\"access\":\"write\",\"user\":\"bot\"},"                                              \
    "\"r\":{\"access\":\"read\",\"rooms\":[\"docs-*\",\"welcome\"]},"                              \
    "\"old\":{\"access\":\"none\",\"reason\":\"this key was replaced\"}"

static const struct {
    const char *table, *token, *room;
    int rc;
    enum auth_access access;
    const char *user, *reason;
} table_rows[] = {
    {TABLE "}", "w", "x", 0, AUTH_WRITE, "bot", ""},
    {TABLE "}", "r", "docs-1", 0, AUTH_READ, "", ""},
    {TABLE "}", "r", "welcome", 0, AUTH_READ, "", ""},
    {TABLE "}", "r", "x", SK_EDENIED, AUTH_NONE, "", "permission-denied"},
    {TABLE "}", "old", "x", SK_EDENIED, AUTH_NONE, "", "this key was replaced"},
    {TABLE "}", "ww", "x", SK_ENOTFOUND, AUTH_NONE, "", ""},
    {TABLE "}", "", "x", SK_ENOTFOUND, AUTH_NONE, "", ""},
    {TABLE "}", "*", "x", SK_ENOTFOUND, AUTH_NONE, "", ""},
    {TABLE ",\"*\":{\"access\":\"read\"}}", "*", "x", 0, AUTH_READ, "", ""},
    {TABLE ",\"*\":{\"access\":\"read\"}}", "", "x", 0, AUTH_READ, "", ""},
    {TABLE ",\"*\":{\"access\":\"read\"}}", "r", "x", SK_EDENIED, AUTH_NONE, "",
     "permission-denied"},
    {TABLE ",\"\":{\"access\":\"write\"}}", "", "x", 0, AUTH_WRITE, "", ""},
    {"{\"*\":{\"access\":\"none\",\"reason\":\"please sign in\"}}", "w", "x", SK_EDENIED, AUTH_NONE,
     "", "please sign in"},
    {"{}", "w", "x", SK_ENOTFOUND, AUTH_NONE, "", ""},
};

TEST(tokens, table)
{
    for (size_t i = 0; i < ARRAY_LEN(table_rows); i++) {
        struct auth_ticket ticket;
        struct err e = {0, ""};
        struct tokens *t;

        TEST_CASE(table_rows[i].token);
        CHECK_EQ(tokens_new(&t, table_rows[i].table, strlen(table_rows[i].table), &e), 0);
        CHECK_EQ(tokens_check(t, table_rows[i].token, strlen(table_rows[i].token),
                              table_rows[i].room, strlen(table_rows[i].room), &ticket, &e),
                 table_rows[i].rc);
        CHECK_EQ(ticket.access, table_rows[i].access);
        CHECK_STR(ticket.user, table_rows[i].user);
        CHECK_STR(e.msg, table_rows[i].reason);
        tokens_free(t);
    }
}

static const struct {
    const char *text, *words;
} bad_tables[] = {
    {"", "line 1"},
    {"[]", "expected an object"},
    {"{\"a\":1}", "entry 1: expected an object"},
    {"{\"a\":{}}", "entry 1: expected an object with \"access\""},
    {"{\"a\":{\"access\":\"all\"}}", "entry 1: \"access\""},
    {"{\"a\":{\"access\":\"read\",\"room\":[]}}", "entry 1: \"room\" is unknown"},
    {"{\"a\":{\"access\":\"read\",\"rooms\":\"x\"}}", "\"rooms\""},
    {"{\"a\":{\"access\":\"read\"},\"a\":{\"access\":\"write\"}}", "duplicate"},
    {"{\"a\":{\"access\":\"read\"},\n}", "line 2"},
    {"{\"a\":{\"access\":\"read\"}} x", "line 1"},
};

TEST(tokens, bad_tables_are_refused_without_the_token_in_the_words)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_tables); i++) {
        struct err e = {0, ""};
        struct tokens *t;

        TEST_CASE(bad_tables[i].text);
        CHECK_EQ(tokens_new(&t, bad_tables[i].text, strlen(bad_tables[i].text), &e), SK_EINVAL);
        CHECK(t == NULL);
        CHECK(strstr(e.msg, bad_tables[i].words) != NULL);
    }
}

TEST(tokens, every_truncation_is_refused)
{
    static const char text[] = TABLE ",\"*\":{\"access\":\"read\"}}";

    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        uint8_t *copy = test_dup(text, cut);
        struct tokens *t;
        struct err e;

        CHECK_EQ(tokens_new(&t, (char *)copy, cut, &e), SK_EINVAL);
        test_free(copy);
    }
}

/* --- both ------------------------------------------------------------------ */

static char tokens_path[] = "/tmp/skein-tokens-XXXXXX";

static void write_tokens(const char *text)
{
    FILE *f = fopen(tokens_path, "w");

    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
}

static int64_t fixed_now(void)
{
    return NOW;
}

static int ask(const struct auth *a, const char *token, struct auth_ticket *t, struct err *e)
{
    e->msg[0] = 0;
    return auth_check(a, token, strlen(token), "room", 4, t, e);
}

TEST(auth, nothing_configured_lets_everybody_write)
{
    struct auth_options o = {0};
    struct auth_ticket t;
    struct auth *a;
    struct err e;

    CHECK_EQ(auth_new(&a, &o, NULL), 0);
    CHECK(!auth_is_configured(a));
    CHECK_EQ(ask(a, "", &t, &e), 0);
    CHECK_EQ(t.access, AUTH_WRITE);
    CHECK_EQ(ask(a, "whatever", &t, &e), 0);
    CHECK_EQ(t.access, AUTH_WRITE);
    auth_free(a);
}

TEST(auth, both_kinds_of_token)
{
    struct auth_options o = {
        .jwt_secret = SECRET, .jwt_secret_len = sizeof(SECRET) - 1, .now_s = fixed_now};
    struct auth_ticket t;
    struct auth *a;
    struct err e;
    struct buf b;
    char longer[LIMIT_TOKEN_BYTES + 2];

    close(mkstemp(tokens_path));
    write_tokens("{\"s\":{\"access\":\"read\"}}");
    o.tokens_path = tokens_path;
    buf_init(&b, mem_process(), LIMIT_TOKEN_BYTES);
    CHECK_EQ(auth_new(&a, &o, &e), 0);
    CHECK_EQ(ask(a, make(&b, "{\"sub\":\"ann\"}"), &t, &e), 0);
    CHECK_STR(t.user, "ann");
    CHECK_EQ(ask(a, make(&b, "{\"exp\":1}"), &t, &e), SK_EDENIED);
    CHECK_STR(e.msg, "token-expired");
    CHECK_EQ(ask(a, "s", &t, &e), 0);
    CHECK_EQ(t.access, AUTH_READ);
    CHECK_EQ(ask(a, "x", &t, &e), SK_EDENIED);
    CHECK_STR(e.msg, "token-invalid");
    CHECK_EQ(ask(a, "", &t, &e), SK_EDENIED);
    CHECK_STR(e.msg, "token-required");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    CHECK_EQ(ask(a, longer, &t, &e), SK_EDENIED);
    CHECK_STR(e.msg, "token-too-long");

    /* a reload that fails changes nothing; one that succeeds changes everything */
    write_tokens("{");
    CHECK_EQ(auth_reload(a, &e), SK_EINVAL);
    CHECK(strstr(e.msg, tokens_path) != NULL);
    CHECK_EQ(ask(a, "s", &t, &e), 0);
    write_tokens("{\"s\":{\"access\":\"write\"}}");
    CHECK_EQ(auth_reload(a, &e), 0);
    CHECK_EQ(ask(a, "s", &t, &e), 0);
    CHECK_EQ(t.access, AUTH_WRITE);
    auth_free(a);
    unlink(tokens_path);
    CHECK_EQ(auth_new(&a, &o, &e), SK_ENOTFOUND);
    buf_fini(&b);
}

TEST(auth, anonymous_may_be_let_in_beside_a_secret)
{
    struct auth_options o = {
        .jwt_secret = SECRET, .jwt_secret_len = sizeof(SECRET) - 1, .anonymous = AUTH_READ};
    struct auth_ticket t;
    struct auth *a;
    struct err e;

    CHECK_EQ(auth_new(&a, &o, NULL), 0);
    CHECK_EQ(ask(a, "", &t, &e), 0);
    CHECK_EQ(t.access, AUTH_READ);
    CHECK_EQ(ask(a, "x", &t, &e), SK_EDENIED);
    auth_free(a);
}

struct asker {
    const struct auth *a;
    atomic_bool stop;
};

static void *ask_until_stopped(void *arg)
{
    struct asker *k = arg;

    while (!atomic_load(&k->stop)) {
        struct auth_ticket t;
        struct err e;

        if (ask(k->a, "s", &t, &e) != 0 || t.access == AUTH_NONE)
            return k;
    }
    return NULL;
}

/* Checks on several threads go on through reloads, and always see a whole table. */
TEST(auth, reloads_while_others_check)
{
    struct asker k = {0};
    struct auth_options o = {.tokens_path = tokens_path};
    pthread_t threads[2];
    struct auth *a;
    struct err e;

    memcpy(tokens_path + sizeof(tokens_path) - 7, "XXXXXX", 6);
    close(mkstemp(tokens_path));
    write_tokens("{\"s\":{\"access\":\"read\"}}");
    CHECK_EQ(auth_new(&a, &o, &e), 0);
    k.a = a;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, ask_until_stopped, &k), 0);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(auth_reload(a, &e), 0);
    atomic_store(&k.stop, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
    auth_free(a);
    unlink(tokens_path);
}
