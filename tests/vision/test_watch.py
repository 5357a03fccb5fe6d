"""The camera daemon: pictures become inspections; what is no picture is never graded; it goes on whatever happens."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway
from support.watches import CAMERA, daemon, drop

from edge.config import read_node
from edge.vision.decode import encode
from edge.vision.measure import measure
from edge.vision.scene import tray
from edge.watch import Watch, main
from wire.commands import Command
from wire.messages import Finding, Health, Inspection, Reply
from wire.settings import SettingsError

SIZE = (400, 300)
NOISE = np.random.default_rng(1)


Picture = NDArray[np.uint8]


def goods(browning: float = 0.6, seed: int = 1, count: int = 6) -> Picture:
    return tray(np.random.default_rng(seed), SIZE, browning, count=count)[0]


def hand() -> Picture:
    image = goods()
    cv2.ellipse(image, (200, 150), (190, 130), 10, 0, 360, (150, 175, 225), -1)
    return image


def crumbs() -> Picture:
    image = goods(count=0)
    for number in range(300):
        x, y = 12 + 20 * (number % 20) + NOISE.integers(-4, 4), 12 + 20 * (number // 20) + NOISE.integers(-4, 4)
        cv2.circle(image, (int(x), int(y)), 2, (70, 130, 190), -1)
    return image


def picture(kind: str) -> Picture:
    made: dict[str, Callable[[], Picture]] = {
        "good": goods,
        "burnt": lambda: goods(0.9),
        "empty": lambda: goods(count=0),
        "hand": hand,
        "crumbs": crumbs,
        "dark": lambda: (goods() // 20).astype(np.uint8),
        "bright": lambda: np.full((300, 400, 3), 250, np.uint8),
        "covered": lambda: np.full((300, 400, 3), 120, np.uint8),
        "blurred": lambda: np.asarray(cv2.GaussianBlur(goods(), (0, 0), 12), np.uint8),
    }
    return made[kind]()


class Folder:
    """Drops pictures with settled and strictly rising modification times."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.count = 0

    def drop(self, kind: str) -> Path:
        self.count += 1
        return drop(self.path, b"rubbish" if kind == "damaged" else encode(picture(kind)), self.count)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "photos")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Broker(tmp_path / "broker", durable=False) as broker, Gateway(tmp_path / "gateway", broker.port) as made:
        yield made


def show(watch: Watch, folder: Folder, *kinds: str) -> None:
    loop = watch.cameras["tray"].loop
    before = loop.pictures
    for kind in kinds:
        folder.drop(kind)
    until(lambda: loop.pictures == before + len(kinds), 60)


def command(action: Any, **more: Any) -> Command:
    now = time.time_ns()
    return Command(
        id=f"c-{now}", machine="oven-1", action=action, issued_ns=now, expires_ns=now + 10**11, by="Eva", **more
    )


def is_inside(box: tuple[float, float, float, float]) -> bool:
    x, y, width, height = box
    return 0.03 < x < x + width < 0.97 and 0.03 < y < y + height < 0.97


