"""Pictures of a run: score and limit, alarm and label. They are looked at before figures are believed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.runs import Run


def plot(folder: Path | None, name: str, run: Run, label: NDArray[np.bool_] | None = None) -> None:
    """Writes `<folder>/<name>.png`: score as a multiple of the limit, alarms in red, labelled rows shaded, learning in grey.

    Without a folder nothing is drawn; without matplotlib neither, and it is said so once for each picture.
    """
    if folder is None:
        return
    try:
        import matplotlib as mpl  # noqa: PLC0415  # only where somebody looks

        mpl.use("Agg")
        from matplotlib import pyplot as plt  # noqa: PLC0415  # as above
    except ImportError:
        sys.stderr.write(f"{name}.png: not drawn, matplotlib is missing (it is in the dev extra)\n")
        return
    folder.mkdir(parents=True, exist_ok=True)
    row = np.arange(len(run))
    figure, (above, below) = plt.subplots(2, 1, figsize=(12, 5), sharex=True, height_ratios=(4, 1))
    if label is not None:
        above.fill_between(
            row, 0, 1, where=label, transform=above.get_xaxis_transform(), color="gold", alpha=0.35, lw=0
        )
    above.fill_between(
        row, 0, 1, where=run.learning, transform=above.get_xaxis_transform(), color="grey", alpha=0.25, lw=0
    )
    above.plot(row, np.maximum(run.ratio, 1e-2), lw=0.7, color="navy")
    above.plot(row, np.where(run.alarm, np.maximum(run.ratio, 1e-2), np.nan), lw=1.0, color="red")
    above.axhline(1.0, color="black", lw=0.8, ls="--")
    above.set_yscale("log")
    above.set_ylabel("score / limit")
    above.set_title(f"{name} ({len(run)} rows)")
    names = sorted(set(run.regime))
    below.step(row, [names.index(regime) for regime in run.regime], lw=0.8)
    below.set_yticks(range(len(names)), names, fontsize=7)
    below.set_xlabel("row")
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png", dpi=80)
    plt.close(figure)
