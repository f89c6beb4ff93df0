#ifndef SKEIN_GATE_GATE_H
#define SKEIN_GATE_GATE_H

/* gate - where requests from outside are told apart and translated.
 *
 *   GET  /healthz, /readyz, /metrics     for whoever runs the server
 *   WS   /api/ws?type=yjs                collaboration; without a type it is the same
 *   WS   /debug/echo                     with the option debug_echo
 *   WS   any other path                  collaboration, the path being the room's name
 *   GET  /api/rooms/NAME                 what is known of a room
 *   GET  anything else                   the files of the page
 *
 * Threads: gate_new() and gate_free() by the owner; gate_on_request() on each
 * worker's loop.
 */
#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/err.h"
#include "net/asset.h"
#include "net/http_server.h"
#include "room/room.h"

struct store;

struct gate_options {
    struct engine *engine;
    struct auth *auth;
    struct store *store;
    const struct asset_table *assets;
    bool debug_echo;
    bool stateless_broadcast; /* Hocuspocus stateless messages go to all members */
    uint32_t auth_timeout_ms; /* a socket that has joined nothing by then is closed */
    uint32_t keepalive_ms;    /* a quiet socket is sent an empty message this often */
    uint32_t channels_max;    /* documents on one socket */
};
void gate_options_init(struct gate_options *o); /* the defaults */

struct gate;
int gate_new(struct gate **out, const struct gate_options *o, struct err *e) SK_MUST_CHECK;
void gate_free(struct gate *g); /* NULL is allowed */
/* The server whose readiness /readyz tells; before it starts. */
void gate_set_server(struct gate *g, const struct http_server *s);
/* The http_server's on_request; ctx is the gate. */
void gate_on_request(void *ctx, struct http_exchange *x);

#endif
