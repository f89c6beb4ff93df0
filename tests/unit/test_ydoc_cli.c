#include "ydoc_cli/json_tree.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "ydoc_cli/update_format.h"

static int parse(struct json_tree *t, const char *text, struct ydoc_error *err)
{
    return json_tree_parse(t, (const uint8_t *)text, strlen(text), err);
}

/* What lib0's encoding.writeAny gives for the same values. */
static const struct {
    const char *json, *any;
} values[] = {
    {"null", "7e"},
    {" true ", "78"},
    {"false", "79"},
    {"0", "7d00"},
    {"-0", "7d40"},
    {"-0.0", "7d40"},
    {"63", "7d3f"},
    {"64", "7d8001"},
    {"-1.0e2", "7de401"},
    {"2147483647", "7dbfffffff0f"},
    {"-2147483647", "7dffffffff0f"},
    {"2147483648", "7c4f000000"},
    {"-2147483648", "7ccf000000"},
    {"1.5", "7c3fc00000"},
    {"0.1", "7b3fb999999999999a"},
    {"9007199254740993", "7c5a000000"},
    {"1e999", "7c7f800000"},
    {"\"\"", "7700"},
    {"\"a\\u0000\\n\\/\\\"\"", "7705"
                               "61000a2f22"},
    {"\"\\ud83d\\ude00\"", "7704f09f9880"},
    {"\"\\ud83d\"", "7703efbfbd"},
    {"\"\\ud83dx\"", "7704efbfbd78"},
    {"\"\\ud83d\\u0041\"", "7704efbfbd41"},
    {"\"\\ud83d\\ud83d\\ude00\"", "7707efbfbdf09f9880"},
    {"\"\\ude00\"", "7703efbfbd"},
    {"[]", "7500"},
    {"[1,[2],{}]", "75037d0175017d027600"},
    {"{\"a\":1,\"$u\":2}", "7602016"
                           "17d0102"
                           "24757d02"},
    {"{\"$u\":1}", "7f"},
    {"{\"$n\":\"-0\"}", "7d40"},
    {"{\"$n\":\"NaN\"}", "7b7ff8000000000000"},
    {"{\"$n\":\"Infinity\"}", "7c7f800000"},
    {"{\"$n\":\"-Infinity\"}", "7cff800000"},
    {"{\"$big\":\"-1\"}", "7affffffffffffffff"},
    {"{\"$big\":\"18446744073709551617\"}", "7a0000000000000001"},
    {"{\"$bin\":\"\"}", "7400"},
    {"{\"$bin\":\"AQ==\"}", "740101"},
    {"{\"$bin\":\"AQID\"}", "7403010203"},
    {"{\"$bin\":\"//8\"}", "7402ffff"},
};

TEST(ydoc_cli, json_becomes_any)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct ydoc_error err = {0};
        struct json_tree t;
        struct ydoc_buf out;
        char hex[200] = "";

        TEST_CASE(values[i].json);
        CHECK_EQ(parse(&t, values[i].json, &err), 0);
        ydoc_buf_init(&out, NULL);
        CHECK_EQ(json_write_any(&t, t.nodes, &out), 0);
        for (size_t k = 0; k < out.len; k++)
            snprintf(hex + 2 * k, 3, "%02x", out.p[k]);
        CHECK_STR(hex, values[i].any);
        ydoc_buf_fini(&out);
        json_tree_fini(&t);
    }
}

/* What JSON.parse throws at, and the byte where it is wrong. */
static const struct {
    const char *json;
    size_t offset;
} broken[] = {
    {"", 0},         {" ", 1},          {"nul", 0},     {"01", 0},
    {"-", 0},        {"1.", 0},         {"1e+", 0},     {"+1", 0},
    {"1 2", 2},      {"[1,]", 3},       {"[1", 2},      {"{\"a\"}", 4},
    {"{a:1}", 1},    {"{\"a\":1,}", 7}, {"\"\\x\"", 3}, {"\"\\u12g4\"", 5},
    {"\"a\nb\"", 3}, {"\"abc", 4},      {"\"\\", 2},    {"\"\xc3\"", 0},
};

