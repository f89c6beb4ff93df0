#ifndef YDOC_H
#define YDOC_H

/* ydoc - Yjs documents in C.
 *
 * A document takes updates as Yjs 13.6 writes them (format v1), keeps the same
 * structs Yjs would keep, and gives back the same bytes: the encoded state, the
 * state vector and the update of a transaction are byte for byte those of
 * yjs 13.6 after the same calls. docs/ydoc.md explains the data structures.
 *
 * A library of its own: it needs libc and nothing else, keeps no global state
 * and starts no thread. Memory comes from the allocator given at creation.
 *
 * Threads: a document, a buffer and an iterator belong to one thread at a time.
 *   Functions that take no document may run anywhere at once.
 * Ownership: a document owns everything inside it. Inputs are borrowed for the
 *   call only. Results go into a ydoc_buf of the caller's; slices that point
 *   into a document hold until the next call that changes it.
 * Errors: 0, or a negative YDOC_E… code. The words for a human go into an
 *   optional struct ydoc_error, untouched on success. Output buffers are cut
 *   back to the length they had when the call fails.
 * Hostile input: every function that takes bytes from outside checks all of
 *   them before it changes anything. A refused update leaves no trace. Nothing
 *   is allocated by a declared length.
 * Units: a client is 0..2^53-1; clocks and lengths count UTF-16 code units, as
 *   in Yjs, and stay below 2^32; sizes and offsets are bytes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define YDOC_MUST_USE __attribute__((warn_unused_result))
#else
#define YDOC_MUST_USE
#endif

/* ---- errors -------------------------------------------------------------- */

#define YDOC_ERROR_LIST(X)                                                                         \
    X(YDOC_ENOMEM, -1, "out of memory")                                                            \
    X(YDOC_EMALFORMED, -2, "malformed input")                                                      \
    X(YDOC_ELIMIT, -3, "a limit was exceeded")                                                     \
    X(YDOC_EBROKEN, -4, "the document ran out of memory in the middle of a change: load it again") \
    X(YDOC_ENOENT, -5, "no such root")

enum ydoc_code {
#define YDOC_X(name, value, words) name = value,
    YDOC_ERROR_LIST(YDOC_X)
#undef YDOC_X
};

/* `offset` is the byte of the input at which it went wrong; for lists of
 * updates, the byte inside the update that `msg` numbers. */
struct ydoc_error {
    int code;
    size_t offset;
    char msg[160];
};

/* English words for a code, never NULL. */
const char *ydoc_strerror(int code);

/* ---- memory -------------------------------------------------------------- */

/* resize(ctx, NULL, 0, n) allocates, resize(ctx, p, old, n) moves, and
 * resize(ctx, p, old, 0) frees and returns NULL. `old` is always the size that
 * was asked for, so an account can be charged exactly. Returning NULL for a
 * growing request means "no memory" and leaves p as it was; a shrinking
 * request may fail too, and then the block keeps its size. */
struct ydoc_alloc {
    void *(*resize)(void *ctx, void *p, size_t old_size, size_t new_size);
    void *ctx;
};

struct ydoc_slice {
    const uint8_t *p;
    size_t len;
};

/* A growing byte string. `failed` sticks once an append found no memory: the
 * bytes are then incomplete, and ydoc functions answer YDOC_ENOMEM. */
struct ydoc_buf {
    uint8_t *p;
    size_t len, cap;
    struct ydoc_alloc alloc;
    bool failed;
};

/* `alloc` NULL means malloc. Nothing is allocated before the first append. */
void ydoc_buf_init(struct ydoc_buf *b, const struct ydoc_alloc *alloc);
void ydoc_buf_fini(struct ydoc_buf *b);
/* Empties the buffer and keeps its memory. */
void ydoc_buf_reset(struct ydoc_buf *b);
/* Room for `more` bytes after len. False, and `failed`, when there is none. */
bool ydoc_buf_reserve(struct ydoc_buf *b, size_t more);
void ydoc_buf_append(struct ydoc_buf *b, const void *p, size_t len);
static inline struct ydoc_slice ydoc_buf_slice(const struct ydoc_buf *b)
{
    struct ydoc_slice s = {b->p, b->len};

    return s;
}

/* ---- limits and options --------------------------------------------------- */

/* What one input may cost. 0 takes the default. */
struct ydoc_limits {
    size_t update_bytes_max;  /* length of one update; default 256 MiB */
    uint32_t structs_max;     /* structs plus delete ranges of one update; default 16,777,216 */
    uint32_t clients_max;     /* clients of one update, and of a document; default 1,048,576 */
    uint32_t nesting_max;     /* arrays and objects inside a value, at most 512; default 128 */
    size_t pending_bytes_max; /* held back because something before it is missing; default 16 MiB */
    uint64_t work_max;        /* steps that one apply may spend on walking through concurrent
                                 neighbours and long values; default 200,000,000 (about a second) */
};

