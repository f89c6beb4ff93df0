#ifndef SKEIN_BASE_ERR_H
#define SKEIN_BASE_ERR_H

/* err - the one list of error codes, and words for a human beside them.
 *
 * A fallible function returns 0 (or a count) or one of these. Three kinds are
 * never mixed: the peer's fault (SK_EBADMSG, SK_ETOOBIG, SK_EDENIED: refuse
 * and say why on the wire), the environment's (SK_EIO, SK_ENOSPC, SK_EROFS,
 * SK_ECORRUPT, SK_ENOMEM, SK_EAGAIN: degrade, retry or drain), and ours, which
 * is an assertion and not a code.
 *
 * struct err carries the words. The innermost function that knows names and
 * numbers fills it; it is untouched on success, and NULL is always allowed.
 * Code never reads the words.
 */
#include <stddef.h>

#define SK_ERRORS(X)                                                                               \
    X(SK_ENOMEM, -1, "out of memory")                                                              \
    X(SK_EBADMSG, -2, "malformed message")                                                         \
    X(SK_ETOOBIG, -3, "over a configured limit")                                                   \
    X(SK_EAGAIN, -4, "not ready, try later")                                                       \
    X(SK_EIO, -5, "I/O error")                                                                     \
    X(SK_ECORRUPT, -6, "stored data is corrupt")                                                   \
    X(SK_EDENIED, -7, "permission denied")                                                         \
    X(SK_ENOTFOUND, -8, "not found")                                                               \
    X(SK_EEXISTS, -9, "already exists")                                                            \
    X(SK_EINVAL, -10, "invalid setting or argument")                                               \
    X(SK_ENOSPC, -11, "no space left on the disk")                                                 \
    X(SK_EROFS, -12, "the disk is read-only")                                                      \
    X(SK_ECLOSED, -13, "closed")                                                                   \
    X(SK_EVERSION, -14, "made by a newer version")

#define X(name, value, text) name = value,
enum { SK_OK = 0, SK_ERRORS(X) };
#undef X

struct err {
    int code;
    char msg[240];
};

/* The list's text for `code`; never NULL. */
const char *err_str(int code);

/* Fills *e (when not NULL) and returns code, so that it can be returned. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define SK_MUST_CHECK __attribute__((warn_unused_result))

#endif
