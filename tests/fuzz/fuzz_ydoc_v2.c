/* fuzz_ydoc_v2 - arbitrary updates in format v2, one after another.
 *
 * Input: repeated { u16le length, bytes }; the last one may be shorter. After
 * every update: a refused one has left no trace, converting it is refused too,
 * and the other way round; what was taken loads again from the encoded state in
 * v2, which says the same, and the emitted changes bring a second document to
 * the same state vector.
 */
#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static const struct ydoc_limits limits = {.structs_max = 1 << 14,
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

static bool same(const struct ydoc_buf *a, const struct ydoc_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void encode(const struct ydoc *doc, struct ydoc_buf *out)
{
    ydoc_buf_reset(out);
    ENSURE(ydoc_encode_state_v2(doc, NULL, 0, out, NULL) == 0);
}

static void state_vector(const struct ydoc *doc, struct ydoc_buf *out)
{
    ydoc_buf_reset(out);
    ENSURE(ydoc_encode_state_vector(doc, out) == 0);
}

/* Valid alone, and the same bytes once more when it is read and written again. */
static void check_update(const struct ydoc_buf *update)
{
    struct ydoc_buf sv, diff;

    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&diff, NULL);
    ENSURE(ydoc_validate_update_v2(update->p, update->len, NULL, NULL) == 0);
    ENSURE(ydoc_state_vector_from_update_v2(update->p, update->len, &sv, NULL) == 0);
    ENSURE(ydoc_diff_update_v2(update->p, update->len, sv.p, sv.len, &diff, NULL) == 0);
    ENSURE(ydoc_validate_update_v2(diff.p, diff.len, NULL, NULL) == 0);
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&diff);
}

static void check_taken(struct ydoc *doc, struct ydoc *mirror)
{
    struct ydoc_buf a, b;

    ydoc_buf_init(&a, NULL);
    ydoc_buf_init(&b, NULL);
    ENSURE(ydoc_take_changes_v2(doc, &a, NULL) == 0);
    check_update(&a);
    ENSURE(ydoc_apply_v2(mirror, a.p, a.len, NULL) == 0);
    ENSURE(!ydoc_has_pending(mirror));
    state_vector(doc, &a);
    state_vector(mirror, &b);
    ENSURE(same(&a, &b));
    ydoc_buf_fini(&a);
    ydoc_buf_fini(&b);
}

static void apply_one(struct ydoc *doc, struct ydoc *mirror, const uint8_t *p, size_t len)
{
    struct ydoc_buf before, after, v1;
    struct ydoc_error err = {0};
    int rc, converted;

    /* A few bytes may say millions of structs, which would take the time. */
    if (ydoc_validate_update_v2(p, len, &limits, NULL) == YDOC_ELIMIT)
        return;
    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    ydoc_buf_init(&v1, NULL);
    encode(doc, &before);
    converted = ydoc_convert_v2_to_v1(p, len, &v1, NULL);
    rc = ydoc_apply_v2(doc, p, len, &err);
    if (rc != 0) {
        ENSURE(rc == YDOC_EMALFORMED || rc == YDOC_ELIMIT);
        ENSURE(err.code == rc && err.msg[0] != '\0');
        ENSURE(rc == YDOC_ELIMIT || (converted == rc && err.offset <= len));
        encode(doc, &after);
        ENSURE(same(&before, &after));
    } else {
        ENSURE(converted == 0);
        ENSURE(ydoc_validate_update_v1(v1.p, v1.len, NULL, NULL) == 0);
        check_taken(doc, mirror);
    }
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
    ydoc_buf_fini(&v1);
}

static void check_reload(struct ydoc *doc)
{
    struct ydoc *fresh = make();
    struct ydoc_buf a, b;

    ydoc_buf_init(&a, NULL);
    ydoc_buf_init(&b, NULL);
    encode(doc, &a);
    check_update(&a);
    ENSURE(ydoc_apply_v2(fresh, a.p, a.len, NULL) == 0);
    if (!ydoc_has_pending(doc)) {
        ENSURE(ydoc_contains_update_v2(fresh, a.p, a.len, NULL) == 1);
        state_vector(doc, &a);
        state_vector(fresh, &b);
        ENSURE(same(&a, &b));
    }
    ydoc_buf_reset(&a);
    ENSURE(ydoc_read_json(doc, &a) == 0);
    ENSURE(ydoc_validate_json(a.p, a.len, 512, NULL) == 0);
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
