#include <ydoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ydoc_account.h"
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

/* Formats and embeds with values that JSON lacks, which only format v2 carries: what toString()
 * gives of them, and a link among whose members one is undefined. */
static const struct {
    const char *hex;
    reader read;
    const char *want;
} odd_values[] = {
    {"000300030302410706000301040301000b07000600860184008602850f0966626364616262636441"
     "0202410103010000010600010900760501757f016e7b7ff8000000000000036269677a0000000000"
     "000005066e6573746564760101787d010362696e740207087402010275027f7d037e7e7e75037d01"
     "7f7b7ff800000000000000",
     ydoc_read_xml_exact,
     "<b big=\"5\" bin=\"7,8\" n=\"NaN\" nested=\"[object Object]\" u=\"undefined\">"
     "<c 0=\"1\" 1=\"2\"><d 0=\"undefined\" 1=\"3\">ab</d></c></b>1,,NaN"},
    {"000300030002410304000300040007070106008400861a14667061726167726170686c696e6b6869"
     "6c696e6b0109040204030100000203060001050076030468726566770a687474703a2f2f782e7906"
     "7461726765747f057469746c657701547e00",
     ydoc_read_xml_exact,
     "<paragraph><link href=\"http://x.y\" target=\"undefined\" title=\"T\">hi</link></paragraph>"},
    {"000300030002410304000300040007070106008400861a14667061726167726170686c696e6b6869"
     "6c696e6b0109040204030100000203060001050076030468726566770a687474703a2f2f782e7906"
     "7461726765747f057469746c657701547e00",
     ydoc_read_markdown, "[hi](http://x.y \"T\")\n"},
    {"000300030002410304000300040007070106008400861a14667061726167726170686c696e6b6869"
     "6c696e6b0109040204030100000203060001050076030468726566770a687474703a2f2f782e7906"
     "7461726765747f057469746c657701547e00",
     ydoc_read_prosemirror,
     "{\"type\":\"doc\",\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\","
     "\"text\":\"hi\",\"marks\":[{\"type\":\"link\",\"attrs\":{\"href\":\"http://x.y\","
     "\"target\":null,\"title\":\"T\"}}]}]}]}"},
};

TEST(ydoc_readout, values_that_json_lacks)
{
    for (size_t i = 0; i < ARRAY_LEN(odd_values); i++) {
        uint8_t bytes[200];
        size_t len = strlen(odd_values[i].hex) / 2;
        struct ydoc *doc;

        CHECK(len <= sizeof(bytes));
        for (size_t k = 0; k < len; k++)
            CHECK_EQ(sscanf(odd_values[i].hex + 2 * k, "%2hhx", &bytes[k]), 1);
        CHECK_EQ(ydoc_new(&doc, NULL), 0);
        CHECK_EQ(ydoc_apply_v2(doc, bytes, len, NULL), 0);
        check_reads(doc, odd_values[i].read, odd_values[i].want);
        ydoc_free(doc);
    }
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

/* True once the reader needs no more than n allocations. */
static bool read_with(const struct ydoc *doc, reader read, size_t n)
{
    struct account m = {0, (long)n};
    struct ydoc_alloc alloc = {account_resize, &m};
    struct ydoc_buf b;
    int rc;

    ydoc_buf_init(&b, &alloc);
    rc = read(doc, root, &b);
    CHECK(rc == 0 || (rc == YDOC_ENOMEM && b.len == 0));
    ydoc_buf_fini(&b);
    CHECK_EQ(m.held, 0);
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

/* A text in which `bytes` of a format are said again for each of n runs, which formats or embeds
 * part. */
static void repeat_format(struct ydoc_buf *b, uint32_t n, uint32_t bytes, bool embeds)
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
        ydoc_buf_append(b, embeds ? "\x01y\x85\x01" : "\x01y\x86\x01", 4);
        add_varuint(b, 2 * i + 1);
        ydoc_buf_append(b, embeds ? "\x02{}" : "\x01z\x01\x31", embeds ? 3 : 4);
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
    repeat_format(&update, 10000, 200000, false);
    doc = load(ydoc_buf_slice(&update));
    ydoc_buf_append(&b, "kept", 4);
    CHECK_EQ(ydoc_read_delta(doc, root, &b), YDOC_ELIMIT);
    CHECK_EQ(b.len, 4);
    CHECK_EQ(ydoc_read_markdown(doc, root, &b), 0);
    ydoc_free(doc);
    ydoc_buf_fini(&update);
    ydoc_buf_fini(&b);
}

static void ask_for_delta(struct ydoc *doc, struct ydoc_event *event, void *ctx)
{
    uint32_t iter = 0;
    struct ydoc_op op;

    (void)doc;
    *(int *)ctx = ydoc_event_next_op(event, &iter, &op);
}

/* Neither does what is told of a change, nor of the past. */
TEST(ydoc_readout, bounded_deltas)
{
    struct ydoc_at now = {NULL, NULL, NULL, NULL};
    struct ydoc_buf update, b;
    struct ydoc *doc;
    ydoc_type type;
    int told = 0;

    ydoc_buf_init(&update, NULL);
    ydoc_buf_init(&b, NULL);
    repeat_format(&update, 10000, 200000, true);
    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(ydoc_root(doc, root, YDOC_KIND_TEXT, &type), 0);
    CHECK(ydoc_observe(doc, type, ask_for_delta, &told) > 0);
    CHECK_EQ(ydoc_apply_v1(doc, update.p, update.len, NULL), 0);
    CHECK_EQ(told, YDOC_ELIMIT);
    CHECK_EQ(ydoc_text_delta_at(doc, type, &now, &b), YDOC_ELIMIT);
    CHECK_EQ(b.len, 0);
    ydoc_free(doc);
    ydoc_buf_fini(&update);
    ydoc_buf_fini(&b);
}
