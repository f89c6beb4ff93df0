#ifndef YDOC_STORE_H
#define YDOC_STORE_H

/* store - a document's data: items, clients, text, types. docs/ydoc.md draws it.
 *
 * Everything refers to everything by 32-bit numbers into arrays (an item is its
 * index in doc->items, 0 is none), so arrays may move, a document costs few
 * blocks of memory, and an item takes 48 bytes.
 *
 * Failure: growing can fail in the middle of a transaction. The functions here
 * that allocate do not return an error; they unwind to the transaction's start
 * (store_fail), which marks the document broken or puts the copy back that was
 * made beforehand. Nothing on the way owns memory outside the document.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "ydoc/dset.h"
#include "ydoc/internal.h"
#include "ydoc/wire.h"

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *p;                                                                                      \
        uint32_t n, cap;                                                                           \
    }
#define VEC_RESERVE(doc, v, more)                                                                  \
    ((v).p = store_grow((doc), (v).p, &(v).cap, (uint64_t)(v).n + (more), sizeof(*(v).p)))
#define VEC_PUSH(doc, v, x)                                                                        \
    do {                                                                                           \
        if ((v).n == (v).cap)                                                                      \
            VEC_RESERVE(doc, v, 1);                                                                \
        (v).p[(v).n++] = (x);                                                                      \
    } while (0)
#define VEC_FREE(doc, v)                                                                           \
    do {                                                                                           \
        store_resize((doc), (v).p, (v).cap * sizeof(*(v).p), 0);                                   \
        (v).p = NULL;                                                                              \
        (v).n = (v).cap = 0;                                                                       \
    } while (0)

#define NO_CLIENT 0xffffffu /* in an item: it has no origin, or no right origin */

enum item_flag {
    ITEM_DELETED = 1,
    ITEM_KEEP = 2,   /* the undo manager still needs its content */
    ITEM_REDONE = 4, /* an undo made a copy of it elsewhere (redone.c) */
    ITEM_PICKED = 8, /* the running undo is to restore it; a split keeps it on the left half only */
};

/* A struct of the store. Its kind is the wire's content ref (never SKIP); of a
 * GC only clock, len and client mean anything. Left and right are its
 * neighbours now, the origins those it was made with. `content` and `bytes` are
 * a range of the slab, of a type its number. */
struct item {
    uint32_t clock, len;
    uint32_t left, right;
    uint32_t origin_clock, right_clock;
    uint32_t content, bytes;
    uint32_t slot;         /* parent and parentSub in one, 0 for a GC */
    uint32_t client_kind;  /* client << 8 | kind */
    uint32_t origin_flags; /* client of the origin << 8 | flags */
    uint32_t right_client; /* client of the right origin */
};

/* Where items hang: a type's list (key 0; head is its first item) or one key of
 * a type's map (head is the current value, the rightmost item). */
struct slot {
    uint32_t type;
    uint32_t key;
    uint32_t head;
    uint32_t next; /* the type's next map slot, in the order the keys were first set */
};

struct type {
    uint32_t item;  /* 0: a root */
    uint32_t name;  /* key number of the root's, element's or hook's name, or 0 */
    uint32_t list;  /* slot */
    uint32_t first; /* map slots */
    uint32_t last;
    uint32_t length;     /* countable undeleted units in the list */
    uint32_t tree;       /* number in doc->trees of its position index, or 0 (place.h) */
    uint32_t generation; /* how often the number was given back, for handles */
    uint8_t ref;         /* enum ydoc_kind; YDOC_KIND_UNKNOWN for an undeclared root */
    bool formatted;      /* a format item was integrated since it has this kind */
    bool has_formats;    /* a format item was ever integrated */
    bool cleaning;       /* in doc->dirty_texts */
};

/* A stretch of a client's items in clock order, at most CHUNK_MAX. */
#define CHUNK_MAX 256u
#define CHUNK_INLINE 1u
#define ENTRY_DELETED 0x80000000u
struct entry {
    uint32_t clock; /* the item's, so that a search touches nothing but entries */
    uint32_t item;  /* with ENTRY_DELETED, so that neither does a list of deletions */
};
struct chunk {
    union {
        struct entry *p; /* cap > CHUNK_INLINE */
        struct entry in[CHUNK_INLINE];
    } u;
    uint32_t n, cap;
    uint32_t clock; /* of the first item */
};

