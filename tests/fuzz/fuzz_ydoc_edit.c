/* fuzz_ydoc_edit - two people who edit, undo, watch and exchange updates.
 *
 * Input: a byte of options, then a program, one operation after another, that both
 * documents run by turns; the callbacks read the same program. Updates wait on
 * their way, are lost, come twice or in another order.
 *
 * After every operation: links are whole, and position indexes say what a walk says. A
 * third document that gets what the first one emits knows and deletes the same.
 * A failed allocation leaves a document that is as it was, or says so. In the end
 * the two exchange everything and are the same; then everything is undone and
 * done again; what a document has taken from its allocator it has given back.
 */
#include "edit_program.h"

/* ---- updates on their way ---- */

static void drop_sent(struct peer *peer, unsigned at)
{
    ydoc_buf_fini(&peer->sent[at]);
    peer->sent_n--;
    memmove(&peer->sent[at], &peer->sent[at + 1], (peer->sent_n - at) * sizeof(peer->sent[0]));
    memmove(&peer->version[at], &peer->version[at + 1], peer->sent_n - at);
}

static void apply_to_mirror(struct world *world, struct ydoc_slice update, int version)
{
    ENSURE((version == 1 ? ydoc_apply_v1(world->mirror, update.p, update.len, NULL)
                         : ydoc_apply_v2(world->mirror, update.p, update.len, NULL)) == 0);
}

static void send_update(struct peer *peer, struct ydoc_slice update, int version)
{
    if (peer == &peer->world->peers[0])
        apply_to_mirror(peer->world, update, version);
    if (peer->sent_n == ON_THE_WAY)
        drop_sent(peer, 0);
    ydoc_buf_init(&peer->sent[peer->sent_n], NULL);
    ydoc_buf_append(&peer->sent[peer->sent_n], update.p, update.len);
    peer->version[peer->sent_n++] = (uint8_t)version;
}

static void on_update_v1(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    (void)doc;
    (void)origin;
    send_update(ctx, update, 1);
}

static void on_update_v2(struct ydoc *doc, struct ydoc_slice update, const void *origin, void *ctx)
{
    (void)doc;
    (void)origin;
    send_update(ctx, update, 2);
}

static bool takes_changes(const struct peer *peer)
{
    const struct world *world = peer->world;

    return peer == &world->peers[0] ? (world->options & OPTION_SILENT) != 0
                                    : (world->options & OPTION_WATCHED) == 0;
}

static void take_changes(struct peer *peer)
{
    struct ydoc_buf update;

    if (!takes_changes(peer) || !ydoc_has_changes(peer->doc))
        return;
    ydoc_buf_init(&update, NULL);
    ENSURE(ydoc_take_changes_v1(peer->doc, &update, NULL) == 0);
    send_update(peer, ydoc_buf_slice(&update), 1);
    ydoc_buf_fini(&update);
}

static struct peer *other(struct peer *peer)
{
    return &peer->world->peers[peer == &peer->world->peers[0]];
}

static int apply(struct peer *peer, const struct ydoc_buf *update, int version)
{
    int rc = version == 1
                 ? ydoc_apply_v1_from(peer->doc, update->p, update->len, &root_names, NULL)
                 : ydoc_apply_v2_from(peer->doc, update->p, update->len, &root_names, NULL);

    ENSURE(rc == 0 || (rc == YDOC_ELIMIT && (peer->world->options & OPTION_LITTLE)) ||
           ((rc == YDOC_ENOMEM || rc == YDOC_EBROKEN) && peer->account.failed));
    return rc;
}

static void deliver(struct peer *peer)
{
    struct peer *from = other(peer);
    uint8_t b = next(&peer->world->in);
    struct ydoc_buf update;
    unsigned at;
    int version;

    for (unsigned n = 1 + b % 4; n > 0 && from->sent_n > 0; n--) {
        at = b & 128 ? (b >> 2) % from->sent_n : 0;
        ydoc_buf_init(&update, NULL);
        ydoc_buf_append(&update, from->sent[at].p, from->sent[at].len);
        version = from->version[at];
        if ((b & 96) != 96)
            drop_sent(from, at);
        if ((b & 96) != 64)
            apply(peer, &update, version);
        ydoc_buf_fini(&update);
    }
}

