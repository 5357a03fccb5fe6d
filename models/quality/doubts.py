"""What may be wrong with what was taught: few items, mixed up ones, and what the net alone would call otherwise. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.quality.teach import Profile

ADVISED = 8
"""Good items below which a profile is made, with a doubt."""


@dataclass(frozen=True, slots=True)
class NetSays:
    """What the net without a profile says of the items of one kind.

    Args:
        items: how many there are.
        good: of which it calls so many good.
        reject: and so many rejects.
    """

    items: int = 0
    good: int = 0
    reject: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that a person should look at again; the profile works all the same.

    Args:
        code: `few`: less than `ADVISED` good items; `in_both`: items that were taught as good and as bad; `mixed_up`: good ones that
            look bad and bad ones that look good; `net`: what the net alone would call otherwise.
        good: so many good items.
        bad: so many bad ones.
        of_good: of so many; 0: it is not about good ones.
        of_bad: the same of bad ones.
    """

    code: Literal["few", "in_both", "mixed_up", "net"]
    good: int = 0
    bad: int = 0
    of_good: int = 0
    of_bad: int = 0


def doubts(profile: Profile, good: NetSays, bad: NetSays) -> list[Doubt]:
    """Doubts about a profile.

    Args:
        profile: what was taught.
        good: what the net says of the good items that were taught now.
        bad: the same of the bad ones.
    """
    found: list[Doubt] = []
    if len(profile.good) < ADVISED:
        found.append(Doubt("few", good=len(profile.good)))
    if both := profile.contradicted():
        found.append(Doubt("in_both", good=both, bad=both))
    wrong, missed = profile.doubted()
    if wrong or missed:
        found.append(Doubt("mixed_up", wrong, missed, len(profile.good), len(profile.bad)))
    odd, passed = 2 * good.reject > good.items, 2 * bad.good > bad.items
    if odd or passed:
        found.append(Doubt("net", good.reject, bad.good, good.items * odd, bad.items * passed))
    return found
