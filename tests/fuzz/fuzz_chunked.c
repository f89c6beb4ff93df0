/* fuzz_chunked - a chunked body gives the same bytes and the same end however it
 * is cut, and never more bytes than came or than the limit. */
#include "net/http_chunked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    int rc;
    size_t n_body, n_used;
    char *body;
};

/* steps: sizes of the pieces, one a byte, used round and round. */
static void run(const uint8_t *data, size_t size, const uint8_t *steps, size_t n_steps,
                struct result *r)
{
    struct http_chunked c;
    size_t turn = 0;

    *r = (struct result){.body = malloc(size + 1)};
    http_chunked_init(&c, BODY_MAX);
    while (r->rc == 0 && r->n_used < size) {
        size_t want = n_steps == 0 ? size : 1u + steps[turn++ % n_steps];
        size_t n = size - r->n_used < want ? size - r->n_used : want;
        char *copy = malloc(n);
        struct http_error err = {0};
        size_t used, body;

        memcpy(copy, data + r->n_used, n);
        r->rc = http_chunked_feed(&c, copy, n, &used, &body, &err);
        assert(body <= used && used <= n && (r->rc != 0 || used == n));
        assert((r->rc < 0) == (err.status != 0));
        memcpy(r->body + r->n_body, copy, body);
        r->n_body += body;
        r->n_used += used;
        free(copy);
    }
    assert(r->n_body <= BODY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ones[] = {0};
    struct result whole, pieces;
    size_t n_steps = size > 4 ? 4 : 0;

    run(data + n_steps, size - n_steps, NULL, 0, &whole);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            run(data + n_steps, size - n_steps, ones, 1, &pieces);
        else
            run(data + n_steps, size - n_steps, data, n_steps, &pieces);
        assert(whole.rc == pieces.rc && whole.n_used == pieces.n_used);
        assert(whole.n_body == pieces.n_body);
        assert(memcmp(whole.body, pieces.body, whole.n_body) == 0);
        free(pieces.body);
    }
    free(whole.body);
    return 0;
}
