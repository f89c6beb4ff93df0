#ifndef SKEIN_YDOC_CLI_ORACLE_SNAPSHOTS_H
#define SKEIN_YDOC_CLI_ORACLE_SNAPSHOTS_H

/* oracle_snapshots - the oracle's commands for the past of a document. Snapshots
 * are format v1, lists as elsewhere in the protocol.
 *
 *     A  list of texts: name, snapshot or nothing, snapshot before or nothing:
 *        the JSON of toDelta(snapshot, before)
 *     a  the same with a `ychange` of {"user": client, "type": …}
 *     B  list: name, snapshot: the plain text
 *     G  u8 gc, snapshot: the state (v1) of the document made from it
 *     H  list: u8 kind, name, snapshot: the values of a list, or the entries of a
 *        map, as JSON; a nested type is {"$type": kind}
 *     I  i  list: snapshot, update of format v1 or v2: u8, is it contained
 *     W  u8 version, a snapshot in it: list of the snapshot in v1 and in v2
 *     Z  an encoded relative position: its JSON
 *     z  JSON: the encoded relative position
 */
#include <ydoc.h>

#define ORACLE_SNAPSHOT_COMMANDS "AaBGHIiWZz"

int oracle_snapshots(struct ydoc *doc, uint8_t command, struct ydoc_slice payload,
                     struct ydoc_buf *out);

#endif
