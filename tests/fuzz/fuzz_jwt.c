/* JSON web tokens: raw bytes as a token, and as the claims of a well-signed one, since no fuzzer
 * finds a signature. A refusal leaves the ticket zero. */
#include "auth/jwt.h"

#include <assert.h>
#include <string.h>

#define SECRET "fuzz"
#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const char *token, size_t n)
{
    struct auth_ticket t;
    struct err e = {0, ""};
    int rc = jwt_check(SECRET, 4, NOW, token, n, "room", 4, &t, &e);

    assert(rc == 0 || rc == SK_EDENIED);
    assert((rc == 0) == (t.access != AUTH_NONE));
    assert((rc == 0) == (e.msg[0] == 0));
    assert(strlen(t.user) <= LIMIT_USER_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf b;

    (void)jwt_is_like((const char *)p, n);
    check((const char *)p, n);
    buf_init(&b, mem_process(), 1 << 20);
    jwt_encode(&b, SECRET, 4, (const char *)p, n);
    if (buf_err(&b) == 0)
        check((const char *)b.p, b.len);
    buf_fini(&b);
    return 0;
}
