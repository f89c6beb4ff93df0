/* The body of a stored batch, with a checksum that is always right: what the
 * parser takes, it must give back as the same records when they are encoded
 * again. The first two bytes are the number of records. */
#include <assert.h>
#include <string.h>

#include "store/store_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static void again(struct batch_reader *r, uint64_t count)
{
    struct batch_writer w;
    struct batch_reader r2;
    struct store_entry a, b;
    struct batch_reader start = *r;
    struct buf out;
    int rc;

    buf_init(&out, mem_process(), 16u << 20);
    store_batch_start(&w, &out, 1);
    while ((rc = store_batch_next(r, &a)) == 1)
        store_batch_add(&w, &a);
    if (rc == 0) {
        store_batch_finish(&w, 7);
        rc = store_batch_open(&r2, out.p, out.len, 7, 1, count);
        assert(rc == 0);
        while (store_batch_next(&start, &a) == 1) {
            rc = store_batch_next(&r2, &b);
            assert(rc == 1 && a.seq == b.seq && a.time_ms == b.time_ms && a.conn == b.conn);
            assert(a.kind == b.kind && a.len == b.len && a.author_len == b.author_len);
            assert(memcmp(a.bytes, b.bytes, a.len) == 0);
            assert(memcmp(a.author, b.author, a.author_len) == 0);
        }
        rc = store_batch_next(&r2, &b);
        assert(rc == 0);
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    struct batch_writer w;
    struct batch_reader r;
    struct buf in;
    uint64_t count;
    int rc;

    if (len < 2)
        return 0;
    count = (uint64_t)p[0] + ((uint64_t)p[1] << 8) + 1;
    buf_init(&in, mem_process(), 16u << 20);
    store_batch_start(&w, &in, 1);
    buf_put(&in, p + 2, len - 2);
    w.next = count + 1;
    store_batch_finish(&w, 7);
    rc = store_batch_open(&r, in.p, in.len, 7, 1, count);
    assert(rc == 0);
    (void)rc;
    again(&r, count);
    buf_fini(&in);
    return 0;
}
