#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const char *err_str(int code)
{
    switch (code) {
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return text;
        SK_ERRORS(X)
#undef X
    case SK_OK:
        return "no error";
    default:
        return "unknown error";
    }
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    assert(code < 0);
    if (e == NULL)
        return code;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
    va_end(ap);
    return code;
}
