/* The tokens file: any bytes are taken or refused with words, nothing leaks, and a table that was
 * taken answers every token. */
#include "auth/tokens.h"

#include <assert.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t before = mem_account_used(mem_process());
    struct err e = {0, ""};
    struct tokens *t;
    int rc = tokens_new(&t, (const char *)p, n, &e);

    assert((rc == 0) == (t != NULL) && (rc == 0) == (e.msg[0] == 0));
    if (rc == 0) {
        struct auth_ticket ticket;

        rc = tokens_check(t, "a", 1, "docs-1", 6, &ticket, &e);
        assert((rc == 0) == (ticket.access != AUTH_NONE));
        assert(tokens_count(t) <= LIMIT_TOKENS);
    }
    tokens_free(t);
    assert(mem_account_used(mem_process()) == before);
    return 0;
}
