/* http_upgrade - from an exchange to a WebSocket.
 *
 * The Origin is checked before anything is promised: browsers do not hold
 * WebSockets to the same-origin policy, so any page could otherwise use a
 * visitor's cookies here. Programs that send no Origin are not browsers.
 */
#include <assert.h>
#include <string.h>

#include "net/http_exchange.h"
#include "net/ws_handshake.h"

static void refuse(struct http_exchange *x, int status, const char *words)
{
    stat_add(&x->wk->stats.refused_total, 1);
    http_respond_text(x, status, words);
}

static bool is_welcome(struct http_exchange *x)
{
    if (x->cors == HTTP_CORS_FOREIGN) {
        refuse(x, 403,
               "Pages of this origin may not open a WebSocket here. The server's list of "
               "origins (--origins) says which may.");
        return false;
    }
    if (x->wk->is_draining) {
        refuse(x, 503, "The server restarts. Connect again in a moment.");
        return false;
    }
    return true;
}

struct ws *http_upgrade(struct http_exchange *x, const struct ws_ops *ops, void *user,
                        const char *subprotocol)
{
    struct ws_handshake_options o = {
        .allow_deflate = x->wk->server->o.ws_compress,
        .protocols = &subprotocol,
        .n_protocols = subprotocol != NULL ? 1 : 0,
    };
    char response[WS_RESPONSE_BYTES_MAX];
    struct conn *c = x->c;
    struct ws_handshake hs;
    struct http_error err;
    long n;

    assert(x->is_handling && loop_is_current(x->wk->loop));
    if (c == NULL || c->is_ending || c->has_eof) { /* the peer did not wait */
        x->must_close = true;
        http__finish(x);
        return NULL;
    }
    if (!is_welcome(x))
        return NULL;
    if (ws_handshake_check(&x->req, &o, &hs, &err) != 0) {
        stat_add(&x->wk->stats.refused_total, 1);
        http__respond_error(x, &err);
        return NULL;
    }
    n = ws_handshake_response(&hs, NULL, response, sizeof(response));
    assert(n > 0); /* the subprotocol is the application's own, and short */
    conn__put(c, response, (size_t)n);
    conn__set_peer(c, x->peer);
    ws__open(c, ops, user, hs.deflate.is_on ? hs.deflate.server_bits : 0);
    http__finish(x);
    conn__mark(c); /* frames may have arrived behind the request */
    return &c->ws;
}
