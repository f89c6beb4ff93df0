#include "auth/jwt.h"

#include <assert.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/auth_internal.h"

#define SIGNATURE_BYTES 32

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct part {
    const char *p;
    size_t len;
};

/* --- base64url ----------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* RFC 4648, section 5, without padding. Bits that are left over must be zero,
 * so that one text is the only text of its bytes. Returns the length or -1. */
static long decode(const char *p, size_t n, uint8_t *out, size_t out_max)
{
    size_t len = 0;
    unsigned bits = 0;
    uint32_t acc = 0;

    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(p[i]);

        if (digit < 0)
            return -1;
        acc = (acc << 6 | (uint32_t)digit) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (len == out_max)
                return -1;
            out[len++] = (uint8_t)(acc >> bits);
        }
    }
    return (acc & ((1u << bits) - 1)) == 0 ? (long)len : -1;
}

static void put_base64url(struct buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0u);
        size_t digits = n - i >= 3 ? 4 : n - i + 1;

        for (size_t d = 0; d < digits; d++)
            buf_put_u8(out, (uint8_t)alphabet[v >> (18 - 6 * d) & 63]);
    }
}

/* --- the token ----------------------------------------------------------- */

static bool split(const char *token, size_t len, struct part parts[3])
{
    const char *end = token + len, *dot;

    for (int i = 0; i < 2; i++) {
        dot = memchr(token, '.', (size_t)(end - token));
        if (dot == NULL)
            return false;
        parts[i] = (struct part){token, (size_t)(dot - token)};
        token = dot + 1;
    }
    parts[2] = (struct part){token, (size_t)(end - token)};
    return memchr(token, '.', parts[2].len) == NULL;
}

bool jwt_is_like(const char *token, size_t len)
{
    struct part parts[3];

    if (len < 4 || memcmp(token, "eyJ", 3) != 0 || !split(token, len, parts))
        return false;
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < parts[i].len; k++) {
            if (digit_of(parts[i].p[k]) < 0)
                return false;
        }
    }
    return true;
}

static void sign(const char *secret, size_t secret_len, const char *p, size_t n,
                 uint8_t out[SIGNATURE_BYTES])
{
    unsigned len = SIGNATURE_BYTES;
    const uint8_t *done =
        HMAC(EVP_sha256(), secret, (int)secret_len, (const unsigned char *)p, n, out, &len);

    assert(done != NULL && len == SIGNATURE_BYTES);
    (void)done;
}

static bool has_right_signature(const char *secret, size_t secret_len, const char *token,
                                const struct part *signature)
{
    uint8_t want[SIGNATURE_BYTES], got[SIGNATURE_BYTES];

    if (decode(signature->p, signature->len, got, sizeof(got)) != SIGNATURE_BYTES)
        return false;
    sign(secret, secret_len, token, (size_t)(signature->p - token) - 1, want);
    return CRYPTO_memcmp(want, got, sizeof(want)) == 0;
}

/* The part as a JSON object, or NULL. */
static json_t *decode_object(const struct part *part)
{
    uint8_t bytes[LIMIT_TOKEN_BYTES];
    long n = decode(part->p, part->len, bytes, sizeof(bytes));
    json_t *v;

    if (n < 0)
        return NULL;
    v = json_loadb((const char *)bytes, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(v)) {
        json_decref(v);
        return NULL;
    }
    return v;
}

static bool is_header_ok(const struct part *part)
{
    json_t *v = decode_object(part);
    const char *alg = json_string_value(json_object_get(v, "alg"));
    bool ok = alg != NULL && strcmp(alg, "HS256") == 0 && json_object_get(v, "crit") == NULL;

    json_decref(v);
    return ok;
}

/* Seconds since 1970, which may have a fraction. Absent: *out keeps its value. */
static bool get_time(const json_t *claims, const char *name, int64_t *out)
{
    const json_t *v = json_object_get(claims, name);
    double d;

    if (v == NULL)
        return true;
    if (!json_is_number(v))
        return false;
    d = json_number_value(v);
    if (!(d >= 0 && d < 1e15))
        return false;
    *out = (int64_t)d;
    return true;
}

static bool get_user(const json_t *claims, char *out)
{
    const json_t *sub = json_object_get(claims, "sub"), *name = json_object_get(claims, "name");

    if (sub != NULL)
        return auth__copy_user(out, sub);
    return name == NULL || auth__copy_user(out, name);
}

static int check_claims(const json_t *claims, int64_t now_s, const char *room, size_t room_len,
                        struct auth_ticket *out, struct err *reason)
{
    const json_t *access = json_object_get(claims, "access");
    const json_t *rooms = json_object_get(claims, "rooms");
    int64_t not_before = 0;

    out->access = AUTH_WRITE;
    if ((access != NULL && !auth__parse_access(access, &out->access)) ||
        !auth__is_pattern_list(rooms) || !get_user(claims, out->user) ||
        !get_time(claims, "nbf", &not_before))
        return err_set(reason, SK_EDENIED, "token-invalid");
    out->expires_s = INT64_MAX;
    if (!get_time(claims, "exp", &out->expires_s))
        return err_set(reason, SK_EDENIED, "token-invalid");
    if (out->expires_s == INT64_MAX)
        out->expires_s = 0;
    else if (now_s - JWT_LEEWAY_S >= out->expires_s)
        return err_set(reason, SK_EDENIED, "token-expired");
    if (now_s + JWT_LEEWAY_S < not_before)
        return err_set(reason, SK_EDENIED, "token-not-yet-valid");
    if (out->access == AUTH_NONE || !auth__covers(rooms, room, room_len))
        return err_set(reason, SK_EDENIED, "permission-denied");
    return 0;
}

int jwt_check(const char *secret, size_t secret_len, int64_t now_s, const char *token, size_t len,
              const char *room, size_t room_len, struct auth_ticket *out, struct err *reason)
{
    struct part parts[3];
    json_t *claims;
    int rc;

    *out = (struct auth_ticket){0};
    if (len > LIMIT_TOKEN_BYTES || !split(token, len, parts) || !is_header_ok(&parts[0]) ||
        !has_right_signature(secret, secret_len, token, &parts[2]))
        return err_set(reason, SK_EDENIED, "token-invalid");
    claims = decode_object(&parts[1]);
    if (claims == NULL)
        return err_set(reason, SK_EDENIED, "token-invalid");
    rc = check_claims(claims, now_s, room, room_len, out, reason);
    if (rc != 0)
        *out = (struct auth_ticket){0};
    json_decref(claims);
    return rc;
}

void jwt_encode(struct buf *out, const char *secret, size_t secret_len, const char *claims,
                size_t claims_len)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    uint8_t signature[SIGNATURE_BYTES];
    size_t start = out->len;

    put_base64url(out, (const uint8_t *)header, sizeof(header) - 1);
    buf_put_u8(out, '.');
    put_base64url(out, (const uint8_t *)claims, claims_len);
    if (buf_err(out) != 0)
        return;
    sign(secret, secret_len, (const char *)out->p + start, out->len - start, signature);
    buf_put_u8(out, '.');
    put_base64url(out, signature, sizeof(signature));
}
