/* http_forwarded - who the client is according to the proxies in front.
 *
 * Each proxy appends the address that it saw, so only the last entries are
 * written by somebody we trust. Counting from the end, entry number `hops` is
 * what the outermost trusted proxy saw: the client.
 */
#include "net/http_fields.h"

#include <arpa/inet.h>
#include <string.h>

#include "net/http_parse_internal.h"

/* The hops-th element from the end over all fields of that name. */
static bool get_from_end(const struct http_request *req, const char *name, unsigned hops,
                         struct http_str *out)
{
    struct http_str rest, e;
    unsigned n = 0, at = 0;

    for (unsigned i = 0; i < req->n_headers; i++) {
        rest = req->headers[i].value;
        while (http_str_is_nocase(req->headers[i].name, name) && http_list_next(&rest, &e))
            n++;
    }
    if (hops == 0 || n < hops)
        return false;
    for (unsigned i = 0; i < req->n_headers; i++) {
        rest = req->headers[i].value;
        while (http_str_is_nocase(req->headers[i].name, name) && http_list_next(&rest, &e)) {
            if (at++ == n - hops) {
                *out = e;
                return true;
            }
        }
    }
    return false;
}

static bool set_ip_of_family(int family, const char *z, char out[HTTP_IP_BYTES_MAX])
{
    unsigned char addr[16];

    return inet_pton(family, z, addr) == 1 &&
           inet_ntop(family, addr, out, HTTP_IP_BYTES_MAX) != NULL;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool set_ip(struct http_str s, char out[HTTP_IP_BYTES_MAX])
{
    char z[HTTP_IP_BYTES_MAX];
    const char *end;

    if (s.len > 0 && s.p[0] == '[') {
        end = memchr(s.p, ']', s.len);
        if (end == NULL)
            return false;
        s = (struct http_str){s.p + 1, (size_t)(end - s.p) - 1};
    } else {
        end = s.len > 0 ? memchr(s.p, ':', s.len) : NULL;
        if (end != NULL && memchr(end + 1, ':', s.len - (size_t)(end + 1 - s.p)) == NULL)
            s.len = (size_t)(end - s.p);
    }
    if (s.len == 0 || s.len >= sizeof(z))
        return false;
    memcpy(z, s.p, s.len);
    z[s.len] = 0;
    return set_ip_of_family(AF_INET, z, out) || set_ip_of_family(AF_INET6, z, out);
}

static void set_proto(struct http_str s, struct http_forwarded *out)
{
    bool is_https = http_str_is_nocase(s, "https") || http_str_is_nocase(s, "wss");

    if (!is_https && !http_str_is_nocase(s, "http") && !http_str_is_nocase(s, "ws"))
        return;
    out->has_proto = true;
    out->is_https = is_https;
}

/* One element of Forwarded: for=192.0.2.1;proto=https;by="[::1]:80" (RFC 7239). */
static void read_forwarded(struct http_str e, struct http_forwarded *out)
{
    while (e.len > 0) {
        const char *end = memchr(e.p, ';', e.len);
        size_t n = end == NULL ? e.len : (size_t)(end - e.p);
        const char *equals = memchr(e.p, '=', n);

        if (equals != NULL) {
            struct http_str name = http__trim((struct http_str){e.p, (size_t)(equals - e.p)});
            struct http_str value =
                http__trim((struct http_str){equals + 1, n - (size_t)(equals - e.p) - 1});

            if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"')
                value = (struct http_str){value.p + 1, value.len - 2};
            if (http_str_is_nocase(name, "for") && !set_ip(value, out->ip))
                out->ip[0] = 0; /* "unknown", or a name that the proxy made up */
            else if (http_str_is_nocase(name, "proto"))
                set_proto(value, out);
        }
        e.p += end == NULL ? n : n + 1;
        e.len -= end == NULL ? n : n + 1;
    }
}

bool http_forwarded_get(const struct http_request *req, unsigned hops, struct http_forwarded *out)
{
    struct http_str e;

    memset(out, 0, sizeof(*out));
    if (http_header_get(req, "Forwarded") != NULL) {
        if (get_from_end(req, "Forwarded", hops, &e))
            read_forwarded(e, out);
        return out->ip[0] != 0 || out->has_proto;
    }
    if (get_from_end(req, "X-Forwarded-For", hops, &e) && !set_ip(e, out->ip))
        out->ip[0] = 0;
    /* Most proxies set this one and do not append to it. */
    if (get_from_end(req, "X-Forwarded-Proto", hops, &e) ||
        get_from_end(req, "X-Forwarded-Proto", 1, &e))
        set_proto(e, out);
    return out->ip[0] != 0 || out->has_proto;
}