struct client {
    uint64_t id;
    uint32_t state;  /* next clock */
    uint32_t chunks; /* 0 or 1: `one`; more: `dir` */
    struct chunk one;
    struct chunk *dir;
    uint32_t dir_cap;
    uint32_t hint_chunk; /* the last search's result */
    uint16_t hint_i;
    bool room_kept;    /* the last compaction left the room, and it was not given since */
    uint32_t room_end; /* the slab after the last item's content is kept free up to here */
    uint32_t tx_mark, tx_before; /* state before this transaction, if tx_mark is its number */
    uint32_t order_mark;         /* in tx.order, if it is doc->order_mark */
    uint32_t acc_mark;           /* in acc_touched, if it is doc->acc */
};

/* A place in a client's order of items. */
struct place {
    uint32_t chunk, i;
};

struct key {
    uint32_t at, len; /* in key_bytes */
    uint32_t hash;
};

struct span { /* deleted ids, in the document's own client numbers */
    uint32_t client, clock, len;
};

/* A client's structs from a clock on: those that a transaction brought, or those
 * that a peer lacks. */
struct doc_part {
    uint32_t client, from;
};

/* A type that a transaction changed: its list (key 0) or one of its keys. */
struct change {
    uint32_t type;
    uint32_t key; /* CHANGE_GONE: the type was deleted, what was noted before is void */
};
#define CHANGE_GONE UINT32_MAX

/* A subdocument that came or went. One that is new and deleted again is noted as
 * come only: whether it is still there is in tx->deleted. */
struct subdoc_note {
    uint32_t client, clock; /* its item */
    uint32_t guid;          /* interned: the content is collected before anybody is told */
    bool removed, loaded;
};

/* What of a type is still to be deleted. */
struct deletion {
    uint32_t item, slot;
};

struct tree;
struct text_frame;
struct watch;
/* One transaction. After its edits are done it waits in doc->queue until those
 * before it are finished. */
struct tx {
    VEC(struct doc_part) touched; /* clients that got structs, with their clocks before */
    VEC(struct span) deleted;
    VEC(struct span) merge;          /* Yjs's _mergeStructs, by id */
    VEC(struct change) changed;      /* kept only while doc->notes_changes */
    VEC(struct subdoc_note) subdocs; /* kept only while doc->notes_subdocs */
    VEC(uint32_t) formatted;         /* formatted texts that a remote change touched */
    VEC(uint32_t) order;             /* clients in the order of their first deletion */
    const void *origin;
    bool local;
    bool collects; /* of what it deleted some has its content yet */
};

/* The item with this id was restored by a copy that starts with the other id. */
struct redone {
    uint32_t client, clock; /* client CLIENT_UNKNOWN: an unused place of the table */
    uint32_t to_client, to_clock;
};

struct missing { /* pending structs may go on once `client` has `clock` */
    uint64_t client;
    uint32_t clock;
};

/* One client's part of an update that is being applied: what is left of it. */
struct source {
    uint64_t client;
    const uint8_t *p;
    uint32_t clock, left;
    uint32_t number; /* the document's, or CLIENT_UNKNOWN */
    uint32_t state;  /* the client's clock, with what this update has brought */
    bool stacked;    /* waits for another source */
    bool blocked;    /* cannot go on: the rest becomes pending */
};

struct ydoc {
    struct ydoc_alloc alloc;
    struct ydoc_limits limits;
    bool keep_deleted, no_format_cleanup, broken;
    unsigned applied;
    uint64_t client_id;
    size_t memory_used;

    VEC(struct item) items; /* [0] is not used */
    uint32_t items_free;    /* chained through .right */
    uint32_t items_live;
    uint32_t coming; /* structs that the update still has of the client it is at */
    VEC(uint8_t) slab;
    uint32_t slab_waste; /* bytes in it that nothing refers to */
    uint32_t slab_room;  /* of which the last compaction left so much on purpose */
    uint32_t longest;    /* units of the longest content whose cutting is a walk */

    VEC(struct client) clients;
    VEC(uint32_t) client_table; /* open addressing: number + 1 */
    VEC(uint32_t) client_order; /* ids descending, the first client_sorted of them */
    uint32_t client_sorted;
    uint32_t client_last; /* last one looked up */

