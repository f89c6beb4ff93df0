#include "base/buf.h"

#include "base/rbuf.h"
#include "harness.h"

/* Past the maximum nothing is added, and the error stays until the reset. */
TEST(buf, error_sticks)
{
    struct mem_account a;
    struct buf b;

    mem_account_init(&a, "test", NULL, 0);
    buf_init(&b, &a, 8);
    buf_put_str(&b, "12345678");
    CHECK_EQ(buf_err(&b), 0);
    buf_put_u8(&b, '9');
    CHECK_EQ(buf_err(&b), SK_ETOOBIG);
    buf_put_str(&b, "");
    CHECK_EQ(b.len, 8);
    CHECK_STR(buf_str(&b), "");
    buf_reset(&b);
    buf_printf(&b, "%d-%s", 42, "x");
    CHECK_STR(buf_str(&b), "42-x");
    buf_fini(&b);
    mem_account_fini(&a);
}

/* An account's limit is a maximum too, and charges its parent only for what it gave. */
TEST(buf, account_limit)
{
    struct mem_account parent, a;
    struct buf b;

    mem_account_init(&parent, "parent", NULL, 0);
    mem_account_init(&a, "test", &parent, 100);
    buf_init(&b, &a, 1000);
    for (int i = 0; i < 200; i++)
        buf_put_u8(&b, 'x');
    CHECK_EQ(buf_err(&b), SK_ETOOBIG);
    CHECK(mem_account_used(&a) <= 100);
    CHECK_EQ(mem_account_used(&parent), mem_account_used(&a));
    buf_fini(&b);
    mem_account_fini(&a);
    mem_account_fini(&parent);
}

TEST(buf, json_strings)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", "\"\""},
        {"a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""},
        {"\n\x01", "\"\\u000a\\u0001\""},
        {"\xf0\x9f\x90\xa6", "\"\xf0\x9f\x90\xa6\""},
    };
    struct buf b;

    buf_init(&b, mem_process(), 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&b);
        buf_put_json(&b, rows[i].in);
        CHECK_STR(buf_str(&b), rows[i].out);
    }
    buf_fini(&b);
}

/* The bytes live as long as the last reference, and are charged until then. */
TEST(rbuf, references)
{
    struct mem_account a;
    struct rbuf *b, *again;

    mem_account_init(&a, "test", NULL, 1000);
    b = rbuf_dup(&a, "abc", 3);
    again = rbuf_ref(b);
    rbuf_unref(b);
    CHECK_MEM(again->bytes, again->len, "abc", 3);
    CHECK(rbuf_new(&a, 1000) == NULL);
    rbuf_unref(again);
    mem_account_fini(&a);
}
