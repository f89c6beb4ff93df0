/* proxy_parse - see proxy_parse.h.
 *
 * Version 1 is a line of text:
 *     PROXY TCP4 <source> <destination> <source port> <destination port> CR LF
 *     PROXY TCP6 ...
 *     PROXY UNKNOWN ... CR LF
 *
 * Version 2, integers big-endian:
 *      0  signature 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a
 *     12  0x20 LOCAL or 0x21 PROXY
 *     13  family and transport: 0x00 unspecified, 0x11 TCP4, 0x12 UDP4, 0x21 TCP6,
 *         0x22 UDP6, 0x31, 0x32 UNIX
 *     14  length of what follows, u16
 *     16  source, destination, source port, destination port, then TLVs
 */
#include "net/proxy_parse.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define V2_HEAD 16
#define V2_IP4 12
#define V2_IP6 36

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void set_ip4(struct sockaddr_storage *out, const void *addr, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, addr, sizeof(in->sin_addr));
}

static void set_ip6(struct sockaddr_storage *out, const void *addr, uint16_t port)
{
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)out;

    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    memcpy(&in->sin6_addr, addr, sizeof(in->sin6_addr));
}

/* --- version 1 ------------------------------------------------------------- */

/* Takes a word up to the next space, or to the end, into out as a string. */
static bool take_word(const char **p, const char *end, char *out, size_t cap)
{
    const char *space = memchr(*p, ' ', (size_t)(end - *p));
    const char *stop = space == NULL ? end : space;
    size_t n = (size_t)(stop - *p);

    if (n == 0 || n >= cap || memchr(*p, 0, n) != NULL)
        return false;
    memcpy(out, *p, n);
    out[n] = 0;
    *p = space == NULL ? end : space + 1;
    return true;
}

/* 0 to 65535 in decimal without leading zeros, or -1. */
static long parse_port(const char *z)
{
    long v = 0;

    if (z[0] == '0' && z[1] != 0)
        return -1;
    for (; *z != 0; z++) {
        if (*z < '0' || *z > '9')
            return -1;
        v = v * 10 + (*z - '0');
        if (v > 65535)
            return -1;
    }
    return v;
}

static bool set_address(struct sockaddr_storage *out, int family, const char *ip, const char *port)
{
    unsigned char addr[16];
    long n = parse_port(port);

    if (n < 0 || inet_pton(family, ip, addr) != 1)
        return false;
    if (family == AF_INET)
        set_ip4(out, addr, (uint16_t)n);
    else
        set_ip6(out, addr, (uint16_t)n);
    return true;
}

/* The line without "PROXY " in front and CR LF behind. */
static bool parse_v1_line(const char *p, const char *end, struct proxy_header *out)
{
    char family[8], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    char source_port[6], destination_port[6];
    int af;

    if (!take_word(&p, end, family, sizeof(family)))
        return false;
    if (strcmp(family, "UNKNOWN") == 0)
        return true;
    if (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0)
        return false;
    af = family[3] == '4' ? AF_INET : AF_INET6;
    if (!take_word(&p, end, source, sizeof(source)) ||
        !take_word(&p, end, destination, sizeof(destination)) ||
        !take_word(&p, end, source_port, sizeof(source_port)) || end[-1] == ' ' ||
        !take_word(&p, end, destination_port, sizeof(destination_port)) || p != end)
        return false;
    out->has_addr = true;
    return set_address(&out->source, af, source, source_port) &&
           set_address(&out->destination, af, destination, destination_port);
}

static long parse_v1(const char *p, size_t len, struct proxy_header *out)
{
    static const char prefix[] = "PROXY ";
    size_t n = len < sizeof(prefix) - 1 ? len : sizeof(prefix) - 1;
    size_t most = len < PROXY_V1_BYTES_MAX ? len : PROXY_V1_BYTES_MAX;
    const char *lf;

    if (memcmp(p, prefix, n) != 0)
        return SK_EBADMSG;
    lf = memchr(p, '\n', most);
    if (lf == NULL)
        return most == PROXY_V1_BYTES_MAX ? SK_EBADMSG : 0;
    if (lf - p < (long)sizeof(prefix) || lf[-1] != '\r' ||
        !parse_v1_line(p + sizeof(prefix) - 1, lf - 1, out))
        return SK_EBADMSG;
    return lf - p + 1;
}

/* --- version 2 ------------------------------------------------------------- */

static uint16_t big_endian(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* p[0, len) is what follows the 16 fixed bytes. */
static bool parse_v2_addresses(uint8_t family, const uint8_t *p, size_t len,
                               struct proxy_header *out)
{
    switch (family) {
    case 0x11:
    case 0x12:
        if (len < V2_IP4)
            return false;
        set_ip4(&out->source, p, big_endian(p + 8));
        set_ip4(&out->destination, p + 4, big_endian(p + 10));
        out->has_addr = true;
        return true;
    case 0x21:
    case 0x22:
        if (len < V2_IP6)
            return false;
        set_ip6(&out->source, p, big_endian(p + 32));
        set_ip6(&out->destination, p + 16, big_endian(p + 34));
        out->has_addr = true;
        return true;
    default:
        return family == 0x00 || family == 0x31 || family == 0x32;
    }
}

static long parse_v2(const uint8_t *p, size_t len, struct proxy_header *out)
{
    size_t n = len < sizeof(signature) ? len : sizeof(signature);
    size_t rest;

    if (memcmp(p, signature, n) != 0)
        return SK_EBADMSG;
    if (len > 12 && p[12] != 0x20 && p[12] != 0x21)
        return SK_EBADMSG;
    if (len < V2_HEAD)
        return 0;
    rest = big_endian(p + 14);
    if (rest > PROXY_V2_BYTES_MAX - V2_HEAD)
        return SK_ETOOBIG;
    if (len - V2_HEAD < rest)
        return 0;
    /* LOCAL: a health check of the proxy itself; whatever follows is skipped. */
    if (p[12] == 0x21 && !parse_v2_addresses(p[13], p + V2_HEAD, rest, out))
        return SK_EBADMSG;
    return (long)(V2_HEAD + rest);
}

long proxy_parse_header(const void *bytes, size_t len, struct proxy_header *out)
{
    const uint8_t *p = bytes;
    long n;

    memset(out, 0, sizeof(*out));
    if (len == 0)
        return 0;
    n = p[0] == signature[0] ? parse_v2(p, len, out) : parse_v1(bytes, len, out);
    if (n <= 0)
        memset(out, 0, sizeof(*out));
    return n;
}
