#ifndef SKEIN_NET_WS_HANDSHAKE_INTERNAL_H
#define SKEIN_NET_WS_HANDSHAKE_INTERNAL_H

/* ws_handshake_internal - shared by ws_handshake.c and ws_offer.c only. */
#include "net/ws_handshake.h"

/* Reads all Sec-WebSocket-Extensions fields and takes the first offer of
 * permessage-deflate that is valid and that we can keep. 0 also when none is;
 * SK_EBADMSG when a field does not follow the grammar. */
int ws__offer_parse(const struct http_request *req, bool allow_deflate,
                    struct ws_deflate_params *out);

#endif
