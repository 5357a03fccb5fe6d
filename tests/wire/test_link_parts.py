"""The link's parts that need no broker: backoff, deliveries, configuration, refusals told sparingly."""

from __future__ import annotations

import logging
import random
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.backoff import Backoff
from wire.delivery import Delivery, LinkConfig
from wire.refusals import Refusals


@given(least=st.floats(0.01, 10), factor=st.floats(1, 1000), seed=st.integers(), tries=st.integers(1, 40))
def test_delays_double_up_to_the_cap_and_are_jittered_in_the_upper_half(
    least: float, factor: float, seed: int, tries: int
) -> None:
    most = least * factor
    backoff = Backoff(least, most, random.Random(seed))  # noqa: S311  # jitter
    ceiling = least
    for _ in range(tries):
        assert ceiling / 2 <= backoff.next() <= ceiling
        ceiling = min(ceiling * 2, most)
    backoff.reset()
    assert backoff.next() <= least


@pytest.mark.parametrize(("least", "most"), [(0, 1), (-1, 1), (2, 1)])
def test_bounds_that_make_no_sense_are_refused(least: float, most: float) -> None:
    with pytest.raises(ValueError, match="backoff"):
        Backoff(least, most)


def test_a_delivery_wakes_who_waits_and_calls_back_once() -> None:
    ended: list[Delivery] = []
    delivery = Delivery(ended.append)
    assert not delivery.wait(0.01)
    threading.Timer(0.05, delivery.finish, [None]).start()
    assert delivery.wait(5)
    assert delivery.wait(0)
    assert (delivery.acknowledged, delivery.failed, ended) == (True, None, [delivery])


def test_a_failed_delivery_says_why() -> None:
    delivery = Delivery()
    delivery.finish("refused")
    assert not delivery.wait(5)
    assert (delivery.done, delivery.failed) == (True, "refused")


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 70_000},
        {"client_id": ""},
        {"inflight": 0},
        {"receive_maximum": 65_536},
        {"keepalive_s": 0},
        {"hots": 1},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    sound = {"host": "localhost", "port": 8883, "client_id": "oven-pi-sense"}
    assert msgspec.convert(sound, LinkConfig).inflight == 500
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(sound | wrong, LinkConfig)


def test_the_first_of_a_kind_is_told_and_the_rest_summed_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals(logging.getLogger("test"), monotonic_s=lambda: now[0])
    with caplog.at_level(logging.WARNING, logger="test"):
        for number in range(1000):
            now[0] = number * 0.1
            refusals.count("not_json" if number % 2 else "time", "a/topic", "a reason")
        assert [record.message.split(":")[0] for record in caplog.records] == [
            "refused (time) a/topic",
            "refused (not_json) a/topic",
            "refused since the last report",
        ]
        now[0] = 200.0
        refusals.tick()
        now[0] = 300.0
        refusals.tick()
    assert caplog.records[2].message.endswith("not_json 299, time 300")
    assert caplog.records[3].message.endswith("not_json 200, time 199")
    assert len(caplog.records) == 4
    assert refusals.counts() == {"not_json": 500, "time": 500}
