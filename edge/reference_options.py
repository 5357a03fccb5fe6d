"""Options of a machine's tachometer and set points, and what can be found wrong with them before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.references import TURNS, SetPoint, Tachometer
from edge.sensors.base import Channel, Quantity
from wire.messages import ChannelName
from wire.settings import SettingsError, nearest


class TachometerOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What measures the speed of the shaft that vibration is told by."""

    channel: Annotated[ChannelName, Meta(description="channel of speed, of one of this machine's sensors")]
    ratio: Annotated[float, Meta(gt=0, le=1000, description="turns of the shaft for each turn that is measured")] = 1.0

    def made(self) -> Tachometer:
        """For the machine's path."""
        return Tachometer(self.channel, self.ratio)


class SetPointOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a regulated temperature should be."""

    channel: Annotated[ChannelName, Meta(description="channel of temperature, of one of this machine's sensors")]
    value: Annotated[float, Meta(ge=-200, le=2000, description="the set point, where it is always the same")] | None = (
        None
    )
    source: (
        Annotated[ChannelName, Meta(description="channel that delivers the set point, where a controller tells it")]
        | None
    ) = None

    def __post_init__(self) -> None:
        """Refuses a set point that is nowhere, or in two places."""
        if (self.value is None) == (self.source is None):
            raise ValueError("either value or source must be given")

    def made(self) -> SetPoint:
        """For the machine's path."""
        return SetPoint(self.channel, self.value, self.source or "")


def check_references(
    tachometer: TachometerOptions | None,
    set_points: Sequence[SetPointOptions],
    channels: Mapping[str, Channel],
    where: str,
    path: str,
) -> None:
    """Holds them against the channels of the machine.

    Args:
        tachometer, set_points: as configured.
        channels: all that the machine's sensors deliver, by name.
        where, path: file, and where the machine stands in it.

    Raises:
        SettingsError: no such channel, or one of another quantity or unit.
    """
    if tachometer is not None:
        here = f"{path}.tachometer.channel"
        channel = _channel(tachometer.channel, Quantity.SPEED, channels, where, here)
        if channel.unit not in TURNS:
            known = ", ".join(unit for unit in TURNS if unit)
            raise SettingsError(where, here, f"{channel.name} is in {channel.unit}, which is no rotation; {known}")
    declared: dict[str, str] = {}
    for place, point in enumerate(set_points):
        here = f"{path}.set_point[{place}]"
        before = declared.setdefault(point.channel, here)
        if before != here:
            raise SettingsError(where, f"{here}.channel", f"{point.channel} has its set point in {before} already")
        _channel(point.channel, Quantity.TEMPERATURE, channels, where, f"{here}.channel")
        if point.source is not None:
            _channel(point.source, Quantity.TEMPERATURE, channels, where, f"{here}.source")


def _channel(name: str, quantity: Quantity, channels: Mapping[str, Channel], where: str, path: str) -> Channel:
    if name not in channels:
        raise SettingsError(where, path, f"no sensor of this machine has a channel {name!r}; {nearest(name, channels)}")
    if channels[name].quantity is not quantity:
        raise SettingsError(where, path, f"{name} measures {channels[name].quantity.value}, not {quantity.value}")
    return channels[name]