def test_what_a_picture_says() -> None:
    grey = NOISE.integers(60, 200, (120, 160), dtype=np.uint8)
    assert measure((grey // 20).astype(np.uint8)).brightness < 10
    assert measure(np.full((120, 160), 128, np.uint8)).sharpness == 0.0
    assert measure(grey).sharpness > 1000
    wide = np.repeat(np.repeat(grey, 16, axis=0), 16, axis=1)
    assert measure(wide).brightness == pytest.approx(measure(grey).brightness)
    with pytest.raises(ValueError, match="grey frame"):
        measure(np.zeros((2, 5), np.uint8))
    with pytest.raises(ValueError, match="grey frame"):
        measure(np.zeros((5, 5, 3), np.uint8))


def switch_product(watch: Watch, gateway: Gateway) -> None:
    """To rolls; health says so, and a word for a camera that is not there changes nothing."""
    watch.desk.hear(command("set_product", product="rolls", camera="tray"))
    watch.desk.hear(command("set_product", product="loaf", camera="belt"))

    def told() -> list[Reply]:
        return [each for each in gateway.messages("pi") if isinstance(each, Reply) and each.action == "set_product"]

    until(lambda: watch.turn() or len(told()) == 2, 30)  # type: ignore[func-returns-value]  # turn, then look
    assert [(each.product, each.products) for each in watch.sensors()] == [("rolls", {"goods": "", "rolls": ""})]
    assert [reply.ok for reply in told()] == [True, False]
    assert "no camera 'belt'" in told()[1].reason


def test_pictures_become_inspections_batches_and_findings_and_a_person_corrects_them(
    tmp_path: Path, folder: Folder, gateway: Gateway
) -> None:
    path = write_node(tmp_path, port=gateway.port, more=CAMERA)

    def told(kind: type) -> list[Any]:
        return [message for message in gateway.messages("pi") if isinstance(message, kind)]

    with daemon(path) as watch:
        show(watch, folder, "good", "empty", "burnt", "burnt")
        until(lambda: watch.turn() or len(told(Inspection)) == 3, 30)  # type: ignore[func-returns-value]  # turn, then look
        inspections = told(Inspection)
        assert [len(each.items) for each in inspections] == [6, 6, 6]
        assert len({each.batch for each in inspections}) == 1
        assert {(each.camera, each.machine, each.product) for each in inspections} == {("tray", "oven-1", "goods")}
        assert {item.verdict for item in inspections[0].items} <= {"good", "unsure"}
        burnt = inspections[1].items
        assert {(item.label, item.verdict) for item in burnt} == {("burnt", "reject")}
        pictures = [item.picture for item in burnt if item.picture]
        assert 1 <= len(pictures) <= 3
        small = cv2.imdecode(np.frombuffer(b64decode(pictures[0]), np.uint8), cv2.IMREAD_COLOR)
        assert small is not None
        assert 40 < max(small.shape) <= 160
        assert any(item.seen for item in burnt)
        assert all(item.within is None or is_inside(item.within) for item in burnt)
        assert sum(item.within is not None for item in burnt) == len(pictures)
        assert [sorted(each.charts) for each in inspections] == [[], ["lightness", "size"], []]
        assert (
            np.mean([item.lightness for item in inspections[0].items]) - np.mean([item.lightness for item in burnt])
            > 15
        )
        findings = [(each.type, each.state, each.cause, each.product) for each in told(Finding)]
        assert findings == [("quality", "open", "too_dark", "goods")]
        evidence = told(Finding)[0].evidence[0]
        assert (evidence.feature, evidence.value >= 0.5) == ("reject_rate", True)
        held = sorted((tmp_path / "state" / "watch" / "pictures" / "tray").glob("*.jpg"))
        assert {each.id.removeprefix("i-") for each in inspections[1:]} <= {each.name.split("-")[1] for each in held}
        assert all(cv2.imread(str(each)) is not None for each in held)
        assert {".jpg", ".why.jpg"} == {"".join(each.suffixes) for each in held}

        watch.desk.hear(command("correct_verdict", inspection=inspections[1].id, item=0, verdict="good"))
        watch.desk.hear(command("correct_verdict", inspection=inspections[0].id, item=1, verdict="reject"))
        watch.desk.hear(command("correct_verdict", inspection="i-abc", item=1, verdict="reject"))
        watch.desk.hear(command("clear_fault"))
        until(lambda: watch.turn() or len(told(Reply)) == 4, 30)  # type: ignore[func-returns-value]  # see above
        assert [reply.ok for reply in told(Reply)] == [True, True, False, False]
        assert "no longer held" in told(Reply)[2].reason
        lessons = tmp_path / "state" / "watch" / "lessons" / "goods"
        assert [each.name for each in (lessons / "good").iterdir()] == [f"{inspections[1].id}-0.jpg"]
        assert [each.name for each in (lessons / "bad").iterdir()] == [f"{inspections[0].id}-1.jpg"]
        assert watch.sources()["tray"]["corrections"] == 2
        switch_product(watch, gateway)
    folder.drop("good")
    with daemon(path) as watch:
        until(lambda: watch.turn() or len(told(Inspection)) == 4, 30)  # type: ignore[func-returns-value]  # see above
        assert watch.sources()["tray"]["corrections"] == 2
        last = told(Inspection)[3]
        assert last.product == "rolls"
        assert last.batch != inspections[0].batch


def test_what_is_no_picture_is_a_fault_of_the_camera_and_never_bad_goods(
    tmp_path: Path, folder: Folder, gateway: Gateway
) -> None:
    def findings() -> list[tuple[str, str]]:
        return [(m.state, m.cause) for m in gateway.messages("pi") if isinstance(m, Finding)]

    path = write_node(tmp_path, port=gateway.port, more=CAMERA)
    with daemon(path) as watch:
        show(watch, folder, "empty", "dark", "empty", "dark", "dark")
        until(lambda: watch.turn() or findings() == [("open", "camera_dark")])  # type: ignore[func-returns-value]  # turn, then look
        assert not watch.sensors()[0].ok
        show(watch, folder, "damaged", "damaged")
        until(lambda: watch.turn() or findings()[1:] == [("changed", "camera_unreadable")])  # type: ignore[func-returns-value]  # see above
    folder.drop("empty")
    folder.drop("empty")
    with daemon(path) as watch:
        until(lambda: watch.turn() or findings()[2:] == [("cleared", "camera_unreadable")])  # type: ignore[func-returns-value]  # see above
        show(watch, folder, *["bright"] * 2, *["blurred"] * 2, *["covered"] * 2, *["hand"] * 2, "crumbs", "crumbs")
        until(lambda: watch.turn() or len(findings()) >= 6)  # type: ignore[func-returns-value]  # see above
    assert findings()[3:] == [
        ("open", "camera_overexposed"),
        ("changed", "camera_blurred"),
        ("changed", "camera_blocked"),
        ("cleared", "camera_blocked"),
    ]
    messages = gateway.messages("pi")
    told = [message for message in messages if isinstance(message, Finding)]
    assert {(m.origin, m.machine, m.type, m.channel) for m in told} == {("watch", "oven-1", "camera", "tray")}
    assert len({m.id for m in told}) == 2
    assert told[0].evidence[0].feature == "brightness"
    seen = [message for message in messages if isinstance(message, Inspection)]
    assert not any(item.verdict == "reject" for message in seen for item in message.items)
    states = [state for message in messages if isinstance(message, Health) for state in message.sensors]
    assert {(state.name, state.machine) for state in states} == {("tray", "oven-1")}


def test_a_folder_that_goes_away_is_a_fault_of_the_camera_and_it_comes_back(tmp_path: Path, folder: Folder) -> None:
    with daemon(write_node(tmp_path, more=CAMERA)) as watch:
        until(lambda: watch.cameras["tray"].loop.opened == 1)
        folder.path.rmdir()
        until(lambda: watch.sensors()[0].fault == "camera_no_image")
        watch.turn()
        assert "FileNotFoundError" in watch.sensors()[0].detail
        folder.path.mkdir()
        until(lambda: watch.cameras["tray"].loop.opened == 2 and watch.cameras["tray"].loop.error == "")


def test_a_model_and_a_profile_that_do_not_fit_are_shown_and_the_camera_is_looked_after(
    tmp_path: Path, folder: Folder
) -> None:
    (tmp_path / "other.tflite").write_bytes(b"no model")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "goods.json").write_text('{"card": {}}')
    with daemon(write_node(tmp_path, more=f'{CAMERA}model = "other.tflite"\n')) as watch:
        show(watch, folder, "dark", "dark")
        assert watch.sensors()[0].fault == "camera_dark"
        show(watch, folder, "good", "good")
        assert watch.sensors()[0].fault == "model_refused"
        assert "other.json" in watch.sensors()[0].detail
    with daemon(write_node(tmp_path, more=f'{CAMERA}profiles = "profiles"\n')) as watch:
        show(watch, folder, "good")
        assert watch.sensors()[0].fault == "profile_refused"
        assert watch.sources()["tray"]["inspections"] == 1


def test_a_calibrated_camera_tells_sizes_in_millimetres_and_a_damaged_calibration_is_refused(
    tmp_path: Path, folder: Folder
) -> None:
    # One frame is 800 by 600 mm: a pixel is 2 mm wide.
    matrix = [800.0, 0.0, 0.0, 0.0, 600.0, 0.0, 0.0, 0.0, 1.0]
    (tmp_path / "plane.json").write_text(f'{{"format": 1, "matrix": {matrix}, "residual_mm": 0.1, "points": 4}}')
    path = write_node(tmp_path, more=f'{CAMERA}calibration = "plane.json"\n')
    with daemon(path) as watch:
        show(watch, folder, "good")
        batch = watch.cameras["tray"].path.batch
        assert batch is not None
        assert batch.size_mm.count == 6
        assert batch.size_mm.mean == pytest.approx(2 * 85, rel=0.15)
    (tmp_path / "plane.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"camera 1.*no calibration"):
        daemon(path).start()


def test_a_live_tray_is_cropped_inspected_and_its_items_counted_once(tmp_path: Path) -> None:
    camera = """
    [[camera]]
    name = "live"
    machine = "oven-1"
    type = "simulated"
    width = 400
    height = 300
    tray_s = 3600
    interval_s = 0.05
    corners = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
    """
    with daemon(write_node(tmp_path, more=camera)) as watch:
        until(lambda: watch.cameras["live"].loop.pictures >= 5, 60)
        counts = watch.sources()["live"]
        assert 4 <= counts["items"] <= 8
        assert counts["inspections"] <= 2
        assert watch.sensors()[0].ok


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('type = "photos"\n', "camera 1, folder: must be given"),
        ('type = "video"\nfolder = "photos"\n', "camera 1, folder: is for type"),
        ('type = "simulated"\ntrigger = "mqtt"\n', "camera 1, trigger_topic: must be given"),
        ('type = "simulated"\nbarrier_pin = 4\n', "camera 1, barrier_pin: is for trigger"),
        ('type = "simulated"\ncorners = [[0, 0], [0, 1], [1, 1], [1, 0]]\n', "camera 1, corners: corners go round"),
        (
            'type = "simulated"\ncorners = [[0, 0], [2, 0], [1, 1], [0, 1]]\n',
            "camera 1, corners: corners are fractions",
        ),
        ('type = "simulated"\nshifts = ["25:00"]\n', "camera 1, shifts 1: expected text (a time as HH:MM), got"),
    ],
)
def test_a_camera_that_can_never_work_is_refused(more: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    path = write_node(tmp_path, more=f'[[camera]]\nname = "a"\nmachine = "b"\n{more}')
    with pytest.raises(SettingsError) as told:
        read_node(path)
    assert said in str(told.value)


def test_products_taught_from_the_page_can_be_recognised_without_a_folder_being_named(tmp_path: Path) -> None:
    more = '[[camera]]\nname = "a"\nmachine = "b"\ntype = "simulated"\nrecognise = true\n'
    (camera,) = read_node(write_node(tmp_path, more=more)).options.cameras
    assert (camera.recognise, camera.profiles) == (True, None)


def test_without_a_camera_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_node(tmp_path, "mixer-1")
    assert main(path) == 2
    assert capsys.readouterr().err == f"{path}: camera: there is none; watch needs at least one [[camera]]\n"
