"""Values that another device publishes over MQTT: a smart plug, a room sensor, a door contact.

Each channel is a topic and a path into its JSON payload. What arrives is stamped with this node's clock. A device that falls
silent is reported as a channel without data; a payload that cannot be read is counted, and the first of each channel logged.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from edge.sensors.base import Block, Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.json_path import Absent, Malformed, Step, number_at, parse
from edge.sensors.registry import Surroundings
from wire.link import Inbound, Link, LinkConfig
from wire.messages import Name

QUEUE = 10_000
"""Values kept between two readings; the oldest go first, and are counted as lost."""
SILENT_PERIODS = 3.0


class MqttChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of another device."""

    name: Name
    """Channel name."""
    topic: Annotated[str, Meta(min_length=1, max_length=400)]
    """Topic the device publishes it under, without wildcards."""
    quantity: Quantity
    """What it measures: temperature, current, power, energy, speed, level, state or vibration."""
    unit: Annotated[str, Meta(max_length=16)] = ""
    """Unit after scaling."""
    path: Annotated[str, Meta(max_length=200)] = ""
    """Where in the JSON payload: apower, StatusSNS.ENERGY.Power, ['a b'][0]; left out: the payload is the value."""
    scale: float = 1.0
    """Multiplies the value: 0.001 makes W to kW."""
    offset: float = 0.0
    """Added after scaling."""
    low: float | None = None
    """A value below this (after scaling) is no reading."""
    high: float | None = None
    """A value above this (after scaling) is no reading."""
    every_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """The device publishes at least this often."""
    stale_s: Annotated[float, Meta(gt=0, le=604_800)] | None = None
    """Silent for so long it counts as gone; three times every_s when left out."""
    steady: bool = False
    """The value may stay exactly the same for hours without the device being stuck."""


class MqttConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `mqtt` sensor. Without a host the node's own broker is used, with its name and certificates."""

    channels: Annotated[list[MqttChannel], Meta(min_length=1, max_length=64)] = field(name="channel")
    """The values to take, each a table of its own."""
    retained: bool = False
    """Also take the value that the broker kept from earlier; its age is unknown."""
    host: str | None = None
    """Another broker than the node's own; unencrypted, so on this site's network only."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    """Port of that other broker."""
    username: str | None = None
    """Name at that other broker, if it asks for one."""
    password_file: Path | None = None
    """File whose first line is the password there."""


class Mqtt:
    """Listens to other devices; see the module. Opened, read and closed by one thread; messages arrive on the link's.

    Args:
        config: which values.
        surroundings: clock, machine name and the node's own broker.

    Raises:
        SensorConfigError: a path is none, a topic has wildcards, two channels share a name, or no broker is known.
    """

    Config = MqttConfig

    def __init__(self, config: MqttConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._monotonic_ns = surroundings.monotonic_ns
        self._link_config = _link_config(config, surroundings)
        self._channels = tuple(_channel(one) for one in config.channels)
        if len({channel.name for channel in self._channels}) < len(self._channels):
            raise SensorConfigError("two channels of one name")
        self._wanted: dict[str, list[tuple[int, tuple[Step, ...]]]] = {}
        for at, one in enumerate(config.channels):
            self._wanted.setdefault(_topic(one), []).append((at, _steps(one)))
        self._lock = Lock()
        self._arrived: deque[tuple[int, int, float]] = deque(maxlen=QUEUE)
        self._overrun = 0
        self._complained: set[int] = set()
        self._link: Link | None = None
        self._heard_ns = [0] * len(self._channels)
        self._last_ns = [0] * len(self._channels)
        self.malformed = 0
        """Payloads that could not be read."""

    @property
    def channels(self) -> Sequence[Channel]:
        """As configured."""
        return self._channels

    def open(self) -> None:
        """Starts listening; the connection comes and goes on its own."""
        self.close()
        now_ns = self._monotonic_ns()
        self._heard_ns = [now_ns] * len(self._channels)
        self._last_ns = [max(last, now_ns) for last in self._last_ns]
        self._arrived.clear()
        self._link = Link(
            self._link_config,
            will=None,
            subscriptions=[(topic, 1) for topic in self._wanted],
            on_message=self._on_message,
            on_connected=lambda: None,
            on_disconnected=lambda _: None,
        )
        self._link.start()

    def read(self) -> Sequence[Block]:
        """Values since the last call, and a no-data fault for each channel whose device is silent.

        Raises:
            SensorError: not open.
        """
        if self._link is None:
            raise SensorError("mqtt sensor is not open")
        with self._lock:
            arrived = list(self._arrived)
            self._arrived.clear()
            overrun, self._overrun = self._overrun, 0
        made = []
        for at, time_ns, value in arrived:
            start_ns = max(time_ns, self._last_ns[at] + 1)
            self._last_ns[at], self._heard_ns[at] = start_ns, time_ns
            made.append(Block(self._channels[at], start_ns, np.array([value]), lost=overrun))
            overrun = 0
        made.extend(self._silent(self._monotonic_ns()))
        return sorted(made, key=lambda block: block.start_ns)

    def close(self) -> None:
        """Ends the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.stop()

    def _silent(self, now_ns: int) -> list[Block]:
        faults = []
        for at, (channel, one) in enumerate(zip(self._channels, self._config.channels, strict=True)):
            silent_s = (now_ns - self._heard_ns[at]) / 1e9
            if silent_s > _stale_s(one) and now_ns > self._last_ns[at]:
                self._last_ns[at] = now_ns
                said = f"nothing on {one.topic} for {silent_s:.0f} s{self._trouble()}"
                faults.append(Block(channel, now_ns, np.array([np.nan]), faults=((Fault.NO_DATA, said),)))
        return faults

    def _trouble(self) -> str:
        stats = self._link.stats() if self._link is not None else None
        if stats is None or (stats.connected and not stats.refused_subscriptions):
            return f"; {self.malformed} payloads could not be read" if self.malformed else ""
        broker = f"{self._link_config.host}:{self._link_config.port}"
        return f"; broker {broker}: {stats.last_error or 'not connected'}"

    def _on_message(self, inbound: Inbound) -> None:
        """On the link's thread."""
        if self._config.retained or not inbound.retain:
            now_ns = self._monotonic_ns()
            for at, steps in self._wanted.get(inbound.topic, ()):
                self._take(at, steps, inbound, now_ns)
        link = self._link
        if link is not None:
            link.ack(inbound)

    def _take(self, at: int, steps: tuple[Step, ...], inbound: Inbound, now_ns: int) -> None:
        one = self._config.channels[at]
        try:
            value = _value(one, steps, inbound)
        except Malformed as exc:
            self.malformed += 1
            if at not in self._complained:
                self._complained.add(at)
                logging.getLogger(__name__).warning(
                    "%s: %s: %s; more of these are only counted", one.name, one.topic, exc
                )
            return
        if isinstance(value, Absent):
            return
        with self._lock:
            self._overrun += len(self._arrived) == QUEUE
            self._arrived.append((at, now_ns, value))


