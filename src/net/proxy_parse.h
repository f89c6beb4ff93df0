#ifndef SKEIN_NET_PROXY_PARSE_H
#define SKEIN_NET_PROXY_PARSE_H

/* proxy_parse - the PROXY protocol header, versions 1 and 2 (HAProxy's
 * proxy-protocol.txt): the client's address, in front of the first byte.
 *
 * Listen for it only where the peer is a trusted proxy, and then demand it on
 * every connection: a header that is optional can be forged.
 *
 * Pure: no I/O, no allocation. Checksums and other TLVs of version 2 are
 * skipped; their length is bounded.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PROXY_V1_BYTES_MAX 107  /* with its CRLF, as the specification says */
#define PROXY_V2_BYTES_MAX 4096 /* our bound; the specification allows 16 + 65,535 */

struct proxy_header {
    bool has_addr; /* false: LOCAL or UNKNOWN, use the socket's own address */
    struct sockaddr_storage source;
    struct sockaddr_storage destination;
};

/* Returns the header's length > 0, 0 when more bytes are needed, SK_EBADMSG
 * when this cannot be a header, SK_ETOOBIG when version 2 announces more than
 * the bound. On both errors close without an answer. */
SK_MUST_CHECK long proxy_parse_header(const void *bytes, size_t len, struct proxy_header *out);

#endif
