"""Cameras and what grades the goods: found, opened, judged, proposed, and worded for who stands before them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.nodes import write_node
from support.pi import Pi

from edge.config import read_node
from edge.doctor.access import User
from edge.doctor.cameras import cameras, plugged
from edge.doctor.checks import Level
from edge.doctor.examine import Report, examine
from edge.doctor.system import Software
from edge.doctor.world import World
from edge.sensors.simulation.chips.bus import SimulatedBuses
from edge.vision.calibration import Calibration
from edge.vision.decode import encode
from edge.vision.picamera_simulation import FAULT
from edge.vision.scene import tray
from gateway.wording import LANGUAGES, Wording
from werkpuls import cli
from werkpuls.doctor import as_json
from werkpuls.doctor_words import DoctorWords

SIMULATION = "edge.vision.picamera_simulation"
SIZE = (640, 480)
NOISE = np.random.default_rng(5)
LISTENING: Mapping[str, str | None] = {"numpy": "2.3", "river": "0.26"}
SEEING: Mapping[str, str | None] = {"numpy": "2.3", "opencv-python-headless": "5.0", "ai-edge-litert": "2.3"}


def board(root: Path, *, picamera: str = SIMULATION, software: Software | None = None) -> World:
    return World(
        root=root,
        buses=SimulatedBuses(),
        user=User("root", 0, frozenset()),
        software=software or Software((3, 12, 0), "aarch64", LISTENING, SEEING),
        picamera=picamera,
    )


def webcam(pi: Pi, number: int = 0) -> None:
    """A USB camera: what the kernel says of it, and a film in place of its device."""
    pi.write(f"sys/class/video4linux/video{number}/name", "HD Pro Webcam C920\n")
    pi.write(f"sys/class/video4linux/video{number}/index", "0\n")
    pi.write(f"sys/class/video4linux/video{number + 1}/name", "HD Pro Webcam C920\n")
    pi.write(f"sys/class/video4linux/video{number + 1}/index", "1\n")
    (pi.root / "dev").mkdir(exist_ok=True)
    film = pi.root / "dev" / f"video{number}.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE)
    image, _ = tray(np.random.default_rng(1), SIZE, 0.6, count=6)
    for _ in range(4):
        writer.write(np.clip(image + NOISE.normal(0.0, 2.0, image.shape), 0, 255).astype(np.uint8))
    writer.release()
    film.rename(film.with_suffix(""))


def ribbon(pi: Pi) -> None:
    pi.hold(10, 0x1A, "imx708")


def said(report: Report, *areas: str) -> list[tuple[str, str]]:
    return [(one.area, one.code) for one in report.checks if one.area in (areas or ("camera", "grading"))]


def refused(report: Report) -> list[object]:
    """Products of profiles that cannot be used."""
    return [one.values["product"] for one in report.checks if one.code == "profile_refused"]


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path / "pi")


def test_cameras_are_listed_and_the_processors_own_video_devices_are_not(pi: Pi) -> None:
    webcam(pi)
    for number, name in {10: "bcm2835-codec-decode", 14: "bcm2835-isp", 19: "rpi-hevc-dec", 20: "unicam"}.items():
        pi.write(f"sys/class/video4linux/video{number}/name", f"{name}\n")
        pi.write(f"sys/class/video4linux/video{number}/index", "0\n")
    ribbon(pi)
    pi.hold(1, 0x68, "ds3231")
    assert [(one.what, one.place, one.type) for one in plugged(pi.root)] == [
        ("HD Pro Webcam C920", "/dev/video0", "video"),
        ("imx708", "CSI (10-001a)", "picamera2"),
    ]


def test_a_proposal_can_be_pasted_and_names_the_camera_by_what_stays(pi: Pi, tmp_path: Path) -> None:
    webcam(pi)
    webcam(pi, 2)
    ribbon(pi)
    pi.hold(11, 0x1A, "imx219")
    names = pi.root / "dev/v4l/by-id"
    names.mkdir(parents=True)
    (names / "usb-046d_C920_1-video-index0").symlink_to("../../video0")
    found = cameras(pi.root, None)
    tables = "\n".join(camera.toml for camera in found)
    assert [bool(camera.toml) for camera in found] == [True, True, True, False], "a board's second camera has no option"
    options = read_node(write_node(tmp_path, more=tables.replace("oven", "mixer"))).options.cameras
    assert [(one.name, one.type, one.source) for one in options] == [
        ("camera", "video", "/dev/v4l/by-id/usb-046d_C920_1-video-index0"),
        ("camera-2", "video", "/dev/video2"),
        ("camera-3", "picamera2", None),
    ]
    known = read_node(write_node(tmp_path, more=tables.replace('"oven"', '"mixer"')))
    again = cameras(pi.root, known)
    assert [camera.configured for camera in again] == ["mixer/camera", "mixer/camera-2", "mixer/camera-3", ""]
    assert not any(camera.toml for camera in again)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A node with a webcam and a ribbon camera that are new, and three configured ones: too dark, without pictures, gone."""
    folder = tmp_path_factory.mktemp("node")
    pi = Pi(folder / "pi")
    webcam(pi)
    ribbon(pi)
    for name in ("dark", "empty", "profiles"):
        (folder / name).mkdir()
    image, _ = tray(np.random.default_rng(3), SIZE, 0.6, count=6)
    (folder / "dark" / "1.jpg").write_bytes(encode((image * 0.05).astype(np.uint8)))
    Calibration(np.eye(3), 0.4, 4).save(folder / "tray.json")
    cameras_toml = f"""
[[camera]]
name = "tray"
machine = "mixer"
type = "photos"
folder = "{folder}/dark"
product = "rolls"
profiles = "{folder}/profiles"
calibration = "{folder}/tray.json"
corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
[[camera]]
name = "empty"
machine = "mixer"
type = "photos"
folder = "{folder}/empty"
[[camera]]
name = "gone"
machine = "mixer"
type = "video"
source = "/dev/video7"
"""
    return examine(board(pi.root), write_node(folder, more=cameras_toml), seconds=0.6)


