#ifndef SKEIN_BASE_RBUF_H
#define SKEIN_BASE_RBUF_H

/* rbuf - a byte string that is written once and then shared.
 *
 * One encoded frame goes to every connection of a room. Sharing one rbuf makes
 * that N reference counts instead of N encodes and N copies.
 *
 * Ownership: rbuf_new(), rbuf_dup() and rbuf_ref() give the caller a
 *   reference. A function with `take` in its name consumes one, also when it
 *   fails. All others borrow.
 * Threads: the bytes never change after the rbuf is first shared and the count
 *   is atomic, so an rbuf may cross workers in a mailbox message.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct rbuf {
    atomic_uint refs;
    uint32_t len;
    struct mem_account *account;
    uint8_t bytes[];
};

#define RBUF_LEN_MAX (256u << 20)

/* NULL when the account's limit is reached or len > RBUF_LEN_MAX. Bytes undefined. */
struct rbuf *rbuf_new(struct mem_account *a, size_t len);
struct rbuf *rbuf_dup(struct mem_account *a, const void *p, size_t len);
struct rbuf *rbuf_ref(struct rbuf *b);
void rbuf_unref(struct rbuf *b); /* NULL is allowed */

#endif
