"""A simulated ADS1115 that answers by its register map (TI SBAS444D): one converter with an oscillator of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.sensors.simulation.chips.bus import RegisterChip

CONVERSION, CONFIGURATION, LOW_THRESHOLD, HIGH_THRESHOLD = range(4)
POWER_UP = {CONVERSION: 0x0000, CONFIGURATION: 0x8583, LOW_THRESHOLD: 0x8000, HIGH_THRESHOLD: 0x7FFF}
PAIRS = ((0, 1), (0, 3), (1, 3), (2, 3))
RANGES_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
RATES = (8, 16, 32, 64, 128, 250, 475, 860)
WAKING_S = 25e-6
START, SINGLE_SHOT = 0x8000, 0x0100


class SimulatedAds1115(RegisterChip):
    """One chip on a simulated I²C bus.

    Args:
        monotonic_ns: the clock.
        volts: what is on its four inputs, as functions of the time in seconds.
        supply_v: where its inputs end.
        speed: of its oscillator against the nominal one, 0.9 to 1.1.
        bits: 16; an ADS1015 has 12.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        volts: Sequence[Callable[[float], float]],
        *,
        supply_v: float = 3.3,
        speed: float = 1.0,
        bits: int = 16,
    ) -> None:
        self.volts = list(volts)
        self.supply_v = supply_v
        self.speed = speed
        self._mask = 0xFFFF << (16 - bits) & 0xFFFF
        self._monotonic_ns = monotonic_ns
        self.power_cycle()

    def power_cycle(self) -> None:
        """Loses settings and result."""
        self._registers = dict(POWER_UP)
        self._began_ns: int | None = None

    def read(self, register: int, count: int) -> bytes:
        """One register, high byte first; the pointer has two bits."""
        self._convert()
        value = self._registers[register & 3]
        if register & 3 == CONFIGURATION and self._began_ns is not None and value & SINGLE_SHOT:
            value &= ~START
        return value.to_bytes(2, "big")[:count].ljust(count, b"\xff")

    def write(self, register: int, data: bytes) -> None:
        """One register; the result cannot be written."""
        self._convert()
        value = int.from_bytes(data[:2], "big")
        place = register & 3
        if place == CONFIGURATION:
            if value & START or not value & SINGLE_SHOT:
                self._began_ns = self._monotonic_ns()
            self._registers[place] = value | START
        elif place != CONVERSION:
            self._registers[place] = value & self._mask

    def _convert(self) -> None:
        """Takes over the newest conversion that has ended."""
        if self._began_ns is None:
            return
        setting = self._registers[CONFIGURATION]
        length_s = 1.0 / (RATES[setting >> 5 & 7] * self.speed)
        single = bool(setting & SINGLE_SHOT)
        passed_s = (self._monotonic_ns() - self._began_ns) / 1e9 - WAKING_S
        done = int(passed_s / length_s)
        if done < 1:
            return
        end_s = self._began_ns / 1e9 + WAKING_S + (1 if single else done) * length_s
        self._registers[CONVERSION] = self._result(setting, end_s - length_s, length_s) & self._mask
        if single:
            self._began_ns = None

    def _result(self, setting: int, begin_s: float, length_s: float) -> int:
        """The mean over the conversion, as a delta-sigma converter gives it."""
        mux, full_v = setting >> 12 & 7, RANGES_V[setting >> 9 & 7]
        times = [begin_s + (k + 0.5) * length_s / 8 for k in range(8)]
        volts = sum(self._input(mux, at_s) for at_s in times) / 8
        return min(max(round(volts / full_v * 0x8000), -0x8000), 0x7FFF) & 0xFFFF

    def _input(self, mux: int, at_s: float) -> float:
        if mux < len(PAIRS):
            plus, minus = PAIRS[mux]
            return self._pin(plus, at_s) - self._pin(minus, at_s)
        return self._pin(mux - len(PAIRS), at_s)

    def _pin(self, number: int, at_s: float) -> float:
        return min(max(self.volts[number](at_s), 0.0), self.supply_v)