/* All that the other one has and this one lacks. */
static void catch_up(struct peer *peer, bool v2)
{
    struct ydoc *from = other(peer)->doc;
    struct ydoc_buf sv, update;

    ydoc_buf_init(&sv, NULL);
    ydoc_buf_init(&update, NULL);
    check_state_vector(peer->doc, &sv);
    ENSURE((v2 ? ydoc_encode_state_v2(from, sv.p, sv.len, &update, NULL)
               : ydoc_encode_state_v1(from, sv.p, sv.len, &update, NULL)) == 0);
    apply(peer, &update, v2 ? 2 : 1);
    ydoc_buf_fini(&sv);
    ydoc_buf_fini(&update);
}

/* ---- observers ---- */

static void observe(struct peer *peer);
static void unobserve(struct peer *peer);

/* What a callback does: mostly nothing. */
static void interfere(struct peer *peer)
{
    uint8_t b = next(&peer->world->in);

    if (b < 128 || peer->world->callback_edits >= CALLBACK_EDITS_MAX || peer->inside >= DEPTH_MAX)
        return;
    peer->world->callback_edits++;
    peer->inside++;
    switch (b % 8) {
    case 0:
        observe(peer);
        break;
    case 1:
        unobserve(peer);
        break;
    case 2:
        ydoc_shrink(peer->doc);
        break;
    case 3:
        deliver(peer);
        break;
    default:
        edit(peer, choose_type(peer));
        break;
    }
    peer->inside--;
}

static void read_event(struct peer *peer, struct ydoc_event *event)
{
    struct ydoc_buf out;
    int rc;

    ydoc_buf_init(&out, NULL);
    ENSURE(ydoc_event_target(event) != 0 && ydoc_event_current_target(event) != 0);
    rc = ydoc_event_path_json(event, &out);
    ENSURE(rc == 0 || peer->account.failed);
    ENSURE(rc != 0 || ydoc_validate_json(out.p, out.len, 512, NULL) == 0);
    ydoc_buf_reset(&out);
    rc = ydoc_event_keys_json(event, &out);
    ENSURE(rc == 0 || peer->account.failed);
    ENSURE(rc != 0 || ydoc_validate_json(out.p, out.len, 512, NULL) == 0);
    ydoc_buf_reset(&out);
    rc = ydoc_event_delta_json(event, &out);
    ENSURE(rc == 0 || peer->account.failed);
    ENSURE(rc != 0 || ydoc_validate_json(out.p, out.len, 512, NULL) == 0);
    ydoc_buf_fini(&out);
}

static void on_event(struct ydoc *doc, struct ydoc_event *event, void *ctx)
{
    struct peer *peer = ctx;

    ENSURE(doc == peer->doc);
    if (next(&peer->world->in) % 2)
        read_event(peer, event);
    interfere(peer);
}

static void on_events(struct ydoc *doc, struct ydoc_event *const *events, size_t n, void *ctx)
{
    struct peer *peer = ctx;
    bool reads = next(&peer->world->in) % 2;

    ENSURE(doc == peer->doc);
    for (size_t i = 0; i < n && reads && !doc->broken; i++)
        read_event(peer, events[i]);
    interfere(peer);
}

static void on_transaction(struct ydoc *doc, const struct ydoc_transaction *tx, void *ctx)
{
    ENSURE(doc == ((struct peer *)ctx)->doc);
    (void)tx;
    interfere(ctx);
}

static void on_subdocs(struct ydoc *doc, const struct ydoc_subdocs *subdocs, void *ctx)
{
    ENSURE(doc == ((struct peer *)ctx)->doc);
    for (size_t i = 0; i < subdocs->added_n; i++)
        ENSURE(subdocs->added[i].len == 4);
    interfere(ctx);
}

