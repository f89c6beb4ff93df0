/* ws_offer - reads the offers of extensions (RFC 6455, 9.1) and answers the one
 * of permessage-deflate (RFC 7692, 7.1).
 *
 *     extension-list = 1#( token *( OWS ";" OWS token [ "=" ( token | quoted ) ] ) )
 *
 * A client may offer permessage-deflate several times, best first; we take the
 * first that is valid and possible. Not valid, and so declined (7.1): a parameter
 * that is unknown, that comes twice, or whose value is wrong. Not possible: a
 * server window of 256 bytes, since zlib cannot be held to one.
 */
#include "net/ws_handshake_internal.h"

#include <string.h>

#include "net/http_parse_internal.h"
#include "net/ws_deflate.h"

/* Takes a token off the front, then the white space behind it. */
static bool take_token(struct http_str *s, struct http_str *token)
{
    size_t n = 0;

    while (n < s->len && http_is_token((struct http_str){s->p + n, 1}))
        n++;
    *token = (struct http_str){s->p, n};
    *s = http__trim((struct http_str){s->p + n, s->len - n});
    return n > 0;
}

/* Takes a quoted string; its content, which must be a token (RFC 6455, 9.1). */
static bool take_quoted(struct http_str *s, struct http_str *value)
{
    const char *end = memchr(s->p + 1, '"', s->len - 1);

    if (end == NULL)
        return false;
    *value = (struct http_str){s->p + 1, (size_t)(end - s->p) - 1};
    *s = http__trim((struct http_str){end + 1, s->len - value->len - 2});
    return http_is_token(*value);
}

struct param {
    struct http_str name;
    struct http_str value; /* p NULL: none */
};

/* Takes "; name [= value]" off the front. 1, 0 at the end, SK_EBADMSG. */
static int take_param(struct http_str *s, struct param *param)
{
    *param = (struct param){{NULL, 0}, {NULL, 0}};
    if (s->len == 0)
        return 0;
    if (s->p[0] != ';')
        return SK_EBADMSG;
    *s = http__trim((struct http_str){s->p + 1, s->len - 1});
    if (!take_token(s, &param->name))
        return SK_EBADMSG;
    if (s->len == 0 || s->p[0] != '=')
        return 1;
    *s = http__trim((struct http_str){s->p + 1, s->len - 1});
    if (s->len > 0 && s->p[0] == '"')
        return take_quoted(s, &param->value) ? 1 : SK_EBADMSG;
    return take_token(s, &param->value) ? 1 : SK_EBADMSG;
}

/* 8 to 15 without leading zeros, or 0. */
static unsigned window_bits(struct http_str v)
{
    if (v.len == 1 && (v.p[0] == '8' || v.p[0] == '9'))
        return (unsigned)(v.p[0] - '0');
    if (v.len == 2 && v.p[0] == '1' && v.p[1] >= '0' && v.p[1] <= '5')
        return 10u + (unsigned)(v.p[1] - '0');
    return 0;
}

#define SEEN_SERVER_TAKEOVER 1u
#define SEEN_CLIENT_TAKEOVER 2u
#define SEEN_SERVER_BITS 4u
#define SEEN_CLIENT_BITS 8u

/* The parameter's bit when it is valid, else 0. */
static unsigned check_param(const struct param *param, struct ws_deflate_params *out)
{
    unsigned bits;

    if (http_str_is(param->name, "server_no_context_takeover"))
        return param->value.p == NULL ? SEEN_SERVER_TAKEOVER : 0;
    if (http_str_is(param->name, "client_no_context_takeover"))
        return param->value.p == NULL ? SEEN_CLIENT_TAKEOVER : 0;
    bits = window_bits(param->value);
    if (http_str_is(param->name, "client_max_window_bits"))
        return param->value.p == NULL || bits != 0 ? SEEN_CLIENT_BITS : 0;
    if (!http_str_is(param->name, "server_max_window_bits") || bits < WS_WINDOW_BITS_MIN)
        return 0;
    out->has_server_bits = true;
    out->server_bits = (uint8_t)bits;
    return SEEN_SERVER_BITS;
}

/* One extension of the list. The grammar is checked to the end, whatever it is. */
static int parse_extension(struct http_str s, struct ws_deflate_params *out)
{
    struct http_str name;
    struct param param;
    unsigned seen = 0;
    int rc;

    *out = (struct ws_deflate_params){.server_bits = WS_WINDOW_BITS_MAX};
    if (!take_token(&s, &name))
        return SK_EBADMSG;
    out->is_on = http_str_is(name, "permessage-deflate");
    while ((rc = take_param(&s, &param)) > 0) {
        unsigned bit = out->is_on ? check_param(&param, out) : 0;

        if (bit == 0 || (seen & bit) != 0)
            out->is_on = false;
        seen |= bit;
    }
    return rc;
}

int ws__offer_parse(const struct http_request *req, bool allow_deflate,
                    struct ws_deflate_params *out)
{
    *out = (struct ws_deflate_params){.server_bits = WS_WINDOW_BITS_MAX};
    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, element;

        if (!http_str_is_nocase(req->headers[i].name, "Sec-WebSocket-Extensions"))
            continue;
        while (http_list_next(&rest, &element)) {
            struct ws_deflate_params offer;

            if (parse_extension(element, &offer) != 0)
                return SK_EBADMSG;
            if (allow_deflate && !out->is_on && offer.is_on)
                *out = offer;
        }
    }
    return 0;
}
