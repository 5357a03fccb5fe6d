"""Messages to measure with."""

from __future__ import annotations

import time

from wire.codec import Codec
from wire.messages import Series, Telemetry, Trust

SITE, NODE, LOG = "bench", "bench-pi", "benchlog"
PAYLOAD_BYTES = 300


def telemetry(seq: int, series: dict[str, Series], *, site: str = SITE, time_ns: int) -> Telemetry:
    """Message number `seq` of one log."""
    return Telemetry(
        site=site,
        node=NODE,
        origin="sense",
        log=LOG,
        seq=seq,
        prev=seq - 1,
        boot="boot",
        time_ns=time_ns,
        trust=Trust.SYNCED,
        machine="oven",
        series=series,
    )


def small(count: int) -> list[bytes]:
    """Payloads of about 300 bytes, numbered from 1."""
    codec, now = Codec(), time.time_ns()
    series = {"temperature": Series(unit="°C", values=[180.25, 180.5], step_ms=500.0)}
    padded = {**series, "vibration.velocity_rms": Series(unit="mm/s", values=[1.234567])}
    return [codec.encode(telemetry(seq, padded, time_ns=now)) for seq in range(1, count + 1)]


def columnar(count: int, *, site: str, series: int = 30, values: int = 10) -> list[Telemetry]:
    """Messages of `series` × `values` points with full-length floats, as features are; one second apart."""
    start = time.time_ns() - count * 1_000_000_000
    messages = []
    for seq in range(1, count + 1):
        columns = {
            f"vibration.feature_{name}": Series(
                unit="mm/s",
                values=[((seq * 7919 + name * 104729 + index * 1299709) % 1000003) / 7.3 for index in range(values)],
                step_ms=1000.0 / values,
            )
            for name in range(series)
        }
        messages.append(telemetry(seq, columns, site=site, time_ns=start + seq * 1_000_000_000))
    return messages
