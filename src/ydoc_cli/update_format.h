#ifndef SKEIN_YDOC_CLI_UPDATE_FORMAT_H
#define SKEIN_YDOC_CLI_UPDATE_FORMAT_H

/* update_format - which update format bytes have, and the library's functions chosen
 * by it. */
#include "ydoc_cli/command.h"

/* v2 begins with a feature flag, which is 0, and v1 with the number of clients
 * that have structs. What does not begin with 0 is v1; what does is v1 if all of
 * its bytes, to the last, read as a v1 update without structs, and v2 otherwise. */
enum update_format format_detect(const uint8_t *p, size_t len);

int format_apply(struct ydoc *doc, const struct input *in, struct ydoc_error *err) YDOC_MUST_USE;
int format_validate(const struct input *in, struct ydoc_error *err) YDOC_MUST_USE;
int format_encode(const struct ydoc *doc, enum update_format to,
                  struct ydoc_buf *out) YDOC_MUST_USE;
int format_merge(const struct ydoc_slice *updates, size_t n, enum update_format format,
                 struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;
int format_diff(const struct input *in, struct ydoc_slice sv, struct ydoc_buf *out,
                struct ydoc_error *err) YDOC_MUST_USE;
int format_state_vector(const struct input *in, struct ydoc_buf *out,
                        struct ydoc_error *err) YDOC_MUST_USE;
/* Copies when the format is the wanted one already, after checking it. */
int format_convert(const struct input *in, enum update_format to, struct ydoc_buf *out,
                   struct ydoc_error *err) YDOC_MUST_USE;

#endif
