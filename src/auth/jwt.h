#ifndef SKEIN_AUTH_JWT_H
#define SKEIN_AUTH_JWT_H

/* jwt - JSON web tokens (RFC 7519), as JWS compact serialisation with HS256.
 *
 *     token     := part "." part "." part       base64url without padding
 *     header    := {"alg": "HS256", "typ"?: "JWT", …}
 *     claims    := {"sub"?, "name"?, "access"?, "rooms"?, "exp"?, "nbf"?, …}
 *     signature := HMAC-SHA-256(secret, header part "." claims part)
 *
 *   access  "read" or "write"; write when absent
 *   rooms   list of patterns (auth.h); all rooms when absent
 *   sub     who it is; else name
 *   exp     the token is refused from then on, with JWT_LEEWAY_S to spare
 *   nbf     the token is refused until then, likewise
 *
 * Valid if and only if every part is canonical base64url, header and claims
 * are JSON objects without duplicate names, alg is exactly HS256, there is no
 * crit, the signature is right, and each claim above has its type. The
 * signature is compared in constant time, before the claims are looked at.
 * The algorithm is never taken from the token: it is only compared.
 *
 * Threads: any; nothing is kept. JSON values are jansson's and live for the
 * call only; the token's limit bounds them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/buf.h"

#define JWT_LEEWAY_S 60

/* Three parts of base64url characters, the first of which begins as JSON's `{"` does. */
bool jwt_is_like(const char *token, size_t len);

/* As auth_check(). */
int jwt_check(const char *secret, size_t secret_len, int64_t now_s, const char *token, size_t len,
              const char *room, size_t room_len, struct auth_ticket *out,
              struct err *reason) SK_MUST_CHECK;

/* Appends the token of these claims (JSON text) to `out`. */
void jwt_encode(struct buf *out, const char *secret, size_t secret_len, const char *claims,
                size_t claims_len);

#endif