    VEC(struct key) keys; /* [0] is not used */
    VEC(uint8_t) key_bytes;
    VEC(uint32_t) key_table;
    VEC(struct type) types;   /* [0] is not used */
    uint32_t types_free;      /* chained through .list */
    VEC(struct slot) slots;   /* [0] is not used */
    uint32_t slots_free;      /* chained through .next */
    VEC(uint32_t) slot_table; /* map slots by (type, key) */
    uint32_t slots_mapped;
    VEC(uint32_t) roots; /* types */

    /* The running transaction; see transact.c. */
    uint32_t tx;       /* its number, for tx_mark */
    uint32_t tx_depth; /* begins that are not committed yet */
    uint32_t begins;   /* of them the caller's own: an edit's, or a reader's, are not his to end */
    struct tx cur;
    VEC(struct tx *) queue; /* done, and not yet finished; the first one is being finished */
    bool finishing;
    uint32_t queued; /* length of the queue when its first one's observers were called */
    uint32_t typing_type, typing_index; /* where the last local insertion ended; 0: unknown */
    uint64_t work_left;
    jmp_buf *on_failure;
    int failure;
    struct watch *watch;               /* observers, or NULL */
    bool notes_changes, notes_subdocs; /* somebody needs tx.changed, tx.subdocs */

    VEC(struct redone) redone; /* open addressing by id */
    uint32_t redone_used;

    /* Since the last take. */
    uint32_t acc;
    VEC(struct doc_part) acc_touched;
    VEC(struct span) acc_deleted;
    VEC(uint8_t) acc_packed; /* those before them (accumulate.c) */
    uint32_t acc_packed_spans;

    /* What waits: structs as an update v1, and deletions. */
    VEC(uint8_t) pending;
    VEC(struct missing) pending_missing;
    VEC(struct wire_range) pending_deletes;

    /* Position indexes (place.h). */
    VEC(struct tree *) trees;
    uint32_t trees_live;
    VEC(uint32_t) leaf_of; /* per item */

    /* Scratch, given back by ydoc_shrink. */
    VEC(uint32_t) marks; /* per item, for walks that number what they pass */
    uint32_t mark;
    VEC(uint32_t) work;
    struct wire_notes notes;        /* of the update that is being applied */
    VEC(struct deletion) deletions; /* types whose content is being deleted */
    VEC(struct source) sources;
    VEC(uint32_t) stack; /* of sources */
    VEC(uint8_t) retry;
    VEC(struct missing) missing;
    VEC(struct wire_range) undone;
    VEC(uint32_t) dirty_texts;
    uint32_t order_mark;
    VEC(uint32_t) key_marks; /* per key */
    uint32_t key_mark;
    struct text_frame *frames; /* of running text edits (edit_text.c) */
};

/* ---- memory ---- */
void *store_resize(struct ydoc *doc, void *p, size_t old_size, size_t new_size); /* NULL: none */
void *store_grow(struct ydoc *doc, void *p, uint32_t *cap, uint64_t need, size_t each);
_Noreturn void store_fail(struct ydoc *doc, int code);
/* Counts steps of walks whose length a peer chooses. */
static inline void store_spend(struct ydoc *doc, uint64_t steps)
{
    if (steps > doc->work_left)
        store_fail(doc, YDOC_ELIMIT);
    doc->work_left -= steps;
}

