/* fuzz_ydoc_json - the JSON that `ydoc oracle` takes, read and written as lib0's `any`.
 *
 * It accepts what the library's own check of JSON accepts, and the `any` it
 * writes can be read to its end.
 */
#include "ydoc_cli/json_tree.h"

#include <stdlib.h>

#include "ydoc/internal.h"

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_error err = {0};
    struct lib0_reader r;
    struct json_tree t;
    struct ydoc_buf out;
    int rc = json_tree_parse(&t, data, size, &err);

    ydoc_buf_init(&out, NULL);
    if (rc == 0) {
        ENSURE(ydoc_validate_json(data, size, JSON_NESTING_MAX + 1, NULL) == 0);
        if (json_write_any(&t, t.nodes, &out) == 0) {
            lib0_reader_init(&r, out.p, out.len);
            ydoc__any_skip(&r, JSON_NESTING_MAX + 1);
            ENSURE(r.why == NULL && lib0_left(&r) == 0);
        }
    } else {
        ENSURE(err.offset <= size);
    }
    ydoc_buf_fini(&out);
    json_tree_fini(&t);
    return 0;
}
