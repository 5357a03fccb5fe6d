"""Repeatable random numbers that do not depend on the order in which they are drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Streams:
    """Random numbers addressed by purpose and index instead of by order of use.

    The numbers of tick 17 are the same whether ticks 0 to 16 were drawn before or not, so a run does not depend on how
    often it is read.
    """

    seed: int
    machine: str

    def at(self, purpose: str, *index: int) -> np.random.Generator:
        """A fresh generator (PCG64) for that purpose and index (each 0 or more)."""
        words = (self.machine.encode(), purpose.encode())
        return np.random.default_rng([self.seed, *(zlib.crc32(word) for word in words), *index])
