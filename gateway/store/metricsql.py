"""Charts from VictoriaMetrics, which takes Influx lines but answers no InfluxQL: MetricsQL over /api/v1/query_range.

A field is the metric `<measurement>_<field>`, tags are labels. Two settings of the server matter: run it with
`-dedup.minScrapeInterval=1ms`, else a line that is sent again counts twice, and before version 1.84 with
`-search.latencyOffset=1s`, else the latest half minute repeats older values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from gateway.store.base import Chart, SeriesKey, StoreUnavailable
from gateway.store.config import InfluxConfig
from gateway.store.naming import MEASUREMENTS, locate, named
from gateway.store.server import Server
from gateway.store.window import window

_DAY_NS = 86_400_000_000_000
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_T = TypeVar("_T")
_KINDS = ("mean", "low", "high")


class _Curve(Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Curves(Struct):
    result: list[_Curve] = []


class _RangeAnswer(Struct):
    data: _Curves


class _SeriesAnswer(Struct):
    data: list[dict[str, str]]


def quote(text: str) -> str:
    r"""A string literal.

    >>> print(quote('a"b'))
    "a\"b"
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class MetricsQL:
    """Asks one server.

    Args:
        server: the connection.
        config: says how far back the list of series looks.
    """

    def __init__(self, server: Server, config: InfluxConfig) -> None:
        self._server = server
        self._config = config
        self._ranges = msgspec.json.Decoder(_RangeAnswer)
        self._series = msgspec.json.Decoder(_SeriesAnswer)

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int) -> Chart:
        """See `gateway.store.base.Store.read`."""
        view = window(start_ns, end_ns, max_points)
        measurement, field, tags = locate(key)
        step_ms = view.step_ns // _NS_PER_MS
        selector = f"{measurement}_{field}{{{_labels(tags)}}}[{step_ms}ms]"
        # A bucket is what lies in (t - step, t]; asked for a millisecond before its end it is [start, end).
        shift_ns = view.step_ns - _NS_PER_MS
        by_unit: dict[str, dict[str, dict[int, float]]] = {}
        for kind, function in zip(_KINDS, ("avg_over_time", "min_over_time", "max_over_time"), strict=True):
            for curve in self._range(f"{function}({selector})", view.first_ns + shift_ns, view.end_ns - 1, step_ms):
                cells = by_unit.setdefault(curve.metric.get("unit", ""), {}).setdefault(kind, {})
                for at_s, value in curve.values:
                    cells[round(at_s * 1000) * _NS_PER_MS - shift_ns] = float(value)
        complete = {unit: kinds for unit, kinds in by_unit.items() if len(kinds) == len(_KINDS)}
        if not complete:
            return Chart(key, "", (), (), (), ())
        unit, kinds = max(complete.items(), key=lambda pair: max(pair[1]["mean"]))
        times = sorted(set.intersection(*(set(cells) for cells in kinds.values())))
        mean, low, high = ([kinds[kind][at] for at in times] for kind in _KINDS)
        unit = unit if measurement == "telemetry" else named(measurement, (field,), tags)[0][1]
        return Chart(key, unit, times, mean, low, high)

    def texts(self, key: SeriesKey, start_ns: int, end_ns: int) -> Sequence[tuple[int, str]]:
        """Raises `StoreUnavailable`: VictoriaMetrics keeps no text."""
        raise StoreUnavailable(
            f"{self._config.url} keeps no texts, so none of {key.channel} from {start_ns} to {end_ns}"
        )

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Series that had points within `history_days`."""
        names = {f"{place}_{field}": (place, field) for place, (fields, _) in MEASUREMENTS.items() for field in fields}
        since_s = (time.time_ns() - round(self._config.history_days * _DAY_NS)) / _NS_PER_S
        query = {"match[]": f"{{__name__=~{quote('|'.join(names))}}}", "start": f"{since_s:.3f}"}
        found: list[tuple[SeriesKey, str]] = []
        for labels in self._decode(self._series, "/api/v1/series", query).data:
            measurement, field = names.get(labels.get("__name__", ""), ("", ""))
            if measurement:
                found.extend(named(measurement, (field,), labels))
        return sorted(found, key=lambda pair: (pair[0].site, pair[0].node, pair[0].machine, pair[0].channel, pair[1]))

    def _range(self, query: str, start_ns: int, end_ns: int, step_ms: int) -> list[_Curve]:
        parameters = {
            "query": query,
            "start": f"{start_ns / _NS_PER_S:.3f}",
            "end": f"{end_ns / _NS_PER_S:.3f}",
            "step": f"{step_ms}ms",
            "nocache": "1",
            "latency_offset": "1ms",
        }
        return self._decode(self._ranges, "/api/v1/query_range", parameters).data.result

    def _decode(self, decoder: msgspec.json.Decoder[_T], path: str, query: Mapping[str, str]) -> _T:
        try:
            return decoder.decode(self._server.get(path, query))
        except msgspec.MsgspecError as exc:
            raise StoreUnavailable(f"{self._config.url}{path} answers in another form: {exc}") from exc


def _labels(tags: Mapping[str, str]) -> str:
    return ",".join(f"{name}={quote(value)}" for name, value in tags.items())
