#ifndef YDOC_H
#define YDOC_H

/* ydoc - Yjs documents in C.
 *
 * A document takes updates as Yjs 13.6 writes them (formats v1 and v2), keeps the same
 * structs Yjs would keep, and gives back the same bytes: the encoded state, the
 * state vector and the update of a transaction are byte for byte those of
 * yjs 13.6 after the same calls. docs/ydoc-api.md is a guide with examples,
 * docs/ydoc.md explains the data structures.
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

#define YDOC_VERSION "0.1.0"

/* What is declared from here to the end of the file can be linked against; the
 * library keeps everything else to itself (it is compiled hidden). */
#if defined(__GNUC__)
#define YDOC_MUST_USE __attribute__((warn_unused_result))
#pragma GCC visibility push(default)
#else
#define YDOC_MUST_USE
#endif

/* ---- errors -------------------------------------------------------------- */

#define YDOC_ERROR_LIST(X)                                                                         \
    X(YDOC_ENOMEM, -1, "out of memory")                                                            \
    X(YDOC_EMALFORMED, -2, "malformed input")                                                      \
    X(YDOC_ELIMIT, -3, "a limit was exceeded")                                                     \
    X(YDOC_EBROKEN, -4, "the document ran out of memory in the middle of a change: load it again") \
    X(YDOC_ENOENT, -5, "no such root or type, or it was deleted")                                  \
    X(YDOC_ERANGE, -6, "a position beyond the end")                                                \
    X(YDOC_EKIND, -7, "a shared type of another kind")                                             \
    X(YDOC_EBUSY, -8, "not inside a transaction or a callback")

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
    size_t update_bytes_max;  /* length of one update, and of what one edit inserts; at most 2 GiB;
                                 default 256 MiB */
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
    bool no_format_cleanup;           /* do not delete redundant formats after a remote change */
    uint64_t client_id;               /* for edits made through the library; 0: random, 32 bits */
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
 * origin is malformed; clocks stay below 2^32. As in Yjs a text that is known to
 * be one (a nested one, or a root declared with ydoc_root) is cleaned of redundant
 * formats after a remote change, as an edit of its own; a server that relays
 * turns that off with options.no_format_cleanup. */
int ydoc_apply_v1(struct ydoc *doc, const uint8_t *update, size_t len,
                  struct ydoc_error *err) YDOC_MUST_USE;
/* The same with an origin for observers and undo managers; see ydoc_begin. */
int ydoc_apply_v1_from(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin,
                       struct ydoc_error *err) YDOC_MUST_USE;

/* Y.applyUpdateV2. Everything above holds for it. Values of embeds and formats
 * that JSON lacks (bytes, bigints, undefined, NaN …) are kept; v1 then says them
 * as JSON.stringify would. */
