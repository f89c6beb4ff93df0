/* fuzz_ydoc_past - snapshots and relative positions, decoded and used.
 *
 * The first byte says what the rest is: a snapshot v1 or v2, a relative position,
 * or one as JSON. What is accepted is written and read again with the same result.
 * Reading a document at any snapshot leaves its text as it is; a document made
 * from it reads the same as the original at the snapshot.
 */
#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static struct ydoc_slice slice_of(const char *s)
{
    struct ydoc_slice slice = {(const uint8_t *)s, strlen(s)};

    return slice;
}

static bool same(const struct ydoc_buf *a, const struct ydoc_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

/* Two clients by turns, deletions, formats: clocks up to about 40. */
static struct ydoc *make(ydoc_type *text)
{
    struct ydoc_options options = {.keep_deleted = true, .client_id = 1};
    struct ydoc_slice none = {NULL, 0}, bold = slice_of("{\"b\":true}");
    struct ydoc *doc, *other;
    struct ydoc_buf update;

    ENSURE(ydoc_new(&doc, &options) == 0);
    options.client_id = 2;
    ENSURE(ydoc_new(&other, &options) == 0);
    ENSURE(ydoc_root(doc, slice_of("t"), YDOC_KIND_TEXT, text) == 0);
    ENSURE(ydoc_text_insert(doc, *text, 0, slice_of("abcdefghijkl"), none) == 0);
    ENSURE(ydoc_text_delete(doc, *text, 3, 4) == 0);
    ydoc_buf_init(&update, NULL);
    ENSURE(ydoc_encode_state_v1(doc, NULL, 0, &update, NULL) == 0);
    ENSURE(ydoc_apply_v1(other, update.p, update.len, NULL) == 0);
    ydoc_buf_reset(&update);
    ENSURE(ydoc_root(other, slice_of("t"), YDOC_KIND_TEXT, text) == 0);
    ENSURE(ydoc_text_insert(other, *text, 2, slice_of("XYZ"), bold) == 0);
    ENSURE(ydoc_encode_state_v1(other, NULL, 0, &update, NULL) == 0);
    ENSURE(ydoc_apply_v1(doc, update.p, update.len, NULL) == 0);
    ENSURE(ydoc_root(doc, slice_of("t"), YDOC_KIND_TEXT, text) == 0);
    ENSURE(ydoc_text_insert(doc, *text, 5, slice_of("mnop"), none) == 0);
    ENSURE(ydoc_text_delete(doc, *text, 1, 3) == 0);
    ydoc_buf_fini(&update);
    ydoc_free(other);
    return doc;
}

static void check_restored(struct ydoc *doc, ydoc_type text, const struct ydoc_snapshot *s)
{
    struct ydoc_options options = {.keep_deleted = true};
    struct ydoc_buf here, there;
    struct ydoc *then;

    if (ydoc_new_from_snapshot(&then, doc, s, &options, NULL) != 0)
        return;
    ydoc_buf_init(&here, NULL);
    ydoc_buf_init(&there, NULL);
    ENSURE(ydoc_text_string_at(doc, text, s, &here) == 0);
    /* Without pending structs everything that the snapshot knows is there. */
    if (!ydoc_has_pending_structs(then) && ydoc_read_text(then, slice_of("t"), &there) == 0)
        ENSURE(same(&here, &there));
    ydoc_buf_fini(&here);
    ydoc_buf_fini(&there);
    ydoc_free(then);
}

static void use_snapshot(const struct ydoc_snapshot *s)
{
    ydoc_type text;
    struct ydoc *doc = make(&text);
    struct ydoc_at at = {s, NULL, NULL, NULL}, since = {NULL, s, NULL, NULL};
    struct ydoc_buf before, after, delta;

    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    ydoc_buf_init(&delta, NULL);
    ENSURE(ydoc_text_string_at(doc, text, NULL, &before) == 0);
    ENSURE(ydoc_text_delta_at(doc, text, &at, &delta) == 0);
    ENSURE(ydoc_validate_json(delta.p, delta.len, 128, NULL) == 0);
    ydoc_buf_reset(&delta);
    ENSURE(ydoc_text_delta_at(doc, text, &since, &delta) == 0);
    ENSURE(ydoc_validate_json(delta.p, delta.len, 128, NULL) == 0);
    check_restored(doc, text, s);
    ENSURE(ydoc_text_string_at(doc, text, NULL, &after) == 0);
    ENSURE(same(&before, &after));
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
    ydoc_buf_fini(&delta);
    ydoc_free(doc);
}

static void fuzz_snapshot(const uint8_t *p, size_t len, bool v2)
{
    struct ydoc_limits limits = {.structs_max = 1000};
    struct ydoc_options options = {.limits = &limits};
    struct ydoc_snapshot *s, *again;
    struct ydoc_buf out;
    int rc = v2 ? ydoc_snapshot_decode_v2(&s, p, len, &options, NULL)
                : ydoc_snapshot_decode_v1(&s, p, len, &options, NULL);

    ENSURE((rc == 0) == (s != NULL));
    if (rc != 0)
        return;
    ydoc_buf_init(&out, NULL);
    ENSURE(ydoc_snapshot_encode_v1(s, &out) == 0);
    ENSURE(ydoc_snapshot_decode_v1(&again, out.p, out.len, NULL, NULL) == 0);
    ENSURE(ydoc_snapshot_equal(s, again));
    ydoc_snapshot_free(again);
    ydoc_buf_reset(&out);
    ENSURE(ydoc_snapshot_encode_v2(s, &out) == 0);
    ENSURE(ydoc_snapshot_decode_v2(&again, out.p, out.len, NULL, NULL) == 0);
    use_snapshot(s);
    ydoc_snapshot_free(again);
    ydoc_snapshot_free(s);
    ydoc_buf_fini(&out);
}

static void use_position(const struct ydoc_relpos *pos)
{
    ydoc_type text;
    struct ydoc *doc = make(&text);
    struct ydoc_position at;
    struct ydoc_relpos again;

    if (ydoc_relpos_resolve(doc, pos, true, &at) == 0) {
        ENSURE(at.index <= ydoc_type_length(doc, at.type));
        if (ydoc_relpos_from_index(doc, at.type, at.index, pos->assoc, &again) == 0) {
            uint32_t index = at.index;

            ENSURE(ydoc_relpos_resolve(doc, &again, false, &at) == 0);
            ENSURE(at.index == index || pos->assoc < 0); /* behind deleted text */
        }
    }
    ydoc_free(doc);
}

static void fuzz_position(const struct ydoc_relpos *pos)
{
    struct ydoc_relpos again;
    struct ydoc_buf out, name;

    ydoc_buf_init(&out, NULL);
    ydoc_buf_init(&name, NULL);
    ENSURE(ydoc_relpos_to_json(pos, &out) == 0);
    ENSURE(ydoc_validate_json(out.p, out.len, 128, NULL) == 0);
    if (ydoc_relpos_from_json(&again, ydoc_buf_slice(&out), &name, NULL) == 0)
        ENSURE(ydoc_relpos_equal(pos, &again));
    else
        ENSURE(pos->parts == YDOC_RELPOS_ROOT && pos->root.len == 0);
    ydoc_buf_reset(&out);
    ENSURE(ydoc_relpos_encode(pos, &out) == 0);
    ENSURE(ydoc_relpos_decode(&again, out.p, out.len, NULL) == 0);
    ENSURE((again.parts & pos->parts) == again.parts && again.assoc == pos->assoc);
    use_position(pos);
    ydoc_buf_fini(&out);
    ydoc_buf_fini(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_relpos pos;
    struct ydoc_buf name;

    if (size < 1)
        return 0;
    ydoc_buf_init(&name, NULL);
    if (data[0] < 2) {
        fuzz_snapshot(data + 1, size - 1, data[0] == 1);
    } else if (data[0] == 2) {
        if (ydoc_relpos_decode(&pos, data + 1, size - 1, NULL) == 0)
            fuzz_position(&pos);
    } else {
        struct ydoc_slice json = {data + 1, size - 1};

        if (ydoc_relpos_from_json(&pos, json, &name, NULL) == 0)
            fuzz_position(&pos);
    }
    ydoc_buf_fini(&name);
    return 0;
}
