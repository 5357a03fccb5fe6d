"""Waveforms without a word about them: rate and running speed are found by looking."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from werkpuls.cli import main

RATE = 4000


def recording(path: Path, seed: int, imbalance: float = 0.0, rate: float = RATE) -> str:
    """Two seconds of a machine at 26.3 revolutions a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(2 * RATE) / rate
    wave = 0.03 * rng.standard_normal((len(t), 2))
    for order in range(1, 5):
        wave += 0.02 / order * np.sin(2 * math.pi * order * 26.3 * t + order)[:, None]
    wave[:, 0] += imbalance * np.sin(2 * math.pi * 26.3 * t)
    np.savetxt(path, np.column_stack([t, wave]), delimiter=";", header="time;ax;ay", comments="", fmt="%.6f")
    return str(path)


def test_rate_and_running_speed_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.csv"
    normal, fault = recording(tmp_path / "a.csv", 1), recording(tmp_path / "b.csv", 2, 0.3)
    assert main(["score", normal, fault, "--block", "0.1", "--warmup", "12", "--out", str(out)]) == 0
    assert "read as a waveform at 4000 Hz" in capsys.readouterr().err
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert len(rows) == 40
    assert not any(row["alarm"] == "1" for row in rows[:20])
    assert {row["cause"] for row in rows[25:]} == {"imbalance"}
    assert all(row["alarm"] == "1" for row in rows[25:])


def test_a_slow_table_stays_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = recording(tmp_path / "slow.csv", 1, rate=10.0)
    assert main(["score", slow, "--block", "1", "--warmup", "100", "--out", str(tmp_path / "s.csv")]) == 0
    assert "row by row" in capsys.readouterr().err


def test_a_gap_does_not_change_the_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(recording(tmp_path / "a.csv", 1))
    lines = whole.read_text().splitlines()
    late = [f"{float(row.split(';')[0]) + 10.0:.6f};{row.split(';', 1)[1]}" for row in lines[4001:]]
    broken = tmp_path / "gap.csv"
    broken.write_text("\n".join([*lines[:4001], *late]) + "\n")
    assert main(["score", str(broken), "--block", "0.1", "--warmup", "12", "--out", str(tmp_path / "s.csv")]) == 0
    assert "read as a waveform at 4000 Hz" in capsys.readouterr().err