/* ---- items ---- */
static inline uint32_t item_client(const struct item *it)
{
    return it->client_kind >> 8;
}
static inline uint8_t item_kind(const struct item *it)
{
    return (uint8_t)it->client_kind;
}
static inline uint32_t item_origin_client(const struct item *it)
{
    return it->origin_flags >> 8;
}
static inline bool item_deleted(const struct item *it)
{
    return (it->origin_flags & ITEM_DELETED) != 0;
}
static inline uint32_t item_end(const struct item *it)
{
    return it->clock + it->len;
}
/* Counts in the length of its parent (while not deleted). */
static inline bool item_countable(const struct item *it)
{
    return item_kind(it) != WIRE_GC && item_kind(it) != WIRE_DELETED &&
           item_kind(it) != WIRE_FORMAT;
}
/* Same origin, two absent ones included. */
static inline bool item_same_origin(const struct item *a, const struct item *b)
{
    return item_origin_client(a) == item_origin_client(b) &&
           (item_origin_client(a) == NO_CLIENT || a->origin_clock == b->origin_clock);
}
static inline bool item_same_right(const struct item *a, const struct item *b)
{
    return a->right_client == b->right_client &&
           (a->right_client == NO_CLIENT || a->right_clock == b->right_clock);
}
/* The content's bytes; NULL if there are none. */
static inline const uint8_t *item_bytes(const struct ydoc *doc, const struct item *it)
{
    return it->bytes == 0 ? NULL : doc->slab.p + it->content;
}
uint32_t store_new_item(struct ydoc *doc); /* the caller fills it whole */
void store_free_item(struct ydoc *doc, uint32_t h);
/* Drops the content's bytes. */
void store_drop_content(struct ydoc *doc, struct item *it);
/* Cuts an item in two, `at` units in; returns the right half. Yjs's splitItem. */
uint32_t store_split(struct ydoc *doc, struct client *c, struct place *place, uint32_t at);

/* ---- slab ---- */
uint32_t store_slab_take(struct ydoc *doc, uint32_t n);
/* Makes room without unwinding, for callers that hold memory of their own. */
bool store_slab_try(struct ydoc *doc, uint32_t n);
/* Joins the content of `right` to that of `left`, which is the one before it. */
void store_join_content(struct ydoc *doc, struct item *left, const struct item *right,
                        bool left_is_last);
/* Writes the slab anew without waste, but for room where somebody types. */
void store_compact_slab(struct ydoc *doc, bool keep_room);
void store_compact_if_worth(struct ydoc *doc);

/* ---- clients ---- */
#define CLIENT_UNKNOWN UINT32_MAX
uint32_t store_find_client(struct ydoc *doc, uint64_t id);
uint32_t store_find_client_const(const struct ydoc *doc, uint64_t id);
uint32_t store_add_client(struct ydoc *doc, uint64_t id); /* finds or adds */
void store_sort_clients(struct ydoc *doc);                /* client_order */

/* ---- a client's items in order (index.c) ---- */
static inline struct chunk *index_chunk(struct client *c, uint32_t i)
{
    return c->chunks <= 1 ? &c->one : &c->dir[i];
}
static inline const struct entry *index_entry(const struct client *c, struct place at)
{
    const struct chunk *k = c->chunks <= 1 ? &c->one : &c->dir[at.chunk];

    assert(at.i < k->n);
    return &(k->cap > CHUNK_INLINE ? k->u.p : k->u.in)[at.i];
}
static inline uint32_t index_at(const struct client *c, struct place at)
{
    return index_entry(c, at)->item & ~ENTRY_DELETED;
}
/* The item that holds `clock`, which must be below the state. */
struct place index_find(const struct ydoc *doc, struct client *c, uint32_t clock);
bool index_next(const struct client *c, struct place *at);
bool index_prev(const struct client *c, struct place *at);
uint32_t index_last(const struct client *c, struct place *at); /* the client has items */
void index_append(struct ydoc *doc, struct client *c, uint32_t h);
struct place index_insert_after(struct ydoc *doc, struct client *c, struct place at, uint32_t h);
void index_remove(struct ydoc *doc, struct client *c, struct place at);
/* To be called when an item of the index becomes deleted. */
void index_on_delete(struct ydoc *doc, const struct item *it);
/* The item at this place begins at another clock now, between its neighbours' still. */
void index_set_clock(struct client *c, struct place at, uint32_t clock);
/* Is everything from `clock` to before `end` deleted? Both are within the state. */
bool index_is_deleted(const struct ydoc *doc, struct client *c, uint32_t clock, uint32_t end);
/* Appends the clocks at which deleted items begin and end, in turn, to `clocks`,
 * which has room for CHUNK_MAX; *deleted says what the item before was. */
uint32_t index_flips(const struct client *c, uint32_t chunk, bool *deleted, uint32_t *clocks);
void index_free(struct ydoc *doc, struct client *c);

static inline uint32_t store_find_item(const struct ydoc *doc, uint32_t client, uint32_t clock)
{
    struct client *c = &doc->clients.p[client];

    return index_at(c, index_find(doc, c, clock));
}