struct ydoc_options {
    const struct ydoc_alloc *alloc;   /* copied; NULL: malloc */
    const struct ydoc_limits *limits; /* copied; NULL: defaults */
    bool keep_deleted;                /* true is Yjs's gc: false */
    uint64_t client_id;               /* for edits made through the library; unused while syncing */
};

/* ---- documents ------------------------------------------------------------ */

struct ydoc;

/* `options` NULL: all defaults. *out is NULL on failure. */
int ydoc_new(struct ydoc **out, const struct ydoc_options *options) YDOC_MUST_USE;
void ydoc_free(struct ydoc *doc); /* NULL is allowed */

/* Y.applyUpdate: integrates one update as one transaction, garbage collection
 * and merging included. Structs whose predecessors are missing wait inside the
 * document (see ydoc_has_pending) and are tried again by later calls.
 *
 * YDOC_EMALFORMED, YDOC_ELIMIT: refused, the document is as it was.
 * YDOC_ENOMEM: if it could be found out beforehand, the document is as it was;
 * otherwise the document is broken and every later call says YDOC_EBROKEN.
 *
 * Differences from Yjs, all on input that no Yjs produces: structs of length 0
 * are dropped; an item that names itself or a later item of its client as
 * origin is malformed; clocks stay below 2^32. Formatting clean-up (Yjs deletes redundant format
 * items after a remote change, as an edit of its own) is not done: a server relays. */
int ydoc_apply_v1(struct ydoc *doc, const uint8_t *update, size_t len,
                  struct ydoc_error *err) YDOC_MUST_USE;

/* What the last successful ydoc_apply_v1 did. 0 means that the update was a
 * pure duplicate: the document held all of it already. */
enum ydoc_applied {
    YDOC_APPLIED_STRUCTS = 1, /* new structs were integrated */
    YDOC_APPLIED_DELETES = 2, /* something was newly deleted */
    YDOC_APPLIED_PENDING = 4, /* what waits for missing predecessors has grown or changed */
};
unsigned ydoc_last_applied(const struct ydoc *doc); /* enum ydoc_applied, or-ed */

/* True if all of `update` is known: each struct integrated, each deletion done.
 * Y.snapshotContainsUpdate(Y.snapshot(doc), update). 1, 0, or an error. */
int ydoc_contains_update_v1(const struct ydoc *doc, const uint8_t *update, size_t len,
                            struct ydoc_error *err) YDOC_MUST_USE;

/* Structs or deletions wait for predecessors that have not arrived. */
bool ydoc_has_pending(const struct ydoc *doc);
bool ydoc_has_pending_structs(const struct ydoc *doc);
bool ydoc_has_pending_deletes(const struct ydoc *doc);

/* Bytes held, the allocator's own overhead left out. */
size_t ydoc_memory_used(const struct ydoc *doc);
/* Gives slack and scratch memory back; for a document that has become idle.
 * Never fails: what cannot be shrunk stays. */
void ydoc_shrink(struct ydoc *doc);

/* ---- what has changed ------------------------------------------------------ */

/* The document remembers what changed since the last take, over any number of
 * applies. */
bool ydoc_has_changes(const struct ydoc *doc);

/* Appends to `update` one v1 update with everything that changed since the last
 * take, and to `before` (NULL is allowed), in state vector format, the clients
 * that got new structs with the clocks they had before; then forgets. After a
 * single apply `update` is byte for byte what Yjs's update event carries; after
 * several, what it would carry for one transaction that spans them.
 * Without changes: the empty update 00 00 and the empty state vector 00.
 * Costs O(what changed), not O(clients). On failure nothing is forgotten. */
int ydoc_take_changes_v1(struct ydoc *doc, struct ydoc_buf *update,
                         struct ydoc_buf *before) YDOC_MUST_USE;

/* Forgets the changes without encoding them: after loading, when nobody is to be
 * told. */
void ydoc_forget_changes(struct ydoc *doc);

/* Appends the state vector as it was before the given changes. `befores` are
 * `before` results of ydoc_take_changes_v1 of this document without a gap, the
 * newest first. O(clients). */
int ydoc_rewind_state_vector(const struct ydoc *doc, const struct ydoc_slice *befores_newest_first,
                             size_t n, struct ydoc_buf *sv) YDOC_MUST_USE;

/* ---- encoding --------------------------------------------------------------- */

/* Y.encodeStateAsUpdate(doc, sv): what a peer with state vector `sv` lacks, all
 * deletions, and what is pending, appended to `out`. sv NULL: everything.
 * `err` may be set for a malformed sv only. */
