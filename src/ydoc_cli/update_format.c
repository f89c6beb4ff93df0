/* update_format - see update_format.h. */
#include "ydoc_cli/update_format.h"

#include "ydoc/wire.h"

static bool is_v1_of_deletions(const uint8_t *p, size_t len)
{
    struct wire_deletes d;
    struct wire_range range;
    struct lib0_reader r;

    lib0_reader_init(&r, p, len);
    lib0_read_u8(&r);
    wire_deletes_init(&d, &r);
    while (wire_deletes_next(&d, &range))
        continue;
    return d.r.why == NULL && lib0_left(&d.r) == 0;
}

enum update_format format_detect(const uint8_t *p, size_t len)
{
    if (len == 0 || p[0] != 0 || is_v1_of_deletions(p, len))
        return FORMAT_V1;
    return FORMAT_V2;
}

int format_apply(struct ydoc *doc, const struct input *in, struct ydoc_error *err)
{
    if (in->format == FORMAT_V2)
        return ydoc_apply_v2(doc, in->bytes.p, in->bytes.len, err);
    return ydoc_apply_v1(doc, in->bytes.p, in->bytes.len, err);
}

int format_validate(const struct input *in, struct ydoc_error *err)
{
    if (in->format == FORMAT_V2)
        return ydoc_validate_update_v2(in->bytes.p, in->bytes.len, NULL, err);
    return ydoc_validate_update_v1(in->bytes.p, in->bytes.len, NULL, err);
}

int format_encode(const struct ydoc *doc, enum update_format to, struct ydoc_buf *out)
{
    if (to == FORMAT_V2)
        return ydoc_encode_state_v2(doc, NULL, 0, out, NULL);
    return ydoc_encode_state_v1(doc, NULL, 0, out, NULL);
}

int format_merge(const struct ydoc_slice *updates, size_t n, enum update_format format,
                 struct ydoc_buf *out, struct ydoc_error *err)
{
    if (format == FORMAT_V2)
        return ydoc_merge_updates_v2(updates, n, out, err);
    return ydoc_merge_updates_v1(updates, n, out, err);
}

int format_diff(const struct input *in, struct ydoc_slice sv, struct ydoc_buf *out,
                struct ydoc_error *err)
{
    if (in->format == FORMAT_V2)
        return ydoc_diff_update_v2(in->bytes.p, in->bytes.len, sv.p, sv.len, out, err);
    return ydoc_diff_update_v1(in->bytes.p, in->bytes.len, sv.p, sv.len, out, err);
}

int format_state_vector(const struct input *in, struct ydoc_buf *out, struct ydoc_error *err)
{
    if (in->format == FORMAT_V2)
        return ydoc_state_vector_from_update_v2(in->bytes.p, in->bytes.len, out, err);
    return ydoc_state_vector_from_update_v1(in->bytes.p, in->bytes.len, out, err);
}

int format_convert(const struct input *in, enum update_format to, struct ydoc_buf *out,
                   struct ydoc_error *err)
{
    int rc;

    if (in->format != to && to == FORMAT_V2)
        return ydoc_convert_v1_to_v2(in->bytes.p, in->bytes.len, out, err);
    if (in->format != to)
        return ydoc_convert_v2_to_v1(in->bytes.p, in->bytes.len, out, err);
    rc = format_validate(in, err);
    if (rc != 0)
        return rc;
    ydoc_buf_append(out, in->bytes.p, in->bytes.len);
    return out->failed ? YDOC_ENOMEM : 0;
}
