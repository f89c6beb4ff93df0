/* The configuration file's parser: any bytes are taken or refused with words, and nothing leaks. */
#include "base/config.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t before = mem_account_used(mem_process());
    struct config c = {0};
    struct setting_group g = config_group(&c, NULL);
    struct err e = {0, ""};
    int rc;

    settings_init(&g);
    rc = settings_parse_file(&g, 1, "fuzz", (const char *)p, n, &e);
    assert((rc == 0) == (e.msg[0] == 0));
    if (rc == 0)
        (void)!config_check(&c, NULL);
    settings_fini(&g);
    assert(mem_account_used(mem_process()) == before);
    return 0;
}