TEST(ydoc_cli, broken_json_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct ydoc_error err = {0};
        struct json_tree t;

        TEST_CASE(broken[i].json);
        CHECK_EQ(parse(&t, broken[i].json, &err), YDOC_EMALFORMED);
        CHECK_EQ(err.offset, broken[i].offset);
        json_tree_fini(&t);
    }
}

TEST(ydoc_cli, every_truncation_of_json_is_refused)
{
    static const char whole[] = "{\"a\":[1.5e-3,\"\\ud83d\\ude00\\n\",true,null,{\"$n\":\"-0\"}]}";

    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        uint8_t *cut = test_dup(whole, n);
        struct ydoc_error err = {0};
        struct json_tree t;

        CHECK_EQ(json_tree_parse(&t, cut, n, &err), YDOC_EMALFORMED);
        CHECK(err.offset <= n);
        json_tree_fini(&t);
        test_free(cut);
    }
}

TEST(ydoc_cli, nesting_is_bounded)
{
    char text[2 * JSON_NESTING_MAX + 4];
    struct ydoc_error err = {0};
    struct json_tree t;

    for (unsigned deep = JSON_NESTING_MAX; deep <= JSON_NESTING_MAX + 1; deep++) {
        memset(text, '[', deep + 1);
        memset(text + deep + 1, ']', deep + 1);
        CHECK_EQ(json_tree_parse(&t, (uint8_t *)text, 2 * (size_t)deep + 2, &err),
                 deep == JSON_NESTING_MAX ? 0 : YDOC_EMALFORMED);
        json_tree_fini(&t);
    }
}

TEST(ydoc_cli, tagged_values_that_say_nothing_are_refused)
{
    static const char *const rows[] = {
        "{\"$n\":\"1\"}",   "{\"$n\":0}",          "{\"$big\":1}",
        "{\"$big\":\"\"}",  "{\"$big\":\"-\"}",    "{\"$big\":\"1x\"}",
        "{\"$bin\":\"A\"}", "{\"$bin\":\"A===\"}", "{\"$bin\":1}"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ydoc_error err = {0};
        struct json_tree t;
        struct ydoc_buf out;

        TEST_CASE(rows[i]);
        CHECK_EQ(parse(&t, rows[i], &err), 0);
        ydoc_buf_init(&out, NULL);
        CHECK_EQ(json_write_any(&t, t.nodes, &out), YDOC_EMALFORMED);
        ydoc_buf_fini(&out);
        json_tree_fini(&t);
    }
}

TEST(ydoc_cli, children_are_found_by_place_and_name)
{
    struct ydoc_error err = {0};
    struct json_tree t;
    const struct json_node *list;

    CHECK_EQ(parse(&t, "{\"x\":1,\"list\":[\"a\",\"b\"]}", &err), 0);
    list = json_member(&t, t.nodes, "list");
    CHECK(list != NULL && list->n == 2);
    CHECK(json_is_text(json_at(&t, list, 1), "b"));
    CHECK(json_at(&t, list, 2) == NULL);
    CHECK(json_member(&t, t.nodes, "y") == NULL);
    CHECK(json_member(&t, list, "x") == NULL);
    json_tree_fini(&t);
}

/* Empty updates, deletions alone, and updates of yjs, in both formats. */
static const struct {
    const char *bytes;
    size_t len;
    enum update_format format;
} formats[] = {
    {"", 0, FORMAT_V1},
    {"\0\0", 2, FORMAT_V1},
    {"\0\1\1\1\1\2", 6, FORMAT_V1},
    {"\1\1\1\0\4\1\1t\1x\0", 11, FORMAT_V1},
    {"\0\0\0\0\0\0\1\0\0\0\0\0\0", 13, FORMAT_V2},
    {"\0\0\0\0\0\0\1\0\0\0\0\0\1\1\1\1\1", 17, FORMAT_V2},
    {"\0\2\0\2\2\101\2\1\6\2\0\10\3\106\0\306\13\10"
     "boldbold\104\0\0\0\0\1\2\6x~\0",
     37, FORMAT_V2},
};

TEST(ydoc_cli, formats_are_told_apart)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        CHECK_EQ(format_detect((const uint8_t *)formats[i].bytes, formats[i].len),
                 formats[i].format);
}
