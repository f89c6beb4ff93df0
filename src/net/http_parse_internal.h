#ifndef SKEIN_NET_HTTP_PARSE_INTERNAL_H
#define SKEIN_NET_HTTP_PARSE_INTERNAL_H

/* http_parse_internal - shared by the http_*.c codecs and used by nobody else. */
#include "net/http_parse.h"

/* Without spaces and tabs at both ends. */
struct http_str http__trim(struct http_str s);

#endif