def test_every_camera_is_opened_and_its_picture_judged(seen: Report) -> None:
    looks = {camera.named: camera.look for camera in seen.cameras}
    assert list(looks) == ["HD Pro Webcam C920", "imx708", "mixer/tray", "mixer/empty", "mixer/gone"]
    assert all(look is not None for look in looks.values())
    sizes = {name: (look.width, look.height) for name, look in looks.items() if look is not None and not look.error}
    assert sizes["HD Pro Webcam C920"] == SIZE
    assert sizes["imx708"] == (1600, 1200)
    corners = next(one for one in seen.checks if one.code == "corners")
    assert corners.values["camera"] == "mixer/empty, mixer/gone"
    dark = looks["mixer/tray"]
    assert dark is not None
    assert dark.brightness < 25
    assert said(seen) == [
        ("camera", "dark"),
        ("camera", "silent"),
        ("camera", "failed"),
        ("camera", "corners"),
        ("grading", "good"),
        ("grading", "not_taught"),
        ("grading", "not_taught"),
        ("grading", "calibration"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_says_it_in_words_and_what_to_do(seen: Report, language: str) -> None:
    lines = list(DoctorWords(Wording(language)).lines(seen, "oven-pi", Path("node.toml")))
    text = "\n".join(lines)
    assert not re.search(r"\{[a-z_]+\}", text), "a value was not filled in"
    assert re.search(r"✓ HD Pro Webcam C920, /dev/video0: .*\n +\w+ 640 × 480, \w+ \d+ \w+ 255, \w+ \d+", text)
    assert "✗ photos: " in text
    assert text.count("[[camera]]") == 2
    start = next(place for place, line in enumerate(lines) if "mixer/tray: " in line and "✗" in line)
    assert lines[start + 1].startswith("    → ")
    assert "--corners" in text


def test_the_same_as_json_without_pictures(seen: Report) -> None:
    made = json.loads(json.dumps(as_json(seen, DoctorWords(Wording("en"))), allow_nan=False))
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    assert {"cameras", *made["cameras"][0]} <= set(re.findall(r"`([a-z_]+)`", page))
    first, *_, gone = made["cameras"]
    assert (first["type"], first["width"], first["fault"]) == ("video", 640, None)
    assert gone["configured"] == "mixer/gone"
    assert "cannot be opened" in gone["error"] or "neither" in gone["error"]
    assert gone["brightness"] is None


def test_while_the_camera_service_runs_the_cameras_are_left_to_it(pi: Pi) -> None:
    webcam(pi)
    pi.write("proc/91/cmdline", "/opt/werkpuls/.venv/bin/python\0/usr/local/bin/werkpuls\0edge\0watch\0")
    report = examine(board(pi.root), None, seconds=0.5)
    assert [camera.look for camera in report.cameras] == [None]
    assert said(report, "camera") == [("camera", "running")]
    assert report.cameras[0].toml


def test_a_ribbon_camera_that_cannot_be_had_says_what_is_missing(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    ribbon(pi)
    missing = examine(board(pi.root, picamera="no_such_picamera2"), None, seconds=0.5)
    assert said(missing, "camera") == [("camera", "library")]
    monkeypatch.setenv(FAULT, "none_there")
    away = examine(board(pi.root), None, seconds=0.5)
    assert said(away, "camera") == [("camera", "failed")]
    untouched = examine(board(pi.root, picamera=""), None, seconds=0.5)
    assert untouched.cameras[0].look is None


def test_a_model_a_profile_and_a_calibration_that_cannot_be_used_are_problems(pi: Pi, tmp_path: Path) -> None:
    (tmp_path / "other.tflite").write_bytes(b"no model")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "rolls.json").write_text("{}")
    (tmp_path / "size.json").write_text("[]")
    head = '[[camera]]\nname = "{}"\nmachine = "mixer"\ntype = "simulated"\n'
    more = (
        head.format("a") + f'model = "{tmp_path}/other.tflite"\ncalibration = "{tmp_path}/size.json"\n'
        f'profiles = "{tmp_path}/profiles"\nproduct = "rolls"\n'
    )
    more += head.format("b") + f'profiles = "{tmp_path}/profiles"\nproduct = "rolls"\n'
    report = examine(board(pi.root), write_node(tmp_path, more=more), seconds=0.5)
    assert said(report) == [
        ("grading", "refused"),
        ("grading", "good"),
        ("grading", "profile_refused"),
        ("grading", "no_calibration"),
    ]
    assert not report.good


def test_what_was_taught_in_the_usual_folder_is_looked_at_as_well(pi: Pi, tmp_path: Path) -> None:
    path = write_node(tmp_path, more='[[camera]]\nname = "a"\nmachine = "mixer"\ntype = "simulated"\n')
    assert said(examine(board(pi.root), path, seconds=0.5)) == [("grading", "good"), ("grading", "not_taught")]
    usual = read_node(path).options.state.dir / "watch" / "profiles"
    usual.mkdir(parents=True)
    (usual / "goods.json").write_text("{}")
    (usual / "rolls.json").write_text("[]")
    assert refused(examine(board(pi.root), path, seconds=0.5)) == ["goods"]
    path.write_text(path.read_text() + "recognise = true\n")
    assert refused(examine(board(pi.root), path, seconds=0.5)) == ["goods", "rolls"]


@pytest.mark.parametrize(
    ("listening", "seeing", "code"),
    [
        ({"river": None}, SEEING, "good"),
        ({"river": None}, {"opencv-python-headless": None}, "packages"),
        (LISTENING, {"opencv-python-headless": None}, "good"),
    ],
)
def test_a_node_is_asked_only_for_the_packages_of_what_it_was_installed_for(
    listening: Mapping[str, str | None], seeing: Mapping[str, str | None], code: str, pi: Pi
) -> None:
    world = board(pi.root, software=Software((3, 11, 2), "aarch64", listening, seeing))
    report = examine(world, None, seconds=0.5)
    assert said(report, "software") == [("software", code)]


def test_a_node_with_a_camera_and_no_sensors_needs_a_runtime_and_no_river(pi: Pi, tmp_path: Path) -> None:
    path = write_node(tmp_path, more='[[camera]]\nname = "a"\nmachine = "oven"\ntype = "simulated"\n')
    old = {"numpy": "1.26.4", "tflite-runtime": None}
    report = examine(board(pi.root, software=Software((3, 11, 2), "aarch64", {"river": None}, old)), path, seconds=0.5)
    (lacking,) = [one for one in report.checks if one.area == "software" and one.level is Level.PROBLEM]
    assert lacking.values == {"packages": "tflite-runtime", "lock": "camera-py311.txt"}


def test_the_command_keeps_what_the_cameras_show(pi: Pi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    webcam(pi)
    ribbon(pi)
    out = tmp_path / "pictures"
    words = ["doctor", "--root", str(pi.root), "--lang", "de", "--seconds", "0.5", "--pictures", str(out)]
    cli.main(words)
    shown = capsys.readouterr().out
    assert "noch nicht eingestellt" in shown
    assert [path.name for path in out.iterdir()] == ["video-1.jpg"], "another system's board is not asked"
    picture = cv2.imread(str(out / "video-1.jpg"))
    assert picture is not None
    assert picture.shape == (480, 640, 3)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert cli.main([*words[:-1], str(blocked / "sub")]) == 2
