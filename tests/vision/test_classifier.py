"""The classifier reads what a model is from the model, refuses what is none, and the shipped one grades what it must."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.cards import card

from models.quality import classifier as module
from models.quality import runtime
from models.quality.card import ModelRefused, digest, read_card, write_card
from models.quality.classifier import WEIGHTS, Classifier, Grades, decide, softmax
from models.quality.heatmap import heat_map, overlay
from models.quality.runtime import RuntimeUnavailable
from models.training.dataset import Dataset, rendered_part
from models.training.labels import LABELS
from models.training.net import forward
from models.training.recipe import unpack
from werkpuls.train import cropper


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.shipped()


@pytest.fixture(scope="module")
def crops() -> Dataset:
    return rendered_part(20260101, 0, cropper, count=160)


@pytest.fixture(scope="module")
def grades(shipped: Classifier, crops: Dataset) -> Grades:
    return shipped.classify(crops.crops)


def test_the_shipped_model_grades_rendered_goods_it_has_never_seen(
    shipped: Classifier, crops: Dataset, grades: Grades
) -> None:
    assert grades.labels == LABELS
    assert grades.probabilities.shape == (160, len(LABELS))
    assert grades.embedding.shape == (160, shipped.card.embedding)
    assert np.allclose(grades.probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert (grades.probabilities.argmax(axis=1) == crops.labels).mean() > 0.9
    verdicts = [decide(row, shipped.card).verdict for row in grades.probabilities]
    assert verdicts.count("unsure") < 16


def test_integers_say_what_floats_say(shipped: Classifier, crops: Dataset) -> None:
    logits, _ = forward(unpack(WEIGHTS, shipped.card), crops.crops[:80])
    one_view = shipped.classify(crops.crops[:80], views=1)
    assert (logits.argmax(axis=1) == one_view.probabilities.argmax(axis=1)).mean() > 0.97
    difference = np.abs(softmax(logits / np.float32(shipped.card.temperature)) - one_view.probabilities)
    assert float(np.median(difference.max(axis=1))) < 0.05


def test_no_crops_are_no_grades_and_a_wrong_array_is_refused(shipped: Classifier) -> None:
    assert len(shipped.classify(np.zeros((0, 96, 96, 3), np.uint8))) == 0
    wrong: Sequence[NDArray[Any]] = (
        np.zeros((96, 96, 3), np.uint8),
        np.zeros((1, 95, 96, 3), np.uint8),
        np.zeros((1, 96, 96, 3), np.float32),
    )
    for crop in wrong:
        with pytest.raises(ValueError, match="uint8"):
            shipped.classify(crop)


def test_the_heat_lies_on_the_item_and_where_the_defect_is(crops: Dataset, grades: Grades) -> None:
    assert grades.maps is not None
    mask = np.zeros((96, 96), np.float32)
    mask[10:86, 10:86] = 1.0
    for number in range(12):
        heat = heat_map(grades.maps[number], grades.labels, grades.labels[int(crops.labels[number])], mask)
        assert heat.shape == (96, 96)
        assert 0.0 <= float(heat.min()) <= float(heat.max()) <= 1.0
        assert float(heat[mask == 0].max()) == 0.0
        assert overlay(crops.crops[number], heat).shape == (96, 96, 3)
    cold = overlay(crops.crops[0], np.zeros((96, 96), np.float32))
    assert (cold == crops.crops[0]).all()
    place = np.zeros((6, 6, len(LABELS)), np.float32)
    place[1, 4, LABELS.index("cracked")] = 9.0
    row, column = np.unravel_index(
        int(heat_map(place, LABELS, "cracked", np.ones((96, 96), np.float32)).argmax()), (96, 96)
    )
    assert 16 <= row < 32
    assert 64 <= column < 80


def copied(folder: Path) -> Path:
    for name in ("goods.tflite", "goods.json"):
        shutil.copy(WEIGHTS / name, folder / name)
    return folder


def load(folder: Path) -> Classifier:
    return Classifier.load(folder / "goods.tflite", folder / "goods.json")


def test_a_model_that_is_not_the_card_s_is_refused(tmp_path: Path) -> None:
    copied(tmp_path)
    with (tmp_path / "goods.tflite").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelRefused, match="SHA-256"):
        load(tmp_path)
    (tmp_path / "goods.tflite").unlink()
    with pytest.raises(ModelRefused, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"side_px": 64}, "takes"),
        ({"embedding": 33}, "gives"),
        ({"labels": ("good", "broken"), "thresholds": {"good": 0.5, "broken": 0.5}}, "gives"),
    ],
)
def test_a_card_of_another_shape_is_refused(change: dict[str, Any], word: str, tmp_path: Path) -> None:
    copied(tmp_path)
    whole = read_card(tmp_path / "goods.json")
    write_card(msgspec.structs.replace(whole, **change), tmp_path / "goods.json")
    with pytest.raises(ModelRefused, match=word):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(200)])
def test_a_file_that_is_no_model_is_refused_even_if_the_card_knows_its_hash(content: bytes) -> None:
    with pytest.raises(ModelRefused, match="no TFLite model"):
        Classifier(content, card(sha256=digest(content)))


class Net:
    """A net of one number: it takes the mean of a crop and says `broken` the more the darker it is. Any tensor types."""

    def __init__(self, entry: type[np.generic], exit_: type[np.generic], scale: float, zero: int) -> None:
        self.entry, self.exit, self.scale, self.zero = entry, exit_, scale, zero
        self.crop: Any = None

    def allocate_tensors(self) -> None:
        """Nothing to make room for."""

    def get_input_details(self) -> list[dict[str, Any]]:
        quantised = (0.0, 0) if self.entry is np.float32 else (1.0, -128 if self.entry is np.int8 else 0)
        return [{"index": 0, "shape": np.array([1, 96, 96, 3]), "dtype": self.entry, "quantization": quantised}]

    def get_output_details(self) -> list[dict[str, Any]]:
        quantised = (0.0, 0) if self.exit is np.float32 else (self.scale, self.zero)
        shapes = ((1, np.array([1, 2])), (2, np.array([1, 4])))
        return [{"index": k, "shape": s, "dtype": self.exit, "quantization": quantised} for k, s in shapes]

    def set_tensor(self, index: int, value: Any) -> None:
        assert index == 0
        assert value.dtype == self.entry
        assert value.shape == (1, 96, 96, 3)
        self.crop = value

    def invoke(self) -> None:
        """Everything is worked out when it is asked for."""

    def get_tensor(self, index: int) -> Any:
        mean = float(self.crop.mean()) + (128 if self.entry is np.int8 else 0)
        real = np.array([[mean / 64 - 2, 2 - mean / 64]]) if index == 1 else np.full((1, 4), mean / 128)
        if self.exit is np.float32:
            return real.astype(np.float32)
        limits = np.iinfo(self.exit)
        return np.clip(np.rint(real / self.scale) + self.zero, limits.min, limits.max).astype(self.exit)


@pytest.mark.parametrize("entry", [np.uint8, np.int8, np.float32])
@pytest.mark.parametrize("exit_", [np.uint8, np.int8, np.float32])
def test_every_type_of_tensor_gives_the_same_grades(
    entry: type[np.generic], exit_: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net(entry, exit_, 0.02, 120 if exit_ is np.uint8 else 0)
    monkeypatch.setattr(module, "interpreter", lambda _model: (net, "simulated"))
    judge = Classifier(b"any", card(sha256=digest(b"any"), temperature=1.0))
    bright, dark = np.full((96, 96, 3), 190, np.uint8), np.full((96, 96, 3), 70, np.uint8)
    graded = judge.classify(np.stack([bright, dark]))
    assert graded.maps is None
    assert graded.probabilities[0, 0] == pytest.approx(0.873, abs=0.01)
    assert graded.probabilities[1, 1] == pytest.approx(0.859, abs=0.01)
    assert graded.embedding[0] == pytest.approx(np.full(4, 190 / 128), abs=0.011)


@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_a_type_that_no_classifier_has_is_refused(kind: type[np.generic], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "interpreter", lambda _model: (Net(np.uint8, kind, 0.02, 0), "simulated"))
    with pytest.raises(ModelRefused, match="type"):
        Classifier(b"any", card(sha256=digest(b"any")))


def test_a_runtime_that_cannot_run_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(RuntimeUnavailable, match="ai-edge-litert"):
        runtime.interpreter(b"")

    class Old:
        Interpreter = object

    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", Old)
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(RuntimeUnavailable, match="numpy below 2"):
        runtime.interpreter(b"")


def test_a_model_is_loaded_without_a_word_of_the_runtime_and_nobody_elses_word_is_lost() -> None:
    script = (
        "import os; from models.quality import runtime; inner = runtime._interpreter\n"
        "def told(model): os.write(2, b'disk full\\n'); return inner(model)\n"
        "runtime._interpreter = told; from models.quality.classifier import Classifier; Classifier.shipped()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "disk full\n")


def test_a_model_is_loaded_where_nothing_can_be_written_and_nothing_stays_open() -> None:
    script = (
        "import os, tempfile; from models.quality import runtime; inner = runtime._interpreter\n"
        "def full(*given, **more): raise FileNotFoundError('no usable temporary directory')\n"
        "tempfile._get_default_tempdir = full; tempfile.tempdir = None\n"
        "def told(model): os.write(2, b'disk full\\n'); return inner(model)\n"
        "runtime._interpreter = told; from models.quality.classifier import Classifier; Classifier.shipped()\n"
        "before = len(os.listdir('/proc/self/fd')); Classifier.shipped(); print(len(os.listdir('/proc/self/fd')) - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
    assert done.stderr.count("disk full\n") == 2


def test_models_loaded_at_once_leave_standard_error_as_it_was() -> None:
    script = (
        "import os, threading, time; from models.quality import runtime\n"
        "class Net:\n    def allocate_tensors(self): pass\n"
        "def slow(model): time.sleep(float(model)); os.write(2, b'loaded\\n'); return Net(), ''\n"
        "runtime._interpreter = slow\n"
        "loads = [threading.Thread(target=runtime.interpreter, args=(wait,)) for wait in (b'0.1', b'0.2')]\n"
        "for load in loads: load.start()\n"
        "for load in loads: load.join()\n"
        "os.write(2, b'still heard\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "loaded\nloaded\nstill heard\n"


def test_where_a_runtime_takes_the_process_down_is_said() -> None:
    script = (
        "import os; from models.quality import runtime; runtime._interpreter = lambda model: os.abort()\n"
        "runtime.interpreter(b'')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert "runtime.py" in done.stderr


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=2))
def test_a_verdict_is_unsure_below_its_threshold_and_never_surer_than_the_probabilities(shares: list[float]) -> None:
    rules = card(thresholds={"good": 0.8, "broken": 0.6})
    row = np.array(shares, np.float32) / np.float32(sum(shares))
    grade = decide(row, rules)
    assert grade.label == rules.labels[int(row.argmax())]
    assert 0.0 <= grade.confidence <= 1.0
    assert (grade.verdict == "unsure") == (grade.confidence < rules.thresholds[grade.label])
    if grade.verdict != "unsure":
        assert (grade.verdict == "good") == (grade.label == "good")


def test_defects_that_cannot_be_told_apart_are_still_rejects() -> None:
    rules = card(labels=("good", "broken", "cracked"), thresholds={"good": 0.8, "broken": 0.6, "cracked": 0.6})
    grade = decide(np.array([0.02, 0.5, 0.48], np.float32), rules)
    assert (grade.label, grade.verdict) == ("broken", "reject")
    assert grade.confidence == pytest.approx(0.98)
