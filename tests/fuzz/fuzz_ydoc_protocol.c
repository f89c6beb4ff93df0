/* fuzz_ydoc_protocol - messages of y-protocols, and the states of awareness.
 *
 * Input: repeated { u16le length, message }. A message that is understood is
 * written again from its parts and read with the same result. Sync messages go to
 * a document twice, awareness to an Awareness: a refused one leaves no trace, and
 * what the Awareness tells others brings a second one to the same states.
 */
#include "ydoc/lib0.h"

#include <stdlib.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static const struct ydoc_limits limits = {.structs_max = 1 << 14,
                                          .clients_max = 1 << 12,
                                          .pending_bytes_max = 1 << 14,
                                          .work_max = 1 << 18};
static const struct ydoc_options options = {.limits = &limits};
static const struct ydoc_awareness_options awareness_options = {
    .client = 3, .clients_max = 64, .state_bytes_max = 256};

struct world {
    struct ydoc *doc;
    struct ydoc_awareness *awareness;
    uint64_t now;
};

static bool same(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void write_again(const struct ydoc_message *m, struct ydoc_buf *out)
{
    if (m->type == YDOC_MESSAGE_AWARENESS) {
        ydoc_message_write_awareness(m->body, out);
    } else if (m->type == YDOC_MESSAGE_AUTH) {
        ydoc_message_write_permission_denied(m->body, out);
    } else {
        ydoc_message_begin(out, m->type);
        if (m->type == YDOC_MESSAGE_SYNC) {
            lib0_write_varuint(out, m->kind);
            lib0_write_varbytes(out, m->body.p, m->body.len);
        } else {
            ydoc_buf_append(out, m->body.p, m->body.len);
        }
    }
}

static void check_message(const struct ydoc_message *m)
{
    struct ydoc_message again;
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    write_again(m, &out);
    ENSURE(ydoc_message_decode(&again, out.p, out.len, NULL) == 0);
    ENSURE(again.type == m->type && again.kind == m->kind && same(again.body, m->body));
    ENSURE(again.used == out.len);
    ydoc_buf_fini(&out);
}

static void encode(const struct ydoc *doc, struct ydoc_buf *out)
{
    ydoc_buf_reset(out);
    ENSURE(ydoc_encode_state_v1(doc, NULL, 0, out, NULL) == 0);
}

static void on_sync(struct world *w, struct ydoc_slice message)
{
    struct ydoc_buf before, after, reply;
    struct ydoc_error err;
    int rc;

    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    ydoc_buf_init(&reply, NULL);
    encode(w->doc, &before);
    rc = ydoc_sync_read(w->doc, message, YDOC_SYNC_READ_ONLY, &reply, &err);
    encode(w->doc, &after);
    ENSURE(same(ydoc_buf_slice(&before), ydoc_buf_slice(&after)));
    ENSURE((reply.len > 0) == (rc == YDOC_SYNC_STEP1));
    ydoc_buf_reset(&reply);
    rc = ydoc_sync_read(w->doc, message, 0, &reply, &err);
    ENSURE((reply.len > 0) == (rc == YDOC_SYNC_STEP1));
    encode(w->doc, &after);
    ENSURE(rc > 0 || same(ydoc_buf_slice(&before), ydoc_buf_slice(&after)));
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
    ydoc_buf_fini(&reply);
}

static void check_awareness(const struct world *w)
{
    struct ydoc_awareness *other;
    struct ydoc_awareness_entry e, f;
    struct ydoc_buf all;
    uint32_t iter = 0;

    ydoc_buf_init(&all, NULL);
    ENSURE(ydoc_awareness_new(&other, NULL, 0) == 0);
    ENSURE(ydoc_awareness_encode_all(w->awareness, &all) == 0);
    ENSURE(ydoc_awareness_apply(other, ydoc_buf_slice(&all), 0, NULL, NULL) == 0);
    while (ydoc_awareness_next_state(w->awareness, &iter, &e)) {
        ENSURE(ydoc_validate_json(e.json.p, e.json.len, 512, NULL) == 0);
        /* Clock 0 is not accepted, 0 is the other's own, and values that
         * JavaScript takes for false are told as null. */
        if (e.clock > 0 && e.client != 0 && e.json.p[0] == '{') {
            ENSURE(ydoc_awareness_get(other, e.client, &f));
            ENSURE(f.clock == e.clock && same(e.json, f.json));
        }
    }
    ydoc_awareness_free(other);
    ydoc_buf_fini(&all);
}

static void on_awareness(struct world *w, struct ydoc_slice body)
{
    struct ydoc_buf before, after;
    struct ydoc_error err;

    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    ENSURE(ydoc_awareness_encode_all(w->awareness, &before) == 0);
    if (ydoc_awareness_apply(w->awareness, body, w->now, NULL, &err) != 0) {
        ENSURE(err.offset <= body.len);
        ENSURE(ydoc_awareness_encode_all(w->awareness, &after) == 0);
        ENSURE(same(ydoc_buf_slice(&before), ydoc_buf_slice(&after)));
    }
    check_awareness(w);
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
}

static void one_message(struct world *w, const uint8_t *p, size_t len)
{
    struct ydoc_slice rest = {p + 1, len - 1};
    struct ydoc_message m;
    struct ydoc_error err;

    if (ydoc_message_decode(&m, p, len, &err) != 0) {
        ENSURE(err.offset <= len && m.body.len == 0);
        return;
    }
    ENSURE(m.used <= len);
    check_message(&m);
    if (m.type == YDOC_MESSAGE_SYNC && p[0] == 0)
        on_sync(w, rest);
    else if (m.type == YDOC_MESSAGE_AWARENESS)
        on_awareness(w, m.body);
    else if (m.type == YDOC_MESSAGE_QUERY_AWARENESS) {
        w->now += 16000;
        ENSURE(ydoc_awareness_tick(w->awareness, w->now) == 0);
        ydoc_awareness_forget(w->awareness, w->now, 40000);
        check_awareness(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.now = 0};

    ENSURE(ydoc_new(&w.doc, &options) == 0);
    ENSURE(ydoc_awareness_new(&w.awareness, &awareness_options, 0) == 0);
    while (size >= 2) {
        size_t len = (size_t)(data[0] | data[1] << 8);

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        if (len > 0)
            one_message(&w, data, len);
        data += len;
        size -= len;
    }
    ydoc_awareness_free(w.awareness);
    ydoc_free(w.doc);
    return 0;
}