static void observe(struct peer *peer)
{
    uint8_t b = next(&peer->world->in);
    int *number = &peer->observers[b % OBSERVERS];

    if (*number != 0)
        return;
    switch (b >> 5) {
    case 0:
        *number =
            ydoc_observe_transactions(peer->doc, YDOC_AFTER_TRANSACTION, on_transaction, peer);
        break;
    case 1:
        *number =
            ydoc_observe_transactions(peer->doc, YDOC_AFTER_ALL_TRANSACTIONS, on_transaction, peer);
        break;
    case 2:
        *number = ydoc_observe_subdocs(peer->doc, on_subdocs, peer);
        break;
    case 3:
    case 4:
        *number = ydoc_observe(peer->doc, choose_type(peer), on_event, peer);
        break;
    default:
        *number = ydoc_observe_deep(peer->doc, choose_type(peer), on_events, peer);
        break;
    }
    if (*number < 0)
        *number = 0;
}

static void unobserve(struct peer *peer)
{
    int *number = &peer->observers[next(&peer->world->in) % OBSERVERS];

    if (*number != 0)
        ydoc_unobserve(peer->doc, *number);
    *number = 0;
}

/* ---- undoing, the past, positions ---- */

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1;
}

static void on_undo(struct ydoc_undo *undo, const struct ydoc_undo_event *event, void *ctx)
{
    (void)undo;
    if (event->kind != YDOC_UNDO_DROPPED)
        interfere(ctx);
}

static void start_undo(struct peer *peer)
{
    uint8_t b = next(&peer->world->in);
    struct ydoc_undo_options options = {.scope_n = 1 + (b >> 1) % 2,
                                        .capture_each = b & 8,
                                        .ignore_remote_map_changes = b & 16,
                                        .on_event = b & 32 ? on_undo : NULL,
                                        .now_ms = now_ms,
                                        .ctx = peer};

    peer->world->is_mixed = true;
    options.scope = b & 1 ? &peer->roots[b >> 6] : NULL;
    if (peer->undo == NULL)
        (void)!ydoc_undo_new(&peer->undo, peer->doc, &options);
}

static void manage_undo(struct peer *peer)
{
    uint8_t b = next(&peer->world->in);
    int rc = 0;

    if (peer->undo == NULL)
        start_undo(peer);
    if (peer->undo == NULL)
        return;
    if (b < 100)
        rc = ydoc_undo_undo(peer->undo);
    else if (b < 200)
        rc = ydoc_undo_redo(peer->undo);
    else if (b < 220)
        ydoc_undo_stop_capturing(peer->undo);
    else if (b < 230)
        rc = ydoc_undo_clear(peer->undo, b & 1, b & 2);
    else if (b < 240)
        rc = ydoc_undo_add_scope(peer->undo, choose_type(peer));
    else if (peer->depth == 0) {
        ydoc_undo_free(peer->undo);
        peer->undo = NULL;
    }
    ENSURE(rc >= 0 || rc == YDOC_ENOENT || peer->account.failed);
}

/* U+FFFD twice for every surrogate pair: whether one was cut is another matter. */
static void plain_text(struct ydoc_buf *text)
{
    struct ydoc_buf out;

    ydoc_buf_init(&out, NULL);
    for (size_t i = 0; i < text->len; i++) {
        bool is_pair = text->p[i] >= 0xf0;

        ydoc_buf_append(&out, is_pair ? (const void *)"\xef\xbf\xbd\xef\xbf\xbd" : &text->p[i],
                        is_pair ? 6 : 1);
        i += is_pair ? 3 : 0;
    }
    ydoc_buf_fini(text);
    *text = out;
}

static void look_back(struct peer *peer)
{
    struct ydoc_buf text;

    if (!peer->doc->keep_deleted || peer->account.left > 0)
        return;
    if (peer->snapshot == NULL) {
        ENSURE(ydoc_snapshot_new(&peer->snapshot, peer->doc) == 0);
        ydoc_buf_reset(&peer->past);
        ENSURE(ydoc_read_text(peer->doc, slice_of("t"), &peer->past) == 0);
        plain_text(&peer->past);
        return;
    }
    ydoc_buf_init(&text, NULL);
    ENSURE(ydoc_text_string_at(peer->doc, peer->roots[0], peer->snapshot, &text) == 0);
    plain_text(&text);
    ENSURE(check_same(&text, &peer->past));
    ydoc_buf_fini(&text);
    ydoc_snapshot_free(peer->snapshot);
    peer->snapshot = NULL;
}

