"""The ledger's lessons: which product is being taught to which camera, by whom, and what came of it.

A lesson stands by itself: what its commands came to is read from the commands, so that the two can never differ.
"""

from __future__ import annotations

import sqlite3
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from gateway.ledger_file import LedgerFile
from wire.commands import EXPIRED
from wire.messages import Reply, Taught

Known: TypeAlias = Literal["add", "replace"]
LessonState: TypeAlias = Literal[
    "asked", "collecting", "collected", "teaching", "taught", "refused", "expired", "ended"
]
"""`asked`: the camera has not answered yet. `collected`: its time is over, and what was collected can still be taught.
`refused`, `expired`: it never began. `ended`: a person ended it, and nothing was learned."""
BUSY: frozenset[LessonState] = frozenset({"asked", "collecting", "teaching"})
"""While a lesson is in one of these, its camera takes no other."""
TEACHABLE: frozenset[LessonState] = frozenset({"collecting", "collected"})
_WAITING = ("queued", "sent")
_AWAY = "lesson_away"


class Lesson(Struct, frozen=True, kw_only=True):
    """One lesson at one moment."""

    id: str
    site: str
    node: str
    camera: str
    machine: str
    product: str
    """The name that files and messages bear."""
    label: str
    """What people call it."""
    known: Known | None
    """What becomes of what was taught of it before; None: it is new."""
    by: str
    """Who began it."""
    at_ns: int
    until_ns: int
    """What comes after this is not collected any more."""
    state: LessonState
    taught_by: str
    """Who said what its items are; empty for nobody yet."""
    code: str
    """Why the camera refused to begin or to learn, as a key of the catalogue; empty where it did not."""
    reason: str
    """The camera's answer, in English."""
    taught: Taught | None
    """What the camera has learned."""


class _Answer(Struct):
    code: str = ""
    reason: str = ""
    taught: Taught | None = None


class LessonBook:
    """The lessons' part of one transaction."""

    def __init__(self, db: sqlite3.Connection, now_ns: int) -> None:
        self._db = db
        self._now_ns = now_ns

    def get(self, lesson: str) -> Lesson | None:
        """By id."""
        return _get(self._db, lesson, self._now_ns)

    def busy(self, site: str, node: str, camera: str) -> Lesson | None:
        """The one that keeps a camera busy."""
        rows = self._db.execute(
            f"{_SELECT} WHERE l.site = ? AND l.node = ? AND l.camera = ? ORDER BY l.at_ns DESC LIMIT 5",
            (site, node, camera),
        ).fetchall()
        return next((lesson for row in rows if (lesson := _lesson(row, self._now_ns)).state in BUSY), None)

    def put(self, lesson: Lesson, start: str) -> None:
        """A new one, with the command that begins it."""
        self._db.execute(
            "INSERT INTO lessons(id, site, node, camera, machine, product, label, known, by, at_ns, until_ns, start)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                lesson.id,
                lesson.site,
                lesson.node,
                lesson.camera,
                lesson.machine,
                lesson.product,
                lesson.label,
                lesson.known,
                lesson.by,
                lesson.at_ns,
                lesson.until_ns,
                start,
            ),
        )

    def teach(self, lesson: str, command: str, by: str) -> None:
        """The command that teaches it; what was answered to one before is forgotten."""
        self._db.execute(
            "UPDATE lessons SET teach = ?, taught_by = ?, answer = NULL WHERE id = ?", (command, by, lesson)
        )

    def end(self, lesson: str) -> None:
        """It is over, and nothing was learned."""
        self._db.execute("UPDATE lessons SET ended_ns = ? WHERE id = ?", (self._now_ns, lesson))

    def replied(self, reply: Reply) -> None:
        """Keeps a camera's answer where it is one to a lesson."""
        # That it came too late is said by the command's state.
        code = "" if reply.code is None or reply.code == EXPIRED else reply.code
        answer = _Answer(code, reply.reason, reply.taught)
        self._db.execute(
            "UPDATE lessons SET answer = ? WHERE site = ? AND node = ? AND ? IN (start, teach)",
            (msgspec.json.encode(answer), reply.site, reply.node, reply.command),
        )


class LessonReads:
    """What can be read of them, from any thread."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def get(self, lesson: str, now_ns: int) -> Lesson | None:
        """By id."""
        with self._file.read() as db:
            return _get(db, lesson, now_ns)

    def latest(self, now_ns: int, limit: int = 20) -> list[Lesson]:
        """The latest begun first."""
        with self._file.read() as db:
            rows = db.execute(f"{_SELECT} ORDER BY l.at_ns DESC LIMIT ?", (limit,)).fetchall()
        return [_lesson(row, now_ns) for row in rows]


_SELECT = (
    "SELECT l.*, s.state AS start_state, t.state AS teach_state FROM lessons l JOIN commands s ON s.id = l.start"
    " LEFT JOIN commands t ON t.id = l.teach"
)


def _get(db: sqlite3.Connection, lesson: str, now_ns: int) -> Lesson | None:
    row = db.execute(f"{_SELECT} WHERE l.id = ?", (lesson,)).fetchone()
    return None if row is None else _lesson(row, now_ns)


def _lesson(row: sqlite3.Row, now_ns: int) -> Lesson:
    answer = _Answer() if row["answer"] is None else msgspec.json.decode(row["answer"], type=_Answer)
    return Lesson(
        **{name: row[name] for name in _PLAIN},
        state=_state(row, now_ns),
        code=_AWAY if row["teach_state"] == "expired" else answer.code,
        reason=answer.reason,
        taught=answer.taught,
    )


_PLAIN = (
    *("id", "site", "node", "camera", "machine", "product", "label", "known", "by", "at_ns", "until_ns"),
    "taught_by",
)


def _state(row: sqlite3.Row, now_ns: int) -> LessonState:
    start, teach, in_time = row["start_state"], row["teach_state"], now_ns < row["until_ns"]
    if teach == "done":
        return "taught"
    if row["ended_ns"] is not None:
        return "ended"
    if teach in _WAITING:
        return "teaching"
    if start == "refused":
        return "refused"
    if start == "done":
        return "collecting" if in_time else "collected"
    return "asked" if in_time and start in _WAITING else "expired"
