#ifndef SKEIN_NET_ORIGIN_H
#define SKEIN_NET_ORIGIN_H

/* origin - which web pages may talk to us: WebSocket handshakes and CORS.
 *
 * A browser sends the page's origin with every WebSocket handshake and does
 * not hold WebSockets to the same-origin policy: without this check any page
 * could use a visitor's cookies here (cross-site WebSocket hijacking).
 *
 * A pattern is a scheme, "://", a host and perhaps a port, and means exactly
 * that origin (default ports may be left out). A host that begins with "*."
 * means any host below it, of any depth, but not itself. A lone "*" is every
 * origin that is well-formed.
 * Hosts and schemes are compared without case. "null" (sandboxed frames, files)
 * matches nothing, not even "*", because anybody can make it.
 */
#include <stdbool.h>

#include "net/http_parse.h"

/* Whether `origin` is one of the n patterns. */
bool origin_is_listed(struct http_str origin, const char *const *patterns, unsigned n);
/* Whether `origin` names the host and port of the Host field: a page that this
 * server (or the proxy in front) has served. The scheme decides only the
 * default port, since TLS may end in front of us. */
bool origin_is_same_host(struct http_str origin, struct http_str host);
/* Whether a pattern of a configuration is well-formed. */
bool origin_pattern_is_valid(const char *pattern);

#endif
