"""Other devices' values, over a real broker, with payloads as their documentation shows them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.broker import Broker, free_port, until
from support.parties import Party, config
from support.sensor_contract import FakeClock, SensorCase, SensorContract, check_block, check_order

from edge.sensors.base import Block, Fault, SensorConfigError
from edge.sensors.json_path import Absent, Malformed, number_at, parse
from edge.sensors.mqtt import Mqtt, MqttConfig
from edge.sensors.registry import Surroundings, sensor_type


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", durable=False) as running:
        yield running


@pytest.fixture
def device(broker: Broker) -> Iterator[Party]:
    party = Party(config(broker.port))
    party.link.start()
    yield party.up()
    party.link.stop()


def sensor_for(broker: Broker, clock: FakeClock, *channels: dict[str, Any], **options: Any) -> Mqtt:
    made = msgspec.convert({"channel": list(channels), **options}, MqttConfig, strict=True)
    own = config(broker.port, "node-1-sense")
    return Mqtt(made, Surroundings("oven", "oven", clock, 1.0, broker=own))


def listening(sensor: Mqtt) -> Mqtt:
    sensor.open()
    assert sensor._link is not None
    link = sensor._link
    until(lambda: link.connected)
    return sensor


def say(device: Party, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
    data = payload.encode() if isinstance(payload, str) else payload
    assert device.link.publish(topic, data, retain=retain).wait(10)


def heard(sensor: Mqtt, count: int) -> list[Block]:
    blocks: list[Block] = []
    until(lambda: blocks.extend(sensor.read()) or len(blocks) >= count, what="values did not arrive")
    return blocks


PLUG = {"name": "power", "topic": "plug/status", "path": "apower", "quantity": "power", "unit": "W"}


class TestContract(SensorContract):
    @pytest.fixture
    def case(self, broker: Broker, device: Party) -> SensorCase:
        clock = FakeClock()
        sensor = sensor_for(broker, clock, PLUG)

        def feed(seconds: float) -> None:
            assert sensor._link is not None
            link = sensor._link
            until(lambda: link.connected)
            clock.step(seconds)
            before = link.stats().received
            say(device, "plug/status", '{"apower": 12.5}')
            until(lambda: link.stats().received > before)
            time.sleep(0.02)

        return SensorCase(sensor, feed, monotonic_ns=clock)


def test_is_registered() -> None:
    assert sensor_type("mqtt").make is Mqtt


DOCUMENTED = [
    # Shelly Gen1 Plug S: plain numbers, one topic a value.
    ("shellies/shellyplug-s-1A2B/relay/0/power", "12.31", "", 12.31),
    ("shellies/shellyplug-s-1A2B/relay/0", "on", "", 1.0),
    ("shellies/shellyplug-s-1A2B/temperature", "27.41", "", 27.41),
    # Shelly Gen2 and later: the component's status.
    (
        "shellyplus1pm-a8032abe/status/switch:0",
        (
            '{"id":0,"source":"MQTT","output":true,"apower":8.9,"voltage":237.5,"current":0.071,"pf":0.76,'
            '"aenergy":{"total":6.532,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},'
            '"temperature":{"tC":23.5,"tF":74.4}}'
        ),
        "apower",
        8.9,
    ),
    (
        "shellyplus1pm-a8032abe/status/switch:0",
        '{"id":0,"output":true,"aenergy":{"total":6.5,"by_minute":[45.199,47.141]},"temperature":{"tC":23.5}}',
        "aenergy.by_minute[-1]",
        47.141,
    ),
    ("shellyplus1pm-a8032abe/status/switch:0", '{"output":true}', "output", 1.0),
    (
        "shellyplus1pm-a8032abe/events/rpc",
        '{"src":"shellyplus1pm-a8032abe","dst":"x","method":"NotifyStatus","params":{"ts":1,"switch:0":{"id":0,"apower":7.5}}}',
        "params.switch:0.apower",
        7.5,
    ),
    # Tasmota: telemetry with and without an index.
    (
        "tele/tasmota_1A2B3C/SENSOR",
        (
            '{"Time":"2024-01-01T12:00:00","ENERGY":{"TotalStartTime":"2023-01-01T00:00:00","Total":1.234,"Power":[56,1],'
            '"Voltage":231,"Current":0.25},"DS18B20":{"Id":"0316A2","Temperature":21.6},"TempUnit":"C"}'
        ),
        "ENERGY.Power[0]",
        56.0,
    ),
    ("tele/tasmota_1A2B3C/SENSOR", '{"DS18B20":{"Temperature":21.6}}', "DS18B20.Temperature", 21.6),
    ("stat/tasmota_1A2B3C/STATUS10", '{"StatusSNS":{"ENERGY":{"Power":56}}}', "StatusSNS.ENERGY.Power", 56.0),
    # ESPHome: plain text, one topic a value.
    ("oven-node/sensor/core_temperature/state", "182.4", "", 182.4),
    ("oven-node/binary_sensor/door/state", "ON", "", 1.0),
    # Zigbee2MQTT: one object a device.
    (
        "zigbee2mqtt/proofer",
        '{"battery":97,"humidity":78.4,"linkquality":120,"temperature":31.2,"voltage":3000}',
        "temperature",
        31.2,
    ),
    ("zigbee2mqtt/Backofen Tür", '{"contact":false,"battery":100}', "contact", 0.0),
    ("zigbee2mqtt/scale", '{"a b":[{"c":"4.5"}]}', "['a b'][0].c", 4.5),
]


def test_documented_payloads(broker: Broker, device: Party) -> None:
    clock = FakeClock()
    channels = [
        {"name": f"c{at}", "topic": topic, "path": path, "quantity": "level"}
        for at, (topic, _, path, _) in enumerate(DOCUMENTED)
    ]
    for at, (topic, payload, _, value) in enumerate(DOCUMENTED):
        sensor = listening(sensor_for(broker, clock, channels[at]))
        say(device, topic, payload)
        blocks = heard(sensor, 1)
        sensor.close()
        assert [block.values.tolist() for block in blocks] == [[pytest.approx(value)]], topic


def test_scale_offset_and_order(broker: Broker, device: Party) -> None:
    clock = FakeClock()
    sensor = listening(
        sensor_for(
            broker,
            clock,
            {**PLUG, "unit": "kW", "scale": 0.001},
            {**PLUG, "name": "celsius", "scale": 2.0, "offset": -32.0},
        )
    )
    for watts in (1000, 2000, 3000):
        say(device, "plug/status", f'{{"apower": {watts}}}')
    blocks = heard(sensor, 6)
    check_order(blocks)
    for block in blocks:
        check_block(block, sensor.channels)
    assert [float(b.values[0]) for b in blocks if b.channel.name == "power"] == [1.0, 2.0, 3.0]
    assert [float(b.values[0]) for b in blocks if b.channel.name == "celsius"] == [1968.0, 3968.0, 5968.0]
    sensor.close()


def test_silence_is_no_data_until_it_speaks_again(broker: Broker, device: Party) -> None:
    clock = FakeClock()
    sensor = listening(sensor_for(broker, clock, {**PLUG, "every_s": 10.0}))
    clock.step(29.0)
    assert not sensor.read()
    clock.step(2.0)
    (silent,) = sensor.read()
    assert silent.faults[0][0] is Fault.NO_DATA
    assert "plug/status" in silent.faults[0][1]
    assert not sensor.read(), "once a moment is enough"
    say(device, "plug/status", '{"apower": 5}')
    assert not heard(sensor, 1)[0].faults
    clock.step(20.0)
    assert not sensor.read()
    sensor.close()


def test_malformed_payloads_are_counted_and_the_first_logged(
    broker: Broker, device: Party, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    sensor = listening(sensor_for(broker, clock, PLUG))
    bad = ["", "{", "[1]", '{"apower": "hot"}', '{"apower": {}}', '{"apower": 1e999}', '{"apower": NaN}', b"\xff\xfe"]
    with caplog.at_level(logging.WARNING, logger="edge.sensors.mqtt"):
        for payload in (*bad, "[" * 3000, " " * 300_000, '{"apower": 7}'):
            say(device, "plug/status", payload)
        blocks = heard(sensor, 1)
    assert [float(block.values[0]) for block in blocks] == [7.0]
    assert sensor.malformed == 9, "an array has no such member: that is absent, not malformed"
    assert len([r for r in caplog.records if r.name == "edge.sensors.mqtt"]) == 1
    sensor.close()


def test_what_a_message_leaves_out_is_no_error(broker: Broker, device: Party) -> None:
    clock = FakeClock()
    sensor = listening(sensor_for(broker, clock, PLUG))
    say(device, "plug/status", '{"voltage": 230}')
    say(device, "plug/status", '{"apower": null}')
    say(device, "plug/status", '{"apower": 1}')
    assert len(heard(sensor, 1)) == 1
    assert sensor.malformed == 0
    sensor.close()


@pytest.mark.parametrize("retained", [False, True])
def test_retained_values_are_taken_only_when_wanted(broker: Broker, device: Party, *, retained: bool) -> None:
    say(device, "plug/status", '{"apower": 99}', retain=True)
    sensor = listening(sensor_for(broker, FakeClock(), PLUG, retained=retained))
    say(device, "plug/status", '{"apower": 1}')
    values = [float(block.values[0]) for block in heard(sensor, 2 if retained else 1)]
    assert values == ([99.0, 1.0] if retained else [1.0])
    sensor.close()


def test_the_broker_comes_back(broker: Broker) -> None:
    clock = FakeClock()
    sensor = listening(sensor_for(broker, clock, {**PLUG, "every_s": 1.0}))
    link = sensor._link
    assert link is not None
    broker.kill()
    until(lambda: not link.connected)
    clock.step(5.0)
    (silent,) = sensor.read()
    assert f":{broker.port}" in silent.faults[0][1]
    broker.start()
    until(lambda: link.connected)
    party = Party(config(broker.port))
    party.link.start()
    say(party.up(), "plug/status", '{"apower": 3}')
    assert float(heard(sensor, 1)[-1].values[0]) == 3.0
    party.link.stop()
    sensor.close()


def test_no_broker_is_no_hang() -> None:
    clock = FakeClock()
    made = msgspec.convert({"channel": [PLUG], "host": "127.0.0.1", "port": free_port()}, MqttConfig)
    sensor = Mqtt(made, Surroundings("oven", "oven", clock, 1.0))
    sensor.open()
    clock.step(1000.0)
    assert sensor.read()[0].faults[0][0] is Fault.NO_DATA
    sensor.close()


def test_two_sensors_of_a_node_do_not_throw_each_other_out(broker: Broker) -> None:
    clock = FakeClock()
    first = sensor_for(broker, clock, PLUG)
    second = sensor_for(broker, clock, {**PLUG, "topic": "other"})
    identities = {first._link_config.client_id, second._link_config.client_id, "node-1-sense"}
    assert len(identities) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"topic": "plug/+"}, "wildcard"),
        ({"path": "a..b"}, "path"),
        ({"low": 5.0, "high": 1.0}, "low"),
    ],
)
def test_wrong_configuration(change: dict[str, Any], said: str) -> None:
    made = msgspec.convert({"channel": [{**PLUG, **change}], "host": "127.0.0.1"}, MqttConfig)
    with pytest.raises(SensorConfigError, match=said):
        Mqtt(made, Surroundings("oven", "oven", FakeClock(), 1.0))


def test_channels_of_one_name_and_no_broker_at_all() -> None:
    twice = msgspec.convert({"channel": [PLUG, PLUG], "host": "127.0.0.1"}, MqttConfig)
    with pytest.raises(SensorConfigError, match="one name"):
        Mqtt(twice, Surroundings("oven", "oven", FakeClock(), 1.0))
    once = msgspec.convert({"channel": [PLUG]}, MqttConfig)
    with pytest.raises(SensorConfigError, match="broker"):
        Mqtt(once, Surroundings("oven", "oven", FakeClock(), 1.0))


keys = st.text(min_size=1, max_size=12)


@given(st.lists(keys | st.integers(0, 3), min_size=1, max_size=5), st.floats(allow_nan=False, allow_infinity=False))
def test_any_path_finds_its_value(steps: list[str | int], value: float) -> None:
    payload: Any = value
    for step in reversed(steps):
        payload = {step: payload} if isinstance(step, str) else [None] * step + [payload]
    escaped = [step.replace("\\", "\\\\").replace("'", "\\'") if isinstance(step, str) else step for step in steps]
    path = "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in escaped)
    assert parse(path) == tuple(steps)
    assert number_at(msgspec.json.encode(payload), parse(path)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    said = ""
    try:
        steps = parse(text)
    except ValueError as exc:
        said, steps = str(exc), ()
    assert said or bool(steps) == bool(text)


@given(st.binary(max_size=60), st.sampled_from(["", "a", "a.b[0]"]))
def test_any_payload_is_a_number_absent_or_malformed(payload: bytes, path: str) -> None:
    try:
        found: object = number_at(payload, parse(path))
    except Malformed as exc:
        found = exc
    assert isinstance(found, float | Absent | Malformed)
