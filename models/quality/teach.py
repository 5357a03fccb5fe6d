"""Teaching: from a handful of items of a product to a judge that knows when something is like nothing it was taught. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from models.quality.classifier import Verdict
from models.quality.example import SIZE, Example
from models.quality.judge import Separator
from models.quality.novelty import Departure, Novelty

FEWEST: Final = 5
"""Good items that must be taught at least; 8 to 20 are advised."""
MOST: Final = 500
"""Items that a profile holds; the oldest give way."""
SURE: Final = 0.6
"""Below this confidence the verdict is `unsure`."""
_STRANGE = 1.5
"""From this many limits on, something is like nothing that was taught."""
_CLEARLY = 1.2
"""From this many limits on, an outline, a size or a colour is a defect; between the limit and here, a person is asked."""
_STEEP = 4.0
"""How fast certainty falls with distance: at the limit it is one half, at twice the limit 1 in 17."""
_EVEN = 0.5
_TINY = 1e-6
_BAKED_WRONG = 0.5
"""From this probability on, the net confirms that a strange colour is a matter of baking."""

Reason = Literal["size", "shape", "darker", "lighter", "look", "like_bad", "other_light"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a profile says of one item.

    Args:
        verdict: `unsure` is an honest answer: it is near the limit, or strange in a way that no defect explains.
        confidence: of good where `good` is at least one half, else of not good; 0.5 to 1.
        good: probability that it is good, 0 to 1.
        not_like_anything_taught: it is far from every taught item.
        reasons: what speaks against it, the strongest first; empty for a good item in the light it was taught in.
        departure: how far it is from what was taught as good.
    """

    verdict: Verdict
    confidence: float
    good: float
    not_like_anything_taught: bool
    reasons: tuple[Reason, ...]
    departure: Departure


