"""What features are called, and their units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

ONE, PERCENT = "1", "%"
_UNITS = {
    **dict.fromkeys(("crest", "kurtosis", "skewness", "entropy"), ONE),
    **dict.fromkeys((f"envelope_{line}" for line in ("bpfo", "bpfi", "bsf", "ftf", "mesh")), ONE),
    **dict.fromkeys(("harmonics", "sidebands", "envelope_line", "envelope_shaft"), PERCENT),
    **dict.fromkeys(("unbalance", "negative_real", "negative_imaginary"), PERCENT),
    "velocity_rms": "mm/s",
}


def axis_names(axes: int) -> tuple[str, ...]:
    """Names of axes: x, y, z, then a4, a5 and so on."""
    return tuple("xyz"[index] if index < 3 else f"a{index + 1}" for index in range(axes))


def with_axes(names: Iterable[str], axes: int) -> tuple[str, ...]:
    """Names for (features, axes) row by row: `<axis>.` in front where there is more than one axis."""
    if axes == 1:
        return tuple(names)
    return tuple(f"{axis}.{name}" for name in names for axis in axis_names(axes))


@lru_cache(maxsize=64)
def named(
    each: tuple[str, ...], whole: tuple[str, ...], axes: int, unit: str
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Names of features that every axis has, row by row, and then of those of all together; and the units of both.

    Args:
        each, whole: their names without an axis.
        axes: how many there are.
        unit: of the waveform.
    """
    spoken = with_axes(each, axes)
    units = [_unit(name, unit) for name in each for _ in range(axes)]
    units += [_unit(name, unit) for name in whole]
    return (*spoken, *whole), dict(zip((*spoken, *whole), units, strict=True))


def _unit(name: str, unit: str) -> str:
    return f"{unit}·s" if name == "velocity" else _UNITS.get(name, unit)
