#ifndef SKEIN_NET_CIDR_H
#define SKEIN_NET_CIDR_H

/* cidr - sets of addresses, "10.0.0.0/8" or "::1": the proxies that we trust.
 *
 * An IPv4 address written as IPv6 (::ffff:10.0.0.1) counts as the IPv4 one.
 * "unix" stands for the peers of a UNIX socket.
 */
#include <stdbool.h>
#include <stdint.h>

struct cidr {
    uint8_t family; /* 4, 6, or 0 for "unix" */
    uint8_t bits;
    uint8_t bytes[16];
};

/* False when the text is not an address with an optional prefix length. */
bool cidr_parse(struct cidr *out, const char *text);
/* ip is an address as inet_ntop() writes it, or "unix". */
bool cidr_has(const struct cidr *set, unsigned n, const char *ip);

#endif
