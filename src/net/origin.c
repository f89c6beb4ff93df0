/* origin - see origin.h. */
#include "net/origin.h"

#include <string.h>
#include <strings.h>

/* scheme://host[:port], and nothing behind it. */
struct parts {
    struct http_str scheme, host;
    unsigned port; /* the scheme's default when none is given; 0 when there is none */
};

static unsigned default_port(struct http_str scheme)
{
    if (http_str_is_nocase(scheme, "https") || http_str_is_nocase(scheme, "wss"))
        return 443;
    if (http_str_is_nocase(scheme, "http") || http_str_is_nocase(scheme, "ws"))
        return 80;
    return 0;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '%';
}

static bool is_ip6_char(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

/* Length of the host at the front of s, or 0. */
static size_t host_length(struct http_str s)
{
    size_t n = 0;

    if (s.len > 0 && s.p[0] == '[') {
        for (n = 1; n < s.len && is_ip6_char(s.p[n]); n++)
            ;
        return n > 2 && n < s.len && s.p[n] == ']' ? n + 1 : 0;
    }
    while (n < s.len && is_host_char(s.p[n]))
        n++;
    return n;
}

/* host[:port] into *out, whose scheme is set. */
static bool parse_host(struct http_str s, struct parts *out)
{
    size_t n = host_length(s);

    out->host = (struct http_str){s.p, n};
    out->port = default_port(out->scheme);
    if (n == 0 || n > 255)
        return false;
    if (n == s.len)
        return true;
    if (s.p[n] != ':' || s.len - n < 2 || s.len - n > 6)
        return false;
    out->port = 0;
    for (size_t i = n + 1; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        out->port = out->port * 10 + (unsigned)(s.p[i] - '0');
    }
    return out->port > 0 && out->port < 65536;
}

static bool parse_origin(struct http_str s, struct parts *out)
{
    size_t n = 0;

    while (n < s.len && n < 32 &&
           ((s.p[n] >= 'a' && s.p[n] <= 'z') || (s.p[n] >= 'A' && s.p[n] <= 'Z') ||
            (n > 0 && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '-' || s.p[n] == '+' ||
                       s.p[n] == '.'))))
        n++;
    if (n == 0 || s.len - n < 4 || memcmp(s.p + n, "://", 3) != 0)
        return false;
    out->scheme = (struct http_str){s.p, n};
    return parse_host((struct http_str){s.p + n + 3, s.len - n - 3}, out);
}

static bool is_same(struct http_str a, struct http_str b)
{
    return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

struct pattern {
    struct parts parts;
    bool is_any;      /* "*" */
    bool is_wildcard; /* the host stood behind "*." */
};

static bool parse_pattern(const char *z, struct pattern *out)
{
    const char *star = strstr(z, "://*.");
    char plain[300];
    size_t scheme, len = strlen(z);

    *out = (struct pattern){.is_any = strcmp(z, "*") == 0, .is_wildcard = star != NULL};
    if (out->is_any)
        return true;
    if (star == NULL)
        return parse_origin((struct http_str){z, len}, &out->parts);
    /* Check it without the "*.", then point into the caller's text. */
    scheme = (size_t)(star - z);
    if (len >= sizeof(plain))
        return false;
    memcpy(plain, z, scheme + 3);
    memcpy(plain + scheme + 3, star + 5, len - scheme - 5);
    if (!parse_origin((struct http_str){plain, len - 2}, &out->parts) || plain[scheme + 3] == '.')
        return false;
    out->parts.scheme.p = z;
    out->parts.host.p = star + 5;
    return true;
}

static bool matches(const struct parts *origin, const struct pattern *p)
{
    struct http_str host = origin->host;

    if (p->is_any)
        return true;
    if (!is_same(origin->scheme, p->parts.scheme) || origin->port != p->parts.port)
        return false;
    if (!p->is_wildcard)
        return is_same(host, p->parts.host);
    if (host.len < p->parts.host.len + 2 || host.p[host.len - p->parts.host.len - 1] != '.')
        return false;
    host.p += host.len - p->parts.host.len;
    host.len = p->parts.host.len;
    return is_same(host, p->parts.host);
}

bool origin_is_listed(struct http_str origin, const char *const *patterns, unsigned n)
{
    struct parts parts;

    if (!parse_origin(origin, &parts))
        return false; /* "null" among them */
    for (unsigned i = 0; i < n; i++) {
        struct pattern pattern;

        if (parse_pattern(patterns[i], &pattern) && matches(&parts, &pattern))
            return true;
    }
    return false;
}

bool origin_is_same_host(struct http_str origin, struct http_str host)
{
    struct parts page, here;

    if (!parse_origin(origin, &page))
        return false;
    here.scheme = page.scheme;
    return parse_host(host, &here) && is_same(page.host, here.host) && page.port == here.port;
}

bool origin_pattern_is_valid(const char *pattern)
{
    struct pattern p;

    return parse_pattern(pattern, &p);
}
