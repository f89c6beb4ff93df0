#ifndef SKEIN_NET_HTTP_URI_H
#define SKEIN_NET_HTTP_URI_H

/* http_uri - percent-decoding of path segments and query parameters.
 *
 * Decoding is strict: a '%' that is not followed by two hexadecimal digits is
 * an error and not a literal. The result may hold any byte, zero included:
 * whoever uses it as a name checks it with utf8_is_valid() and its own rules.
 * Decode after splitting, so that %2F never becomes a separator.
 *
 * Ownership: results go into the caller's buffer and get no terminating zero.
 */
#include <stdbool.h>
#include <stddef.h>

#include "net/http_parse.h"

/* Decodes s into out[0, cap). Returns the decoded length, SK_EBADMSG for a bad
 * escape, or SK_ETOOBIG when it is longer than cap. */
SK_MUST_CHECK long http_percent_decode(struct http_str s, char *out, size_t cap);
/* The same, and '+' is a space: the form that URLSearchParams writes. */
SK_MUST_CHECK long http_form_decode(struct http_str s, char *out, size_t cap);

/* Takes the next segment off *path ("/a/b" gives "a", "b"; "/a/" gives "a",
 * ""; "//a" gives "", "a"), still encoded. False when nothing is left. */
bool http_path_next(struct http_str *path, struct http_str *segment);

/* Takes the next name=value off *query, both still encoded; a parameter
 * without '=' has an empty value. False when nothing is left. */
bool http_query_next(struct http_str *query, struct http_str *name, struct http_str *value);

/* The first parameter that decodes to `name`, decoded into out[0, cap). Returns
 * its length, SK_ENOTFOUND, SK_EBADMSG or SK_ETOOBIG. */
SK_MUST_CHECK long http_query_get(struct http_str query, const char *name, char *out, size_t cap);

#endif