/* ---- keys, types, slots (types.c) ---- */
uint32_t store_intern(struct ydoc *doc, struct ydoc_slice text);
uint32_t store_find_key(const struct ydoc *doc, struct ydoc_slice text); /* 0: none */
struct ydoc_slice store_key(const struct ydoc *doc, uint32_t key);
uint32_t store_new_type(struct ydoc *doc, uint32_t item, uint8_t ref, uint32_t name);
void store_free_type(struct ydoc *doc, uint32_t type);
uint32_t store_root(struct ydoc *doc, struct ydoc_slice name);            /* finds or makes */
uint32_t store_find_root(const struct ydoc *doc, struct ydoc_slice name); /* 0: none */
uint32_t store_map_slot(struct ydoc *doc, uint32_t type, uint32_t key);   /* finds or makes */
uint32_t store_find_map_slot(const struct ydoc *doc, uint32_t type, uint32_t key); /* 0: none */

/* ---- transact.c ---- */
/* Opens a transaction or joins the open one. */
void store_begin(struct ydoc *doc, const void *origin, bool local);
/* Ends it: the outermost finishes it, and what its observers have begun. */
void store_end(struct ydoc *doc);
/* Runs what may fail in the middle: 0, or the code it failed with. */
int store_run(struct ydoc *doc, void (*work)(void *arg), void *arg);
/* A client's clock before the transaction, whatever came after it. */
uint32_t store_clock_before(const struct ydoc *doc, const struct tx *tx, uint32_t client);
/* The same after the transaction that is being finished: Yjs's afterState, which has
 * what was done up to the call of the observers. */
uint32_t store_clock_after(const struct ydoc *doc, uint32_t client);
/* Is there an update to send? Not only for what the transaction itself has made. */
bool store_has_content(const struct ydoc *doc, const struct tx *tx);
/* What one keystroke did without a transaction: a client's structs from a clock on, or
 * one range that was deleted. Tells update observers, the only ones there are, and
 * finishes what they begin. */
struct news {
    struct ydoc *doc;
    struct doc_part part;
    bool has_part;
    const struct span *gone; /* or NULL */
    const void *origin;
};
void store_tell(const struct news *news);
void store_free_tx(struct ydoc *doc, struct tx *tx);
/* Does anybody observe anything? */
static inline bool store_is_watched(const struct ydoc *doc)
{
    return doc->watch != NULL;
}
void store_free_watch(struct ydoc *doc);

/* ---- format.c ---- */
/* Yjs's cleanupYTextAfterTransaction. */
void store_clean_formats(struct ydoc *doc, struct tx *tx);

/* ---- integrate.c ---- */
/* Yjs's getMissing (its second half) and integrate: every id that the struct
 * names is known. Parts below the client's state are passed over. */
__attribute__((noinline)) void store_integrate(struct ydoc *doc, const struct wire_struct *s,
                                               uint32_t client);
void store_delete_item(struct ydoc *doc, uint32_t h);
/* Where a new item goes: a slot, and between which items of it (0: none). */
struct neighbours {
    uint32_t slot, left, right;
};
/* Puts a new item of the document's own there and returns it. Of `s` ref, len, body
 * and type_ref count. */
uint32_t store_insert(struct ydoc *doc, const struct neighbours *between,
                      const struct wire_struct *s);
/* The same with the content in the slab already, s->body.len bytes at `content`. */
uint32_t store_insert_kept(struct ydoc *doc, const struct neighbours *between,
                           const struct wire_struct *s, uint32_t content);
/* Puts a copy of another item's content there, of a type an empty one of its kind, and
 * resolves conflicts as for a remote item. The copy is to be kept (ITEM_KEEP). */
uint32_t store_insert_copy(struct ydoc *doc, const struct neighbours *between, uint32_t from);
/* The item that starts at this id, split off if need be; a GC is given whole. */
uint32_t store_item_from(struct ydoc *doc, uint32_t client, uint32_t clock);
/* Prepares doc->marks: marks above the returned number are of this walk. */
uint32_t store_start_marks(struct ydoc *doc);
/* The item existed when the running transaction began. */
bool store_existed(const struct ydoc *doc, const struct item *it);
/* Records that the client gets new structs, once a transaction. */
void store_touch(struct ydoc *doc, uint32_t client);

