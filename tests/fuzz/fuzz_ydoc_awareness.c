/* fuzz_ydoc_awareness - an awareness body, and the JSON inside it.
 *
 * What is accepted is written again from its entries and read with the same
 * result; each state's JSON, brought into JavaScript's form, is valid and stays
 * as it is when that is done again.
 */
#include "ydoc/text.h"

#include <stdlib.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

static void check_json(struct ydoc_slice json)
{
    struct ydoc_buf once, twice;

    ydoc_buf_init(&once, NULL);
    ydoc_buf_init(&twice, NULL);
    text_write_canonical(&once, json);
    ENSURE(ydoc_validate_json(once.p, once.len, 512, NULL) == 0);
    text_write_canonical(&twice, ydoc_buf_slice(&once));
    ENSURE(once.len == twice.len && memcmp(once.p, twice.p, once.len) == 0);
    ydoc_buf_fini(&once);
    ydoc_buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_awareness_iter it, again;
    struct ydoc_awareness_entry a, b;
    struct ydoc_buf out;
    struct ydoc_error err;

    if (ydoc_awareness_validate(&it, data, size, NULL, &err) != 0) {
        ENSURE(!ydoc_awareness_next(&it, &a));
        return 0;
    }
    ydoc_buf_init(&out, NULL);
    ydoc_awareness_begin(&out, it.left);
    for (again = it; ydoc_awareness_next(&again, &a);) {
        ydoc_awareness_add(&out, &a);
        check_json(a.json);
    }
    ENSURE(ydoc_awareness_validate(&again, out.p, out.len, NULL, &err) == 0);
    while (ydoc_awareness_next(&it, &a)) {
        ENSURE(ydoc_awareness_next(&again, &b));
        ENSURE(a.client == b.client && a.clock == b.clock && a.is_null == b.is_null);
        ENSURE(a.json.len == b.json.len && memcmp(a.json.p, b.json.p, a.json.len) == 0);
    }
    ENSURE(!ydoc_awareness_next(&again, &b));
    ydoc_buf_fini(&out);
    return 0;
}
