"""The same pictures through every runtime and processor that a node may have: the verdicts are the same."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.vision.rows.grading import OLD_RUNTIME, OTHER_PYTHON
from models.training.dataset import Dataset, rendered_part
from werkpuls.train import cropper

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def older() -> list[str]:
    return other_python(OLD_RUNTIME, "tflite")


@pytest.fixture(scope="module")
def imitated() -> list[str]:
    return other_python(OTHER_PYTHON, "aarch64")


@pytest.fixture(scope="module")
def crops() -> Dataset:
    return rendered_part(20260731, 0, cropper, count=120)


def graded(command: list[str], crops: NDArray[np.uint8], folder: Path) -> dict[str, NDArray[Any]]:
    given, out = folder / "crops.npy", folder / "said.npz"
    np.save(given, crops)
    done = subprocess.run(
        [*command, "-m", "benchmarks.vision.verdicts", str(given), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(out, allow_pickle=False) as said:
        return dict(said)


def other_python(variable: str, name: str) -> list[str]:
    command = os.environ.get(variable)
    if not command:
        pytest.skip(f"{variable} names no Python: sh deploy/runtime.sh {name} makes one ready where it can")
    return shlex.split(command)


def test_tflite_runtime_with_numpy_1_says_what_litert_says(older: list[str], crops: Dataset, tmp_path: Path) -> None:
    there = graded(older, crops.crops, tmp_path)
    here = graded([sys.executable], crops.crops, tmp_path)
    assert (here["runtime"].item(), there["runtime"].item()) == ("ai-edge-litert", "tflite-runtime")
    assert there["numpy"].item().startswith("1.")
    assert set(here["verdicts"]) >= {"good", "reject"}
    assert (there["verdicts"] == here["verdicts"]).mean() > 0.97
    assert np.abs(there["probabilities"] - here["probabilities"]).max() < 0.1


@pytest.mark.timeout(280)  # each view of a crop takes some 50 ms when a processor is imitated
def test_a_raspberry_pi_s_processor_says_what_this_one_says(
    imitated: list[str], crops: Dataset, tmp_path: Path
) -> None:
    there = graded(imitated, crops.crops[:24], tmp_path)
    here = graded([sys.executable], crops.crops[:24], tmp_path)
    assert there["machine"].item() == "aarch64"
    assert there["runtime"].item() == here["runtime"].item()
    assert set(here["verdicts"]) >= {"good", "reject"}
    assert (there["verdicts"] == here["verdicts"]).all()
    assert np.abs(there["probabilities"] - here["probabilities"]).max() < 0.02
