"""The ledger's tables and how they came to be: one numbered step per version, each applied once, in one transaction."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE alerts(
            id TEXT PRIMARY KEY, site TEXT NOT NULL, machine TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
            closed INTEGER NOT NULL, severity INTEGER NOT NULL, opened_ns INTEGER, closed_ns INTEGER, due_ns INTEGER,
            last_seen_ns INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID""",
        # At most one alert per trouble of a machine waits for somebody: held by the file itself, not only by the code.
        "CREATE UNIQUE INDEX alerts_open ON alerts(site, machine, key) WHERE closed = 0",
        "CREATE INDEX alerts_trouble ON alerts(site, machine, key, closed_ns)",
        "CREATE INDEX alerts_due ON alerts(due_ns) WHERE due_ns IS NOT NULL",
        "CREATE INDEX alerts_recent ON alerts(last_seen_ns)",
        """CREATE TABLE sources(site TEXT NOT NULL, source TEXT NOT NULL, alert TEXT NOT NULL,
            PRIMARY KEY(site, source)) WITHOUT ROWID""",
        "CREATE INDEX sources_alert ON sources(alert)",
        """CREATE TABLE history(
            alert TEXT NOT NULL, version INTEGER NOT NULL, at_ns INTEGER NOT NULL, what TEXT NOT NULL, by TEXT NOT NULL,
            text TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, cause TEXT NOT NULL,
            PRIMARY KEY(alert, version)) WITHOUT ROWID""",
        """CREATE TRIGGER history_unchanged BEFORE UPDATE ON history
            BEGIN SELECT RAISE(ABORT, 'history is append-only'); END""",
        """CREATE TRIGGER history_kept BEFORE DELETE ON history
            BEGIN SELECT RAISE(ABORT, 'history is append-only'); END""",
        """CREATE TABLE audit(
            id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, by TEXT NOT NULL, what TEXT NOT NULL,
            object TEXT NOT NULL, text TEXT NOT NULL)""",
        """CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
        """CREATE TRIGGER audit_kept BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
        """CREATE TABLE positions(reader TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL, at_ns INTEGER NOT NULL,
            PRIMARY KEY(reader, log)) WITHOUT ROWID""",
        """CREATE TABLE set_apart(
            id INTEGER PRIMARY KEY AUTOINCREMENT, log TEXT NOT NULL, seq INTEGER NOT NULL, stream TEXT NOT NULL,
            at_ns INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, payload BLOB NOT NULL, UNIQUE(log, seq))""",
        """CREATE TABLE outbox(
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, subject TEXT NOT NULL,
            severity TEXT NOT NULL, at_ns INTEGER NOT NULL, body BLOB NOT NULL)""",
        """CREATE TABLE targets(
            kind TEXT NOT NULL, name TEXT NOT NULL, wants BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0,
            disabled TEXT NOT NULL DEFAULT '', since_ns INTEGER NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID""",
        """CREATE TABLE deliveries(
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL,
            seq INTEGER NOT NULL REFERENCES outbox(seq), subject TEXT NOT NULL, state TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0, next_ns INTEGER NOT NULL,
            since_ns INTEGER NOT NULL, last_ns INTEGER, error TEXT NOT NULL DEFAULT '', UNIQUE(kind, name, seq))""",
        "CREATE INDEX deliveries_pending ON deliveries(kind, name, subject, seq) WHERE state = 'pending'",
        "CREATE INDEX deliveries_state ON deliveries(state, kind, name)",
        "CREATE INDEX deliveries_seq ON deliveries(seq)",
        """CREATE TABLE commands(
            id TEXT PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL, origin TEXT NOT NULL, machine TEXT NOT NULL,
            action TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, at_ns INTEGER NOT NULL,
            expires_ns INTEGER NOT NULL, next_ns INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
            reason TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
        "CREATE INDEX commands_waiting ON commands(next_ns) WHERE state IN ('queued', 'sent')",
        """CREATE TABLE batches(
            site TEXT NOT NULL, machine TEXT NOT NULL, product TEXT NOT NULL, batch TEXT NOT NULL, closed INTEGER NOT NULL,
            last_ns INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(site, machine, product, batch)) WITHOUT ROWID""",
        "CREATE INDEX batches_open ON batches(closed, last_ns)",
    ),
    (
        "CREATE INDEX batches_recent ON batches(last_ns)",
        """CREATE TABLE tallies(
            site TEXT NOT NULL, machine TEXT NOT NULL, product TEXT NOT NULL, at_ns INTEGER NOT NULL, items INTEGER NOT NULL,
            rejects INTEGER NOT NULL, unsure INTEGER NOT NULL, PRIMARY KEY(site, machine, product, at_ns)) WITHOUT ROWID""",
        "CREATE INDEX tallies_recent ON tallies(at_ns)",
        """CREATE TABLE corrections(
            site TEXT NOT NULL, node TEXT NOT NULL, inspection TEXT NOT NULL, item INTEGER NOT NULL, verdict TEXT NOT NULL,
            by TEXT NOT NULL, at_ns INTEGER NOT NULL, command TEXT NOT NULL, PRIMARY KEY(site, node, inspection, item)) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE lessons(
            id TEXT PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL, camera TEXT NOT NULL, machine TEXT NOT NULL,
            product TEXT NOT NULL, label TEXT NOT NULL, known TEXT, by TEXT NOT NULL, at_ns INTEGER NOT NULL,
            until_ns INTEGER NOT NULL, start TEXT NOT NULL REFERENCES commands(id), teach TEXT REFERENCES commands(id),
            taught_by TEXT NOT NULL DEFAULT '', ended_ns INTEGER, answer BLOB) WITHOUT ROWID""",
        "CREATE INDEX lessons_recent ON lessons(at_ns)",
        "CREATE INDEX lessons_camera ON lessons(site, node, camera, at_ns)",
    ),
    (
        """CREATE TABLE products(
            site TEXT NOT NULL, product TEXT NOT NULL, called TEXT NOT NULL, PRIMARY KEY(site, product)) WITHOUT ROWID""",
    ),
    ("ALTER TABLE targets ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0",),
)


class SchemaError(Exception):
    """The file was written by a newer version."""


def migrate(connection: sqlite3.Connection, *, now_ns: int) -> int:
    """Brings the file to the newest version; returns it. Each step is one transaction and noted in `migrations`.

    Raises:
        SchemaError: the file's version is higher than this program knows.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations(version INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL) WITHOUT ROWID"
    )
    (present,) = connection.execute("SELECT COALESCE(MAX(version), 0) FROM migrations").fetchone()
    if present > len(MIGRATIONS):
        raise SchemaError(f"ledger version {present}; this program knows up to {len(MIGRATIONS)}")
    for version, statements in enumerate(MIGRATIONS[present:], start=present + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (version, now_ns))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return len(MIGRATIONS)
