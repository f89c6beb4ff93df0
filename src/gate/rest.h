#ifndef SKEIN_GATE_REST_H
#define SKEIN_GATE_REST_H

/* rest - what can be asked about rooms over plain HTTP.
 *
 *     GET /api/rooms/NAME   {"name", "incarnation", "head", "created"}
 *
 * NAME is percent-encoded and may hold slashes. The token is the parameter
 * `token` or `Authorization: Bearer`, and is checked as for joining. A client
 * that keeps a document offline compares the incarnation before it merges, or
 * passes it as ?incarnation= when it connects.
 *
 * Thread: the exchange's loop.
 */
#include <stdbool.h>

#include "gate/gate.h"

/* False, and nothing sent, when the path is none of these. */
bool rest_respond(struct gate *g, struct http_exchange *x);

#endif
