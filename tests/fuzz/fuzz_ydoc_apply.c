/* fuzz_ydoc_apply - arbitrary updates, one after another, into one document.
 *
 * Input: repeated { u16le length, bytes }; the last one may be shorter. After
 * every update: a refused one has left no trace, the document's links are
 * whole, and a second document that only gets the emitted changes has the same
 * state. In the end the encoded state loads into a fresh document, which then
 * knows all of it.
 */
#include "ydoc_check.h"

static const struct ydoc_limits limits = {.structs_max = 1 << 16,
                                          .clients_max = 1 << 12,
                                          .pending_bytes_max = 1 << 14,
                                          .work_max = 1 << 20};
static const struct ydoc_options options = {.limits = &limits};

static struct ydoc *make(void)
{
    struct ydoc *doc;

    ENSURE(ydoc_new(&doc, &options) == 0);
    return doc;
}

/* True if the update was taken. */
static bool apply_one(struct ydoc *doc, struct ydoc *mirror, const uint8_t *p, size_t len)
{
    struct ydoc_buf before, after;
    struct ydoc_error err = {0};
    int rc;

    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    check_encode(doc, &before);
    rc = ydoc_apply_v1(doc, p, len, &err);
    check_document(doc);
    if (rc != 0) {
        ENSURE(rc == YDOC_EMALFORMED || rc == YDOC_ELIMIT);
        ENSURE(err.code == rc && err.offset <= len);
        check_encode(doc, &after);
        ENSURE(check_same(&before, &after));
    } else {
        struct ydoc_buf sv;

        ydoc_buf_init(&sv, NULL);
        ydoc_buf_reset(&before);
        ENSURE(ydoc_take_changes_v1(doc, &before, NULL) == 0);
        ENSURE(ydoc_apply_v1(mirror, before.p, before.len, &err) == 0);
        ENSURE(!ydoc_has_pending(mirror));
        check_state_vector(doc, &sv);
        check_state_vector(mirror, &after);
        ENSURE(check_same(&sv, &after));
        ydoc_buf_fini(&sv);
    }
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
    return rc == 0;
}

static void check_reload(struct ydoc *doc)
{
    struct ydoc *fresh = make();
    struct ydoc_buf state, a, b;
    struct ydoc_error err;

    ydoc_buf_init(&state, NULL);
    ydoc_buf_init(&a, NULL);
    ydoc_buf_init(&b, NULL);
    ydoc_shrink(doc);
    check_document(doc);
    check_encode(doc, &state);
    ENSURE(ydoc_apply_v1(fresh, state.p, state.len, &err) == 0);
    check_document(fresh);
    check_state_vector(doc, &a);
    check_state_vector(fresh, &b);
    /* What waited may fit together differently when it arrives as one. */
    if (!ydoc_has_pending(doc)) {
        ENSURE(check_same(&a, &b));
        ENSURE(ydoc_contains_update_v1(fresh, state.p, state.len, &err) == 1);
    }
    ydoc_buf_reset(&a);
    ENSURE(ydoc_read_json(doc, &a) == 0);
    ENSURE(ydoc_validate_json(a.p, a.len, 512, &err) == 0);
    ydoc_buf_fini(&state);
    ydoc_buf_fini(&a);
    ydoc_buf_fini(&b);
    ydoc_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc *doc = make(), *mirror = make();

    while (size >= 2) {
        size_t len = (size_t)(data[0] | data[1] << 8);

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        apply_one(doc, mirror, data, len);
        data += len;
        size -= len;
    }
    check_reload(doc);
    ydoc_free(doc);
    ydoc_free(mirror);
    return 0;
}
