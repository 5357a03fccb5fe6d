"""What grades the goods: runtime, model and card, taught products, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.checks import Check, check

if TYPE_CHECKING:
    from edge.camera_options import CameraOptions


def grading(cameras: Sequence[CameraOptions], taught: Path | None = None) -> Iterator[Check]:
    """Each model, profile and calibration that these cameras use; the shipped model where there is no camera yet.

    Args:
        cameras: as configured.
        taught: folder of profiles of cameras that name none.
    """
    from edge.vision.calibration import Calibration, CalibrationError  # noqa: PLC0415  # needs OpenCV
    from models.quality.profile import SUFFIX  # noqa: PLC0415  # only who looks at goods needs it

    nets: dict[Path | None, str] = {}
    for path in dict.fromkeys([camera.model for camera in cameras] or [None]):
        said, nets[path] = _model(path)
        yield said
    seen: set[Path] = set()
    for camera in cameras:
        folder = camera.profiles or taught
        known = None if folder is None else _taught(folder, SUFFIX)
        if folder is None or known is None or not nets[camera.model]:
            continue
        for product in _products(camera, known):
            file = folder / f"{product}{SUFFIX}"
            if file in seen:
                continue
            seen.add(file)
            if product in known:
                yield _profile(file, product, nets[camera.model])
            else:
                yield check("grading", "not_taught", product=product, file=str(file))
    for file in dict.fromkeys(camera.calibration for camera in cameras if camera.calibration is not None):
        try:
            found = Calibration.load(file)
        except CalibrationError as exc:
            yield check("grading", "no_calibration", error=str(exc))
        else:
            yield check("grading", "calibration", file=str(file), points=found.points, residual_mm=found.residual_mm)


def _taught(folder: Path, suffix: str) -> set[str] | None:
    """Names of the profiles in a folder, none where there is no such folder; None where it may not be looked into."""
    try:
        return {path.stem for path in folder.iterdir() if path.suffix == suffix}
    except FileNotFoundError:
        return set()
    except OSError:
        return None


def _products(camera: CameraOptions, taught: set[str]) -> list[str]:
    """What the camera is to judge: all that was taught where it recognises products itself."""
    named = {camera.product, *(entry.product for entry in camera.times)}
    return sorted(named | taught if camera.recognise else named)


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

    try:
        profile = read_profile(path, net)
    except ProfileRefused as exc:
        return check("grading", "profile_refused", product=product, error=str(exc))
    return check("grading", "profile", product=product, good=len(profile.good), bad=len(profile.bad))
