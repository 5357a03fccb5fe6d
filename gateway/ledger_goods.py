"""The ledger's goods: batches, counts by the quarter of an hour, and what people corrected.

An inspection and a correction change batch and quarter in one transaction, so that their sums are the same.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from gateway.alerts import SECOND_NS
from gateway.batches import Batch, Rate, Verdict, corrected, tally
from gateway.doubtful import DoubtfulItem
from gateway.ledger_file import LedgerFile
from wire.commands import Command
from wire.messages import Inspection

QUARTER_NS = 900 * SECOND_NS
"""Every time zone's midnight begins a quarter of an hour."""
ItemKey = tuple[str, str, int]
"""Node, inspection and number of an item."""
_MEASURES = ("lightness", "size_mm")


class ProductTally(Struct, frozen=True, kw_only=True):
    """Items of one product of one machine within some time, as people corrected them."""

    machine: str
    product: str
    items: int
    rejects: int
    unsure: int

    @property
    def rate(self) -> Rate:
        """Of its rejects."""
        return Rate.of(self.rejects, self.items - self.unsure)


class Correction(Struct, frozen=True, kw_only=True):
    """What a person said of an item, and what became of the command that tells its camera."""

    verdict: Literal["good", "reject"]
    by: str
    at_ns: int
    state: Literal["queued", "sent", "done", "refused", "expired"]
    reason: str
    """The node's answer, in English."""


class Switch(Struct, frozen=True, kw_only=True):
    """What a person said last of what lies under a camera."""

    product: str
    by: str
    waits: bool
    """Whether its node has not answered yet."""


