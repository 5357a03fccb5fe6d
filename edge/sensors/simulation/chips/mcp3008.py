"""A simulated MCP3008 on SPI (Microchip DS21295D): bits by figures 5-1 and 5-2, so any framing of a transfer works."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BITS = 10


class SimulatedMcp3008:
    """One chip on a simulated chip select.

    Args:
        monotonic_ns: the clock.
        volts: what is on its inputs CH0 and so on, as functions of the time in seconds; missing ones are at 0 V.
        reference_v: full scale.
        bits: 10; an MCP3208 has 12.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        volts: Sequence[Callable[[float], float]],
        *,
        reference_v: float = 3.3,
        bits: int = BITS,
    ) -> None:
        self.volts = list(volts)
        self.reference_v = reference_v
        self.conversions = 0
        self._bits = bits
        self._monotonic_ns = monotonic_ns

    def transfer(self, out: bytes) -> bytes:
        """The start bit is the first one; then mode, three bits of the input, one and a half to sample, null bit, value.

        After the lowest bit come the others again from bit 1 upwards, then zeros.
        """
        line = "".join(f"{byte:08b}" for byte in out)
        start = line.find("1")
        answer = ["1"] * len(line)  # high impedance, pulled up
        if start >= 0 and start + 5 <= len(line):
            value = self._convert(line[start + 1 : start + 5])
            told = f"0{value}{value[-2::-1]}"
            told += "0" * len(line)
            for place, bit in enumerate(told, start + 6):
                if place < len(line):
                    answer[place] = bit
        bits = "".join(answer)
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))

    def _convert(self, wanted: str) -> str:
        self.conversions += 1
        at_s = self._monotonic_ns() / 1e9
        number = int(wanted[1:], 2)
        volts = self._pin(number, at_s)
        if wanted[0] == "0":
            # Differences: the pair's other input is the negative one (table 5-2).
            volts -= self._pin(number ^ 1, at_s)
        steps = 1 << self._bits
        return f"{min(max(int(volts / self.reference_v * steps), 0), steps - 1):0{self._bits}b}"

    def _pin(self, number: int, at_s: float) -> float:
        return self.volts[number](at_s) if number < len(self.volts) else 0.0
