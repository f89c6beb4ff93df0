#include <ydoc.h>

#include <string.h>

#include "harness.h"

#define BYTES(s)                                                                                   \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

/* Messages as y-protocols writes them, and what is in them. */
static const struct {
    const char *name;
    struct ydoc_slice message;
    uint64_t type, kind;
    struct ydoc_slice body;
} rows[] = {
    {"step 1", BYTES("\x00\x00\x03\x01\x01\x05"), 0, 0, BYTES("\x01\x01\x05")},
    {"step 2", BYTES("\x00\x01\x02\x00\x00"), 0, 1, BYTES("\x00\x00")},
    {"update", BYTES("\x00\x02\x02\x00\x00"), 0, 2, BYTES("\x00\x00")},
    {"awareness", BYTES("\x01\x08\x01\x05\x01\x04null"), 1, 0, BYTES("\x01\x05\x01\x04null")},
    {"permission denied", BYTES("\x02\x00\x04n\xc3\xb6!"), 2, 0, BYTES("n\xc3\xb6!")},
    {"query awareness", BYTES("\x03"), 3, 0, BYTES("")},
    {"the application's",
     BYTES("\x05"
           "abc"),
     5, 0, BYTES("abc")},
};

/* The same bytes, written from their parts. */
static void write_again(const struct ydoc_message *m, struct ydoc_buf *out)
{
    switch (m->type) {
    case YDOC_MESSAGE_AWARENESS:
        ydoc_message_write_awareness(m->body, out);
        return;
    case YDOC_MESSAGE_AUTH:
        ydoc_message_write_permission_denied(m->body, out);
        return;
    case YDOC_MESSAGE_QUERY_AWARENESS:
        ydoc_message_write_query_awareness(out);
        return;
    default:
        ydoc_message_begin(out, m->type);
        if (m->type == YDOC_MESSAGE_SYNC && m->kind == YDOC_SYNC_UPDATE)
            ydoc_sync_write_update(m->body, out);
    }
}

TEST(ydoc_protocol, decodes_and_encodes)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ydoc_message m;
        struct ydoc_buf out;

        TEST_CASE(rows[i].name);
        CHECK_EQ(ydoc_message_decode(&m, rows[i].message.p, rows[i].message.len, NULL), 0);
        CHECK_EQ(m.type, rows[i].type);
        CHECK_EQ(m.kind, rows[i].kind);
        CHECK_EQ(m.used, rows[i].message.len);
        CHECK_MEM(m.body.p, m.body.len, rows[i].body.p, rows[i].body.len);
        ydoc_buf_init(&out, NULL);
        write_again(&m, &out);
        if (m.type <= YDOC_MESSAGE_QUERY_AWARENESS && (m.type != 0 || m.kind == 2))
            CHECK_MEM(out.p, out.len, rows[i].message.p, rows[i].message.len);
        ydoc_buf_fini(&out);
    }
}

/* No message is whole before its last byte. */
TEST(ydoc_protocol, truncated)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t cut = 0; rows[i].type < 5 && cut < rows[i].message.len; cut++) {
            uint8_t *part = test_dup(rows[i].message.p, cut);
            struct ydoc_error err;
            struct ydoc_message m;

            TEST_CASE(rows[i].name);
            CHECK_EQ(ydoc_message_decode(&m, part, cut, &err), YDOC_EMALFORMED);
            CHECK(err.offset <= cut && m.body.len == 0 && m.used == 0);
            test_free(part);
        }
    }
}

TEST(ydoc_protocol, refuses)
{
    static const struct ydoc_slice bad[] = {
        BYTES("\x00\x03\x00"),                                 /* no such sync message */
        BYTES("\x02\x01\x00"),                                 /* no such auth message */
        BYTES("\x02\x00\x01\xff"),                             /* a reason that is not UTF-8 */
        BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff"),         /* a type above 2^53-1 */
        BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\x0f\x01\x01"), /* a length past the end */
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ydoc_message m;

        CHECK_EQ(ydoc_message_decode(&m, bad[i].p, bad[i].len, NULL), YDOC_EMALFORMED);
    }
}

