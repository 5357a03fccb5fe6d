"""Recordings that nobody on this project made; skipped where they are not at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge.recordings import Options, RecordingError, expand, open_recording

DATA = Path(os.environ.get("WERKPULS_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no recordings: WERKPULS_DATA names no folder")


def shape(name: str, options: Options | None = None) -> tuple[int, int]:
    with open_recording(name, options) as recording:
        chunks = list(recording.chunks())
        return sum(len(chunk.values) for chunk in chunks), len(recording.columns)


def test_skab() -> None:
    options = Options(";", "datetime", (), ("anomaly", "changepoint"))
    assert shape(str(DATA / "skab/valve1/0.csv"), options) == (1147, 8)
    assert shape(str(DATA / "skab/valve1/0.csv"), Options(ignore=("anomaly", "changepoint"))) == (1147, 8)


def test_adi() -> None:
    name = str(next((DATA / "vibration/adi_motor").glob("*GS_BaLo_WA*.csv")))
    with open_recording(name, Options(rate_hz=20_000, columns=("1", "2", "3"))) as recording:
        first = recording.head()
        assert first.values.shape[1] == 3
        assert np.isfinite(first.values).all()
        assert recording.has_time
        assert any("3 more values" in note for note in recording.notes)
    with pytest.raises(RecordingError, match="contradicts"):
        shape(name, Options(rate_hz=10_000, columns=("1", "2", "3")))


def test_femto_both_separators() -> None:
    folder = DATA / "vibration/femto_bearing3_1"
    assert shape(str(folder / "acc_00001.csv"), Options(rate_hz=25_600, columns=("4", "5"))) == (2560, 2)
    assert shape(str(folder / "temp_00001.csv"), Options(columns=("4",))) == (600, 1)
    assert shape(str(folder / "temp_00089.csv"), Options(columns=("4",))) == (280, 1)


def test_itsc_members() -> None:
    names = expand(str(DATA / "current/itsc_motor/Cropped_Signals_SF.zip") + "!*/SC_HLT/*.csv")
    assert len(names) == 5
    assert shape(names[0], Options(rate_hz=1000)) == (1000, 3)


def test_tables() -> None:
    assert shape(str(DATA / "tables/washing_machine/45m30d-raw.csv")) == (31_366, 9)
    assert shape(str(next((DATA / "tables/refrigerator").glob("*.csv")))) == (597, 9)
    assert shape(str(DATA / "nab/machine_temperature_system_failure.csv")) == (22_695, 1)
