/* fuzz_ydoc_convert - updates of both formats, merged and brought from one to
 * the other.
 *
 * Input: a byte (1: v1, else v2), then repeated { u16le length, bytes }, up to
 * eight updates. What is merged is valid; converted to the other format and back
 * it is the same bytes, if all of it can be said in both; and it is canonical:
 * merged again with nothing, it stays as it is.
 */
#include <ydoc.h>

#include <stdlib.h>
#include <string.h>

#define UPDATES_MAX 8
#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static const struct ydoc_limits limits = {.structs_max = 1 << 14};
static const struct ydoc_slice nothing_v1 = {(const uint8_t *)"\0\0", 2};
static const struct ydoc_slice nothing_v2 = {
    (const uint8_t *)"\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", 13};

static int merge(bool v1, const struct ydoc_slice *list, size_t n, struct ydoc_buf *out)
{
    struct ydoc_error err = {0};
    int rc =
        v1 ? ydoc_merge_updates_v1(list, n, out, &err) : ydoc_merge_updates_v2(list, n, out, &err);

    ENSURE(rc == 0 || (err.code == rc && out->len == 0));
    return rc;
}

static int convert(bool from_v1, const struct ydoc_buf *in, struct ydoc_buf *out)
{
    return from_v1 ? ydoc_convert_v1_to_v2(in->p, in->len, out, NULL)
                   : ydoc_convert_v2_to_v1(in->p, in->len, out, NULL);
}

static bool same(const struct ydoc_buf *a, const struct ydoc_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void check_merged(bool v1, const struct ydoc_buf *merged)
{
    struct ydoc_slice list[2] = {ydoc_buf_slice(merged), v1 ? nothing_v1 : nothing_v2};
    struct ydoc_buf other, back, again;

    ydoc_buf_init(&other, NULL);
    ydoc_buf_init(&back, NULL);
    ydoc_buf_init(&again, NULL);
    ENSURE(convert(v1, merged, &other) == 0);
    ENSURE(convert(!v1, &other, &back) == 0);
    ydoc_buf_reset(&other);
    ENSURE(convert(v1, &back, &other) == 0);
    ydoc_buf_reset(&again);
    ENSURE(convert(!v1, &other, &again) == 0);
    ENSURE(same(&again, &back)); /* what one way lost, it loses once */
    ydoc_buf_reset(&again);
    ENSURE(merge(v1, list, 2, &again) == 0);
    list[0] = ydoc_buf_slice(&again);
    ydoc_buf_reset(&back);
    ENSURE(merge(v1, list, 2, &back) == 0);
    ENSURE(same(&again, &back));
    ydoc_buf_fini(&other);
    ydoc_buf_fini(&back);
    ydoc_buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_slice list[UPDATES_MAX];
    struct ydoc_buf out;
    size_t n = 0;
    bool v1 = size > 0 && data[0] == 1;

    if (size > 0) {
        data++;
        size--;
    }
    for (; size >= 2 && n < UPDATES_MAX; n++) {
        size_t len = (size_t)(data[0] | data[1] << 8);

        data += 2;
        size -= 2;
        list[n].p = data;
        list[n].len = len < size ? len : size;
        data += list[n].len;
        size -= list[n].len;
    }
    /* A few bytes of v2 may say millions of structs, which would take the time. */
    for (size_t i = 0; i < n && !v1; i++) {
        if (ydoc_validate_update_v2(list[i].p, list[i].len, &limits, NULL) == YDOC_ELIMIT)
            return 0;
    }
    ydoc_buf_init(&out, NULL);
    if (merge(v1, list, n, &out) == 0 && n != 1)
        check_merged(v1, &out);
    ydoc_buf_fini(&out);
    return 0;
}
