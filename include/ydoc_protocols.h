#ifndef YDOC_PROTOCOLS_H
#define YDOC_PROTOCOLS_H

/* ydoc_protocols - y-protocols 1.0.7 for ydoc: awareness bodies, awareness states,
 * and the messages of y-websocket. A part of ydoc.h, which includes it; the rules
 * on threads, ownership, errors and hostile input that stand there hold here. */
#include <ydoc.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- awareness (y-protocols 1.0.7) -------------------------------------------------- */

/* body := varuint n, n x { varuint client, varuint clock, varstring JSON }
 * where the JSON text `null` says that the client is gone. */
struct ydoc_awareness_entry {
    uint64_t client;
    uint64_t clock;
    struct ydoc_slice json; /* into the input */
    bool is_null;
};

/* Over validated bytes only: ydoc_awareness_validate checks everything (every
 * state is valid JSON within `limits->nesting_max`) and sets `it` to the start.
 * On an error `it` is at the end. */
struct ydoc_awareness_iter {
    const uint8_t *p, *end;
    uint64_t left; /* entries not yet given */
};
int ydoc_awareness_validate(struct ydoc_awareness_iter *it, const uint8_t *body, size_t len,
                            const struct ydoc_limits *limits, struct ydoc_error *err) YDOC_MUST_USE;
bool ydoc_awareness_next(struct ydoc_awareness_iter *it, struct ydoc_awareness_entry *out);

/* A body is ydoc_awareness_begin(n) and then n entries; a NULL json is `null`. */
void ydoc_awareness_begin(struct ydoc_buf *out, uint64_t n);
void ydoc_awareness_add(struct ydoc_buf *out, const struct ydoc_awareness_entry *entry);

/* ---- awareness states: y-protocols' Awareness ---------------------------------------- */

/* Who is in a room and what they show: for each client a clock, and a state, JSON
 * text, or none when it is gone. Rules, orders and events are y-protocols'. No
 * timer and no clock of its own: `now_ms` is the caller's, in milliseconds from
 * anywhere, and never goes backwards by much.
 *
 * Ownership: states are copied in; slices given out hold until the next call that
 * changes the object. One thread at a time. */
struct ydoc_awareness;

enum ydoc_awareness_cause {
    YDOC_AWARENESS_LOCAL,   /* ydoc_awareness_set_local and its like; Yjs's origin 'local' */
    YDOC_AWARENESS_REMOTE,  /* applied or removed by the caller, with the caller's origin */
    YDOC_AWARENESS_TIMEOUT, /* not heard of for too long; 'timeout' */
};

/* Each change calls back up to twice, as Yjs emits: CHANGE if a client came, went
 * or has another state than before (equal but for the order of members is the
 * same); then UPDATE, with clients that only said again what they show. Whoever
 * draws needs the first, whoever forwards the second. */
struct ydoc_awareness_event {
    enum {
        YDOC_AWARENESS_CHANGE,
        YDOC_AWARENESS_UPDATE,
    } kind;
    enum ydoc_awareness_cause cause;
    void *origin;
    const uint64_t *added, *updated, *removed; /* for the call only */
    size_t added_n, updated_n, removed_n;
};
/* May read the awareness, not change it. */
typedef void (*ydoc_awareness_fn)(void *ctx, const struct ydoc_awareness *awareness,
                                  const struct ydoc_awareness_event *event);

/* 0 takes the default. */
struct ydoc_awareness_options {
    const struct ydoc_alloc *alloc; /* copied; NULL: malloc */
    uint64_t client;                /* the local one */
    ydoc_awareness_fn on_event;     /* may be NULL */
    void *ctx;
    uint64_t seed;           /* anything a peer cannot guess, for hashing; the object's address
                                is mixed in */
    uint32_t clients_max;    /* clients whose clock is known; default 65,536 */
    uint32_t nesting_max;    /* arrays and objects in a state, at most 512; default 128 */
    size_t state_bytes_max;  /* JSON of one state; default 65,536 */
    size_t update_bytes_max; /* one message; default 16 MiB */
    uint64_t outdated_ms;    /* a client is gone when not heard of for so long; default 30,000 */
};

/* As in Yjs the local state is {} with clock 0 from the start: a server sets it to
 * NULL first. `options` NULL: defaults. *out is NULL on failure. */
int ydoc_awareness_new(struct ydoc_awareness **out, const struct ydoc_awareness_options *options,
                       uint64_t now_ms) YDOC_MUST_USE;
/* NULL is allowed. Calls nobody back: to say goodbye set the local state to NULL. */
void ydoc_awareness_free(struct ydoc_awareness *a);
size_t ydoc_awareness_memory_used(const struct ydoc_awareness *a);

/* False if the client was never heard of; is_null if it has no state (now). */
bool ydoc_awareness_get(const struct ydoc_awareness *a, uint64_t client,
                        struct ydoc_awareness_entry *out);
/* Walks the states in the order they appeared. Start with *iter = 0. */
bool ydoc_awareness_next_state(const struct ydoc_awareness *a, uint32_t *iter,
                               struct ydoc_awareness_entry *out);

/* setLocalState and setLocalStateField. json.p NULL: no state, or without the
 * field. A field is set only while there is a local state; of a state that is no
 * object nothing is kept. YDOC_EMALFORMED, YDOC_ELIMIT and YDOC_ENOMEM leave
 * everything as it was. */
