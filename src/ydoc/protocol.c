/* protocol - the messages of y-protocols 1.0.7, as y-websocket frames them.
 *
 *     message := varuint type, then
 *       0 sync             varuint 0, varbytes state vector    step 1: what I have
 *                          varuint 1, varbytes update          step 2: what you lack
 *                          varuint 2, varbytes update          something new
 *       1 awareness        varbytes body (awareness.c)
 *       2 auth             varuint 0, varstring reason         permission denied
 *       3 query awareness  nothing
 *
 * Other types are left to the application: Hocuspocus has some of its own. What
 * follows a message is ignored, as there.
 */
#include "ydoc/internal.h"

static bool is_update(uint64_t kind)
{
    return kind == YDOC_SYNC_STEP2 || kind == YDOC_SYNC_UPDATE;
}

static void read_sync(struct lib0_reader *r, struct ydoc_message *m)
{
    const uint8_t *at = r->p;

    m->kind = lib0_read_varuint(r);
    if (r->why == NULL && m->kind > YDOC_SYNC_UPDATE)
        lib0_fail_at(r, at, "unknown sync message");
    m->body = lib0_read_varbytes(r);
}

static void read_auth(struct lib0_reader *r, struct ydoc_message *m)
{
    const uint8_t *at = r->p;

    m->kind = lib0_read_varuint(r);
    if (r->why == NULL && m->kind != YDOC_AUTH_PERMISSION_DENIED)
        lib0_fail_at(r, at, "unknown auth message");
    m->body = lib0_read_varstring(r, NULL);
}

static void read_body(struct lib0_reader *r, struct ydoc_message *m)
{
    switch (m->type) {
    case YDOC_MESSAGE_SYNC:
        read_sync(r, m);
        break;
    case YDOC_MESSAGE_AWARENESS:
        m->body = lib0_read_varbytes(r);
        break;
    case YDOC_MESSAGE_AUTH:
        read_auth(r, m);
        break;
    case YDOC_MESSAGE_QUERY_AWARENESS:
        m->body = lib0_read_raw(r, 0);
        break;
    default:
        m->body = lib0_read_raw(r, lib0_left(r));
    }
}

static int finish_decode(const struct lib0_reader *r, struct ydoc_message *m,
                         struct ydoc_error *err)
{
    static const struct ydoc_message none;

    m->used = lib0_offset(r);
    if (r->why != NULL)
        *m = none;
    return lib0_error(r, err);
}

int ydoc_message_decode(struct ydoc_message *out, const uint8_t *p, size_t len,
                        struct ydoc_error *err)
{
    struct lib0_reader r;

    lib0_reader_init(&r, p, len);
    out->kind = 0;
    out->type = lib0_read_varuint(&r);
    read_body(&r, out);
    return finish_decode(&r, out, err);
}

int ydoc_sync_decode(struct ydoc_message *out, const uint8_t *p, size_t len, struct ydoc_error *err)
{
    struct lib0_reader r;

    lib0_reader_init(&r, p, len);
    out->type = YDOC_MESSAGE_SYNC;
    read_sync(&r, out);
    return finish_decode(&r, out, err);
}

/* ---- writing ---- */

void ydoc_message_begin(struct ydoc_buf *out, uint64_t type)
{
    lib0_write_varuint(out, type);
}

/* A kind, and bytes that are encoded elsewhere first because their length
 * stands before them. */
static int write_encoded(struct ydoc_buf *out, uint64_t kind, int rc, struct ydoc_buf *body,
                         struct ydoc_error *err)
{
    size_t len_before = out->len;

    if (rc == 0) {
        lib0_write_varuint(out, kind);
        lib0_write_varbytes(out, body->p, body->len);
        rc = ydoc__buf_finish(out, len_before, err);
    }
    ydoc_buf_fini(body);
    return rc;
}

int ydoc_sync_write_step1(const struct ydoc *doc, struct ydoc_buf *out)
{
    struct ydoc_buf body;

    ydoc_buf_init(&body, &out->alloc);
    return write_encoded(out, YDOC_SYNC_STEP1, ydoc_encode_state_vector(doc, &body), &body, NULL);
}

int ydoc_sync_write_step2(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                          struct ydoc_buf *out, struct ydoc_error *err)
{
    struct ydoc_buf body;
    int rc;

    ydoc_buf_init(&body, &out->alloc);
    rc = ydoc_encode_state_v1(doc, sv, sv_len, &body, err);
    return write_encoded(out, YDOC_SYNC_STEP2, rc, &body, err);
}

void ydoc_sync_write_update(struct ydoc_slice update, struct ydoc_buf *out)
{
    lib0_write_varuint(out, YDOC_SYNC_UPDATE);
    lib0_write_varbytes(out, update.p, update.len);
}

void ydoc_message_write_awareness(struct ydoc_slice body, struct ydoc_buf *out)
{
    ydoc_message_begin(out, YDOC_MESSAGE_AWARENESS);
    lib0_write_varbytes(out, body.p, body.len);
}

void ydoc_message_write_query_awareness(struct ydoc_buf *out)
{
    ydoc_message_begin(out, YDOC_MESSAGE_QUERY_AWARENESS);
}

void ydoc_message_write_permission_denied(struct ydoc_slice reason, struct ydoc_buf *out)
{
    ydoc_message_begin(out, YDOC_MESSAGE_AUTH);
    lib0_write_varuint(out, YDOC_AUTH_PERMISSION_DENIED);
    lib0_write_varbytes(out, reason.p, reason.len);
}

/* ---- syncing a document ---- */

/* A client that may only read still sends step 2 and what it believes to be
 * new. Both are harmless as long as they bring nothing. */
static int refuse_update(const struct ydoc *doc, const struct ydoc_message *m,
                         struct ydoc_error *err)
{
    int rc = ydoc_contains_update_v1(doc, m->body.p, m->body.len, err);

    return rc == 0 ? (int)m->kind | YDOC_SYNC_REFUSED : rc == 1 ? (int)m->kind : rc;
}

int ydoc_sync_read(struct ydoc *doc, struct ydoc_slice message, unsigned flags,
                   struct ydoc_buf *reply, struct ydoc_error *err)
{
    struct ydoc_message m;
    int rc = ydoc_sync_decode(&m, message.p, message.len, err);

    if (rc != 0)
        return rc;
    if (is_update(m.kind) && (flags & YDOC_SYNC_READ_ONLY) != 0)
        return refuse_update(doc, &m, err);
    if (is_update(m.kind))
        rc = ydoc_apply_v1(doc, m.body.p, m.body.len, err);
    else
        rc = ydoc_sync_write_step2(doc, m.body.p, m.body.len, reply, err);
    return rc != 0 ? rc : (int)m.kind;
}