@dataclass(frozen=True)
class Profile:
    """What was taught of one product.

    Args:
        product: what it is called.
        net: SHA-256 of the net whose embeddings these are.
        good: taught good items, the oldest first.
        bad: taught bad items; may be none.

    Raises:
        ValueError: too few good items, or too many items.
    """

    product: str
    net: str
    good: tuple[Example, ...]
    bad: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what cannot be judged by."""
        if len(self.good) < FEWEST:
            raise ValueError(f"at least {FEWEST} good items must be taught, not {len(self.good)}")
        if len(self.good) > MOST or len(self.bad) > MOST:
            raise ValueError(f"a profile holds at most {MOST} good and {MOST} bad items")

    @classmethod
    def teach(cls, product: str, net: str, good: Sequence[Example], bad: Sequence[Example] = ()) -> Profile:
        """A profile from examples.

        Raises:
            ValueError: too few good items.
        """
        return cls(product, net, tuple(good[-MOST:]), tuple(bad[-MOST:]))

    def corrected(self, good: Sequence[Example] = (), bad: Sequence[Example] = ()) -> Profile:
        """The profile after a person has said more; the oldest examples give way where there are too many.

        What was said last of an item counts: it is no longer an example of what it was called before.

        Raises:
            ValueError: too few good items are left.
        """
        said = (*good, *bad)
        kept_good, kept_bad = (
            tuple(one for one in side if not any(one.same_item(each) for each in said))
            for side in (self.good, self.bad)
        )
        return replace(self, good=(*kept_good, *good)[-MOST:], bad=(*kept_bad, *bad)[-MOST:])

    def judge(self, example: Example) -> Judgement:
        """Good, reject or unsure.

        With good items alone, the distance from them decides: the outline and the size by themselves, the
        crust's colour where the net confirms that it is burnt or underbaked. Else a strange colour or look is no ground to
        throw something away, and a person is asked. With bad items, what separates the two decides, and the distance from the good ones can only
        speak against an item.
        """
        departure = self._novelty.of(self._sized(example))
        near = 1 / (1 + departure.overall**_STEEP)
        if self._separator is None:
            good, explained = near, self._explained(departure, example)
        else:
            separated = self._separator.good(self._sized(example), colours=not departure.other_light)
            # Two witnesses: beyond the limit, the odds of distance count against it as well. Far out, the separator, which was
            # taught nothing there, is not heard.
            odds = separated / max(1 - separated, _TINY) * min(1.0, max(departure.overall, _TINY) ** -_STEEP)
            far = 1 / (1 + (departure.overall / _STRANGE) ** _STEEP)
            good, explained = min(odds / (1 + odds), far), separated < _EVEN or self._explained(departure, example)
        strange = departure.overall > _STRANGE
        confidence = max(good, 1 - good)
        verdict: Verdict = "good" if good >= 0.5 else "reject"
        # In another light the profile does not look at colours; what the net calls burnt there is not to pass unseen.
        unseen = departure.other_light and self._baked_wrong(example)
        if confidence < SURE or (verdict == "reject" and not explained) or (verdict == "good" and unseen):
            verdict = "unsure"
        return Judgement(verdict, confidence, good, strange, self._reasons(departure, example, good), departure)

    def doubted(self) -> tuple[int, int]:
        """How many of the taught good and bad items look like the other kind: somebody may have mixed them up.

        With both kinds, each is judged by the others: what was taught of an item itself would speak for it. With
        good ones alone, those that are far from the rest of them.
        """
        if self._separator is not None:
            return self._separator.doubted
        return sum(self.judge(each).verdict == "reject" for each in self.good), 0

    def contradicted(self) -> int:
        """How many items were taught as good and as bad."""
        return sum(any(one.same_item(other) for other in self.bad) for one in self.good)

    @cached_property
    def _novelty(self) -> Novelty:
        return Novelty([self._sized(each) for each in self.good])

    @cached_property
    def _separator(self) -> Separator | None:
        if not self.bad:
            return None
        good, bad = ([self._sized(each) for each in kind] for kind in (self.good, self.bad))
        return Separator(good, bad)

    @cached_property
    def _frame_px(self) -> int | None:
        """Of all frames that it was taught on, None where they differ: then nobody knows what a share of a frame is."""
        frames = {each.frame_px for each in (*self.good, *self.bad)} - {0}
        return None if len(frames) > 1 else frames.pop() if frames else 0

    def _sized(self, example: Example) -> Example:
        """The example with its size, where sizes can be compared, else with that of all others."""
        if self._frame_px is not None and (example.frame_px in (0, self._frame_px) or self._frame_px == 0):
            return example
        usual = 0.0
        if self._frame_px is not None:
            usual = float(sum(each.measured[0] for each in self.good)) / len(self.good)
        measured = example.measured.copy()
        measured[SIZE] = usual
        return replace(example, measured=measured)

    def _explained(self, departure: Departure, example: Example) -> bool:
        """Whether what is strange is a defect and not only strange.

        A whole outline of another size that also looks otherwise is another product.
        """
        if departure.shape > _CLEARLY:
            return True
        if departure.size > _CLEARLY:
            return departure.look <= 1
        return departure.colour > _CLEARLY and self._baked_wrong(example)

    def _baked_wrong(self, example: Example) -> bool:
        """Whether the net's word that it is burnt or too pale means something; of a product that it calls so when it is good, it does not."""
        return example.baking > _BAKED_WRONG and self._baking_known

    @cached_property
    def _baking_known(self) -> bool:
        return 2 * sum(each.baking > _BAKED_WRONG for each in self.good) < len(self.good)

    def _reasons(self, departure: Departure, example: Example, good: float) -> tuple[Reason, ...]:
        mean = sum(each.lightness for each in self.good) / len(self.good)
        colour: Reason = "darker" if example.lightness < mean else "lighter"
        found: list[tuple[float, Reason]] = [
            (departure.shape, "shape"),
            (departure.size, "size"),
            (departure.colour, colour),
            (departure.look, "look"),
        ]
        reasons = [reason for far, reason in sorted(found, reverse=True) if far > 1 and good < SURE]
        if good < 0.5 and not reasons:
            reasons.append("like_bad" if self.bad else max(found)[1])
        if departure.other_light:
            reasons.append("other_light")
        return tuple(reasons)
