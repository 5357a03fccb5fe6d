"""Batches end where product, load or shift change; rates come with intervals; findings wait until they are certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.drafts import Drafter
from edge.drift import DriftWatch, Seen
from edge.quality_findings import QualityFindings
from edge.vision.batches import Batch, Batches
from models.quality.tallies import Moments, wilson
from wire.clock import Stamp
from wire.codec import Codec
from wire.envelope import Draft, Envelope
from wire.journal import Record
from wire.messages import EARLIEST_NS, ChartPoint, Finding, Item, NodeMessage, Trust

ENVELOPE = Envelope("bakery", "pi", "watch", "log")
S = 10**9


def sealed(record: Record) -> NodeMessage:
    payload = ENVELOPE.seal(
        Draft(record.stream, record.boot, record.payload), seq=1, prev=0, stamp=Stamp(EARLIEST_NS, Trust.SYNCED)
    )
    return Codec().decode(payload, now_ns=EARLIEST_NS)


def items(good: int, bad: int, label: str = "burnt", unsure: int = 0) -> list[Item]:
    box = (0.1, 0.1, 0.1, 0.1)
    return [
        *(
            Item(box=box, label="good", verdict="good", confidence=0.9, lightness=60.0, size_mm=70.0)
            for _ in range(good)
        ),
        *(Item(box=box, label=label, verdict="reject", confidence=0.9, lightness=30.0) for _ in range(bad)),
        *(Item(box=box, label="good", verdict="unsure", confidence=0.5) for _ in range(unsure)),
        Item(box=box, label="good", verdict="unsure", confidence=0.0, cut_off=True),
    ]


def test_wilsons_interval_holds_what_it_promises() -> None:
    for count in (20, 50, 200):
        ends = [wilson(hits, count) for hits in range(count + 1)]
        covered = []
        for share in np.linspace(0.01, 0.5, 50):
            chances = [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
            covered.append(
                sum(chance for chance, (low, high) in zip(chances, ends, strict=True) if low <= share <= high)
            )
        assert 0.94 <= np.mean(covered) <= 0.965
        assert min(covered) > 0.82
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 5)[1] == 1.0
    with pytest.raises(ValueError, match="6 of 5"):
        wilson(6, 5)


def test_moments_are_those_of_the_values() -> None:
    values = np.random.default_rng(2).normal(60, 4, 300)
    moments = Moments()
    for value in values:
        moments.add(float(value))
    assert moments.mean == pytest.approx(values.mean())
    assert moments.deviation == pytest.approx(values.std(ddof=1))
    assert Moments().deviation == 0.0


def test_a_batch_ends_with_product_load_shift_and_boot() -> None:
    batches = Batches("tray", "boot", load_gap_s=600, shifts_min=(360, 840))
    at = batches.of
    first = at("rolls", 0, wall_ns=None, minute=None)
    assert at("rolls", 599 * S, wall_ns=None, minute=400) is first
    load = at("rolls", 1300 * S, wall_ns=5, minute=410)
    assert load is not first
    assert load.wall_ns == 5
    shift = at("rolls", 1400 * S, wall_ns=None, minute=840)
    assert shift is not load
    assert at("rolls", 1500 * S, wall_ns=None, minute=None) is shift
    night = at("rolls", 1600 * S, wall_ns=None, minute=5)
    assert night is shift  # the last shift of the day goes on after midnight
    product = at("loaves", 1700 * S, wall_ns=None, minute=6)
    assert product.product == "loaves"
    assert len({each.id for each in (first, load, shift, product)}) == 4
    again = Batches("tray", "boot", load_gap_s=600)
    again.resume(product)
    assert again.of("loaves", 1800 * S, wall_ns=None, minute=None) is product
    rebooted = Batches("tray", "other boot", load_gap_s=600)
    rebooted.resume(product)
    assert rebooted.of("loaves", 5 * S, wall_ns=None, minute=None) is not product


def test_a_batch_counts_what_was_judged_and_takes_a_persons_word() -> None:
    batch = Batch(id="b", product="rolls", since_ns=0, boot="boot")
    batch.add(items(7, 2, unsure=1))
    assert (batch.judged, batch.cut_off, batch.verdicts["unsure"]) == (9, 1, 1)
    rate, low, high = batch.reject_rate
    assert rate == pytest.approx(2 / 9)
    assert low < rate < high
    assert batch.lightness.mean == pytest.approx((7 * 60 + 2 * 30) / 9)
    assert batch.size_mm.count == 7
    batch.correct("reject", "good")
    assert batch.verdicts == {"good": 8, "reject": 1, "unsure": 1}
    batch.correct("reject", "good")
    batch.correct("reject", "good")
    assert batch.verdicts["reject"] == 0


def findings(mark: str | None = None) -> QualityFindings:
    return QualityFindings("tray", "oven-1", 0.05, Drafter(ENVELOPE, "boot"), mark)


def told(records: list[Record]) -> list[tuple[str, str, str]]:
    messages = [sealed(record) for record in records]
    return [(m.state, m.cause, m.severity.value) for m in messages if isinstance(m, Finding)]


def about(records: list[Record]) -> list[str | None]:
    messages = [sealed(record) for record in records]
    return [message.product for message in messages if isinstance(message, Finding)]


def test_a_drift_says_whose_goods_drift_and_its_end_nothing_of_the_others() -> None:
    quality = findings()
    assert about(quality.drift("colour_drift", None, "", 1, product="rolls")) == ["rolls"]
    over = [about(quality.drift("", None, "", number, product="loaves")) for number in range(2, 5)]
    assert over == [[], [], [None]]


def test_too_many_rejects_are_told_once_it_is_certain_with_what_they_share_and_over_with_a_good_batch() -> None:
    quality = findings()
    batch = Batch(id="b", product="rolls", since_ns=0, boot="boot")
    batch.add(items(4, 1))
    assert quality.batch(batch, 1) == []  # one of five may be chance
    batch.add(items(20, 1))
    assert quality.batch(batch, 2) == []
    batch.add(items(10, 4))
    opened = quality.batch(batch, 3)
    assert told(opened) == [("open", "too_dark", "warning")]
    assert about(opened) == ["rolls"]
    assert quality.batch(batch, 4) == []
    quality = findings(quality.state)
    good = Batch(id="b2", product="rolls", since_ns=0, boot="boot")
    good.add(items(5, 0))
    assert quality.batch(good, 5) == []
    good.add(items(20, 0))
    assert told(quality.batch(good, 6)) == [("cleared", "too_dark", "good")]
    bad = Batch(id="b3", product="rolls", since_ns=0, boot="boot")
    bad.add([*items(5, 4, "broken"), *items(0, 1)])
    assert told(quality.batch(bad, 7)) == [("open", "shape", "alarm")]
    mixed = findings()
    other = Batch(id="b4", product="rolls", since_ns=0, boot="boot")
    other.add([*items(5, 2, "broken"), *items(0, 2), *items(0, 3, "foreign_object")])
    assert told(mixed.batch(other, 8)) == [("open", "rejects_high", "alarm")]


def test_a_slowly_darker_crust_is_told_long_before_anything_is_rejected_and_survives_a_restart() -> None:
    rng = np.random.default_rng(3)
    watch, quality = DriftWatch("tray", "mm", None), findings()
    points: list[ChartPoint] = []

    def trays(count: int, darker: float, smaller: float = 0.0) -> list[tuple[str, str, str]]:
        nonlocal watch
        found = []
        for number in range(count):
            watch = DriftWatch("tray", "mm", watch.state)
            offset = rng.normal(0, 0.6)
            seen = [
                Seen(
                    60 + offset - darker * number + rng.normal(0, 1.5), 70 - smaller * number + rng.normal(0, 1), False
                )
                for _ in range(12)
            ]
            drifted = watch.take("rolls", seen)
            assert drifted is not None
            points.append(drifted.charts["lightness"])
            found += told(quality.drift(drifted.cause, drifted.evidence, drifted.detail, number))
        return found

    assert trays(60, 0.0) == []
    assert [round(point.learned, 2) for point in points[:2]] == [0.04, 0.08]
    assert (points[24].learned, {point.learned for point in points[25:]}) == (0.999, {1.0})
    settled = points[-1]
    assert settled.jump_low < settled.drift_low < settled.expected < settled.drift_high < settled.jump_high
    assert (settled.items, settled.rule) == (12, "")
    assert trays(25, 0.15) == [("open", "colour_drift", "watch")]  # below 4 L* in the end
    assert next(point.rule for point in points[60:] if point.rule) == "drift"
    assert points[-1].average < points[-1].drift_low
    watch.forget("rolls")
    assert [state for state, _, _ in trays(30, 0.0)] == ["cleared"]
    assert [cause for _, cause, _ in trays(25, 0.0, 0.15)] == ["size_drift"]
    assert watch.take("rolls", [Seen(60.0, None, False)] * 3) is None
    assert DriftWatch("tray", "mm", "rubbish").take("rolls", [Seen(60.0, 70.0, False)] * 8) is not None
    assert math.isfinite(Moments().mean)
