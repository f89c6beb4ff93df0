#ifndef SKEIN_CLI_CLI_STORE_H
#define SKEIN_CLI_CLI_STORE_H

/* cli_store - the store, for commands: each call waits for its result.
 *
 * Thread: the main one; never on a worker.
 */
#include <ydoc.h>

#include "base/config.h"
#include "store/store.h"

/* What the settings say about the store, for serving and for commands. */
void cli_store_options(struct store_options *o, const struct config *c);

/* Opens the store in the data directory: to write, alone and making it when it
 * is missing, or to read, also while a server runs. */
int cli_store_open(struct store **out, const struct config *c, bool write,
                   struct err *e) SK_MUST_CHECK;

/* Finds a document. On success the caller calls store_load_fini(). */
int cli_store_load(struct store *s, const char *name, bool create, struct store_load *l,
                   struct err *e) SK_MUST_CHECK;

/* Calls `each` for every record from `from` on, in order; the bytes are gone
 * when it returns. A result that is not 0 ends the walk and is returned. */
int cli_store_walk(struct store *s, int64_t room, uint64_t from,
                   int (*each)(void *ctx, const struct store_entry *x, struct err *e), void *ctx,
                   struct err *e) SK_MUST_CHECK;

/* The document as it is: snapshot and log applied. The caller frees it. */
int cli_store_read_doc(struct store *s, const struct store_load *l, struct ydoc **out,
                       struct err *e) SK_MUST_CHECK;

#endif