int ydoc_encode_state_v1(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                         struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;

/* Y.encodeStateVector(doc), appended. */
int ydoc_encode_state_vector(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;

/* ---- updates without a document ------------------------------------------------ */

/* Checks every byte of an update: structure, numbers, UTF-8, values, delete
 * set. `limits` NULL: defaults. */
int ydoc_validate_update_v1(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                            struct ydoc_error *err) YDOC_MUST_USE;

/* Y.mergeUpdates, appended to `out`. A single update is copied as it is. n = 0
 * gives the empty update. Time O(bytes log n), memory O(n + delete ranges). */
int ydoc_merge_updates_v1(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* Y.diffUpdate: `update` without what a peer with state vector `sv` has. */
int ydoc_diff_update_v1(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;

/* Y.encodeStateVectorFromUpdate. */
int ydoc_state_vector_from_update_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err) YDOC_MUST_USE;

/* Checks a state vector. */
int ydoc_validate_state_vector(const uint8_t *sv, size_t len, struct ydoc_error *err) YDOC_MUST_USE;

/* ---- reading ---------------------------------------------------------------------- */

/* Readers append to `out` and leave it as it was when they fail: YDOC_ENOENT, no
 * such root; YDOC_ENOMEM; YDOC_ELIMIT, the result would be longer than 64 MiB plus 16
 * times ydoc_memory_used, which takes formats or names made to be repeated. Types
 * nested more than 200 deep are null, or left out. */

/* The kind of a shared type. A root's kind is not in the bytes: it is what the
 * application calls it, so for roots it is a guess by content. */
enum ydoc_kind {
    YDOC_KIND_ARRAY = 0,
    YDOC_KIND_MAP = 1,
    YDOC_KIND_TEXT = 2,
    YDOC_KIND_XML_ELEMENT = 3,
    YDOC_KIND_XML_FRAGMENT = 4,
    YDOC_KIND_XML_HOOK = 5,
    YDOC_KIND_XML_TEXT = 6,
    YDOC_KIND_UNKNOWN = 7, /* nothing visible in it */
};

struct ydoc_root {
    struct ydoc_slice name; /* UTF-8, into the document */
    enum ydoc_kind kind;    /* guessed */
    uint32_t length;        /* countable undeleted list content, UTF-16 units */
};

/* Walks the roots in the order they were first seen. Start with *iter = 0;
 * false at the end. */
bool ydoc_next_root(const struct ydoc *doc, uint32_t *iter, struct ydoc_root *out);

/* Appends the plain text of a root, UTF-8: its undeleted strings in order.
 * Formats, embeds and nested types are left out. YDOC_ENOENT: no such root. */
int ydoc_read_text(const struct ydoc *doc, struct ydoc_slice root,
                   struct ydoc_buf *out) YDOC_MUST_USE;

/* Appends one root as JSON, read as `kind` (YDOC_KIND_UNKNOWN: the guess).
 * Array: a list. Map: an object. Text: a string, or with formats or embeds a
 * delta list. Xml: the XML as a string. Bytes are base64 strings; undefined,
 * NaN and infinities become null; a bigint is a number; a subdocument is
 * {"guid": …}. */
int ydoc_read_root_json(const struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                        struct ydoc_buf *out) YDOC_MUST_USE;

/* Appends one JSON object with every root under its name. */
int ydoc_read_json(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;

/* Y.Text's toDelta(), appended as JSON: a list of {"insert": text or embed,
 * "attributes": {…}}. An op ends wherever a format item stands, as in Yjs; at most
 * 256 attributes at a time. */
int ydoc_read_delta(const struct ydoc *doc, struct ydoc_slice root,
                    struct ydoc_buf *out) YDOC_MUST_USE;

/* The XML of a root fragment, appended, in two forms. ydoc_read_xml_exact is
 * byte for byte what Yjs's toString() gives: element names in lower case,
 * attributes and formats sorted, formats as elements around the text, and nothing
 * escaped: text may read as markup, so never hand it to a browser. ydoc_read_xml is
 * the same with text and values escaped and names made legal: well-formed but for
 * missing a root element, whatever is in the document. Hooks are left to the second. */
int ydoc_read_xml_exact(const struct ydoc *doc, struct ydoc_slice root,
                        struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_read_xml(const struct ydoc *doc, struct ydoc_slice root,
                  struct ydoc_buf *out) YDOC_MUST_USE;

/* A root fragment as ProseMirror's JSON, appended: y-prosemirror's
 * yXmlFragmentToProsemirrorJSON, {"type":"doc","content":[…]}. Text that stands
 * directly in the fragment is not wrapped in a list of its own, and what is neither
 * element nor text is left out, where y-prosemirror throws. */
int ydoc_read_prosemirror(const struct ydoc *doc, struct ydoc_slice root,
                          struct ydoc_buf *out) YDOC_MUST_USE;

/* A root fragment that Tiptap or ProseMirror writes, as Markdown (CommonMark with
 * GFM's tables, task lists and strikethrough), appended. Reads back as the same
 * text. Nodes that Markdown lacks give their content, marks that it lacks are left
 * out; empty paragraphs, and breaks at a paragraph's end, do not exist in it. */
int ydoc_read_markdown(const struct ydoc *doc, struct ydoc_slice root,
                       struct ydoc_buf *out) YDOC_MUST_USE;

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

#ifdef __cplusplus
}
#endif

#endif
