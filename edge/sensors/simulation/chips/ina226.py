"""A simulated INA226 that answers by its register map (TI SBOS547B): conversions take their time, flags latch and clear."""

from __future__ import annotations

from collections.abc import Callable

from edge.sensors.simulation.chips.bus import RegisterChip

CONFIGURATION, SHUNT_VOLTAGE, BUS_VOLTAGE, POWER, CURRENT, CALIBRATION, MASK_ENABLE, ALERT_LIMIT = range(8)
MANUFACTURER_ID, DIE_ID = 0xFE, 0xFF
POWER_UP = {CONFIGURATION: 0x4127, CALIBRATION: 0, MASK_ENABLE: 0, ALERT_LIMIT: 0}
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
CONVERSION_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
MOST_CYCLES = 1000
"""Between two looks at the chip."""
SHUNT_OVER, ALERT, READY, OVERFLOW, LATCH = 0x8000, 0x0010, 0x0008, 0x0004, 0x0001


class SimulatedIna226(RegisterChip):
    """One chip on a simulated I²C bus.

    Args:
        monotonic_ns: the clock.
        shunt_v, bus_v: what is on its inputs, as functions of the time in seconds.
        ids: what its identity registers say.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        shunt_v: Callable[[float], float] = lambda _: 0.0,
        bus_v: Callable[[float], float] = lambda _: 12.0,
        ids: tuple[int, int] = (0x5449, 0x2260),
    ) -> None:
        self.shunt_v, self.bus_v = shunt_v, bus_v
        self.frozen = False
        """No conversion ends any more."""
        self._ids = {MANUFACTURER_ID: ids[0], DIE_ID: ids[1]}
        self._monotonic_ns = monotonic_ns
        self.power_cycle()

    def power_cycle(self) -> None:
        """Loses all settings and results, as after an interruption of its supply."""
        self._registers = {**POWER_UP, SHUNT_VOLTAGE: 0, BUS_VOLTAGE: 0, POWER: 0, CURRENT: 0}
        self._began_ns = self._monotonic_ns()

    def read(self, register: int, count: int) -> bytes:
        """One register, high byte first."""
        self._convert()
        value = self._ids.get(register, self._registers.get(register, 0))
        if register == MASK_ENABLE:
            # Reading it clears the ready flag and a latched alert (section 7.1.7).
            self._registers[MASK_ENABLE] &= ~READY
            if value & LATCH:
                self._registers[MASK_ENABLE] &= ~ALERT
        return value.to_bytes(2, "big")[:count].ljust(count, b"\xff")

    def write(self, register: int, data: bytes) -> None:
        """One register; results and identity cannot be written."""
        self._convert()
        value = int.from_bytes(data[:2], "big")
        if register == CONFIGURATION:
            if value & 0x8000:
                self.power_cycle()
                return
            self._began_ns = self._monotonic_ns()
            self._registers[MASK_ENABLE] &= ~READY
        if register == MASK_ENABLE:
            value = value & 0xFC03 | self._registers[MASK_ENABLE] & 0x001C
        if register == CALIBRATION:
            value &= 0x7FFF
        if register in POWER_UP:
            self._registers[register] = value

    def _convert(self) -> None:
        """Takes over the conversions that have ended by now: the inputs' mean over the last one."""
        setting = self._registers[CONFIGURATION]
        if self.frozen or setting & 7 != 7:
            return
        pair_us = CONVERSION_US[setting >> 3 & 7] + CONVERSION_US[setting >> 6 & 7]
        averages = AVERAGES[setting >> 9 & 7]
        cycle_ns = pair_us * averages * 1000
        done = (self._monotonic_ns() - self._began_ns) // cycle_ns
        if done < 1:
            return
        # Earlier ones only matter where an alert watches them.
        first = max(done - MOST_CYCLES, 0) if self._registers[MASK_ENABLE] & SHUNT_OVER else done - 1
        for cycle in range(first, done):
            end_s = (self._began_ns + (cycle + 1) * cycle_ns) / 1e9
            times = [end_s - (k + 0.5) * pair_us * 1e-6 for k in range(averages)]
            shunts = [_clamped(round(self.shunt_v(at) / 2.5e-6), -0x8000, 0x7FFF) for at in times]
            self._take(shunts, sum(self.bus_v(at) for at in times) / averages)
        self._began_ns += done * cycle_ns

    def _take(self, shunts: list[int], bus_v: float) -> None:
        table = self._registers
        shunt = round(sum(shunts) / len(shunts))
        bus = _clamped(round(bus_v / 1.25e-3), 0, 0x7FFF)
        current = int(shunt * table[CALIBRATION] / 2048)  # equation 3
        power = int(abs(current) * bus / 20_000)  # equation 4
        flags = READY
        if not -0x8000 <= current <= 0x7FFF or power > 0xFFFF:
            flags |= OVERFLOW
        # The alert compares each conversion, not their mean .
        limit = table[ALERT_LIMIT]
        over = bool(table[MASK_ENABLE] & SHUNT_OVER) and max(shunts) > limit
        kept = table[MASK_ENABLE] & (ALERT if table[MASK_ENABLE] & LATCH else 0)
        table[MASK_ENABLE] = table[MASK_ENABLE] & 0xFC03 | flags | kept | (ALERT if over else 0)
        table[SHUNT_VOLTAGE], table[BUS_VOLTAGE] = shunt & 0xFFFF, bus
        table[CURRENT], table[POWER] = current & 0xFFFF, power & 0xFFFF


def _clamped(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)
