"""MCP3008 and MCP3004: up to eight (four) current clamps on a 10-bit ADC with SPI (Microchip DS21295D).

The inputs are asked in turn, one transfer each; on a Raspberry Pi a transfer takes 40 to 100 µs with everything around it,
so three clamps reach 3000 scans a second and eight 1200. The time of each conversion is measured, and the skew within a
scan is taken out with it. 10 bits are coarse: with 100 A : 50 mA into 33 ohm at 3.3 V a step is 0.2 A, which a machine of a
few amperes hardly moves; a smaller clamp, or the conductor wound through twice, makes the steps finer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, field

from edge.sensors.base import SensorConfigError, SensorError
from edge.sensors.bus.base import BusError, Spi, persistent
from edge.sensors.clamp import ClampConfig, Limits
from edge.sensors.clamped import Clamped, ClampedConfig, Wired
from edge.sensors.probing import SpiProbe
from edge.sensors.registry import Surroundings

MODE = 0
MAX_HZ = 1_350_000
"""At 2.7 V (electrical characteristics); more is allowed at 5 V and not needed."""
STEPS = 1024
# Figure 6-1: start bit last in the first byte; single-ended and the input's number at the top of the second.
#   out  00000001  1iii0000  00000000
#   in   ........  .....0bb  bbbbbbbb
START = 0x01
SINGLE_ENDED = 0x80
NULL_BIT = 0x04
TRIALS = 8


class Mcp3008Clamp(ClampConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clamp on an MCP3008."""

    input: Annotated[int, Meta(ge=0, le=7)] = 0
    """Input CH0 to CH7."""


class Mcp3008Config(ClampedConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `mcp3008` sensor."""

    bus: Annotated[int, Meta(ge=0, le=255)] = 0
    """Number of the SPI bus: 0 is pins 19, 21 and 23 of a Raspberry Pi."""
    select: Annotated[int, Meta(ge=0, le=7)] = 0
    """Chip select: 0 is pin 24 of a Raspberry Pi, 1 is pin 26."""
    clamps: Annotated[list[Mcp3008Clamp], Meta(min_length=1, max_length=8)] = field(name="clamp")
    """The clamps, each a table of its own."""


class Mcp3008(Clamped):
    """Clamps on an MCP3008; see the module.

    Args:
        config: which chip, which clamps.
        surroundings: buses and clock.
        sleep, background: see `Clamped`.

    Raises:
        SensorConfigError: what `Clamped` refuses.
    """

    Config = Mcp3008Config

    def __init__(
        self,
        config: Mcp3008Config,
        surroundings: Surroundings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        background: bool = True,
    ) -> None:
        if len({clamp.input for clamp in config.clamps}) < len(config.clamps):
            raise SensorConfigError("two clamps on one input")
        self._chip = config
        self._buses = surroundings.buses
        self._spi: Spi | None = None
        self._clock = surroundings.monotonic_ns
        self._where = f"spidev{config.bus}.{config.select}"
        self._step_v = config.supply_v / STEPS
        self._questions = [_question(clamp.input) for clamp in config.clamps]
        bias_v = config.supply_v / 2 if config.bias_v is None else config.bias_v
        # The outermost codes are the ends of the range.
        limits = Limits(0.5 * self._step_v, (STEPS - 1.5) * self._step_v, bias_v, config.supply_v)
        wired = [Wired(one, f"{self._where} CH{one.input}", limits, self._step_v) for one in config.clamps]
        super().__init__(config, wired, surroundings, together=True, sleep=sleep, background=background)

    def start(self) -> None:
        """Finds the chip; raises SensorError where the bits that come back are not those of an MCP3008."""
        self._spi = spi = self._buses.spi(self._chip.bus, self._chip.select, mode=MODE, max_hz=MAX_HZ)
        for question in self._questions:
            said = _strange(spi, question[1])
            if said:
                raise SensorError(f"{self._where}: expected an MCP3008; {said}")

    def sample(self, clamp: int) -> tuple[int, float]:
        """One conversion; the time is the middle of its transfer."""
        spi, question = self._spi, self._questions[clamp]
        if spi is None:
            raise BusError(f"{self._where}: not open")
        before_ns = self._clock()
        answer = persistent(lambda: spi.transfer(question))
        at_ns = (before_ns + self._clock()) // 2
        if answer[1] & NULL_BIT:
            raise BusError(f"{self._where}: nobody answers (MISO stays high); check plug and chip select")
        return at_ns, _code(answer) * self._step_v

    def check(self) -> None:
        """Nothing is set in it that it could lose."""

    def stop(self) -> None:
        """Releases the bus."""
        if self._spi is not None:
            self._spi.close()
        self._spi = None


def _question(number: int) -> bytes:
    return bytes([START, SINGLE_ENDED | number << 4, 0])


def _code(answer: bytes) -> int:
    return (answer[1] & 0x03) << 8 | answer[2]


def _strange(spi: Spi, second: int) -> str | None:
    """What is not like an MCP3008: it gives each value highest bit first and, clocked on, lowest bit first (figure 5-2)."""
    for _ in range(TRIALS):
        answer = persistent(lambda: spi.transfer(bytes([START, second, 0, 0, 0])))
        if answer[1] & NULL_BIT:
            return "nobody answers (MISO stays high); check plug and chip select"
        code = _code(answer)
        # Bits 1 to 9 again, lowest first; bit 0 is shared.
        mirrored = (answer[3] << 8 | answer[4]) >> 7
        if int(f"{mirrored:09b}"[::-1], 2) != code >> 1:
            return f"a value of {code:010b} comes back as {mirrored:09b} in reverse; an MCP3208, or a disturbed line?"
    return None


def _recognise(spi: Spi) -> str | None:
    """It has no identity; its mirrored answer on two inputs speaks for it, unless all of them are zero."""
    if any(_strange(spi, _question(number)[1]) for number in (0, 1)):
        return None
    codes = [_code(spi.transfer(_question(number))) for number in range(8)]
    return "MCP3008" if any(codes) else None


def _proposal(bus: int, select: int) -> dict[str, object]:
    clamp = {"input": 0, "rated_a": 100.0, "output_ma": 50.0, "burden_ohm": 33.0}
    return {"bus": bus, "select": select, "clamp": [clamp]}


PROBES = (SpiProbe(MODE, MAX_HZ, _recognise, rank=8, certain=False, options=_proposal),)
