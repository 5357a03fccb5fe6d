"""What is rendered shows what its label says, and the same seed draws it again."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.training.labels import LABELS
from models.training.render.breaks import LEFT, broken
from models.training.render.canvas import RADIUS, SIZE, Image, noise
from models.training.render.colour import MAILLARD, crust_lab
from models.training.render.deform import UNLIKE, deformed, outline_profile, unlikeness
from models.training.render.frame import HEIGHT, WIDTH, frame
from models.training.render.item import Piece, piece
from models.training.render.lighting import Light
from models.training.render.outlines import SHARES, SILHOUETTES, silhouette

LAMP = Light(azimuth=0.8, elevation=1.0, ambient=0.7)


def lightness(drawn: Piece) -> float:
    """Mean L* of a piece in its light."""
    shown = np.clip(drawn.light, 0, 1) ** np.float32(1 / 2.2)
    return float(cv2.cvtColor(shown, cv2.COLOR_RGB2Lab)[..., 0][drawn.mask > 0.5].mean())


def several(label: str, kind: str, count: int = 6) -> list[Piece]:
    return [piece(np.random.default_rng([7, number]), label, LAMP, kind) for number in range(count)]


def test_the_same_seed_gives_the_same_picture_and_another_seed_another_one() -> None:
    wanted = ["good", "broken", "burnt", "foreign_object"]
    first, laid = frame(np.random.default_rng(3), wanted)
    again, laid_again = frame(np.random.default_rng(3), wanted)
    other, _ = frame(np.random.default_rng(4), wanted)
    assert (first == again).all()
    assert laid == laid_again
    assert (first != other).any()


def test_a_frame_tells_where_each_piece_lies_and_none_touches_another_or_the_edge() -> None:
    picture, laid = frame(np.random.default_rng(5), list(LABELS))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    assert len(laid) >= 4
    covered = np.zeros((HEIGHT, WIDTH), np.uint8)
    for found in laid:
        x, y, width, height = found.box
        assert 0 < x < x + width < WIDTH
        assert 0 < y < y + height < HEIGHT
        covered[y : y + height, x : x + width] += 1
    assert {found.label for found in laid} <= set(LABELS)
    assert (covered <= 2).all(), "boxes of pieces that lie apart may overlap by a corner, no more"


@pytest.mark.parametrize("kind", SILHOUETTES)
def test_a_whole_piece_fills_the_canvas_and_stays_inside(kind: str) -> None:
    for seed in range(5):
        mask = silhouette(np.random.default_rng(seed), kind)
        assert mask.shape == (SIZE, SIZE)
        assert 0.0 <= float(mask.min()) <= float(mask.max()) <= 1.0
        assert float(max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max())) == 0.0
        rows = np.flatnonzero(mask.max(axis=1) > 0.5)
        columns = np.flatnonzero(mask.max(axis=0) > 0.5)
        assert max(np.ptp(rows), np.ptp(columns)) > 1.5 * RADIUS


@pytest.mark.parametrize("kind", SHARES)
def test_burnt_is_darker_than_good_and_underbaked_is_lighter(kind: str) -> None:
    good, burnt, raw = (
        np.mean([lightness(p) for p in several(label, kind)]) for label in ("good", "burnt", "underbaked")
    )
    assert burnt + 12 < good < raw - 8


@pytest.mark.parametrize("kind", SHARES)
def test_a_broken_piece_is_one_piece_and_misses_a_visible_part(kind: str) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        whole = silhouette(rng, kind)
        left, kept = broken(rng, whole, kind)
        share = float(left.sum() / whole.sum())
        assert LEFT[0] * 0.5 < share < LEFT[1]
        assert cv2.connectedComponents((left > 0.5).astype(np.uint8))[0] == 2
        assert float((left * (1 - kept)).sum()) < 0.02 * float(whole.sum())


@pytest.mark.parametrize("kind", ["round", "square", "cookie", "roll"])
def test_a_deformed_outline_is_no_turned_stretched_or_sheared_good_one(kind: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        whole = silhouette(rng, kind)
        assert unlikeness(outline_profile(whole), outline_profile(deformed(rng, whole))) > 0.8 * UNLIKE


def test_turning_and_stretching_leave_an_outline_alike() -> None:
    whole = silhouette(np.random.default_rng(1), "square")
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 33.0, 0.9)
    turn[0] *= 0.8
    turned: Image = np.asarray(cv2.warpAffine(whole, turn, (SIZE, SIZE)), np.float32)
    assert unlikeness(outline_profile(whole), outline_profile(turned)) < 0.6 * UNLIKE


def test_a_crack_is_dark_and_large_enough_to_be_seen() -> None:
    for kind in ("round", "roll", "cookie"):
        for seed in range(4):
            cracked = piece(np.random.default_rng(seed), "cracked", LAMP, kind)
            grey = cracked.light.mean(axis=-1)
            inside = cracked.mask > 0.9
            dark = (grey < 0.45 * np.median(grey[inside])) & inside
            assert dark.sum() > 60


def test_foreign_objects_lie_alone_or_on_a_piece() -> None:
    drawn = [piece(np.random.default_rng(seed), "foreign_object", LAMP, "round") for seed in range(24)]
    assert 5 < sum(p.alone for p in drawn) < 22


def test_browning_runs_from_light_to_dark() -> None:
    lab = crust_lab(np.linspace(0, 1, 50, dtype=np.float32)[None])
    assert (np.diff(lab[0, :, 0]) <= 0).all()
    assert float(lab[0, 0, 0]) == pytest.approx(float(MAILLARD[0, 1]))


@pytest.mark.parametrize("cell", [2.0, 9.0, 80.0])
def test_noise_has_unit_spread_whatever_its_scale(cell: float) -> None:
    field = noise(np.random.default_rng(0), cell)
    assert float(field.std()) == pytest.approx(1.0, abs=0.01)


def test_light_from_the_other_side_falls_on_the_other_slope() -> None:
    x = np.broadcast_to(np.arange(SIZE, dtype=np.float32) * 0.5, (SIZE, SIZE)).copy()
    rising: Callable[[float], float] = lambda azimuth: float(Light(azimuth, 0.8, 0.3).on(x)[40:100, 40:100].mean())  # noqa: E731
    assert rising(0.0) < 1.0 < rising(np.pi)
