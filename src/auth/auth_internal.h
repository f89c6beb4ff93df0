#ifndef SKEIN_AUTH_AUTH_INTERNAL_H
#define SKEIN_AUTH_AUTH_INTERNAL_H

/* auth_internal - what the two kinds of token share: rules written as JSON. */
#include <jansson.h>

#include "auth/auth.h"

/* "none", "read", "write"; false for anything else. */
bool auth__parse_access(const json_t *v, enum auth_access *out);
/* NULL, or a list of strings within the limits. */
bool auth__is_pattern_list(const json_t *v);
bool auth__covers(const json_t *patterns, const char *room, size_t room_len);
/* A user's name within the limit, without control characters. */
bool auth__copy_user(char *out, const json_t *v);

#endif
