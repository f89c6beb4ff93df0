#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_read_samples.h"
#include "ydoc_samples.h"

typedef int (*reader)(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out);

static const struct ydoc_slice root = {(const uint8_t *)"f", 1};
static const reader readers[] = {ydoc_read_xml_exact, ydoc_read_xml,   ydoc_read_prosemirror,
                                 ydoc_read_markdown,  ydoc_read_delta, ydoc_read_text};

static struct ydoc *load(struct ydoc_slice update)
{
    struct ydoc *doc;

    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_apply_v1(doc, update.p, update.len, NULL), 0);
    return doc;
}

static void check_reads(const struct ydoc *doc, reader read, const char *want)
{
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    CHECK_EQ(read(doc, root, &b), 0);
    ydoc_buf_append(&b, "", 1);
    CHECK_STR((const char *)b.p, want);
    ydoc_buf_fini(&b);
}

/* What yjs, y-prosemirror and a Markdown parser say of the same document. */
TEST(ydoc_readout, samples)
{
    for (size_t i = 0; i < ARRAY_LEN(read_samples); i++) {
        struct ydoc *doc = load(read_samples[i].update);

        TEST_CASE(read_samples[i].name);
        check_reads(doc, ydoc_read_xml_exact, read_samples[i].xml);
        check_reads(doc, ydoc_read_prosemirror, read_samples[i].prosemirror);
        check_reads(doc, ydoc_read_markdown, read_samples[i].markdown);
        ydoc_free(doc);
    }
}

static const struct read_sample *find_sample(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(read_samples); i++) {
        if (strcmp(read_samples[i].name, name) == 0)
            return &read_samples[i];
    }
    return NULL;
}

/* Nothing that a peer writes can open or close an element, or an attribute. */
TEST(ydoc_readout, escaped_xml)
{
    struct ydoc *doc = load(find_sample("attributes")->update);

    check_reads(doc, ydoc_read_xml,
                "<heading _0=\"true\" _=\"two\" a=\"null\" b=\"x&quot;&lt;&amp;\" "
                "level=\"1.5\" list=\"1,2,\" o=\"[object Object]\">"
                "<_ _=\"a\" _=\"b\"><_ a=\"\xc3\xa9\" b=\"1\">s</_></_>[object Object]</heading>");
    ydoc_free(doc);
}

TEST(ydoc_readout, delta)
{
    static const struct ydoc_slice rich = {(const uint8_t *)"rich", 4};
    static const char want[] = "[{\"insert\":\"bo\",\"attributes\":{\"bold\":true}},"
                               "{\"insert\":{\"image\":\"a.png\",\"n\":1.5}},";
    bool found = false;
    struct ydoc_buf b;
    struct ydoc *doc;

    for (size_t i = 0; i < ARRAY_LEN(samples) && !found; i++) {
        found = strcmp(samples[i].name, "formats and embeds") == 0;
        if (!found)
            continue;
        doc = load(samples[i].state);
        ydoc_buf_init(&b, NULL);
        CHECK_EQ(ydoc_read_delta(doc, rich, &b), 0);
        CHECK(b.len > strlen(want));
        CHECK_MEM(b.p, strlen(want), want, strlen(want));
        ydoc_buf_fini(&b);
        ydoc_free(doc);
    }
    CHECK(found);
}

TEST(ydoc_readout, no_such_root)
{
    static const struct ydoc_slice none = {(const uint8_t *)"none", 4};
    struct ydoc *doc = load(read_samples[0].update);
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        CHECK_EQ(readers[i](doc, none, &b), YDOC_ENOENT);
    CHECK_EQ(b.len, 0);
    ydoc_buf_fini(&b);
    ydoc_free(doc);
}

/* An allocator that fails after `left` requests and counts what is out. */
struct meter {
    size_t left, out;
};

static void *meter_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct meter *m = ctx;
    void *q;

    if (new_size == 0) {
        free(p);
        m->out -= old_size;
        return NULL;
    }
    if (m->left == 0 || (q = realloc(p, new_size)) == NULL)
        return NULL;
    m->left--;
    m->out += new_size - old_size;
    return q;
}

/* True once the reader needs no more than n allocations. */
static bool read_with(const struct ydoc *doc, reader read, size_t n)
{
    struct meter m = {n, 0};
    struct ydoc_alloc alloc = {meter_resize, &m};
    struct ydoc_buf b;
    int rc;

    ydoc_buf_init(&b, &alloc);
    rc = read(doc, root, &b);
    CHECK(rc == 0 || (rc == YDOC_ENOMEM && b.len == 0));
    ydoc_buf_fini(&b);
    CHECK_EQ(m.out, 0);
    return rc == 0;
}