def _value(one: MqttChannel, steps: tuple[Step, ...], inbound: Inbound) -> float | Absent:
    """The channel's value in a message; raises Malformed."""
    if inbound.size > len(inbound.payload):
        raise Malformed(f"{inbound.size} bytes are too many")
    value = number_at(inbound.payload, steps)
    if isinstance(value, Absent):
        return value
    scaled = value * one.scale + one.offset
    if not math.isfinite(scaled):
        raise Malformed(f"not finite after scaling: {value}")
    return scaled


def _channel(one: MqttChannel) -> Channel:
    low = -math.inf if one.low is None else one.low
    high = math.inf if one.high is None else one.high
    if not low < high:
        raise SensorConfigError(f"channel {one.name}: low {low:g} is not below high {high:g}")
    steady = one.steady or one.quantity in (Quantity.STATE, Quantity.ENERGY)
    return Channel(one.name, one.unit, one.quantity, low, high, period_s=one.every_s, steady=steady)


def _topic(one: MqttChannel) -> str:
    if any(sign in one.topic for sign in "+#\0"):
        raise SensorConfigError(f"channel {one.name}: topic {one.topic!r} has a wildcard; name one topic")
    return one.topic


def _steps(one: MqttChannel) -> tuple[Step, ...]:
    try:
        return parse(one.path)
    except ValueError as exc:
        raise SensorConfigError(f"channel {one.name}: path: {exc}") from exc


def _stale_s(one: MqttChannel) -> float:
    return one.stale_s if one.stale_s is not None else SILENT_PERIODS * one.every_s


def _link_config(config: MqttConfig, surroundings: Surroundings) -> LinkConfig:
    """The node's own broker under another client name, or the one that is configured; nothing is kept for us there."""
    own = surroundings.broker
    topics = "\n".join(sorted(f"{one.topic} {one.name}" for one in config.channels))
    suffix = f"{surroundings.machine}-{zlib.crc32(topics.encode()):08x}"
    if config.host is None:
        if not isinstance(own, LinkConfig):
            raise SensorConfigError("no broker is known; give host")
        return replace(own, client_id=f"{own.client_id[:100]}-{suffix}", session_expiry_s=0)
    return LinkConfig(
        host=config.host,
        port=config.port,
        client_id=f"{own.client_id[:100] if isinstance(own, LinkConfig) else 'werkpuls'}-{suffix}",
        username=config.username,
        password_file=None if config.password_file is None else str(config.password_file),
        session_expiry_s=0,
    )