int ydoc_apply_v2(struct ydoc *doc, const uint8_t *update, size_t len,
                  struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_apply_v2_from(struct ydoc *doc, const uint8_t *update, size_t len, const void *origin,
                       struct ydoc_error *err) YDOC_MUST_USE;

/* What the last successful ydoc_apply_v1 or _v2 did. 0 means that the update was a
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

int ydoc_contains_update_v2(const struct ydoc *doc, const uint8_t *update, size_t len,
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

/* The id that edits made through the library carry. Changes, as in Yjs, when a
 * remote update brings structs under the same id. */
uint64_t ydoc_client_id(const struct ydoc *doc);

/* ---- transactions ----------------------------------------------------------- */

/* Edits between a begin and its commit are one transaction: one update, one
 * event for each type. Pairs nest; the outermost counts. An edit outside of any
 * pair is a transaction by itself. `origin` is the caller's own mark, compared
 * as a pointer by undo managers and handed to observers; NULL is allowed.
 *
 * Committing collects and merges, calls the observers, and runs the
 * transactions that observers made, one after another.
 *
 * ydoc_begin: YDOC_EBROKEN. ydoc_commit: YDOC_EBUSY, there is no begin of the caller's to end;
 * YDOC_ENOMEM, YDOC_EBROKEN: the document is broken. */
int ydoc_begin(struct ydoc *doc, const void *origin) YDOC_MUST_USE;
int ydoc_commit(struct ydoc *doc, struct ydoc_error *err) YDOC_MUST_USE;

/* ---- shared types ------------------------------------------------------------ */

/* A shared type of a document; 0 is none. Holds until the type is deleted;
 * afterwards every function answers YDOC_ENOENT. */
typedef uint64_t ydoc_type;

/* The kind of a shared type. A root's kind is not in the bytes: it is what the
 * application calls it. */
enum ydoc_kind {
    YDOC_KIND_ARRAY = 0,
    YDOC_KIND_MAP = 1,
    YDOC_KIND_TEXT = 2,
    YDOC_KIND_XML_ELEMENT = 3,
    YDOC_KIND_XML_FRAGMENT = 4,
    YDOC_KIND_XML_HOOK = 5,
    YDOC_KIND_XML_TEXT = 6,
    YDOC_KIND_UNKNOWN = 7, /* a root that was not declared */
};

/* Y.Doc.get(name, kind): finds or makes the root. YDOC_KIND_UNKNOWN leaves open
 * what it is. YDOC_EKIND: it was declared as something else. YDOC_EMALFORMED: the name is not
 * UTF-8. YDOC_ENOMEM: the document is as it was. */
int ydoc_root(struct ydoc *doc, struct ydoc_slice name, enum ydoc_kind kind,
              ydoc_type *out) YDOC_MUST_USE;

/* Countable undeleted units of the list; 0 also for a type that is gone. */
uint32_t ydoc_type_length(const struct ydoc *doc, ydoc_type type);
enum ydoc_kind ydoc_type_kind(const struct ydoc *doc, ydoc_type type); /* UNKNOWN when gone */
/* A root's, element's or hook's name, into the document. */
struct ydoc_slice ydoc_type_name(const struct ydoc *doc, ydoc_type type);
ydoc_type ydoc_type_parent(const struct ydoc *doc, ydoc_type type); /* 0: a root, or gone */

/* What a list or a map holds. */
enum ydoc_value_tag {
    YDOC_VALUE_ANY,    /* one lib0 `any`, encoded; a byte array in it becomes binary content */
    YDOC_VALUE_STRING, /* UTF-8; the same as an `any` that is a string */
    YDOC_VALUE_BYTES,  /* binary content */
    YDOC_VALUE_TYPE,   /* a shared type */
    YDOC_VALUE_DOC,    /* a subdocument */
    YDOC_VALUE_JSON,   /* JSON text: an embed; reading also content from before Yjs 13. What JSON
                          cannot say of either is read as an ANY */
};

/* For writing: `any` is borrowed. A new type is made of `kind` (and `name` for
 * elements and hooks); then `fill`, if there is one, is called with its handle
 * and puts its first content there, which gives the bytes that Yjs gives for a
 * type that was filled before it was inserted. `fill` returns 0 or the error
 * that ends the edit; what was inserted before stays. It must leave what is around
 * the new type alone.
 * Reading: slices point into the document; `type` is the handle. */
struct ydoc_value {
    enum ydoc_value_tag tag;
    struct ydoc_slice any; /* the bytes or text; of a DOC its options, an `any` object or empty */
    ydoc_type type;
    enum ydoc_kind kind;
    struct ydoc_slice name; /* of a TYPE; of a DOC its guid */
    int (*fill)(struct ydoc *doc, ydoc_type type, void *ctx);
    void *ctx;
};

/* Appends the lib0 `any` that JSON.parse(json) is. */
int ydoc_any_from_json(struct ydoc_slice json, struct ydoc_buf *out,
                       struct ydoc_error *err) YDOC_MUST_USE;
/* Appends JSON.stringify of a lib0 `any`. */
int ydoc_any_to_json(struct ydoc_slice any, struct ydoc_buf *out,
                     struct ydoc_error *err) YDOC_MUST_USE;

/* ---- editing ------------------------------------------------------------------- */

/* Indexes and lengths count UTF-16 units (text) or elements (lists). Costs
 * O(log n) of the items of the type; a text with formatting also passes over
 * the formats before the position.
 * As in Yjs a position beyond the end of a text is its end, and in a list it is
 * refused (YDOC_ERANGE). Text that is not UTF-8, attributes that are no JSON object: malformed.
 * `attributes` is a JSON object, {"bold":true}; null ends an attribute. An
 * insertion whose attributes.p is NULL takes those of what stands before it.
 *
 * Of every edit: YDOC_ENOENT, the type is gone; YDOC_EKIND, it is of another kind; YDOC_ELIMIT,
 * what is inserted is longer than limits.update_bytes_max. A value nested deeper than
 * limits.nesting_max is malformed. These, and what is said above, leave no trace. YDOC_ENOMEM in
 * the middle of the edit, and what an observer runs into, leave the document broken (YDOC_EBROKEN).
 */
int ydoc_text_insert(struct ydoc *doc, ydoc_type type, uint32_t index, struct ydoc_slice utf8,
                     struct ydoc_slice attributes) YDOC_MUST_USE;
/* An embed (tag YDOC_VALUE_JSON, the JSON text in `any`) or a new type. */
int ydoc_text_insert_embed(struct ydoc *doc, ydoc_type type, uint32_t index,
                           const struct ydoc_value *value,
                           struct ydoc_slice attributes) YDOC_MUST_USE;
int ydoc_text_delete(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len) YDOC_MUST_USE;
int ydoc_text_format(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len,
                     struct ydoc_slice attributes) YDOC_MUST_USE;
/* Y.Text.applyDelta: a JSON list of {"insert"|"retain"|"delete", "attributes"?}. */
int ydoc_text_apply_delta(struct ydoc *doc, ydoc_type type, struct ydoc_slice delta,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* Array, and the children of XML fragments and elements. */
int ydoc_list_insert(struct ydoc *doc, ydoc_type type, uint32_t index,
                     const struct ydoc_value *values, size_t n) YDOC_MUST_USE;
int ydoc_list_push(struct ydoc *doc, ydoc_type type, const struct ydoc_value *values,
                   size_t n) YDOC_MUST_USE;
int ydoc_list_delete(struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len) YDOC_MUST_USE;
int ydoc_list_get(const struct ydoc *doc, ydoc_type type, uint32_t index,
                  struct ydoc_value *out) YDOC_MUST_USE;

/* Map, and the attributes of elements, hooks and texts. */
int ydoc_map_set(struct ydoc *doc, ydoc_type type, struct ydoc_slice key,
                 const struct ydoc_value *value) YDOC_MUST_USE;
int ydoc_map_delete(struct ydoc *doc, ydoc_type type, struct ydoc_slice key) YDOC_MUST_USE;
int ydoc_map_clear(struct ydoc *doc, ydoc_type type) YDOC_MUST_USE;
/* YDOC_ENOENT: no such key. */
int ydoc_map_get(const struct ydoc *doc, ydoc_type type, struct ydoc_slice key,
                 struct ydoc_value *out) YDOC_MUST_USE;
/* Walks the keys that have a value, in the order they were first set. Start with *iter = 0. */
bool ydoc_map_next(const struct ydoc *doc, ydoc_type type, uint32_t *iter, struct ydoc_slice *key,
                   struct ydoc_value *out);

/* Appends `len` units of plain text from `index` on, UTF-8, without formats and
 * embeds (which count as one unit each); half a surrogate pair becomes U+FFFD. */
int ydoc_text_slice(const struct ydoc *doc, ydoc_type type, uint32_t index, uint32_t len,
                    struct ydoc_buf *out) YDOC_MUST_USE;

/* ---- observers -------------------------------------------------------------------- */

/* Y.Doc.on('update'): called at the end of every transaction that changed
 * something, with the update as Yjs encodes it, v1 or v2 (`version` 1 or 2).
 * The callback may read and edit; edits become transactions that run after this one. */
typedef void (*ydoc_update_fn)(struct ydoc *doc, struct ydoc_slice update, const void *origin,
                               void *ctx);
/* A number above 0 for ydoc_unobserve, or an error. */
int ydoc_observe_updates(struct ydoc *doc, int version, ydoc_update_fn fn, void *ctx) YDOC_MUST_USE;
/* Takes any observer away. Allowed inside callbacks: it is not called again. */
void ydoc_unobserve(struct ydoc *doc, int number);

/* At the end of a transaction, in this order: the observers of each changed type
 * in the order in which the types were first changed; the deep observers; those
 * of the transaction's end; formats are cleaned, what was deleted is collected;
 * the update goes out; subdocuments are told. A type that is new, or was
 * deleted, has not changed: its parent has. A root that nobody has declared
 * (ydoc_root) has no events of its own.
 *
 * An event holds while its callback runs. It tells what happened between the
 * state before its transaction and the state now: read it before you edit.
 * Callbacks may edit; edits become transactions that run after this one. */
struct ydoc_event;
typedef void (*ydoc_event_fn)(struct ydoc *doc, struct ydoc_event *event, void *ctx);
/* Events below one type, the nearest first. n is 0 if callbacks before this one
 * have deleted all that changed. */
typedef void (*ydoc_events_fn)(struct ydoc *doc, struct ydoc_event *const *events, size_t n,
                               void *ctx);
/* Y.Type.observe and observeDeep: numbers for ydoc_unobserve. An observer hears of
 * changes that are made after it was added, and goes with its type. */
int ydoc_observe(struct ydoc *doc, ydoc_type type, ydoc_event_fn fn, void *ctx) YDOC_MUST_USE;
int ydoc_observe_deep(struct ydoc *doc, ydoc_type type, ydoc_events_fn fn, void *ctx) YDOC_MUST_USE;

ydoc_type ydoc_event_target(const struct ydoc_event *event); /* the type that changed */
/* The type whose observer is being called. */
ydoc_type ydoc_event_current_target(const struct ydoc_event *event);
const void *ydoc_event_origin(const struct ydoc_event *event);
bool ydoc_event_is_local(const struct ydoc_event *event);
/* Did the list (text, elements, children) change? */
bool ydoc_event_list_changed(const struct ydoc_event *event);
/* Keys or attributes that were set or deleted, also to the same value. Start with *iter = 0. */
bool ydoc_event_next_key(const struct ydoc_event *event, uint32_t *iter, struct ydoc_slice *key);
/* Appends where the target is, seen from the current target: a list of keys and indexes. */
int ydoc_event_path_json(struct ydoc_event *event, struct ydoc_buf *out) YDOC_MUST_USE;

enum ydoc_key_action { YDOC_KEY_ADD, YDOC_KEY_UPDATE, YDOC_KEY_DELETE };
struct ydoc_key_change {
    struct ydoc_slice key;
    enum ydoc_key_action action;
    struct ydoc_value old; /* not of ADD. A type in it is deleted: its handle finds nothing */
};
/* Yjs's event.keys: the keys whose value is another one. Start with *iter = 0. */
bool ydoc_event_next_key_change(const struct ydoc_event *event, uint32_t *iter,
                                struct ydoc_key_change *out);
/* Appends {"key": {"action": "add" | "update" | "delete", "oldValue": …}}, values as
 * ydoc_read_root_json writes them. */
int ydoc_event_keys_json(const struct ydoc_event *event, struct ydoc_buf *out) YDOC_MUST_USE;

enum ydoc_op_kind { YDOC_OP_INSERT, YDOC_OP_RETAIN, YDOC_OP_DELETE };
/* One step of a delta. What is inserted is `text`, or (text.p NULL) `values`
 * values: several into a list, one embed or type into a text. */
struct ydoc_op {
    enum ydoc_op_kind kind;
    uint32_t len;                 /* UTF-16 units, or elements */
    struct ydoc_slice text;       /* UTF-8 */
    struct ydoc_slice attributes; /* a JSON object, or p NULL; in a RETAIN null ends an attribute */
    uint32_t first, values;       /* for ydoc_event_value: first .. first + values - 1 */
};
/* Yjs's event.delta. Start with *iter = 0. 1: *out is the next step; 0: the end;
 * or an error (YDOC_ELIMIT: longer than a reader may give, see "reading"). Worked out at the first
 * call and kept with the event; slices hold until the event ends. As in Yjs, asking for a text's
 * delta deletes the redundant formats that it comes across, as a transaction of its own. */
int ydoc_event_next_op(struct ydoc_event *event, uint32_t *iter, struct ydoc_op *out) YDOC_MUST_USE;
bool ydoc_event_value(const struct ydoc_event *event, uint32_t number, struct ydoc_value *out);
/* Appends the delta as JSON: {"insert": …, "attributes": {…}}, {"retain": n}, {"delete": n}. What
 * is inserted is a list of values, in a text a string or one value. */
int ydoc_event_delta_json(struct ydoc_event *event, struct ydoc_buf *out) YDOC_MUST_USE;

enum ydoc_moment {
    YDOC_BEFORE_TRANSACTION,     /* Yjs's beforeTransaction. The callback must not edit */
    YDOC_AFTER_TRANSACTION,      /* afterTransaction: after the observers of types */
    YDOC_AFTER_ALL_TRANSACTIONS, /* afterAllTransactions: nothing waits any more; tx is NULL */
};
struct ydoc_transaction {
    const void *origin;
    bool local;
};
typedef void (*ydoc_transaction_fn)(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx);
int ydoc_observe_transactions(struct ydoc *doc, enum ydoc_moment moment, ydoc_transaction_fn fn,
                              void *ctx) YDOC_MUST_USE;

/* Guids of subdocuments. `loaded`: those that are to be loaded now, inserted here
 * or marked autoLoad. */
struct ydoc_subdocs {
    const struct ydoc_slice *added, *removed, *loaded;
    size_t added_n, removed_n, loaded_n;
};
typedef void (*ydoc_subdocs_fn)(struct ydoc *doc, const struct ydoc_subdocs *subdocs, void *ctx);
/* Y.Doc.on('subdocs'), once a transaction (Yjs tells removals twice). */
int ydoc_observe_subdocs(struct ydoc *doc, ydoc_subdocs_fn fn, void *ctx) YDOC_MUST_USE;
/* ---- undoing --------------------------------------------------------------------- */

/* Y.UndoManager: takes back what was done to some types, and nothing of what others
 * did meanwhile. Changes that follow each other within a short time are taken back
 * together. What an undo manager may still restore is not collected.
 *
 * It belongs to its document's thread and is freed before the document. Callbacks
 * run in the middle of a transaction's end: they may read; only `on_event` may also edit.
 * None may free the manager or undo. */
struct ydoc_undo;

enum ydoc_undo_event_kind {
    YDOC_UNDO_ADDED,   /* a new stack item */
    YDOC_UNDO_UPDATED, /* the last stack item took in one more change */
    YDOC_UNDO_POPPED,  /* a stack item was undone or redone */
    YDOC_UNDO_CLEARED, /* one or both stacks were emptied */
    YDOC_UNDO_DROPPED, /* a stack item whose `meta` is not NULL goes: free it, if need be */
};

/* `redo`: of ADDED, UPDATED and DROPPED that it is an item of the redo stack, of POPPED
 * that it was redone. `meta` (NULL for CLEARED) is a place of the stack item for the
 * application's use, at first NULL, as where the cursor was. */
struct ydoc_undo_event {
    enum ydoc_undo_event_kind kind;
    bool redo;
    bool undo_cleared, redo_cleared;
    const void *origin; /* of the transaction; of POPPED the manager */
    void **meta;
};
typedef void (*ydoc_undo_fn)(struct ydoc_undo *undo, const struct ydoc_undo_event *event,
                             void *ctx);

/* What an undo is about to delete. */
struct ydoc_undo_item {
    uint64_t client;
    uint32_t clock, len;
    ydoc_type parent;
    struct ydoc_slice key; /* of a map; p NULL: it is in a list */
    ydoc_type type;        /* when it is a shared type; otherwise 0 */
};

struct ydoc_undo_options {
    const ydoc_type *scope; /* copied; changes of these types and of those in them. NULL: all */
    size_t scope_n;
    const void *const *origins; /* copied; of transactions to take back. NULL: those with NULL */
    size_t origins_n;
    uint64_t capture_timeout_ms; /* 0: 500 */
    bool capture_each;           /* every transaction is a stack item: Yjs's captureTimeout 0 */
    bool ignore_remote_map_changes;
    /* false: this transaction is not taken back */
    bool (*capture)(const struct ydoc_undo *undo, const void *origin, bool local, void *ctx);
    /* false: this stays */
    bool (*delete_filter)(const struct ydoc_undo *undo, const struct ydoc_undo_item *item,
                          void *ctx);
    ydoc_undo_fn on_event;
    uint64_t (*now_ms)(void *ctx); /* above 0, never backwards; NULL: CLOCK_MONOTONIC */
    void *ctx;                     /* of the four */
};

/* `options` NULL: the whole document, all defaults. YDOC_ENOENT: a type of the scope is gone. */
int ydoc_undo_new(struct ydoc_undo **out, struct ydoc *doc,
                  const struct ydoc_undo_options *options) YDOC_MUST_USE;
void ydoc_undo_free(struct ydoc_undo *undo); /* NULL is allowed */

/* One step back, or forth. 1 if something was done, 0 if there was nothing to do, or an
 * error; YDOC_EBUSY inside of another. */
int ydoc_undo_undo(struct ydoc_undo *undo) YDOC_MUST_USE;
int ydoc_undo_redo(struct ydoc_undo *undo) YDOC_MUST_USE;
bool ydoc_undo_can_undo(const struct ydoc_undo *undo);
bool ydoc_undo_can_redo(const struct ydoc_undo *undo);
/* The next change begins a stack item. */
void ydoc_undo_stop_capturing(struct ydoc_undo *undo);
/* Empties the stacks. */
int ydoc_undo_clear(struct ydoc_undo *undo, bool undo_stack, bool redo_stack) YDOC_MUST_USE;

/* 0 is the whole document. */
int ydoc_undo_add_scope(struct ydoc_undo *undo, ydoc_type type) YDOC_MUST_USE;
int ydoc_undo_add_origin(struct ydoc_undo *undo, const void *origin) YDOC_MUST_USE;
void ydoc_undo_remove_origin(struct ydoc_undo *undo, const void *origin);
struct ydoc *ydoc_undo_doc(const struct ydoc_undo *undo);

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

int ydoc_take_changes_v2(struct ydoc *doc, struct ydoc_buf *update,
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

int ydoc_encode_state_v2(const struct ydoc *doc, const uint8_t *sv, size_t sv_len,
                         struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;

/* Y.encodeSnapshot(Y.snapshot(doc)) and Y.encodeSnapshotV2: what is deleted, and
 * the state vector. Appended. */
int ydoc_encode_snapshot_v1(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_encode_snapshot_v2(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;

/* Y.encodeStateVector(doc), appended. */
int ydoc_encode_state_vector(const struct ydoc *doc, struct ydoc_buf *out) YDOC_MUST_USE;

/* ---- updates without a document ------------------------------------------------ */

/* Checks every byte of an update: structure, numbers, UTF-8, values, delete
 * set. `limits` NULL: defaults. */
int ydoc_validate_update_v1(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                            struct ydoc_error *err) YDOC_MUST_USE;

/* A few bytes of format v2 may legally say very many structs: limits.structs_max
 * bounds them, here and in what follows. */
int ydoc_validate_update_v2(const uint8_t *update, size_t len, const struct ydoc_limits *limits,
                            struct ydoc_error *err) YDOC_MUST_USE;

/* Y.mergeUpdates, appended to `out`. A single update is copied as it is. n = 0
 * gives the empty update. Time O(bytes log n), memory O(n + delete ranges) and
 * the result. In case of an error `err` numbers the update. */
int ydoc_merge_updates_v1(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_merge_updates_v2(const struct ydoc_slice *updates, size_t n, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* Y.diffUpdate: `update` without what a peer with state vector `sv` has. */
int ydoc_diff_update_v1(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_diff_update_v2(const uint8_t *update, size_t len, const uint8_t *sv, size_t sv_len,
                        struct ydoc_buf *out, struct ydoc_error *err) YDOC_MUST_USE;

/* Y.encodeStateVectorFromUpdate. */
int ydoc_state_vector_from_update_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_state_vector_from_update_v2(const uint8_t *update, size_t len, struct ydoc_buf *out,
                                     struct ydoc_error *err) YDOC_MUST_USE;

/* Y.convertUpdateFormatV1ToV2 and back, appended. */
int ydoc_convert_v1_to_v2(const uint8_t *update, size_t len, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_convert_v2_to_v1(const uint8_t *update, size_t len, struct ydoc_buf *out,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* Checks a state vector. */
int ydoc_validate_state_vector(const uint8_t *sv, size_t len, struct ydoc_error *err) YDOC_MUST_USE;

/* ---- reading ---------------------------------------------------------------------- */

/* Readers append to `out` and leave it as it was when they fail: YDOC_ENOENT, no
 * such root; YDOC_ENOMEM; YDOC_ELIMIT, the result would be longer than 64 MiB plus 16
 * times ydoc_memory_used, which takes formats or names made to be repeated. Types
 * nested more than 200 deep are null, or left out. */

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
/* ---- snapshots ---------------------------------------------------------------------- */

/* Y.Snapshot: what a document knew and what of it was deleted at one time. Holds
 * no content and is independent of the document. */
struct ydoc_snapshot;

/* Of one unit, or of an item by its first. */
struct ydoc_id {
    uint64_t client, clock;
};

/* Y.snapshot(doc), with the document's allocator; and Y.emptySnapshot. *out is NULL
 * on failure. */
int ydoc_snapshot_new(struct ydoc_snapshot **out, const struct ydoc *doc) YDOC_MUST_USE;
int ydoc_snapshot_new_empty(struct ydoc_snapshot **out,
                            const struct ydoc_alloc *alloc) YDOC_MUST_USE;
void ydoc_snapshot_free(struct ydoc_snapshot *s); /* NULL is allowed */

/* Y.decodeSnapshot and Y.decodeSnapshotV2. Of `options` (NULL: defaults) alloc and
 * limits count. Ranges without length are dropped; what follows is ignored. */
int ydoc_snapshot_decode_v1(struct ydoc_snapshot **out, const uint8_t *p, size_t len,
                            const struct ydoc_options *options,
                            struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_snapshot_decode_v2(struct ydoc_snapshot **out, const uint8_t *p, size_t len,
                            const struct ydoc_options *options,
                            struct ydoc_error *err) YDOC_MUST_USE;
/* Y.encodeSnapshot and Y.encodeSnapshotV2, appended. */
int ydoc_snapshot_encode_v1(const struct ydoc_snapshot *s, struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_snapshot_encode_v2(const struct ydoc_snapshot *s, struct ydoc_buf *out) YDOC_MUST_USE;

bool ydoc_snapshot_equal(const struct ydoc_snapshot *a, const struct ydoc_snapshot *b);

/* Y.snapshotContainsUpdate: 1, 0, or an error. */
int ydoc_snapshot_contains_update_v1(const struct ydoc_snapshot *s, const uint8_t *update,
                                     size_t len, const struct ydoc_limits *limits,
                                     struct ydoc_error *err) YDOC_MUST_USE;
int ydoc_snapshot_contains_update_v2(const struct ydoc_snapshot *s, const uint8_t *update,
                                     size_t len, const struct ydoc_limits *limits,
                                     struct ydoc_error *err) YDOC_MUST_USE;

/* Y.createDocFromSnapshot: a new document as `doc` was at the snapshot. Any reader then
 * tells how it looked. *out is NULL on failure.
 * YDOC_ENOENT: `doc` was not made with keep_deleted, what was deleted since is lost.
 * YDOC_ERANGE: the snapshot knows more than `doc`. */
int ydoc_new_from_snapshot(struct ydoc **out, struct ydoc *doc, const struct ydoc_snapshot *s,
                           const struct ydoc_options *options,
                           struct ydoc_error *err) YDOC_MUST_USE;

/* What a reader looks at: the document at `snapshot` (NULL: now), and, for a text,
 * what has changed since `before` (NULL: nothing is compared). */
struct ydoc_at {
    const struct ydoc_snapshot *snapshot, *before;
    /* computeYChange: appends the JSON that the attribute `ychange` of text is to have that
     * was removed, or added, by the client id.client. NULL gives {"type":"removed"} and
     * {"type":"added"}. Runs next to each other are joined only if the JSON has
     * "user" (the number of the client) and "type". */
    void (*change)(struct ydoc_buf *json, bool removed, const struct ydoc_id *id, void *ctx);
    void *ctx;
};

/* Readers of the past. They want a document with keep_deleted; in another one what
 * was deleted is missing, or undefined in a map. Types that are deleted now can still be read, and
 * nested types are given as handles. A transaction is opened around each, which changes nothing: a
 * callback may read the document and must not change it. What it returns, if not 0, ends the
 * reading and is returned. */

/* A piece of text, or an embed or nested type, as one op of Yjs's toDelta. */
struct ydoc_run {
    struct ydoc_slice text;         /* UTF-8 */
    const struct ydoc_value *value; /* not NULL: this instead of text */
    struct ydoc_slice attributes;   /* a JSON object, empty for none */
};
typedef int (*ydoc_run_fn)(const struct ydoc_run *run, void *ctx);

/* Y.Text.toDelta(snapshot, before, computeYChange): run by run, or appended as JSON, in
 * which nested types are as they are now. YDOC_ELIMIT: longer than a reader may give; at most
 * 256 attributes at a time. */
int ydoc_text_runs_at(struct ydoc *doc, ydoc_type type, const struct ydoc_at *at, ydoc_run_fn fn,
                      void *ctx) YDOC_MUST_USE;
int ydoc_text_delta_at(struct ydoc *doc, ydoc_type type, const struct ydoc_at *at,
                       struct ydoc_buf *out) YDOC_MUST_USE;
/* Its plain text, appended. */
int ydoc_text_string_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                        struct ydoc_buf *out) YDOC_MUST_USE;

/* typeListToArraySnapshot and typeMapGetAllSnapshot (in a list the key is empty). As Yjs
 * gives them after it has split at the snapshot; where its callers do not, it takes
 * values for old that were set later. A text in a list comes item by item. */
typedef int (*ydoc_entry_fn)(struct ydoc_slice key, const struct ydoc_value *value, void *ctx);
int ydoc_list_each_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                      ydoc_entry_fn fn, void *ctx) YDOC_MUST_USE;
int ydoc_map_each_at(struct ydoc *doc, ydoc_type type, const struct ydoc_snapshot *snapshot,
                     ydoc_entry_fn fn, void *ctx) YDOC_MUST_USE;

/* ydoc_read_root_json of ydoc_new_from_snapshot. */
int ydoc_read_root_json_at(struct ydoc *doc, struct ydoc_slice root, enum ydoc_kind kind,
                           const struct ydoc_snapshot *snapshot,
                           struct ydoc_buf *out) YDOC_MUST_USE;

/* ---- relative positions ---------------------------------------------------------- */

/* Y.RelativePosition: a place that moves with the text around it. It belongs to
 * the unit after it (assoc >= 0) or before it (assoc < 0); where there is none, to
 * the end or the start of its type. From an index it knows both the unit and the
 * type; decoded from bytes only one of the two. */
enum ydoc_relpos_part {
    YDOC_RELPOS_ITEM = 1, /* `item` is a unit */
    YDOC_RELPOS_ROOT = 2, /* `root` is the name of its type */
    YDOC_RELPOS_TYPE = 4, /* `type` is the item of its type */
};

struct ydoc_relpos {
    unsigned parts; /* enum ydoc_relpos_part, or-ed: which of the following mean something */
    struct ydoc_id item, type;
    struct ydoc_slice root; /* into the document, the decoded bytes, or `name` */
    int64_t assoc;
};

/* Y.AbsolutePosition. */
struct ydoc_position {
    ydoc_type type;
    uint32_t index;
};

/* Y.createRelativePositionFromTypeIndex, O(log n). An index beyond the end is the
 * end. YDOC_ENOENT: the type is gone. */
int ydoc_relpos_from_index(const struct ydoc *doc, ydoc_type type, uint32_t index, int64_t assoc,
                           struct ydoc_relpos *out) YDOC_MUST_USE;

/* Y.createAbsolutePositionFromRelativePosition, O(log n). YDOC_ENOENT: what it names
 * has not arrived yet, or was collected. As in Yjs a root that nobody has named
 * yet is made, and the type may be a deleted one (with index 0) where such are kept.
 * `follow_redone`: where an undo manager of this document has put deleted content
 * back, the position is in the new copy. Other peers do not know of that. */
int ydoc_relpos_resolve(struct ydoc *doc, const struct ydoc_relpos *pos, bool follow_redone,
                        struct ydoc_position *out) YDOC_MUST_USE;

/* Y.encodeRelativePosition, appended; YDOC_EMALFORMED for one without parts.
 * Decoding ignores what follows. */
int ydoc_relpos_encode(const struct ydoc_relpos *pos, struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_relpos_decode(struct ydoc_relpos *out, const uint8_t *p, size_t len,
                       struct ydoc_error *err) YDOC_MUST_USE;

/* {"type"?:{"client","clock"}, "tname"?, "item"?:{…}, "assoc"}. A root's name that is
 * read is appended to `name`, into which out->root then points. */
int ydoc_relpos_to_json(const struct ydoc_relpos *pos, struct ydoc_buf *out) YDOC_MUST_USE;
int ydoc_relpos_from_json(struct ydoc_relpos *out, struct ydoc_slice json, struct ydoc_buf *name,
                          struct ydoc_error *err) YDOC_MUST_USE;

/* Y.compareRelativePositions: one from an index differs from its own decoded bytes,
 * which lack the type. */
bool ydoc_relpos_equal(const struct ydoc_relpos *a, const struct ydoc_relpos *b);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

/* Awareness, and the messages that documents are kept in step with. */
#include <ydoc_protocols.h>

#endif
