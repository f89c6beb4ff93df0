#include <ydoc.h>

#include <string.h>

#include "harness.h"
#include "ydoc_samples.h"

/* What the samples say, as JSON, and the guessed kinds of their roots. */
static const struct {
    const char *name;
    const char *json;
} rows[] = {
    {"text", "{\"text\":\"h\xc3\xa9! \xf0\x9f\x98\x80\xf0\x9f\x98\x81 w\"}"},
    {"formats and embeds",
     "{\"rich\":[{\"insert\":\"bo\",\"attributes\":{\"bold\":true}},"
     "{\"insert\":{\"image\":\"a.png\",\"n\":1.5}},"
     "{\"insert\":\"ld\",\"attributes\":{\"bold\":true}},"
     "{\"insert\":\" and\",\"attributes\":{\"link\":{\"href\":\"x\\\"\\\\\\n\"}}},"
     "{\"insert\":\" not\",\"attributes\":{\"bold\":true}}]}"},
    {"values of every kind",
     "{\"a\":[1,0,\"AQL/\",0,2147483647,2147483648,1.5,0.1,\"x\",true,false,null,"
     "{\"2\":\"two\",\"10\":\"ten\",\"u\":null,\"k\":[1,{\"z\":null}]},null],"
     "\"m\":{\"big\":-6101065172474983726}}"},
    {"types in types, deleted", "{\"m\":{\"t\":\"gone\"},\"x\":\"<p class=\\\"c&lt;&quot;\\\">hi "
                                "&amp; ho</p><hook></hook>\"}"},
    {"a subdocument", "{\"m\":{\"d\":{\"guid\":\"sub\"}}}"},
    {"legacy JSON", "{\"array\":[1,\"x\",null,{\"b\":1,\"a\":[1.5,2000]}]}"},
};

static const struct sample *find_sample(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        if (strcmp(samples[i].name, name) == 0)
            return &samples[i];
    }
    return NULL;
}

TEST(ydoc_read, json_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct sample *s = find_sample(rows[i].name);
        struct ydoc_buf b;
        struct ydoc *doc;

        TEST_CASE(rows[i].name);
        CHECK(s != NULL);
        CHECK_EQ(ydoc_new(&doc, NULL), 0);
        CHECK_EQ(ydoc_apply_v1(doc, s->state.p, s->state.len, NULL), 0);
        ydoc_buf_init(&b, NULL);
        CHECK_EQ(ydoc_read_json(doc, &b), 0);
        ydoc_buf_append(&b, "", 1);
        CHECK_STR((const char *)b.p, rows[i].json);
        ydoc_buf_fini(&b);
        ydoc_free(doc);
    }
}

TEST(ydoc_read, roots_and_text)
{
    static const struct ydoc_slice text = {(const uint8_t *)"rich", 4};
    static const struct ydoc_slice none = {(const uint8_t *)"none", 4};
    const struct sample *s = find_sample("formats and embeds");
    struct ydoc_root root;
    uint32_t iter = 0;
    struct ydoc_buf b;
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_apply_v1(doc, s->state.p, s->state.len, NULL), 0);
    CHECK(ydoc_next_root(doc, &iter, &root));
    CHECK_MEM(root.name.p, root.name.len, "rich", 4);
    CHECK_EQ(root.kind, YDOC_KIND_TEXT);
    CHECK_EQ(root.length, 13);
    CHECK(!ydoc_next_root(doc, &iter, &root));
    ydoc_buf_init(&b, NULL);
    CHECK_EQ(ydoc_read_text(doc, text, &b), 0);
    CHECK_MEM(b.p, b.len, "bold and not", 12);
    CHECK_EQ(ydoc_read_text(doc, none, &b), YDOC_ENOENT);
    CHECK_EQ(ydoc_read_root_json(doc, none, YDOC_KIND_MAP, &b), YDOC_ENOENT);
    CHECK_EQ(b.len, 12);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}
