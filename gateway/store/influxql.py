"""Charts by InfluxQL over GET /query, which InfluxDB 1.x, 2.x (database mapping) and 3.x all answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from gateway.store.base import Chart, SeriesKey, StoreUnavailable
from gateway.store.config import InfluxConfig
from gateway.store.naming import MEASUREMENTS, locate, named
from gateway.store.server import Server
from gateway.store.window import window

_DAY_NS = 86_400_000_000_000
_NS_PER_MS = 1_000_000
_Cell = int | float | str | bool | None


class _Table(Struct):
    """One series of an answer: `values` are rows, one cell per column, the first one the time."""

    columns: list[str]
    name: str = ""
    tags: dict[str, str] | None = None
    values: list[list[_Cell]] = []


class _Result(Struct):
    series: list[_Table] = []
    error: str | None = None


class _Answer(Struct):
    results: list[_Result] = []
    error: str | None = None


def quote_name(name: str) -> str:
    r"""An identifier.

    >>> print(quote_name('a"b'))
    "a\"b"
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_text(text: str) -> str:
    r"""A string literal.

    >>> print(quote_text("it's"))
    'it\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class InfluxQL:
    """Asks one server.

    Args:
        server: the connection.
        config: names the database and the retention policy.
    """

    def __init__(self, server: Server, config: InfluxConfig) -> None:
        self._server = server
        self._config = config
        self._decoder = msgspec.json.Decoder(_Answer)

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int) -> Chart:
        """See `gateway.store.base.Store.read`."""
        view = window(start_ns, end_ns, max_points)
        measurement, field, tags = locate(key)
        value = quote_name(field)
        split = ', "unit"' if measurement == "telemetry" else ""
        tables = self._select(
            f'mean({value}) AS "mean", min({value}) AS "low", max({value}) AS "high"',
            measurement,
            _where(tags, view.first_ns, view.end_ns),
            f"GROUP BY time({view.step_ns // _NS_PER_MS}ms){split} fill(none)",
        )
        rows_by_unit = [((table.tags or {}).get("unit", ""), table.values) for table in tables if table.values]
        if not rows_by_unit:
            return Chart(key, "", (), (), (), ())
        # Where the unit was changed there are two series; mixing them would draw nonsense, so the latest counts.
        unit, rows = max(rows_by_unit, key=lambda pair: _time(pair[1][-1]))
        rows = [row for row in rows if row[1] is not None]
        mean, low, high = ([float(row[column] or 0.0) for row in rows] for column in (1, 2, 3))
        unit = unit if measurement == "telemetry" else named(measurement, (field,), tags)[0][1]
        return Chart(key, unit, [_time(row) for row in rows], mean, low, high)

    def texts(self, key: SeriesKey, start_ns: int, end_ns: int) -> Sequence[tuple[int, str]]:
        """Changes of a text field in `[start_ns, end_ns)`, oldest first, the first value among them."""
        measurement, field, tags = locate(key)
        tables = self._select(quote_name(field), measurement, _where(tags, start_ns, end_ns))
        changes: list[tuple[int, str]] = []
        for row in tables[0].values if tables else ():
            if isinstance(row[1], str) and (not changes or changes[-1][1] != row[1]):
                changes.append((_time(row), row[1]))
        return changes

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Series that had points within `history_days`."""
        since = time.time_ns() - round(self._config.history_days * _DAY_NS)
        found: list[tuple[SeriesKey, str]] = []
        for measurement, (fields, tags) in MEASUREMENTS.items():
            values = ", ".join(f"last({quote_name(field)}) AS {quote_name(field)}" for field in fields)
            tags_of_series = ", ".join(map(quote_name, tags))
            tables = self._select(values, measurement, f"time >= {since}", f"GROUP BY {tags_of_series}")
            for table in tables:
                known = [
                    name
                    for column, name in enumerate(table.columns)
                    if column and any(row[column] is not None for row in table.values)
                ]
                found.extend(named(measurement, known, table.tags or {}))
        return sorted(found, key=lambda pair: (pair[0].site, pair[0].node, pair[0].machine, pair[0].channel, pair[1]))

    def _select(self, values: str, measurement: str, where: str, *tail: str) -> list[_Table]:
        query = " ".join(("SELECT", values, "FROM", quote_name(measurement), "WHERE", where, *tail))
        parameters = {"db": self._config.database or self._config.bucket, "q": query, "epoch": "ns"}
        if self._config.retention_policy:
            parameters["rp"] = self._config.retention_policy
        try:
            answer = self._decoder.decode(self._server.get("/query", parameters))
        except msgspec.MsgspecError as exc:
            raise StoreUnavailable(f"{self._config.url}/query does not answer in InfluxQL's form: {exc}") from exc
        error = answer.error or next((result.error for result in answer.results if result.error), None)
        if error:
            raise StoreUnavailable(f"{self._config.url}/query: {error}")
        return [table for result in answer.results for table in result.series]


def _where(tags: Mapping[str, str], start_ns: int, end_ns: int) -> str:
    conditions = [f"{quote_name(name)} = {quote_text(value)}" for name, value in tags.items()]
    return " AND ".join([*conditions, f"time >= {start_ns}", f"time < {end_ns}"])


def _time(row: Sequence[_Cell]) -> int:
    if isinstance(row[0], int):
        return row[0]
    raise StoreUnavailable(f"a time of an InfluxQL answer is {row[0]!r}")