/* ---- accumulate.c: what was deleted since the last take ---- */
void store_accumulate_deleted(struct ydoc *doc, const struct tx *tx);
void store_forget_deleted(struct ydoc *doc);
/* All but doc->acc_deleted. */
struct packed_spans {
    struct lib0_reader r;
    struct span last;
};
void store_unpack_deleted(const struct ydoc *doc, struct packed_spans *from);
bool packed_spans_next(struct packed_spans *from, struct span *out);

/* ---- spans.c ---- */
void store_sort_spans(struct ydoc *doc, struct span *v, uint32_t n); /* by client, clock */

/* ---- redone.c ---- */
/* Yjs's item.redone; the item has ITEM_REDONE. */
struct redone store_redone(const struct ydoc *doc, const struct item *it);
void store_set_redone(struct ydoc *doc, uint32_t h, uint32_t to_client, uint32_t to_clock);
/* The item will be cut `at` units in: both halves keep what they were restored by. */
void store_split_redone(struct ydoc *doc, const struct item *it, uint32_t at);
void store_forget_redone(struct ydoc *doc, const struct item *it);
/* Yjs's followRedone: the item that holds what this id became after all undos, and how many
 * units into it. Splits nothing; may be a GC. */
uint32_t store_follow_redone(const struct ydoc *doc, uint32_t client, uint32_t clock,
                             uint32_t *diff);

/* ---- collect.c ---- */
/* Yjs's end of a transaction: garbage collection and merging. */
void store_sort_deleted(struct ydoc *doc, struct tx *tx); /* comes first */
/* Yjs's sortAndMergeDeleteSet, by client too; returns how many are left. */
uint32_t store_merge_spans(struct ydoc *doc, struct span *v, uint32_t n);
/* Joins a range to another one that it touches at either end; false if it does not. */
bool store_join_span(struct span *last, const struct span *s);
void store_collect(struct ydoc *doc, struct tx *tx);
/* Merges the item at `at` with those before it; `at` becomes what it is part of. */
uint32_t store_merge_left(struct ydoc *doc, uint32_t client, struct place *at);

/* ---- encode_item.c, encode.c ---- */
void store_write_item(const struct ydoc *doc, struct ydoc_buf *out, const struct item *it,
                      uint32_t offset, enum wire_version version); /* V1 or OURS */
/* Points into the document. */
void store_item_struct(const struct ydoc *doc, const struct item *it, struct wire_struct *s);
/* Appends what Yjs's update event carries for a transaction of the queue. */
int store_write_changes(const struct ydoc *doc, const struct tx *tx, int version,
                        struct ydoc_buf *out);
int store_write_news(const struct news *news, int version, struct ydoc_buf *out);
/* A part of a document as an update: clients, descending, each from a clock below
 * its state on, and deletions, descending and in order (NULL: all there are). */
struct doc_update {
    const struct doc_part *parts;
    uint32_t n;
    struct dset *deletes;
    enum wire_version version;
};
void store_write_update(const struct ydoc *doc, const struct doc_update *u, struct ydoc_buf *out);
/* A client's structs that start below a clock, from the first one on, as a section
 * of an update OURS. */
void store_write_below(const struct ydoc *doc, uint32_t client, uint32_t clock,
                       struct ydoc_buf *out);

/* ---- encode_deletes.c: everything that is deleted, clients descending ---- */
const uint32_t *store_clients_descending(const struct ydoc *doc);
void store_write_deletes(const struct ydoc *doc, struct ydoc_buf *out); /* as v1 */
void store_add_deletes(const struct ydoc *doc, struct dset *d);

/* ---- apply.c ---- */
/* ydoc_apply_v1 of an update that is OURS and has been checked. */
int store_apply_ours(struct ydoc *doc, const struct ydoc_buf *update, const void *origin,
                     struct ydoc_error *err);

/* ---- copy.c ---- */
/* A copy to go back to, for a transaction that may run into a limit. */
struct ydoc *store_copy(struct ydoc *doc); /* NULL: no memory */
/* Puts the copy in the document's place and consumes it. */
void store_restore(struct ydoc *doc, struct ydoc *copy);
void store_discard(struct ydoc *copy);
void store_free_contents(struct ydoc *doc);
void store_free_scratch(struct ydoc *doc);
/* After an update of so many structs and deletions: gives back what only a large one
 * needed. */
void store_trim_scratch(struct ydoc *doc, uint64_t size);

#endif