static void check_position(struct peer *peer)
{
    ydoc_type type = choose_type(peer);
    uint32_t index = choose_index(peer, type), length = ydoc_type_length(peer->doc, type);
    int64_t assoc = next(&peer->world->in) % 2 ? 0 : -1;
    struct ydoc_position at;
    struct ydoc_relpos pos;

    if (peer->position.len > 0 &&
        ydoc_relpos_decode(&pos, peer->position.p, peer->position.len, NULL) == 0 &&
        ydoc_relpos_resolve(peer->doc, &pos, true, &at) == 0)
        ENSURE(at.index <= ydoc_type_length(peer->doc, at.type));
    if (ydoc_relpos_from_index(peer->doc, type, index, assoc, &pos) != 0)
        return;
    if (ydoc_relpos_resolve(peer->doc, &pos, false, &at) != 0)
        ENSURE(peer->account.failed);
    else if (assoc >= 0)
        ENSURE(at.type == type && at.index == (index < length ? index : length));
    ydoc_buf_reset(&peer->position);
    ENSURE(ydoc_relpos_encode(&pos, &peer->position) == 0);
}

static void check_slice(struct peer *peer)
{
    uint32_t length = ydoc_type_length(peer->doc, peer->roots[0]);
    uint32_t from = choose_index(peer, peer->roots[0]);
    struct ydoc_buf whole, parts;

    if (peer->account.left > 0 || from > length)
        return;
    ydoc_buf_init(&whole, NULL);
    ydoc_buf_init(&parts, NULL);
    ENSURE(ydoc_read_text(peer->doc, slice_of("t"), &whole) == 0);
    ENSURE(ydoc_text_slice(peer->doc, peer->roots[0], 0, from, &parts) == 0);
    ENSURE(ydoc_text_slice(peer->doc, peer->roots[0], from, length - from, &parts) == 0);
    plain_text(&whole);
    plain_text(&parts);
    ENSURE(check_same(&whole, &parts));
    ydoc_buf_fini(&whole);
    ydoc_buf_fini(&parts);
}

/* ---- running ---- */

static void begin(struct peer *peer)
{
    if (peer->depth < DEPTH_MAX && ydoc_begin(peer->doc, peer->depth ? &root_kinds : NULL) == 0)
        peer->depth++;
}

static void commit(struct peer *peer)
{
    int rc;

    if (peer->depth == 0)
        return;
    peer->depth--;
    rc = ydoc_commit(peer->doc, NULL);
    ENSURE(rc == 0 || peer->account.failed);
}

static void step(struct peer *peer, uint8_t b)
{
    switch (b % 32) {
    case 0:
        begin(peer);
        break;
    case 1:
    case 2:
        commit(peer);
        break;
    case 3:
    case 4:
    case 5:
        deliver(peer);
        break;
    case 6:
        catch_up(peer, b & 64);
        break;
    case 7:
    case 8:
    case 9:
        manage_undo(peer);
        break;
    case 10:
    case 11:
        observe(peer);
        break;
    case 12:
        unobserve(peer);
        break;
    case 13:
        check_position(peer);
        break;
    case 14:
        look_back(peer);
        break;
    case 15:
        ydoc_shrink(peer->doc);
        break;
    case 16:
        check_slice(peer);
        break;
    case 17:
        scatter(peer, choose_type(peer));
        break;
    default:
        edit(peer, choose_type(peer));
        break;
    }
}

