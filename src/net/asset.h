#ifndef SKEIN_NET_ASSET_H
#define SKEIN_NET_ASSET_H

/* asset - files that are part of the program, for the static half of the HTTP server.
 *
 * A table is made while the program is built (tools/embed.mjs), is constant,
 * and belongs to nobody: pointers into it stay good for the life of the
 * process, on every thread, and are never freed.
 *
 * The table is sorted by path, as strcmp() orders it, and no path is in it
 * twice. A path is what stands in a request after percent-decoding and before
 * the query: it begins with a slash. The file index.html of a folder stands
 * there under the folder's own path, with its slash.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asset {
    const char *path;
    const char *type; /* a Content-Type field value, with its charset for text */
    const char *etag; /* an ETag field value with its quotes; changes when the bytes do. It is of
                         the identity coding; what is sent compressed is the same entity, so
                         say it with W/ in front, or compare weakly */
    const uint8_t *bytes;
    size_t len;
    const uint8_t *gzip; /* the same bytes compressed, or NULL when that would save too little */
    size_t gzip_len;
    bool immutable; /* the name holds a hash of the content: cache it for ever */
};

struct asset_table {
    const struct asset *assets;
    size_t n;
};

#endif
