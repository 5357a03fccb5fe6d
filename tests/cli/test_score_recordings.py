"""`werkpuls score` on real recordings, where there are some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.scores import lines, score

DATA = Path(os.environ.get("WERKPULS_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no recordings: WERKPULS_DATA names no folder")


@needs_data
def test_skab_is_scored_row_by_row(tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    files = [DATA / "skab/valve1/0.csv", DATA / "skab/valve1/3.csv"]
    words = [
        "--separator",
        ";",
        "--time",
        "datetime",
        "--ignore",
        "anomaly,changepoint",
        "--warmup",
        400,
        "--fresh",
        "--out",
        out,
    ]
    assert score(*files, *words) == 0
    found = lines(out)
    assert len(found) == 1147 + 1148
    assert not any(line["sensor_fault"] for line in found)
    assert sum(line["regime"] == "learning" for line in found) == 800


@needs_data
def test_adi_waveform(tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    healthy = next((DATA / "vibration/adi_motor").glob("*GoB_GS_BaLo_WA*"))
    assert score(healthy, "--rate", 20_000, "--block", 0.1, "--columns", "1,2,3", "--warmup", 12, "--out", out) == 0
    found = lines(out)
    assert len(found) == 20
    assert not any(line["alarm"] == "1" or line["sensor_fault"] for line in found)