int ydoc_awareness_set_local(struct ydoc_awareness *a, struct ydoc_slice json, uint64_t now_ms,
                             struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_awareness_set_local_field(struct ydoc_awareness *a, struct ydoc_slice field,
                                   struct ydoc_slice json, uint64_t now_ms,
                                   struct ydoc_error *err) YDOC_MUST_USE;

/* applyAwarenessUpdate. YDOC_EMALFORMED, YDOC_ELIMIT: nothing was applied.
 * YDOC_ENOMEM: the entries before the one that failed were, and were reported;
 * the same message may be applied again. */
int ydoc_awareness_apply(struct ydoc_awareness *a, struct ydoc_slice update, uint64_t now_ms,
                         void *origin, struct ydoc_error *err) YDOC_MUST_USE;

/* removeAwarenessStates: their clocks stay known, the local one rises. */
int ydoc_awareness_remove(struct ydoc_awareness *a, const uint64_t *clients, size_t n,
                          uint64_t now_ms, void *origin) YDOC_MUST_USE;

/* encodeAwarenessUpdate, appended: of the clients listed (YDOC_ENOENT for one that
 * was never heard of), or of all that have a state. */
int ydoc_awareness_encode(const struct ydoc_awareness *a, const uint64_t *clients, size_t n,
                          struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_awareness_encode_all(const struct ydoc_awareness *a, struct ydoc_buf *out) YDOC_MUST_USE;

/* modifyAwarenessUpdate: `modify` sees each entry and writes the JSON to put in its
 * place to `json`, or returns false to leave it. */
struct ydoc_awareness_modifier {
    bool (*modify)(void *ctx, const struct ydoc_awareness_entry *entry, struct ydoc_buf *json);
    void *ctx;
};
int ydoc_awareness_modify(struct ydoc_slice update, const struct ydoc_limits *limits,
                          const struct ydoc_awareness_modifier *modifier, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* To be called every tenth of outdated_ms: says again what the local state is when
 * half of outdated_ms has passed, and takes others for gone that were not heard of
 * for all of it. O(clients). */
int ydoc_awareness_tick(struct ydoc_awareness *a, uint64_t now_ms) YDOC_MUST_USE;

/* Forgets the clocks of clients that have been gone for `age_ms`. Yjs never does; a
 * server that lives long must, or it reaches clients_max. An old message may then
 * bring a client back until it times out. */
void ydoc_awareness_forget(struct ydoc_awareness *a, uint64_t now_ms, uint64_t age_ms);

/* Valid JSON text, all of it, UTF-8, nested at most `nesting_max` deep? */
int ydoc_validate_json(const uint8_t *json, size_t len, uint32_t nesting_max,
                       struct ydoc_error *err) YDOC_MUST_USE;

/* ---- messages (y-protocols 1.0.7) ---------------------------------------------------- */

/* A message as y-websocket sends it: varuint type and what belongs to it.
 * The byte table is in src/ydoc/protocol.c. */
enum ydoc_message_type {
    YDOC_MESSAGE_SYNC = 0,
    YDOC_MESSAGE_AWARENESS = 1,
    YDOC_MESSAGE_AUTH = 2,
    YDOC_MESSAGE_QUERY_AWARENESS = 3,
};
enum ydoc_sync_kind {
    YDOC_SYNC_STEP1 = 0, /* a state vector; the answer is step 2 */
    YDOC_SYNC_STEP2 = 1, /* what the other side lacks, an update v1 */
    YDOC_SYNC_UPDATE = 2,
};
enum ydoc_auth_kind {
    YDOC_AUTH_PERMISSION_DENIED = 0,
};

struct ydoc_message {
    uint64_t type; /* enum ydoc_message_type, or one of the application's */
    uint64_t kind; /* enum ydoc_sync_kind or ydoc_auth_kind */
    /* Into the input. Sync: the state vector or the update. Awareness: the body,
     * not checked yet. Auth: the reason, UTF-8. An unknown type: the rest. */
    struct ydoc_slice body;
    size_t used; /* bytes of the input; what follows is not looked at */
};

/* A whole message, or the part of a sync message after its type, which is what
 * y-protocols' readSyncMessage reads. *out is zero on failure. */
int ydoc_message_decode(struct ydoc_message *out, const uint8_t *p, size_t len,
                        struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_sync_decode(struct ydoc_message *out, const uint8_t *p, size_t len,
                     struct ydoc_error *err) YDOC_MUST_USE;

/* Append to `out`. A sync message is ydoc_message_begin(out, YDOC_MESSAGE_SYNC)
 * and then one of ydoc_sync_write_…; the others are whole messages. `reason`
 * must be UTF-8. sv NULL: everything. */
void ydoc_message_begin(struct ydoc_buf *out, uint64_t type);
int ydoc_sync_write_step1(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_sync_write_step2(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                          struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;
void ydoc_sync_write_update(struct ydoc_slice update, struct ydoc_buf *out);
void ydoc_message_write_awareness(struct ydoc_slice body, struct ydoc_buf *out);
void ydoc_message_write_query_awareness(struct ydoc_buf *out);
void ydoc_message_write_permission_denied(struct ydoc_slice reason, struct ydoc_buf *out);

/* readSyncMessage: does to the document what a sync message (without its type)
 * asks for. Step 1 appends the answer, a step 2, to `reply`; step 2 and updates
 * are applied. Returns the enum ydoc_sync_kind that it was, or an error: the
 * document and `reply` are then as they were (but see ydoc_apply_v1), and
 * err->offset counts in the message, or, when its contents were refused, in
 * those.
 *
 * YDOC_SYNC_READ_ONLY: nothing is applied. An update that would have changed
 * something is answered by its kind | YDOC_SYNC_REFUSED. */
#define YDOC_SYNC_READ_ONLY 1u
#define YDOC_SYNC_REFUSED 0x100
int ydoc_sync_read(struct ydoc *doc, struct ydoc_slice message, unsigned flags,
                   struct ydoc_buf *reply, struct ydoc_error *err) YDOC_MUST_USE;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