/* Whichever allocation fails, nothing leaks and nothing is half written. */
TEST(ydoc_readout, failing_memory)
{
    for (size_t i = 0; i < ARRAY_LEN(read_samples); i++) {
        struct ydoc *doc = load(read_samples[i].update);

        TEST_CASE(read_samples[i].name);
        for (size_t k = 0; k < ARRAY_LEN(readers); k++) {
            size_t n = 0;

            while (!read_with(doc, readers[k], n))
                n++;
            CHECK(n < 1000);
        }
        ydoc_free(doc);
    }
}

static void add_varuint(struct ydoc_buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        ydoc_buf_append(b, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    ydoc_buf_append(b, &(uint8_t){(uint8_t)v}, 1);
}

/* An update of one client: n elements called `name`, each inside the one before. */
static void nest(struct ydoc_buf *b, uint32_t n, const char *name)
{
    ydoc_buf_append(b, "\x01", 1);
    add_varuint(b, n);
    ydoc_buf_append(b, "\x01\x00", 2);
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0) {
            ydoc_buf_append(b,
                            "\x07\x01\x01"
                            "f",
                            4);
        } else {
            ydoc_buf_append(b, "\x07\x00\x01", 3);
            add_varuint(b, i - 1);
        }
        ydoc_buf_append(b, "\x03", 1);
        add_varuint(b, (uint32_t)strlen(name));
        ydoc_buf_append(b, name, strlen(name));
    }
    ydoc_buf_append(b, "", 1);
}

/* Nesting that has no end in the document has one in what is read. */
TEST(ydoc_readout, deep_nesting)
{
    static const char *const names[] = {"blockquote", "bulletList", "x", "p"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct ydoc_buf update, b;
        struct ydoc *doc;

        ydoc_buf_init(&update, NULL);
        ydoc_buf_init(&b, NULL);
        nest(&update, 20000, names[i]);
        doc = load(ydoc_buf_slice(&update));
        for (size_t k = 0; k < ARRAY_LEN(readers); k++) {
            ydoc_buf_reset(&b);
            CHECK_EQ(readers[k](doc, root, &b), 0);
            CHECK(b.len < 100000);
        }
        ydoc_free(doc);
        ydoc_buf_fini(&update);
        ydoc_buf_fini(&b);
    }
}

/* A text in which `bytes` of a format are said again for each of n runs. */
static void repeat_format(struct ydoc_buf *b, uint32_t n, uint32_t bytes)
{
    ydoc_buf_append(b, "\x01", 1);
    add_varuint(b, 2 * n + 1);
    ydoc_buf_append(b,
                    "\x01\x00\x06\x01\x01"
                    "f\x01k",
                    8);
    add_varuint(b, bytes + 2);
    ydoc_buf_append(b, "\"", 1);
    for (uint32_t i = 0; i < bytes; i++)
        ydoc_buf_append(b, "x", 1);
    ydoc_buf_append(b, "\"", 1);
    for (uint32_t i = 0; i < n; i++) {
        ydoc_buf_append(b, "\x84\x01", 2);
        add_varuint(b, 2 * i);
        ydoc_buf_append(b, "\x01y\x86\x01", 4);
        add_varuint(b, 2 * i + 1);
        ydoc_buf_append(b, "\x01z\x01\x31", 4);
    }
    ydoc_buf_append(b, "", 1);
}

/* A document of half a megabyte does not read as two gigabytes. */
TEST(ydoc_readout, bounded_output)
{
    struct ydoc_buf update, b;
    struct ydoc *doc;

    ydoc_buf_init(&update, NULL);
    ydoc_buf_init(&b, NULL);
    repeat_format(&update, 10000, 200000);
    doc = load(ydoc_buf_slice(&update));
    ydoc_buf_append(&b, "kept", 4);
    CHECK_EQ(ydoc_read_delta(doc, root, &b), YDOC_ELIMIT);
    CHECK_EQ(b.len, 4);
    CHECK_EQ(ydoc_read_markdown(doc, root, &b), 0);
    ydoc_free(doc);
    ydoc_buf_fini(&update);
    ydoc_buf_fini(&b);
}
