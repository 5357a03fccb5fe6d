"""From rendered frames or photos to crops, from scores to confidence, from weights to files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from support.cards import card

from models.quality.card import Card, ModelRefused, digest
from models.quality.classifier import Grades
from models.training import cache, render
from models.training.cache import Cache
from models.training.calibrate import temperature, thresholds
from models.training.dataset import Box, Dataset, overlap, rendered, rendered_part
from models.training.evaluate import figures, good_against_bad
from models.training.labels import LABELS
from models.training.net import LAYERS, Weights, forward
from models.training.photos import PhotosRefused, crops_of, labelled_photos
from models.training.recipe import pack, unpack
from werkpuls.cli import main
from werkpuls.train import cropper


def some_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {}
    channels = 3
    for number, layer in enumerate(LAYERS):
        shape = (layer.kernel, layer.kernel, channels, layer.filters)
        weights[f"kernel_{number}"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[:3])), shape).astype(np.float32)
        weights[f"bias_{number}"] = np.zeros(layer.filters, np.float32)
        channels = layer.filters
    weights["kernel_head"] = rng.normal(0, 0.1, (channels, len(LABELS))).astype(np.float32)
    weights["bias_head"] = np.zeros(len(LABELS), np.float32)
    return weights


def test_a_part_of_the_rendered_crops_repeats() -> None:
    part = rendered_part(3, 0, cropper, count=24)
    assert part.crops.shape == (24, 96, 96, 3)
    assert part.crops.dtype == np.uint8
    assert len(set(part.labels.tolist())) >= 4
    again = rendered_part(3, 0, cropper, count=24)
    assert (part.crops == again.crops).all()
    assert (part.labels == again.labels).all()


def test_what_another_renderer_finder_or_crop_has_made_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def narrower(picture: NDArray[np.uint8]) -> list[tuple[Box, NDArray[np.uint8]]]:
        return [(box, np.roll(crop, 1, axis=1)) for box, crop in cropper(picture)]

    monkeypatch.setattr(cache, "PROBE", 8)
    part = Dataset(np.full((2, 96, 96, 3), 7, np.uint8), np.zeros(2, np.int64))
    Cache(tmp_path, cropper).keep(3, 0, part)
    left = tmp_path / "3-1.12345.unfinished"
    left.write_bytes(b"half of one")
    os.utime(left, (1, 1))
    (kept,) = rendered(3, 24, cropper, Cache(tmp_path, cropper))
    assert (kept.crops == part.crops).all()
    assert Cache(tmp_path, narrower).load(3, 0) is None
    assert Cache(tmp_path, cropper).load(3, 1) is None
    text = tmp_path / "render" / "crust.py"
    text.parent.mkdir()
    text.write_text("BROWN = 0.5", encoding="utf-8")
    monkeypatch.setattr(render, "__path__", [str(text.parent)])
    other = Cache(tmp_path, cropper)
    assert other.load(3, 0) is None
    other.keep(3, 0, part)
    assert other.load(3, 0) is not None
    assert len(list(tmp_path.glob("3-0-*.npz"))) == 2
    assert not left.exists()
    for path in tmp_path.glob("3-0-*.npz"):
        path.write_bytes(path.read_bytes()[:1000])
    assert other.load(3, 0) is None, "damaged, it is made again"


def test_a_photo_is_cropped_and_what_shows_nothing_is_left_out(tmp_path: Path) -> None:
    picture = np.full((300, 400, 3), 230, np.uint8)
    cv2.circle(picture, (200, 150), 60, (60, 120, 180), -1)
    for label in ("good", "burnt"):
        (tmp_path / label).mkdir()
        cv2.imwrite(str(tmp_path / label / "one.png"), picture)
    (tmp_path / "good" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "good" / "empty.jpg").write_bytes(b"")
    (tmp_path / "good" / "notes.txt").write_text("not looked at")
    photos = labelled_photos(tmp_path)
    assert [(path.name, label) for path, label in photos] == [
        ("broken.jpg", "good"), ("empty.jpg", "good"), ("one.png", "good"), ("one.png", "burnt"),
    ]  # fmt: skip
    found = [data for _, data in crops_of(photos, cropper)]
    assert found[0] is None
    assert found[1] is None
    assert found[2] is not None
    assert found[2].crops.shape == (1, 96, 96, 3)
    assert found[2].labels.tolist() == [LABELS.index("good")]


def test_a_folder_that_is_none_of_labelled_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotosRefused, match="no folder"):
        labelled_photos(tmp_path / "none")
    with pytest.raises(PhotosRefused, match="no photos"):
        labelled_photos(tmp_path)
    (tmp_path / "gut").mkdir()
    with pytest.raises(PhotosRefused, match="gut"):
        labelled_photos(tmp_path)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.0])
def test_the_temperature_that_made_the_confidence_wrong_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6000, 4))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(4, p=row) for row in chances], np.int64)
    said = (logits * true_temperature).astype(np.float32)
    assert temperature(said, labels) == pytest.approx(true_temperature, rel=0.12)


def test_a_defect_that_is_sold_costs_more_so_good_must_be_surer() -> None:
    least = thresholds(LABELS)
    assert set(least) == set(LABELS)
    assert least["good"] > least["broken"]
    assert 0 < min(least.values()) < max(least.values()) < 1


def test_figures_count_by_label_and_by_verdict() -> None:
    two: Card = card(thresholds={"good": 0.8, "broken": 0.6})
    rows = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.95, 0.05]], np.float32)
    grades = Grades(two.labels, rows, np.zeros((4, 4), np.float32))
    data = Dataset(np.zeros((4, 96, 96, 3), np.uint8), np.array([0, 0, 1, 1]))
    measured = figures(data, grades, two)
    assert measured == {
        "accuracy": 0.75, "recall_good": 1.0, "recall_broken": 0.5, "balanced_good_bad": 0.75, "unsure": 0.25,
    }  # fmt: skip
    assert good_against_bad(np.array([True]), np.array(["unsure"])) == {"balanced_good_bad": 0.0, "unsure": 1.0}


def test_overlap_of_boxes_that_lie_apart_is_nothing() -> None:
    assert overlap((0, 0, 1, 1), (2, 2, 1, 1)) == 0.0
    assert overlap((0, 0, 4, 2), (0, 0, 4, 2)) == 1.0


def test_a_checkpoint_comes_back_and_another_one_is_refused(tmp_path: Path) -> None:
    weights = some_weights()
    packed = pack(weights)
    (tmp_path / "goods.npz").write_bytes(packed)
    whose = card(checkpoint_sha256=digest(packed))
    back = unpack(tmp_path, whose)
    assert {name: values.shape for name, values in back.items()} == {n: v.shape for n, v in weights.items()}
    assert all(np.allclose(back[name], weights[name], atol=2e-3) for name in weights)
    with pytest.raises(ModelRefused, match="not the checkpoint"):
        unpack(tmp_path, card(checkpoint_sha256=digest(b"other")))
    with pytest.raises(ModelRefused, match="cannot be read"):
        unpack(tmp_path / "nowhere", whose)
    short = pack({name: values for name, values in weights.items() if name != "bias_head"})
    (tmp_path / "goods.npz").write_bytes(short)
    with pytest.raises(ModelRefused, match="another net"):
        unpack(tmp_path, msgspec.structs.replace(whose, checkpoint_sha256=digest(short)))


def test_the_reference_pass_gives_a_row_per_crop_and_grey_is_no_signal_of_its_own() -> None:
    weights = some_weights()
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3)).astype(np.uint8)
    logits, embedding = forward(weights, crops)
    assert logits.shape == (3, len(LABELS))
    assert embedding.shape == (3, LAYERS[-1].filters)
    assert (embedding >= 0).all()
    assert not np.allclose(logits[0], logits[1])


def test_the_command_refuses_what_cannot_be_done_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--steps", "0"]) == 2
    assert main(["train", "--seed", "1000001"]) == 2
    assert "cannot be taken" in capsys.readouterr().err
    if importlib.util.find_spec("tensorflow") is None:
        assert main(["train", str(tmp_path)]) == 2
        assert "-e '.[train]'" in capsys.readouterr().err
    else:
        assert main(["train", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
        assert "no photos" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow (extra train)")
def test_a_few_steps_of_training_learn_the_training_set_and_end_in_integers() -> None:
    from models.training.export import tflite  # noqa: PLC0415  # skipped where there is no TensorFlow
    from models.training.fit import continue_training, train  # noqa: PLC0415  # as above

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 128)
    crops = np.full((128, 96, 96, 3), 118, np.uint8)
    crops[:, 20:76, 20:76] = np.where(labels, 30, 200)[:, None, None, None]
    data = Dataset(crops, labels.astype(np.int64))
    weights = continue_training(train([data], 1, 30, 1), [data], 1, 4, 1)
    logits, _ = forward(weights, crops)
    assert (logits.argmax(axis=1) == labels).mean() > 0.95
    assert tflite(weights, crops)[4:8] == b"TFL3"
