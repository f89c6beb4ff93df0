/* fuzz_ydoc_readout - every form a document can be read in, over arbitrary updates.
 *
 * Input: repeated { u16le length, update }; the last one may be shorter. Then each
 * root is read in every form: JSON is valid, the escaped XML has balanced elements,
 * and nothing is written when a reader refuses.
 */
#include "ydoc/internal.h"

#include <stdlib.h>

#define ENSURE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

typedef int (*reader)(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out);

static const struct ydoc_limits limits = {.structs_max = 1 << 16,
                                          .clients_max = 1 << 12,
                                          .pending_bytes_max = 1 << 14,
                                          .work_max = 1 << 20};
static const struct ydoc_options options = {.limits = &limits};

static void read_as(const struct ydoc *doc, struct ydoc_slice root, reader read,
                    struct ydoc_buf *out)
{
    int rc;

    ydoc_buf_reset(out);
    ydoc_buf_append(out, "!", 1);
    rc = read(doc, root, out);
    ENSURE(rc == 0 || (rc == YDOC_ELIMIT && out->len == 1));
    if (rc != 0)
        out->len = 0;
    ENSURE(lib0_utf16_len(out->p, out->len) >= 0);
}

static void check_json(const struct ydoc_buf *out)
{
    if (out->len > 0)
        ENSURE(ydoc_validate_json(out->p + 1, out->len - 1, 512, NULL) == 0);
}

static void check_xml(const struct ydoc_buf *out)
{
    size_t open = 0;
    bool inside = false, quoted = false;

    for (size_t i = 1; i < out->len; i++) {
        uint8_t c = out->p[i];

        ENSURE(c >= 0x20 || c == '\n' || c == '\t');
        if (inside && c == '"')
            quoted = !quoted;
        if (c == '<') {
            ENSURE(!inside && i + 1 < out->len);
            inside = true;
            ENSURE(out->p[i + 1] != '/' || open > 0);
            open += out->p[i + 1] == '/' ? (size_t)-1 : 1;
        } else if (c == '>') {
            ENSURE(inside && !quoted);
            inside = false;
        }
    }
    ENSURE(!inside && open == 0);
}

static void read_root(const struct ydoc *doc, struct ydoc_slice root, struct ydoc_buf *out)
{
    read_as(doc, root, ydoc_read_text, out);
    read_as(doc, root, ydoc_read_delta, out);
    check_json(out);
    read_as(doc, root, ydoc_read_prosemirror, out);
    check_json(out);
    read_as(doc, root, ydoc_read_xml_exact, out);
    read_as(doc, root, ydoc_read_xml, out);
    check_xml(out);
    read_as(doc, root, ydoc_read_markdown, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ydoc_root root;
    struct ydoc_buf out;
    struct ydoc *doc;
    uint32_t iter = 0;

    ENSURE(ydoc_new(&doc, &options) == 0);
    while (size >= 2) {
        size_t len = (size_t)(data[0] | data[1] << 8);

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        if (ydoc_apply_v1(doc, data, len, NULL) == 0)
            ydoc_forget_changes(doc);
        data += len;
        size -= len;
    }
    ydoc_buf_init(&out, NULL);
    while (ydoc_next_root(doc, &iter, &root))
        read_root(doc, root.name, &out);
    ydoc_buf_reset(&out);
    ENSURE(ydoc_read_json(doc, &out) == 0);
    ENSURE(ydoc_validate_json(out.p, out.len, 512, NULL) == 0);
    ydoc_buf_fini(&out);
    ydoc_free(doc);
    return 0;
}
