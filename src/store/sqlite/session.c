/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: who gave which change number.
 *
 * A derived file says which changes it contains by the number of the newest one. That is enough as
 * long as a number means one change; but a catalogue that was put back from a backup gives numbers
 * again that were given before, for other changes, and a file from before would then be taken for
 * one that only lacks the newest. So every process that writes draws 16 random bytes, and the
 * catalogue notes with its first change from which number on they are its own. A file of number c
 * fits a catalogue in which the same session gave c: everything up to c was then the same
 * catalogue, because a catalogue has one writer at a time.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

#include <string.h>

bool vt_sqlite_session_note(vt_sqlite_connection *writer, int64_t change)
{
    static const vt_snapshot_session none;
    if (writer->session_known || writer->session_noted)
        return true;
    while (memcmp(&writer->session, &none, sizeof none) == 0)
        sqlite3_randomness(sizeof writer->session.bytes, writer->session.bytes);
    sqlite3_stmt *put = writer->statements[VT_SQL_SESSION_PUT];
    sqlite3_bind_int64(put, 1, change);
    sqlite3_bind_blob(put, 2, writer->session.bytes, sizeof writer->session.bytes, SQLITE_STATIC);
    writer->session_noted = vt_sqlite_run(put);
    return writer->session_noted;
}

void vt_sqlite_session_end(vt_sqlite_connection *writer, bool committed)
{
    writer->session_known |= committed && writer->session_noted;
    writer->session_noted = false;
}

vt_status vt_sqlite_session_of(vt_sqlite_connection *connection, int64_t change,
                               vt_snapshot_session *out, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_SESSION_OF];
    vt_snapshot_session session = {0};
    sqlite3_bind_int64(row, 1, change);
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW && sqlite3_column_bytes(row, 0) == sizeof session.bytes)
        memcpy(session.bytes, sqlite3_column_blob(row, 0), sizeof session.bytes);
    vt_sqlite_reset(row);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return vt_sqlite_fail(connection->db, error, "read changes",
                              sqlite3_db_filename(connection->db, "main"));
    *out = session;
    return VT_OK;
}

vt_status vt_sqlite_session_fits(vt_sqlite_connection *connection, const vt_snapshot_head *head,
                                 bool *fits, vt_error *error)
{
    static const vt_snapshot_session nobody;
    vt_snapshot_session session = {0};
    if (head->change > INT64_MAX) {
        *fits = false;
        return VT_OK;
    }
    vt_status status = vt_sqlite_session_of(connection, (int64_t)head->change, &session, error);
    if (status == VT_OK)
        *fits = memcmp(&session, &nobody, sizeof session) != 0 &&
                memcmp(&session, &head->session, sizeof session) == 0;
    return status;
}
