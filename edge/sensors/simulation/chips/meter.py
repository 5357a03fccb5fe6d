"""Simulated energy meters: each answers Modbus requests from its register map and counts energy while time passes."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

READ_HOLDING, READ_INPUT, WRITE_ONE, RESET_ENERGY = 0x03, 0x04, 0x06, 0x42
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
FAULT = 0x80


class SimulatedMeter(ABC):
    """What all of them do: a load on the mains, energy counted by the clock, requests answered.

    Args:
        monotonic_ns: the clock.
        volts, amps, power_factor, hz: the load; may be changed at any time. Negative amps feed back.
        kwh: what the counter shows at first.
    """

    limit = 125
    """Registers given at once."""

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        *,
        volts: float = 230.0,
        amps: float = 0.0,
        power_factor: float = 1.0,
        hz: float = 50.0,
        kwh: float = 0.0,
    ) -> None:
        self.volts, self.amps, self.power_factor, self.hz = volts, amps, power_factor, hz
        self.kwh = kwh
        self.kwh_export = 0.0
        self.exception = 0
        """Answer with this exception code instead, while it is not zero."""
        self._monotonic_ns = monotonic_ns
        self._counted_ns = monotonic_ns()

    @property
    def watts(self) -> float:
        """Active power now."""
        return self.volts * self.amps * self.power_factor

    def reset(self) -> None:
        """Sets the counter to zero, as a press on the button does."""
        self._count()
        self.kwh = self.kwh_export = 0.0

    def answer(self, pdu: bytes) -> bytes:
        """The answer to a request, both without address and check sum."""
        self._count()
        function = pdu[0]
        if self.exception:
            return bytes([function | FAULT, self.exception])
        tables = {READ_HOLDING: self.holding, READ_INPUT: self.inputs}
        if function not in tables:
            return self.other(pdu)
        first, count = struct.unpack(">HH", pdu[1:5])
        if not 1 <= count <= self.limit:
            return bytes([function | FAULT, ILLEGAL_VALUE])
        table = tables[function]()
        words = [table.get(first + k) for k in range(count)]
        if None in words:
            return bytes([function | FAULT, ILLEGAL_ADDRESS])
        return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words)

    @abstractmethod
    def inputs(self) -> Mapping[int, int]:
        """Input registers by number."""

    def holding(self) -> Mapping[int, int]:
        """Holding registers by number."""
        return {}

    def other(self, pdu: bytes) -> bytes:
        """The answer to any other function."""
        return bytes([pdu[0] | FAULT, ILLEGAL_FUNCTION])

    def _count(self) -> None:
        now_ns = self._monotonic_ns()
        kwh = self.watts * (now_ns - self._counted_ns) / 3.6e15
        self._counted_ns = now_ns
        if kwh >= 0.0:
            self.kwh += kwh
        else:
            self.kwh_export -= kwh


class SimulatedPzem004t(SimulatedMeter):
    """PZEM-004T V3.0 user manual, chapter 2.3 (input registers), 2.4 (holding registers), 2.6 (reset of energy)."""

    limit = 10

    def __init__(self, *args: object, **load: float) -> None:
        super().__init__(*args, **load)  # type: ignore[arg-type]  # as the base class
        self.threshold_w = 23_000

    def inputs(self) -> Mapping[int, int]:
        """Ten registers, 32-bit numbers with the low word first."""
        watts = abs(self.watts)
        current, power, energy = round(abs(self.amps) * 1000), round(watts * 10), round(self.kwh * 1000)
        alarm = 0xFFFF if watts > self.threshold_w else 0
        table = [round(self.volts * 10)]
        for value in (current, power, energy):
            table += [value & 0xFFFF, value >> 16]
        table += [round(self.hz * 10), round(abs(self.power_factor) * 100), alarm]
        return dict(enumerate(table))

    def holding(self) -> Mapping[int, int]:
        """Alarm threshold in W, and the address."""
        return {1: self.threshold_w, 2: 1}

    def other(self, pdu: bytes) -> bytes:
        """Writing the threshold and resetting the energy."""
        if pdu[0] == RESET_ENERGY:
            self.reset()
            return bytes([RESET_ENERGY])
        if pdu[0] == WRITE_ONE:
            register, value = struct.unpack(">HH", pdu[1:5])
            if register != 1:
                return bytes([WRITE_ONE | FAULT, ILLEGAL_ADDRESS])
            self.threshold_w = value
            return pdu[:5]
        return super().other(pdu)


class SimulatedSdm120(SimulatedMeter):
    """SDM120-Modbus protocol: input registers are 32-bit floating-point numbers, high word first."""

    limit = 80

    def inputs(self) -> Mapping[int, int]:
        """The values at their even addresses; registers in between that hold nothing do not exist."""
        return _floats(self.values())

    def values(self) -> Mapping[int, float]:
        """Value by first register."""
        apparent = self.volts * abs(self.amps)
        reactive = max(apparent**2 - self.watts**2, 0.0) ** 0.5
        return {
            0x00: self.volts,
            0x06: abs(self.amps),
            0x0C: self.watts,
            0x12: apparent,
            0x18: reactive,
            0x1E: self.power_factor,
            0x46: self.hz,
            0x48: self.kwh,
            0x4A: self.kwh_export,
            0x156: self.kwh + self.kwh_export,
        }


class SimulatedSdm630(SimulatedSdm120):
    """SDM630-Modbus V2 protocol; the load is the same on each phase times `shares`."""

    shares = (1.0, 1.0, 1.0)

    def values(self) -> Mapping[int, float]:
        """Value by first register."""
        total = sum(self.shares)
        found = {0x46: self.hz, 0x48: self.kwh, 0x4A: self.kwh_export}
        for phase, share in enumerate(self.shares):
            found[0x00 + 2 * phase] = self.volts
            found[0x06 + 2 * phase] = share * abs(self.amps)
            found[0x0C + 2 * phase] = share * self.watts
        apparent = total * self.volts * abs(self.amps)
        found[0x34] = total * self.watts
        found[0x38] = apparent
        found[0x3C] = max(apparent**2 - (total * self.watts) ** 2, 0.0) ** 0.5
        found[0x3E] = self.power_factor
        return found


def _floats(values: Mapping[int, float]) -> dict[int, int]:
    table: dict[int, int] = {}
    for address, value in values.items():
        table[address], table[address + 1] = struct.unpack(">HH", struct.pack(">f", value))
    return table