static void check_mirror(struct world *world)
{
    struct ydoc_buf a, b;

    ENSURE(!ydoc_has_pending(world->mirror));
    ydoc_buf_init(&a, NULL);
    ydoc_buf_init(&b, NULL);
    ENSURE(ydoc_encode_snapshot_v1(world->peers[0].doc, &a) == 0);
    ENSURE(ydoc_encode_snapshot_v1(world->mirror, &b) == 0);
    ENSURE(check_same(&a, &b));
    ydoc_buf_fini(&a);
    ydoc_buf_fini(&b);
}

/* False: the document is broken. */
static bool run_step(struct peer *peer)
{
    struct program *in = &peer->world->in;
    uint8_t b = next(in), scarce = b % 32 == 31 ? next(in) : 0;
    struct ydoc_buf before, after;
    bool whole;

    if (peer->account.failed)
        peer->account.failed = false;
    if (scarce == 0) {
        step(peer, b);
        return true;
    }
    b = next(in);
    ydoc_buf_init(&before, NULL);
    ydoc_buf_init(&after, NULL);
    check_encode(peer->doc, &before);
    peer->account.left = scarce / 2 + 1u;
    peer->account.for_good = scarce % 2;
    step(peer, b);
    peer->account.left = 0;
    whole = !peer->doc->broken;
    if (whole)
        check_encode(peer->doc, &after);
    else
        ENSURE(ydoc_encode_state_v1(peer->doc, NULL, 0, &after, NULL) == YDOC_EBROKEN &&
               ydoc_begin(peer->doc, NULL) == YDOC_EBROKEN);
    if (whole && peer->account.failed && b % 32 > 17)
        ENSURE(check_same(&before, &after) || ydoc_has_changes(peer->doc));
    ydoc_buf_fini(&before);
    ydoc_buf_fini(&after);
    return whole;
}

static bool run(struct world *world)
{
    for (unsigned n = 0; n < STEPS_MAX && world->in.left > 0; n++) {
        struct peer *peer = &world->peers[n % 3 == 2];

        if (!run_step(peer))
            return false;
        if (peer->depth == 0)
            take_changes(peer);
        check_document(peer->doc);
        if (world->peers[0].depth == 0)
            check_mirror(world);
    }
    return true;
}

/* ---- the end ---- */

static void check_equal_texts(struct world *world)
{
    struct ydoc_buf text[2];

    for (int i = 0; i < 2; i++) {
        ydoc_buf_init(&text[i], NULL);
        ENSURE(ydoc_read_text(world->peers[i].doc, slice_of("t"), &text[i]) == 0);
        plain_text(&text[i]);
    }
    ENSURE(check_same(&text[0], &text[1]));
    for (int i = 0; i < ROOTS; i++)
        ENSURE(ydoc_type_length(world->peers[0].doc, world->peers[0].roots[i]) ==
               ydoc_type_length(world->peers[1].doc, world->peers[1].roots[i]));
    ydoc_buf_fini(&text[0]);
    ydoc_buf_fini(&text[1]);
}

/* What a third person has who is sent the whole document, as bytes and as JSON. */
static void reload(const struct ydoc *doc, struct ydoc_buf *state, struct ydoc_buf *json)
{
    struct ydoc *fresh;

    ENSURE(ydoc_new(&fresh, NULL) == 0);
    check_encode(doc, state);
    ENSURE(ydoc_apply_v1(fresh, state->p, state->len, NULL) == 0);
    ENSURE(!ydoc_has_pending(fresh));
    check_document(fresh);
    check_encode(fresh, state);
    ENSURE(ydoc_read_json(fresh, json) == 0);
    ydoc_free(fresh);
}

static void check_equal_states(struct world *world)
{
    struct ydoc_buf state[2], json[2];

    for (int i = 0; i < 2; i++) {
        ydoc_buf_init(&state[i], NULL);
        ydoc_buf_init(&json[i], NULL);
        reload(world->peers[i].doc, &state[i], &json[i]);
    }
    if (!world->is_mixed) {
        ENSURE(check_same(&state[0], &state[1]));
        ENSURE(check_same(&json[0], &json[1]));
    }
    for (int i = 0; i < 2; i++) {
        ydoc_buf_fini(&state[i]);
        ydoc_buf_fini(&json[i]);
    }
}