static const struct ydoc_slice hello = BYTES("\x02\x0b\x01\x01\x07\x00\x04\x01\x01t\x01"
                                             "a\x00");

static int sync_read(struct ydoc *doc, struct ydoc_slice m, unsigned flags, struct ydoc_buf *reply)
{
    return ydoc_sync_read(doc, m, flags, reply, NULL);
}

/* Two documents that exchange step 1 and step 2 are the same afterwards. */
TEST(ydoc_protocol, syncs_documents)
{
    static const struct ydoc_slice name = BYTES("t");
    struct ydoc *a, *b;
    struct ydoc_buf one, two, none;

    ydoc_buf_init(&one, NULL);
    ydoc_buf_init(&two, NULL);
    ydoc_buf_init(&none, NULL);
    CHECK_EQ(ydoc_new(&a, NULL), 0);
    CHECK_EQ(ydoc_new(&b, NULL), 0);
    CHECK_EQ(sync_read(a, hello, 0, &none), YDOC_SYNC_UPDATE);
    CHECK_EQ(ydoc_sync_write_step1(b, &one), 0);
    CHECK_MEM(one.p, one.len, "\x00\x01\x00", 3);
    CHECK_EQ(sync_read(a, ydoc_buf_slice(&one), YDOC_SYNC_READ_ONLY, &two), YDOC_SYNC_STEP1);
    CHECK_MEM(two.p, two.len,
              "\x01\x0b\x01\x01\x07\x00\x04\x01\x01t\x01"
              "a\x00",
              13);
    CHECK_EQ(sync_read(b, ydoc_buf_slice(&two), 0, &none), YDOC_SYNC_STEP2);
    CHECK_EQ(none.len, 0);
    CHECK_EQ(ydoc_read_text(b, name, &none), 0);
    CHECK_MEM(none.p, none.len, "a", 1);
    ydoc_buf_fini(&one);
    ydoc_buf_fini(&two);
    ydoc_buf_fini(&none);
    ydoc_free(a);
    ydoc_free(b);
}

/* Who may only read changes nothing, and is not scolded for bringing nothing. */
TEST(ydoc_protocol, read_only)
{
    static const struct ydoc_slice empty = BYTES("\x01\x02\x00\x00");
    static const struct ydoc_slice broken = BYTES("\x02\x02\x01\x00");
    struct ydoc_buf reply;
    struct ydoc *doc;

    ydoc_buf_init(&reply, NULL);
    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(sync_read(doc, hello, YDOC_SYNC_READ_ONLY, &reply),
             YDOC_SYNC_UPDATE | YDOC_SYNC_REFUSED);
    CHECK(!ydoc_has_changes(doc));
    CHECK_EQ(sync_read(doc, empty, YDOC_SYNC_READ_ONLY, &reply), YDOC_SYNC_STEP2);
    CHECK_EQ(sync_read(doc, broken, YDOC_SYNC_READ_ONLY, &reply), YDOC_EMALFORMED);
    CHECK_EQ(sync_read(doc, broken, 0, &reply), YDOC_EMALFORMED);
    CHECK_EQ(sync_read(doc, hello, 0, &reply), YDOC_SYNC_UPDATE);
    CHECK_EQ(sync_read(doc, hello, YDOC_SYNC_READ_ONLY, &reply), YDOC_SYNC_UPDATE);
    CHECK_EQ(reply.len, 0);
    ydoc_buf_fini(&reply);
    ydoc_free(doc);
}

/* A step 1 whose state vector is cut gets no answer. */
TEST(ydoc_protocol, truncated_state_vector)
{
    static const struct ydoc_slice bad = BYTES("\x00\x01\x01");
    static const struct ydoc_slice none = BYTES("\x00\x00");
    struct ydoc_buf reply;
    struct ydoc *doc;

    ydoc_buf_init(&reply, NULL);
    CHECK_EQ(ydoc_new(&doc, NULL), 0);
    CHECK_EQ(sync_read(doc, bad, 0, &reply), YDOC_EMALFORMED);
    CHECK_EQ(sync_read(doc, none, 0, &reply), YDOC_EMALFORMED);
    CHECK_EQ(reply.len, 0);
    ydoc_buf_fini(&reply);
    ydoc_free(doc);
}
