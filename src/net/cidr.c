#include "net/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define V4_MAPPED_BYTES 12

static const uint8_t v4_mapped[V4_MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

static bool parse_ip(struct cidr *out, const char *text)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(text, "unix") == 0)
        return true;
    if (inet_pton(AF_INET, text, out->bytes) == 1) {
        out->family = 4;
        out->bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, text, out->bytes) != 1)
        return false;
    out->family = 6;
    out->bits = 128;
    if (memcmp(out->bytes, v4_mapped, V4_MAPPED_BYTES) == 0) {
        memmove(out->bytes, out->bytes + V4_MAPPED_BYTES, 4);
        out->family = 4;
        out->bits = 32;
    }
    return true;
}

bool cidr_parse(struct cidr *out, const char *text)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char *end;
    unsigned long bits;

    if (n >= sizeof(ip))
        return false;
    memcpy(ip, text, n);
    ip[n] = 0;
    if (!parse_ip(out, ip))
        return false;
    if (slash == NULL)
        return true;
    if (slash[1] < '0' || slash[1] > '9')
        return false;
    bits = strtoul(slash + 1, &end, 10);
    if (*end != 0 || bits > out->bits)
        return false;
    out->bits = (uint8_t)bits;
    return true;
}

static bool covers(const struct cidr *set, const struct cidr *ip)
{
    unsigned whole = set->bits / 8, rest = set->bits % 8;

    if (set->family != ip->family || memcmp(set->bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((set->bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

bool cidr_has(const struct cidr *set, unsigned n, const char *ip)
{
    struct cidr parsed;

    if (!parse_ip(&parsed, ip))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (covers(&set[i], &parsed))
            return true;
    return false;
}
