"""Recordings are refused before anything starts, and played so that their warm-up lies before what may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from werkpuls.demo.plan import Recording
from werkpuls.demo.recorded import Unplayable, examine


def table(path: Path, rows: int, step_s: float = 1.0) -> Path:
    path.write_text("t;power\n" + "".join(f"{row * step_s};{row % 7}\n" for row in range(rows)))
    return path


def test_a_table_says_its_own_pace(tmp_path: Path) -> None:
    file = table(tmp_path / "a.csv", 500, step_s=5.0)
    plan = examine([file], Recording(file, time="t"))
    assert (plan.warmup, plan.pace_hz, plan.row_s) == (400, 20.0, 5.0)
    assert examine([file], Recording(file, time="t"), warmup=80, pace_hz=10.0).pace_hz == 10.0


def test_a_waveform_is_played_in_blocks(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", random.normal(size=(15_000, 2)))
    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    plan = examine(files, Recording(files[0], rate_hz=10_000.0, block_s=0.1))
    assert (plan.file, plan.more, plan.warmup, plan.pace_hz, plan.row_s) == (files[0], (files[1],), 20, 4.0, 0.1)
    assert plan.sensor["loop"] is True


@pytest.mark.parametrize(
    ("text", "given", "warmup", "said"),
    [
        ("", {}, 8, "empty"),
        ("t;power\n0;1\n1;2\n2;4\n", {}, 8, "has 3 rows"),
        ("t;power\n0;1\n1;2\n2;4\n", {}, 3, "8 or more"),
        ("t;power\n0;1\n1;2\n2;4\n", {"columns": ("powr",)}, 8, "did you mean 'power'"),
        ("t;power\n0;1\n1;2\n2;4\n", {"time": "when"}, 8, "when"),
        ("t;power\n0;1\n1;2\n2;4\n", {"block_s": 600.0}, 8, "block_s"),
        ("t;power\n" + "0;1\n" * 50 + "1;abc\n" + "2;1\n" * 50, {}, 80, "row 50"),
        ("power\n" + "1\n2\n" * 50, {"rate_hz": 10.0, "block_s": 60.0}, 8, "longer than the file"),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, text: str, given: dict[str, object], warmup: int, said: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(Unplayable, match=r"a\.csv|--warmup 3") as caught:
        examine([file], Recording(file, **given), warmup=warmup)  # type: ignore[arg-type]  # passed on
    assert said in str(caught.value)


def test_a_second_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    first, second = table(tmp_path / "a.csv", 30), tmp_path / "b.csv"
    second.write_text("t;pressure\n" + "".join(f"{row};{row % 5}\n" for row in range(30)))
    with pytest.raises(Unplayable, match="columns differ"):
        examine([first, second], Recording(first), warmup=10)
    with pytest.raises(Unplayable, match=r"gone\.csv"):
        examine([first, tmp_path / "gone.csv"], Recording(first), warmup=10)
