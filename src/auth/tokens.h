#ifndef SKEIN_AUTH_TOKENS_H
#define SKEIN_AUTH_TOKENS_H

/* tokens - the table of static tokens, from a JSON file:
 *
 *     {
 *       "s3cret":   {"access": "write", "user": "build server"},
 *       "visitor":  {"access": "read", "rooms": ["docs-*", "welcome"]},
 *       "old-key":  {"access": "none", "reason": "this key was replaced"},
 *       "*":        {"access": "none", "reason": "please sign in"}
 *     }
 *
 * "*" is for every other token, the empty one included. Names beyond these
 * four are refused, so that a misspelt "room" does not open everything.
 *
 * The table keeps no tokens but their SHA-256, and looks up by that: what a
 * comparison's time tells is nothing about a token.
 *
 * Ownership: the table owns all of its strings. Threads: constant once made.
 */
#include <stddef.h>

#include "auth/auth.h"

struct tokens;

/* Parses the file's text. SK_EINVAL or SK_ETOOBIG with words. */
int tokens_new(struct tokens **out, const char *text, size_t len, struct err *e) SK_MUST_CHECK;
/* Reads the file and parses it. Also SK_ENOTFOUND, SK_EIO. */
int tokens_open(struct tokens **out, const char *path, struct err *e) SK_MUST_CHECK;
void tokens_free(struct tokens *t); /* NULL is allowed */
size_t tokens_count(const struct tokens *t);

/* As auth_check(), or SK_ENOTFOUND when neither the token nor "*" is there. */
int tokens_check(const struct tokens *t, const char *token, size_t len, const char *room,
                 size_t room_len, struct auth_ticket *out, struct err *reason) SK_MUST_CHECK;

#endif
