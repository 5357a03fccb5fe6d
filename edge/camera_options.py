"""What a camera's table in node.toml may say, and what its fields demand of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from wire.messages import Name
from wire.settings import SettingsError


class ProductTime(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on which product lies under a camera, every day."""

    start: Annotated[
        str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="local time, hours and minutes: 04:30")
    ]
    product: Annotated[Name, Meta(description="what is made from then on")]


class CameraOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera of the `watch` daemon."""

    name: Annotated[Name, Meta(description="unique on this node")]
    machine: Annotated[Name, Meta(description="the oven or line whose goods it sees")]
    type: Annotated[
        Literal["photos", "video", "picamera2", "simulated"],
        Meta(
            description="photos: pictures that appear in a folder; video: USB, RTSP or a file; picamera2: a board's own "
            "camera; simulated: rendered trays"
        ),
    ]
    folder: Annotated[Path, Meta(description="photos: the folder that is watched")] | None = None
    source: (
        Annotated[
            str, Meta(min_length=1, max_length=500, description="video: a number or /dev/video…, rtsp://…, or a file")
        ]
        | None
    ) = None
    tray_s: Annotated[float, Meta(ge=0.5, le=3600, description="simulated: how long each tray lies there")] = 10.0
    browning: (
        Annotated[
            Path, Meta(description="simulated: file with the crust's browning, 0 dough to 1 char; 0.5 without it")
        ]
        | None
    ) = None
    load_trays: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1000,
                description="simulated: so many trays each time the browning's file is written; left out: one after the other",
            ),
        ]
        | None
    ) = None
    width: Annotated[int, Meta(ge=160, le=4608, description="of the picture, in pixels, where it can be chosen")] = 1600
    height: Annotated[int, Meta(ge=120, le=4608, description="of the picture, in pixels, where it can be chosen")] = (
        1200
    )
    interval_s: Annotated[
        float, Meta(ge=0.05, le=600, description="how often it looks; with trigger movement: at most so often")
    ] = 1.0
    trigger: Annotated[
        Literal["interval", "movement", "light_barrier", "mqtt"],
        Meta(description="what a picture is taken at; movement: when something new has come to rest"),
    ] = "interval"
    barrier_pin: Annotated[int, Meta(ge=0, le=27, description="light_barrier: number of its GPIO (BCM)")] | None = None
    barrier_active_high: Annotated[bool, Meta(description="light_barrier: the pin is high while interrupted")] = True
    trigger_topic: (
        Annotated[
            str, Meta(min_length=1, max_length=400, description="mqtt: topic at the node's broker, without wildcards")
        ]
        | None
    ) = None
    corners: (
        Annotated[
            list[tuple[float, float]],
            Meta(
                min_length=4,
                max_length=4,
                title="eight numbers from 0 to 1, x and y of four corners, as [[x, y], [x, y], [x, y], [x, y]]",
                description="of belt or tray, fractions of the picture: top left, top right, bottom right, bottom left; "
                "nothing outside is looked at or stored",
            ),
        ]
        | None
    ) = None
    belt: (
        Annotated[
            bool,
            Meta(
                description="each item is counted once however often it is seen; false: each picture is a tray of its "
                "own; left out: true for a live camera at an interval"
            ),
        ]
        | None
    ) = None
    product: Annotated[Name, Meta(description="what lies under it while nothing else is said")] = "goods"
    recognise: Annotated[bool, Meta(description="choose among the taught products by what is seen")] = False
    profiles: (
        Annotated[
            Path,
            Meta(
                description="folder of taught products, <product>.json each; left out: profiles below the state folder, for what "
                "is taught from the page"
            ),
        ]
        | None
    ) = None
    model: (
        Annotated[
            Path, Meta(description="another model than the shipped one: a .tflite file with its card (.json) beside it")
        ]
        | None
    ) = None
    calibration: (
        Annotated[
            Path, Meta(description="file that werkpuls calibrate wrote for this camera: sizes are in millimetres")
        ]
        | None
    ) = None
    white_patch: (
        Annotated[
            tuple[float, float, float, float],
            Meta(
                description="a white or grey card that always lies in the picture, as fractions of what is inspected: x, y, "
                "width, height; crust colours are absolute by it"
            ),
        ]
        | None
    ) = None
    white_reflectance: Annotated[
        float, Meta(ge=0.05, le=1, description="of that card: white 0.9, a photographer's grey 0.18")
    ] = 0.9
    load_gap_s: Annotated[
        float, Meta(ge=1, le=86_400, description="after so long without items the next ones are another oven load")
    ] = 600.0
    shifts: Annotated[
        list[Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]],
        Meta(max_length=6, description="local times at which shifts begin; a batch ends there"),
    ] = []
    reject_above: Annotated[
        float, Meta(gt=0, lt=1, description="share of rejects in a batch that people are told of, once it is certain")
    ] = 0.05
    keep_days: Annotated[
        float,
        Meta(ge=0, le=3650, description="small pictures of rejected and doubtful items are kept so long; 0: none"),
    ] = 14.0
    keep_mb: Annotated[float, Meta(ge=1, le=1_000_000, description="and at most so much of them")] = 200.0
    dark_below: Annotated[float, Meta(ge=0, le=255, description="mean brightness below this counts as dark")] = 25.0
    bright_above: Annotated[float, Meta(ge=0, le=255, description="mean brightness above this: overexposed")] = 235.0
    blurred_below: Annotated[
        float, Meta(ge=0, le=100_000, description="variance of the Laplacian below this counts as blurred")
    ] = 20.0
    times: Annotated[list[ProductTime], Meta(max_length=48)] = field(name="schedule", default_factory=list)


_NEEDED = (
    ("type", "photos", "folder"),
    ("type", "video", "source"),
    ("trigger", "light_barrier", "barrier_pin"),
    ("trigger", "mqtt", "trigger_topic"),
)


def check_camera(camera: CameraOptions, where: str, path: str) -> None:
    """What the types cannot say: what one choice demands, and what has no meaning with another.

    Raises:
        SettingsError: with the path of the option.
    """
    for choice, value, option in _NEEDED:
        chosen, given = getattr(camera, choice) == value, getattr(camera, option) is not None
        if chosen and not given:
            raise SettingsError(where, f"{path}.{option}", f'must be given with {choice} = "{value}"')
        if given and not chosen:
            raise SettingsError(where, f"{path}.{option}", f'is for {choice} = "{value}" only')
    for option in ("folder", "profiles"):
        folder = getattr(camera, option)
        if folder is not None and not folder.is_dir():
            raise SettingsError(where, f"{path}.{option}", f"{folder} is not a folder")
    if camera.load_trays is not None and camera.browning is None:
        raise SettingsError(where, f"{path}.load_trays", "needs browning, the file that is written for each load")
    if camera.corners is not None:
        check_corners(camera.corners, where, f"{path}.corners")
    _check_patch(camera.white_patch, where, f"{path}.white_patch")
    starts = [entry.start for entry in camera.times]
    if len(set(starts)) < len(starts):
        raise SettingsError(where, f"{path}.schedule", "two products start at the same time")


def check_corners(corners: list[tuple[float, float]], where: str, path: str) -> None:
    """Refuses corners outside of the picture, or not in order around a convex figure.

    Raises:
        SettingsError: which, and why.
    """
    if not all(0 <= number <= 1 for corner in corners for number in corner):
        raise SettingsError(where, path, "corners are fractions of the picture, 0 to 1")
    for place, (x, y) in enumerate(corners):
        (x1, y1), (x2, y2) = corners[(place + 1) % 4], corners[(place + 2) % 4]
        if (x1 - x) * (y2 - y1) - (y1 - y) * (x2 - x1) <= 1e-6:
            raise SettingsError(where, path, "corners go round: top left, top right, bottom right, bottom left")


def _check_patch(patch: tuple[float, float, float, float] | None, where: str, path: str) -> None:
    x, y, width, height = patch or (0.0, 0.0, 1.0, 1.0)
    if not (x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 and y + height <= 1):
        raise SettingsError(where, path, "x, y, width, height are fractions inside of the picture")


def minutes(clock: str) -> int:
    """Minutes after midnight.

    >>> minutes("04:30")
    270
    """
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)
