"""The same pictures through every runtime and processor that a node may have: the verdicts are the same."""

from __future__ import annotations

import json
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
from edge.vision.decode import encode
from edge.vision.scene import tray
from models.training.dataset import Dataset, rendered_part
from werkpuls.train import cropper

ROOT = Path(__file__).parents[2]
CALL = """
import argparse, importlib, sys
from werkpuls.words import Words
command, words = importlib.import_module(f"werkpuls.{sys.argv[1]}"), Words("en")
parser = argparse.ArgumentParser()
command.add_arguments(parser, words)
sys.exit(command.run(parser.parse_args(sys.argv[2:]), words))
"""


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


def test_a_camera_node_with_numpy_1_teaches_and_classifies_alike(older: list[str], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        image, _ = tray(np.random.default_rng(number), (800, 600), 0.6, count=8)
        (photos / f"{number}.jpg").write_bytes(encode(image))
    said = []
    for name, command in (("here", [sys.executable]), ("older", older)):
        profile = str(tmp_path / f"{name}.json")
        for words in (
            ["teach", profile, "--good", str(photos)],
            ["classify", str(photos), "--profile", profile, "--json"],
        ):
            done = subprocess.run(
                [*command, "-c", CALL, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, done.stderr[-2000:]
        said.append([json.loads(line)["items"] for line in done.stdout.splitlines()])
    here, there = said
    assert [len(items) for items in there] == [len(items) for items in here] == [8, 8]
    pairs = [pair for one, other in zip(here, there, strict=True) for pair in zip(one, other, strict=True)]
    # Their versions of OpenCV differ by fractions of a pixel.
    assert all(one["box"] == pytest.approx(other["box"], abs=0.002) for one, other in pairs)
    assert all(one["verdict"] == other["verdict"] for one, other in pairs)
    assert all(abs(one["lightness"] - other["lightness"]) < 0.5 for one, other in pairs)


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
