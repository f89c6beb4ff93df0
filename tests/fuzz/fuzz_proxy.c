/* fuzz_proxy - a PROXY header byte by byte: it asks for more until the one length
 * at which it is whole or refused, and stays with that verdict. */
#include "net/proxy_parse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h, part;
    uint8_t *copy = malloc(size + 1);
    long whole;

    if (size > 0)
        memcpy(copy, data, size);
    whole = proxy_parse_header(copy, size, &h);
    assert(whole <= (long)size);
    for (size_t n = 0; n < size && n < 200; n++) {
        uint8_t *cut = malloc(n + 1);
        long rc;

        if (n > 0)
            memcpy(cut, data, n);
        rc = proxy_parse_header(cut, n, &part);
        assert(rc == 0 || rc == whole);
        assert(rc != 0 || !part.has_addr);
        if (whole > 0 && n < (size_t)whole)
            assert(rc == 0);
        free(cut);
    }
    if (whole > 0)
        assert(h.has_addr == (h.source.ss_family != 0));
    free(copy);
    return 0;
}
