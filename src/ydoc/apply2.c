/* apply2 - updates in format v2 into a document: they are brought into format v1
 * as a document keeps it (WIRE_OURS, which loses nothing), and take its way. The
 * v2 bytes are checked on the way; offsets in errors are theirs.
 */
#include "ydoc/store.h"
#include "ydoc/update.h"

static int broken(struct ydoc_error *err)
{
    return ydoc__error(err, YDOC_EBROKEN, 0, "%s", ydoc_strerror(YDOC_EBROKEN));
}

static int to_ours(const struct ydoc *doc, struct ydoc_slice update, struct ydoc_buf *ours,
                   struct ydoc_error *err)
{
    struct update_conversion job = {update, {WIRE_V2, WIRE_OURS}, &doc->limits};

    return update_convert(&job, ours, err);
}

int ydoc_apply_v2_from(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin,
                       struct ydoc_error *err)
{
    struct ydoc_slice slice = {update, len};
    struct ydoc_buf ours;
    int rc;

    if (doc->broken)
        return broken(err);
    ydoc_buf_init(&ours, &doc->alloc);
    rc = to_ours(doc, slice, &ours, err);
    if (rc == 0)
        rc = store_apply_ours(doc, &ours, origin, err);
    ydoc_buf_fini(&ours);
    return rc;
}

int ydoc_apply_v2(struct ydoc *doc, const uint8_t *update, size_t len, struct ydoc_error *err)
{
    return ydoc_apply_v2_from(doc, update, len, NULL, err);
}
