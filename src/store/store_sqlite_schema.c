#include "store/store_sqlite.h"

#include <string.h>

/* The tables, for whoever opens skein.db with sqlite3.
 *
 * rooms      a room is known by tenant, kind and name as long as gone_ms is
 *            NULL; a deleted one keeps its row until its records are erased.
 * tail       what was appended in the last second or so, in the order of
 *            arrival, a row for each append.
 * log        everything older: all records of a room that were in the tail at
 *            once, packed in one row (see store_batch.h for the bytes).
 *            authors is for reading; the exact ones are inside data.
 * snapshots  data is one zstd frame with a checksum, size its length unpacked.
 * versions   named points of a room's log.
 *
 * Times are milliseconds since 1970. The sequence numbers of a room's rows in
 * log and then tail follow each other without a gap; after a crash, records may
 * be in both, and the log's are as good as the tail's.
 *
 * WHY A TAIL. A commit of edits in a hundred rooms, put where it belongs at
 * once, dirties a page of 4 KB in a hundred places for a hundred times 30 bytes.
 * Appended to one table it dirties two or three, and what belongs together is
 * brought together once a second. docs/decisions/003-store-layout.md has the figures. */
static const struct store_migration schema_steps[] = {
    {"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
     "INSERT INTO meta VALUES('made_by', 'skein " SKEIN_VERSION "');"
     "CREATE TABLE rooms("
     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
     "  epoch BLOB NOT NULL, created_ms INTEGER NOT NULL,"
     "  settings TEXT NOT NULL DEFAULT '{}', gone_ms INTEGER);"
     "CREATE UNIQUE INDEX rooms_by_name ON rooms(tenant, kind, name) WHERE gone_ms IS NULL;"
     "CREATE INDEX rooms_gone ON rooms(gone_ms) WHERE gone_ms IS NOT NULL;"
     "CREATE TABLE tail("
     "  id INTEGER PRIMARY KEY, room INTEGER NOT NULL,"
     "  first INTEGER NOT NULL, last INTEGER NOT NULL, data BLOB NOT NULL);"
     "CREATE TABLE log("
     "  id INTEGER PRIMARY KEY, room INTEGER NOT NULL,"
     "  first INTEGER NOT NULL, last INTEGER NOT NULL,"
     "  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
     "  authors TEXT NOT NULL, data BLOB NOT NULL);"
     "CREATE UNIQUE INDEX log_by_room ON log(room, last);"
     "CREATE TABLE snapshots("
     "  room INTEGER NOT NULL, seq INTEGER NOT NULL, made_ms INTEGER NOT NULL,"
     "  size INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(room, seq));"
     "CREATE TABLE versions("
     "  id INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL,"
     "  made_ms INTEGER NOT NULL, author TEXT NOT NULL, name TEXT NOT NULL);"
     "CREATE INDEX versions_by_room ON versions(room, seq);"
     "CREATE VIEW history AS SELECT tenant, kind, name, first, last,"
     "  datetime(from_ms / 1000, 'unixepoch') AS since,"
     "  datetime(to_ms / 1000, 'unixepoch') AS until, authors, length(data) AS bytes"
     "  FROM log JOIN rooms ON rooms.id = log.room;"
     "CREATE VIEW heads AS SELECT id, tenant, kind, name, max("
     "  ifnull((SELECT max(last) FROM tail WHERE tail.room = rooms.id), 0),"
     "  ifnull((SELECT max(last) FROM log WHERE log.room = rooms.id), 0),"
     "  ifnull((SELECT max(seq) FROM snapshots WHERE snapshots.room = rooms.id), 0)) AS head"
     "  FROM rooms WHERE gone_ms IS NULL;"},
};

#define SCHEMA_VERSION ((int)(sizeof(schema_steps) / sizeof(schema_steps[0])))

static int get_pragma(sqlite3 *db, const char *sql, int *out, struct err *e)
{
    struct sqlite_conn c = {.db = db};
    sqlite3_stmt *st = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
        rc = store__sqlite_fail(&c, sql, e);
    else
        *out = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return rc;
}

/* One step and the version that it leads to are one transaction. */
static int run_step(sqlite3 *db, const struct store_migration *step, int version, struct err *e)
{
    char sql[64];
    int rc;

    rc = store__sqlite_exec(db, "BEGIN IMMEDIATE", "begin a migration", e);
    if (rc != 0)
        return rc;
    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version = %d", version);
    rc = store__sqlite_exec(db, step->sql, "migrate", e);
    if (rc == 0)
        rc = store__sqlite_exec(db, sql, "write the version", e);
    if (rc == 0)
        rc = store__sqlite_exec(db, "COMMIT", "commit a migration", e);
    if (rc != 0 && sqlite3_get_autocommit(db) == 0)
        (void)store__sqlite_exec(db, "ROLLBACK", "roll back", NULL);
    return rc;
}

int store__sqlite_migrate(sqlite3 *db, const struct store_migration *steps, int count,
                          struct err *e)
{
    int version = 0;
    int rc = get_pragma(db, "PRAGMA user_version", &version, e);

    if (rc != 0)
        return rc;
    if (version > count)
        return err_set(e, SK_EVERSION,
                       "the database has version %d, this program knows %d: it was used by a newer "
                       "Skein, start that one",
                       version, count);
    if (version < 0)
        return err_set(e, SK_ECORRUPT, "the database says version %d", version);
    for (int v = version; v < count; v++) {
        rc = run_step(db, &steps[v], v + 1, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* A file of another program is not written to. */
static int check_owner(sqlite3 *db, struct err *e)
{
    int id = 0, tables = 0;
    int rc = get_pragma(db, "PRAGMA application_id", &id, e);

    if (rc == 0)
        rc = get_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables, e);
    if (rc != 0 || id == SKEIN_APPLICATION_ID)
        return rc;
    if (id != 0 || tables != 0)
        return err_set(e, SK_EINVAL, "the file is a database of another program, not Skein's");
    return store__sqlite_exec(db, "PRAGMA application_id = 1399547241", "mark the file", e);
}

int store__sqlite_schema(sqlite3 *db, struct err *e)
{
    int rc = check_owner(db, e);

    _Static_assert(SKEIN_APPLICATION_ID == 1399547241, "the pragma above has it in decimal");
    return rc != 0 ? rc : store__sqlite_migrate(db, schema_steps, SCHEMA_VERSION, e);
}

int store__sqlite_check_schema(sqlite3 *db, struct err *e)
{
    int id = 0, version = 0;
    int rc = get_pragma(db, "PRAGMA application_id", &id, e);

    if (rc == 0)
        rc = get_pragma(db, "PRAGMA user_version", &version, e);
    if (rc != 0)
        return rc;
    if (id != SKEIN_APPLICATION_ID)
        return err_set(e, SK_EINVAL, "the file is a database of another program, not Skein's");
    if (version != SCHEMA_VERSION)
        return err_set(e, SK_EVERSION,
                       "the database has version %d, this program reads %d: use the Skein that "
                       "serves it",
                       version, SCHEMA_VERSION);
    return 0;
}