/* Both may have formats to clean, which is news to the other. */
static void exchange(struct world *world)
{
    struct ydoc_buf a, b;
    bool same = false;

    ydoc_buf_init(&a, NULL);
    ydoc_buf_init(&b, NULL);
    for (int round = 0; round < 20 && !same; round++) {
        for (int i = 0; i < 2; i++) {
            catch_up(&world->peers[i], round % 2);
            take_changes(&world->peers[i]);
            check_document(world->peers[i].doc);
        }
        check_mirror(world);
        ydoc_buf_reset(&a);
        ydoc_buf_reset(&b);
        ENSURE(ydoc_encode_snapshot_v1(world->peers[0].doc, &a) == 0);
        ENSURE(ydoc_encode_snapshot_v1(world->peers[1].doc, &b) == 0);
        same = check_same(&a, &b);
    }
    ENSURE(same);
    ydoc_buf_fini(&a);
    ydoc_buf_fini(&b);
    check_equal_texts(world);
    check_equal_states(world);
}

static void undo_all(struct peer *peer)
{
    for (int n = 0; peer->undo != NULL && n < 100 && ydoc_undo_undo(peer->undo) == 1; n++)
        check_document(peer->doc);
    for (int n = 0; peer->undo != NULL && n < 100 && ydoc_undo_redo(peer->undo) == 1; n++)
        check_document(peer->doc);
    take_changes(peer);
}

static void end(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        while (world->peers[i].depth > 0)
            commit(&world->peers[i]);
        take_changes(&world->peers[i]);
        world->peers[i].doc->limits.work_max = UINT64_MAX / 2;
    }
    world->options &= ~(unsigned)OPTION_LITTLE;
    exchange(world);
    for (int i = 0; i < 2; i++)
        undo_all(&world->peers[i]);
    exchange(world);
}

static void open_peer(struct world *world, int i)
{
    struct peer *peer = &world->peers[i];
    struct ydoc_limits limits = {.work_max = world->options & OPTION_LITTLE ? 200 : 0};
    struct ydoc_options options = {.alloc = &peer->alloc, .limits = &limits};

    peer->world = world;
    peer->alloc.resize = resize;
    peer->alloc.ctx = &peer->account;
    options.keep_deleted = i == 0 && (world->options & OPTION_KEEP);
    options.client_id = (world->options & OPTION_LARGE ? 0x1234567890u : 7u) + (unsigned)i;
    ENSURE(ydoc_new(&peer->doc, &options) == 0);
    declare_roots(peer);
    ydoc_buf_init(&peer->past, NULL);
    ydoc_buf_init(&peer->position, NULL);
    if (takes_changes(peer))
        return;
    if (world->options & OPTION_V2)
        ENSURE(ydoc_observe_updates(peer->doc, 2, on_update_v2, peer) > 0);
    else
        ENSURE(ydoc_observe_updates(peer->doc, 1, on_update_v1, peer) > 0);
}

static void close_peer(struct peer *peer)
{
    while (peer->sent_n > 0)
        drop_sent(peer, peer->sent_n - 1);
    ydoc_snapshot_free(peer->snapshot);
    ydoc_undo_free(peer->undo);
    ydoc_buf_fini(&peer->past);
    ydoc_buf_fini(&peer->position);
    ENSURE(ydoc_memory_used(peer->doc) == peer->account.bytes || peer->doc->broken);
    ydoc_free(peer->doc);
    ENSURE(peer->account.bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.in = {data, size}};
    struct ydoc_options options = {.no_format_cleanup = true, .client_id = 99};

    world.options = next(&world.in);
    world.is_mixed = (world.options & (OPTION_KEEP | OPTION_ASTRAL)) != 0;
    ENSURE(ydoc_new(&world.mirror, &options) == 0);
    for (int i = 0; i < 2; i++)
        open_peer(&world, i);
    if (run(&world))
        end(&world);
    for (int i = 0; i < 2; i++)
        close_peer(&world.peers[i]);
    ydoc_free(world.mirror);
    return 0;
}
