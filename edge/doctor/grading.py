"""What grades the goods: runtime, model and card, taught products, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.checks import Check, check

if TYPE_CHECKING:
    from edge.camera_options import CameraOptions


def grading(cameras: Sequence[CameraOptions]) -> Iterator[Check]:
    """Each model, profile and calibration that these cameras use; the shipped model where there is no camera yet."""
    from edge.vision.calibration import Calibration, CalibrationError  # noqa: PLC0415  # needs OpenCV

    nets: dict[Path | None, str] = {}
    for path in dict.fromkeys([camera.model for camera in cameras] or [None]):
        said, nets[path] = _model(path)
        yield said
    seen: set[Path] = set()
    for camera in cameras:
        if camera.profiles is None or not nets[camera.model]:
            continue
        for product in sorted({camera.product, *(entry.product for entry in camera.times)}):
            file = camera.profiles / f"{product}.json"
            if file not in seen:
                seen.add(file)
                yield _profile(file, product, nets[camera.model])
    for file in dict.fromkeys(camera.calibration for camera in cameras if camera.calibration is not None):
        try:
            found = Calibration.load(file)
        except CalibrationError as exc:
            yield check("grading", "no_calibration", error=str(exc))
        else:
            yield check("grading", "calibration", file=str(file), points=found.points, residual_mm=found.residual_mm)


def _model(path: Path | None) -> tuple[Check, str]:
    """What is to be said of a model, and its hash; empty where it cannot be used."""
    from models.quality.card import ModelRefused  # noqa: PLC0415  # only who looks at goods needs it
    from models.quality.classifier import Classifier  # noqa: PLC0415  # as above
    from models.quality.runtime import RuntimeUnavailable  # noqa: PLC0415  # as above

    try:
        found = Classifier.shipped() if path is None else Classifier.load(path, path.with_suffix(".json"))
    except ModelRefused as exc:
        return check("grading", "refused", error=str(exc)), ""
    except RuntimeUnavailable as exc:
        return check("grading", "runtime", error=str(exc)), ""
    labels = len(found.card.labels)
    return check("grading", "good", model=found.card.name, runtime=found.runtime, labels=labels), found.card.sha256


def _profile(path: Path, product: str, net: str) -> Check:
    from models.quality.profile import ProfileRefused, read_profile  # noqa: PLC0415  # as above

    if not path.exists():
        return check("grading", "not_taught", product=product, file=str(path))
    try:
        profile = read_profile(path, net)
    except ProfileRefused as exc:
        return check("grading", "profile_refused", product=product, error=str(exc))
    return check("grading", "profile", product=product, good=len(profile.good), bad=len(profile.bad))
