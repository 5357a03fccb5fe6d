"""What is kept of inspected goods for people to look at: small pictures of rejected and doubtful items, and control charts.

One SQLite file beside the ledger. It counts nothing (the ledger does), so that it may forget: by days and by megabytes, the oldest
first, logged. A file that is broken or of another version is moved aside and a new one begun; one that cannot be opened is tried
again, and the gateway runs without it. Pictures are bytes in a table and never files, so that no
name that a node sends becomes a path.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from gateway.doubtful import DoubtfulItem, pictured
from gateway.store.database import is_corruption, move_aside
from wire.messages import ChartPoint, Inspection

PictureKind: TypeAlias = Literal["item", "seen"]
"""The item itself; the same with the places that spoke for its label."""
Quantity: TypeAlias = Literal["lightness", "size"]
DAY_NS = 86_400_000_000_000
TIDY_NS = 60_000_000_000
MOST_POINTS = 200_000
"""Points of all charts together, about 60 MB; the oldest go."""
_VERSION = 1
_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, inspection TEXT NOT NULL,
    item INTEGER NOT NULL, at_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (node, inspection, item));
CREATE INDEX IF NOT EXISTS items_recent ON items (at_ns, id, bytes);
CREATE TABLE IF NOT EXISTS pictures (owner INTEGER NOT NULL REFERENCES items ON DELETE CASCADE, kind TEXT NOT NULL,
    jpeg BLOB NOT NULL, PRIMARY KEY (owner, kind));
CREATE TABLE IF NOT EXISTS lessons (owner INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE, lesson TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS lessons_items ON lessons (lesson);
CREATE TABLE IF NOT EXISTS charts (id INTEGER PRIMARY KEY, node TEXT NOT NULL, camera TEXT NOT NULL, machine TEXT NOT NULL,
    product TEXT NOT NULL, quantity TEXT NOT NULL, last_ns INTEGER NOT NULL, UNIQUE (node, camera, machine, product, quantity));
CREATE TABLE IF NOT EXISTS points (chart INTEGER NOT NULL REFERENCES charts ON DELETE CASCADE, at_ns INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (chart, at_ns)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_recent ON points (at_ns);
PRAGMA user_version = {_VERSION};
"""


class GoodsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[goods]` in gateway.toml: how long pictures and charts of goods are kept."""

    keep_days: Annotated[float, Meta(ge=0, le=3650, description="days that pictures are kept; 0 keeps none")] = 14.0
    keep_mb: Annotated[int, Meta(ge=1, le=100_000, description="most megabytes of pictures; then the oldest go")] = 200
    chart_days: Annotated[float, Meta(gt=0, le=3650, description="days that points of control charts are kept")] = 90.0


class DatedPoint(Struct, frozen=True, kw_only=True):
    """A point of a control chart with its time."""

    at_ns: int
    point: ChartPoint


class ProductChart(Struct, frozen=True, kw_only=True):
    """The control chart of one quantity of one product under one camera, oldest point first."""

    node: str
    camera: str
    machine: str
    product: str
    quantity: Quantity
    points: list[DatedPoint]


class GoodsUnavailable(Exception):
    """The file cannot be opened, read or written now."""


class _Unusable(Exception):
    """The file is damaged, or of another version."""


class Goods:
    """The file. Every method may be called from any thread, and raises `GoodsUnavailable` while it cannot be used.

    Args:
        path: made if it is not there, moved aside when it is broken or of another version.
        options: how much is kept.
        retry_s: a file that cannot be opened is tried again after this long.
    """

    def __init__(self, path: Path, options: GoodsOptions | None = None, *, retry_s: float = 10.0) -> None:
        self._path = path
        self._options = options if options is not None else GoodsOptions()
        self.refused = 0
        """Pictures since start that were no JPEG."""
        self._lock = Lock()
        self._tidied_ns: int | None = None
        self._retry_s = retry_s
        self._db: sqlite3.Connection | None = None
        self._next_try_s = -math.inf
        self._why = ""
        with suppress(GoodsUnavailable), self._using():
            pass

    @property
    def keeps_pictures(self) -> bool:
        """Whether any are kept at all."""
        return self._options.keep_days > 0

    def take(self, seen: Sequence[Inspection], *, now_ns: int) -> None:
        """Keeps what these inspections carry; one that was taken before changes nothing."""
        if not any(each.charts or any(item.picture for item in each.items) for each in seen):
            return
        with self._transaction() as db:
            for each in seen:
                at_ns = min(each.time_ns, now_ns)
                if self._options.keep_days > 0:
                    self.refused += _keep_items(db, each, at_ns)
                for quantity, point in each.charts.items():
                    _keep_point(db, each, quantity, point, at_ns)
        self.tidy(now_ns)

    def items(self, *, limit: int = 24, before: int | None = None) -> list[DoubtfulItem]:
        """Latest first, without those of lessons; those older than the item with id `before`, where it is given."""
        rows = self._rows(
            "SELECT id, body FROM items WHERE id NOT IN (SELECT owner FROM lessons) AND (:before IS NULL"
            " OR (at_ns, id) < (SELECT at_ns, id FROM items WHERE id = :before)) ORDER BY at_ns DESC, id DESC LIMIT :limit",
            {"before": before, "limit": limit},
        )
        return [_item(*row) for row in rows]

    def lesson_items(self, node: str, lesson: str, *, limit: int = 200) -> list[DoubtfulItem]:
        """What a node has collected for a lesson, oldest first."""
        rows = self._rows(
            "SELECT id, body FROM items JOIN lessons ON owner = id WHERE lesson = ? AND node = ? ORDER BY at_ns, id LIMIT ?",
            (lesson, node, limit),
        )
        return [_item(*row) for row in rows]

    def item(self, node: str, inspection: str, number: int) -> DoubtfulItem | None:
        """One of them."""
        rows = self._rows(
            "SELECT id, body FROM items WHERE node = ? AND inspection = ? AND item = ?", (node, inspection, number)
        )
        return _item(*rows[0]) if rows else None

    def picture(self, node: str, inspection: str, number: int, kind: PictureKind) -> bytes | None:
        """A picture as JPEG."""
        rows = self._rows(
            "SELECT jpeg FROM pictures JOIN items ON items.id = owner"
            " WHERE node = ? AND inspection = ? AND item = ? AND kind = ?",
            (node, inspection, number, kind),
        )
        return bytes(rows[0][0]) if rows else None

    def charts(self, *, quantity: Quantity, since_ns: int, limit: int = 12, points: int = 60) -> list[ProductChart]:
        """Charts that have a point since then, by the latest, with their latest points whenever those were."""
        found = self._rows(
            "SELECT id, node, camera, machine, product FROM charts WHERE quantity = ? AND last_ns >= ?"
            " ORDER BY last_ns DESC LIMIT ?",
            (quantity, since_ns, limit),
        )
        return [
            ProductChart(
                node=node,
                camera=camera,
                machine=machine,
                product=product,
                quantity=quantity,
                points=self._points(chart, points),
            )
            for chart, node, camera, machine, product in found
        ]

    def tidy(self, now_ns: int) -> int:
        """Forgets what is too old or too much and says so in the log; returns of how many items. Looks once a minute."""
        last_ns = self._tidied_ns
        if last_ns is not None and 0 <= now_ns - last_ns < TIDY_NS:
            return 0
        options = self._options
        with self._transaction() as db:
            gone = _forget_items(db, now_ns - round(options.keep_days * DAY_NS), options.keep_mb * 1_000_000)
            _forget_points(db, now_ns - round(options.chart_days * DAY_NS))
        self._tidied_ns = now_ns
        if gone:
            with self._using() as db:
                db.executescript("PRAGMA incremental_vacuum")  # `execute` steps once, which frees one page
            logging.getLogger(__name__).info("pictures of %d items deleted: too old, or too many", gone)
        return gone

    def close(self) -> None:
        """Closes the file for good."""
        with self._lock:
            self._next_try_s, self._why = math.inf, "closed"
            if self._db is not None:
                self._db.close()

    def _points(self, chart: int, limit: int) -> list[DatedPoint]:
        rows = self._rows("SELECT at_ns, body FROM points WHERE chart = ? ORDER BY at_ns DESC LIMIT ?", (chart, limit))
        found = []
        for at_ns, body in rows[::-1]:
            with suppress(msgspec.MsgspecError):  # kept when more was allowed
                found.append(DatedPoint(at_ns=at_ns, point=msgspec.json.decode(body, type=ChartPoint)))
        return found

    def _rows(self, sql: str, values: tuple[object, ...] | dict[str, object]) -> list[tuple[Any, ...]]:
        with self._using() as db:
            return db.execute(sql, values).fetchall()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._connected()
        except sqlite3.Error as exc:
            raise GoodsUnavailable(f"{self._path}: {exc}") from exc

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            now_s = time.monotonic()
            if now_s < self._next_try_s:
                raise GoodsUnavailable(self._why)
            self._next_try_s = now_s + self._retry_s
            try:
                self._db = _open(self._path)
            except (OSError, sqlite3.Error, _Unusable) as exc:
                self._why = f"{self._path} cannot be opened: {exc}"
                raise GoodsUnavailable(self._why) from exc
        return self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except (sqlite3.Error, _Unusable) as exc:
        if isinstance(exc, sqlite3.Error) and not is_corruption(exc):
            raise
        aside = move_aside(path)
        logging.getLogger(__name__).warning("%s cannot be used (%s); moved to %s, begun anew", path, exc, aside)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)
    try:
        _require_usable(db)
        db.executescript(_SCHEMA)
        db.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes are pictures of the last moments; the file itself stays consistent.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        db.close()
        raise
    return db


def _require_usable(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise _Unusable(f"version {version}; this program knows {_VERSION}")
    (check,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if check != "ok":
        raise _Unusable(f"damaged: {check}")


def _keep_items(db: sqlite3.Connection, seen: Inspection, at_ns: int) -> int:
    """Keeps what was not there; returns how many pictures were none."""
    if db.execute("SELECT 1 FROM items WHERE node = ? AND inspection = ?", (seen.node, seen.id)).fetchone():
        return 0
    found, refused = pictured(seen)
    for body, item, spots in found:
        kept = msgspec.structs.replace(body, at_ns=at_ns)
        owner = db.execute(
            "INSERT INTO items(node, inspection, item, at_ns, bytes, body) VALUES (?, ?, ?, ?, ?, ?)",
            (kept.node, kept.inspection, kept.item, at_ns, len(item) + len(spots), msgspec.json.encode(kept)),
        ).lastrowid
        if kept.lesson:
            db.execute("INSERT INTO lessons VALUES (?, ?)", (owner, kept.lesson))
        for kind, jpeg in (("item", item), ("seen", spots)):
            if jpeg:
                db.execute("INSERT INTO pictures VALUES (?, ?, ?)", (owner, kind, jpeg))
    return refused


def _keep_point(db: sqlite3.Connection, seen: Inspection, quantity: str, point: ChartPoint, at_ns: int) -> None:
    (chart,) = db.execute(
        "INSERT INTO charts(node, camera, machine, product, quantity, last_ns) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET last_ns = MAX(last_ns, excluded.last_ns) RETURNING id",
        (seen.node, seen.camera, seen.machine, seen.product, quantity, at_ns),
    ).fetchone()
    db.execute("INSERT INTO points VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (chart, at_ns, msgspec.json.encode(point)))


def _forget_items(db: sqlite3.Connection, before_ns: int, most_bytes: int) -> int:
    gone = db.execute("DELETE FROM items WHERE at_ns < ?", (before_ns,)).rowcount
    (held,) = db.execute("SELECT COALESCE(SUM(bytes), 0) FROM items").fetchone()
    if held > most_bytes:
        oldest = "SELECT id, SUM(bytes) OVER (ORDER BY at_ns, id) - bytes AS before FROM items"
        gone += db.execute(
            f"DELETE FROM items WHERE id IN (SELECT id FROM ({oldest}) WHERE before < ?)",  # noqa: S608  # fixed text
            (held - most_bytes,),
        ).rowcount
    return gone


def _forget_points(db: sqlite3.Connection, before_ns: int) -> None:
    db.execute("DELETE FROM points WHERE at_ns < ?", (before_ns,))
    (held,) = db.execute("SELECT COUNT(*) FROM points").fetchone()
    if held > MOST_POINTS:
        db.execute(
            "DELETE FROM points WHERE (chart, at_ns) IN (SELECT chart, at_ns FROM points ORDER BY at_ns LIMIT ?)",
            (held - MOST_POINTS,),
        )
    db.execute("DELETE FROM charts WHERE NOT EXISTS (SELECT 1 FROM points WHERE chart = charts.id)")


def _item(number: int, body: bytes) -> DoubtfulItem:
    found = msgspec.json.decode(body, type=DoubtfulItem)
    return msgspec.structs.replace(found, id=number)