class GoodsBook:
    """The goods' part of one transaction."""

    def __init__(self, db: sqlite3.Connection, now_ns: int) -> None:
        self._db = db
        self._now_ns = now_ns
        self.unreadable = 0
        """Batches whose row cannot be read; nothing more is told of them."""

    def inspected(self, seen: Inspection) -> None:
        """Counts an inspection into its batch and its quarter of an hour; pieces of a lesson are no production and count nowhere."""
        if seen.lesson is not None:
            return
        known = self._batch(seen.site, seen.machine, seen.product, seen.batch)
        self.put(tally(known, seen, now_ns=self._now_ns))
        verdicts = [item.verdict for item in seen.items if not item.cut_off]
        counts = (len(verdicts), verdicts.count("reject"), verdicts.count("unsure"))
        self._count(seen.site, seen.machine, seen.product, min(seen.time_ns, self._now_ns), counts)
        if seen.called:
            self._db.execute(
                "INSERT INTO products VALUES (?, ?, ?) ON CONFLICT(site, product) DO UPDATE SET called = excluded.called"
                " WHERE called != excluded.called",
                (seen.site, seen.product, seen.called),
            )

    def called(self) -> dict[str, str]:
        """See `GoodsReads.called`."""
        return _called(self._db)

    def open_batches(self) -> list[Batch]:
        """Those of which there may be something to tell. One that cannot be read is closed and logged: the others are told of."""
        rows = self._db.execute(
            "SELECT site, machine, product, batch, body FROM batches WHERE closed = 0 ORDER BY last_ns"
        ).fetchall()
        found = []
        for site, machine, product, name, body in rows:
            batch = read_batch(body)
            if batch is not None:
                found.append(batch)
                continue
            self.unreadable += 1
            logging.getLogger(__name__).error(
                "batch %s of %s at %s cannot be read; not told of", name, product, machine
            )
            self._db.execute(
                "UPDATE batches SET closed = 1 WHERE site = ? AND machine = ? AND product = ? AND batch = ?",
                (site, machine, product, name),
            )
        return found

    def put(self, batch: Batch) -> None:
        """Keeps it."""
        self._db.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(site, machine, product, batch) DO UPDATE SET"
            " closed = excluded.closed, last_ns = excluded.last_ns, body = excluded.body",
            (
                batch.site,
                batch.machine,
                batch.product,
                batch.batch,
                int(batch.closed),
                batch.last_ns,
                msgspec.json.encode(batch),
            ),
        )

    def correct(self, item: DoubtfulItem, verdict: Literal["good", "reject"], *, by: str, command: str) -> None:
        """A person's word about an item counts from here on, however often it changes; that about a lesson's is only kept."""
        key = (item.site, item.node, item.inspection, item.item)
        row = self._db.execute(
            "SELECT verdict FROM corrections WHERE site = ? AND node = ? AND inspection = ? AND item = ?", key
        ).fetchone()
        before: Verdict = item.verdict if row is None else row["verdict"]
        self._db.execute(
            "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(site, node, inspection, item) DO UPDATE SET"
            " verdict = excluded.verdict, by = excluded.by, at_ns = excluded.at_ns, command = excluded.command",
            (*key, verdict, by, self._now_ns, command),
        )
        batch = self._batch(item.site, item.machine, item.product, item.batch)
        if batch is None or before == verdict or item.lesson:
            return
        self.put(corrected(batch, item.label, before, verdict))
        rejects, unsure = ((verdict == name) - (before == name) for name in ("reject", "unsure"))
        self._count(item.site, item.machine, item.product, item.at_ns, (0, rejects, unsure))

    def _count(self, site: str, machine: str, product: str, at_ns: int, counts: tuple[int, int, int]) -> None:
        self._db.execute(
            "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(site, machine, product, at_ns) DO UPDATE SET"
            " items = items + excluded.items, rejects = rejects + excluded.rejects, unsure = unsure + excluded.unsure",
            (site, machine, product, at_ns // QUARTER_NS * QUARTER_NS, *counts),
        )

    def _batch(self, site: str, machine: str, product: str, batch: str) -> Batch | None:
        row = self._db.execute(
            "SELECT body FROM batches WHERE site = ? AND machine = ? AND product = ? AND batch = ?",
            (site, machine, product, batch),
        ).fetchone()
        return None if row is None else read_batch(row["body"])


class GoodsReads:
    """What can be read of them, from any thread."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def called(self) -> dict[str, str]:
        """What people call products, by product: as cameras say it, else as it was said on the page last, of what was taught before the rest."""
        with self._file.read() as db:
            return _called(db)

    def switches(self, site: str) -> dict[tuple[str, str], Switch]:
        """What was said last of what lies under a camera, by node and camera; of each of the latest hundred."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT node, state, body FROM commands WHERE site = ? AND action = 'set_product' ORDER BY at_ns DESC LIMIT 100",
                (site,),
            ).fetchall()
        found: dict[tuple[str, str], Switch] = {}
        for row in reversed(rows):
            command = msgspec.json.decode(row["body"], type=Command)
            if command.camera and command.product:
                waits = row["state"] in ("queued", "sent")
                found[row["node"], command.camera] = Switch(product=command.product, by=command.by, waits=waits)
        return found

    def batches(self, *, limit: int = 100) -> list[Batch]:
        """Batches that can be read, latest first."""
        with self._file.read() as db:
            rows = db.execute("SELECT body FROM batches ORDER BY last_ns DESC LIMIT ?", (limit,)).fetchall()
        return [batch for batch in (read_batch(row["body"]) for row in rows) if batch is not None]

    def tallies(self, since_ns: int) -> list[ProductTally]:
        """What was counted since then, to the quarter of an hour, by machine and product."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT machine, product, MAX(SUM(items), 0) AS items, MAX(SUM(rejects), 0) AS rejects,"
                " MAX(SUM(unsure), 0) AS unsure FROM tallies WHERE at_ns >= ? GROUP BY machine, product ORDER BY machine, product",
                (since_ns,),
            ).fetchall()
        return [ProductTally(**dict(row)) for row in rows]

    def corrections(self, site: str, items: Iterable[ItemKey]) -> dict[ItemKey, Correction]:
        """What people said of these items."""
        found: dict[ItemKey, Correction] = {}
        with self._file.read() as db:
            for key in items:
                row = db.execute(
                    "SELECT c.verdict, c.by, c.at_ns, k.state, k.reason FROM corrections c JOIN commands k ON k.id = c.command"
                    " WHERE c.site = ? AND c.node = ? AND c.inspection = ? AND c.item = ?",
                    (site, *key),
                ).fetchone()
                if row is not None:
                    found[key] = Correction(**dict(row))
        return found


def _called(db: sqlite3.Connection) -> dict[str, str]:
    # What was not taught in the end counts least: while it is collected it has no other name.
    lessons = db.execute("SELECT product, label FROM lessons ORDER BY teach IS NOT NULL, at_ns, id").fetchall()
    told = db.execute("SELECT product, called FROM products").fetchall()
    return dict((*lessons, *told))


def read_batch(body: bytes) -> Batch | None:
    """A batch as it was kept; without its measures where only these are broken, None where more is."""
    try:
        return msgspec.json.decode(body, type=Batch)
    except msgspec.MsgspecError:
        pass
    try:
        kept = msgspec.json.decode(body, type=dict[str, object])
        return msgspec.convert({name: kept[name] for name in kept if name not in _MEASURES}, Batch)
    except msgspec.MsgspecError:
        return None
