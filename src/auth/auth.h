#ifndef SKEIN_AUTH_AUTH_H
#define SKEIN_AUTH_AUTH_H

/* auth - tickets: who may do what in which room.
 *
 * A client shows a token when it joins a room; auth_check() answers with a
 * ticket, or refuses with a reason for the wire. Two kinds of token are known,
 * and both may be configured at once:
 *
 *   JSON web tokens (RFC 7519), HS256 under one secret: see auth/jwt.h.
 *   Static tokens from a JSON file: see auth/tokens.h.
 *
 * What looks like a JSON web token is judged as one when there is a secret;
 * everything else by the file. An empty token that the file does not mention
 * gets what `anonymous` says. With neither configured everybody may write; the
 * command line sees to it that such a server listens on this machine only.
 *
 * Threads: auth_check() and auth_reload() from any, at once. The file's table
 * is behind a lock that is held for one look-up; a reload builds the new table
 * first and swaps it in whole.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

struct auth;

enum auth_access { AUTH_NONE, AUTH_READ, AUTH_WRITE };

/* What a token is worth in the room that was asked for. */
struct auth_ticket {
    enum auth_access access;
    int64_t expires_s;               /* seconds since 1970; 0: never */
    char user[LIMIT_USER_BYTES + 1]; /* who, for the log and the history; "" when unknown */
};

struct auth_options {
    const char *jwt_secret; /* NULL: no JSON web tokens */
    size_t jwt_secret_len;
    const char *tokens_path; /* NULL: no static tokens */
    enum auth_access anonymous;
    int64_t (*now_s)(void); /* NULL: the system's clock */
};

/* Copies what it needs; reads the tokens file. SK_EINVAL and SK_ETOOBIG (the
 * file), SK_ENOTFOUND, SK_EIO, all with words. */
int auth_new(struct auth **out, const struct auth_options *o, struct err *e) SK_MUST_CHECK;
void auth_free(struct auth *a); /* NULL is allowed */

/* Reads the tokens file again. On failure the old table stays. */
int auth_reload(struct auth *a, struct err *e) SK_MUST_CHECK;

/* 0 with *out filled, access being read or write; or SK_EDENIED with *out zero
 * and the reason in *reason: short, for the client ("permission-denied",
 * "token-expired", the file's own words). */
int auth_check(const struct auth *a, const char *token, size_t len, const char *room,
               size_t room_len, struct auth_ticket *out, struct err *reason) SK_MUST_CHECK;

/* False when neither a secret nor a file is configured. */
bool auth_is_configured(const struct auth *a);

/* Whether `pattern` covers the room: * stands for any bytes, also for none and
 * for slashes; everything else for itself. */
bool auth_pattern_covers(const char *pattern, size_t pattern_len, const char *room,
                         size_t room_len);

#endif
