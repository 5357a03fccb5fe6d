"""What pyproject.toml names is in the lock files, in a version that it allows, with checksums; nothing needs a network."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {
    "run.txt": ("node", "gateway", "recordings"),
    "dev.txt": ("node", "gateway", "recordings", "dev"),
    "camera.txt": ("node", "camera"),
    "camera-py311.txt": ("camera-py311",),
    "train.txt": ("camera", "train"),
}
SUPPORTED = ("3.11", "3.12", "3.13")


def locked(name: str) -> list[tuple[Requirement, int]]:
    """Every pinned requirement of a lock file and how many checksums it has."""
    text = (ROOT / "deploy" / "locks" / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    return [(Requirement(entry.partition(" \\\n")[0].strip()), entry.count("--hash=sha256:")) for entry in entries]


def wanted(extras: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_locked_in_an_allowed_version(lock: str) -> None:
    pinned = locked(lock)
    for requirement in wanted(LOCKS[lock]):
        for python in SUPPORTED:
            for machine in ("x86_64", "aarch64"):
                where = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
                if requirement.marker is not None and not requirement.marker.evaluate(where):
                    continue
                found = [
                    next(iter(one.specifier)).version
                    for one, _ in pinned
                    if canonicalize_name(one.name) == canonicalize_name(requirement.name)
                    and (one.marker is None or one.marker.evaluate({**where, "sys_platform": "linux"}))
                ]
                assert len(found) == 1, f"{lock}: {requirement} on Python {python}, {machine}; run sh deploy/lock.sh"
                assert requirement.specifier.contains(found[0]), f"{lock}: {requirement}, locked {found[0]}"


def test_a_camera_node_has_one_runtime_and_the_numpy_that_it_runs_with() -> None:
    versions = {
        name: {one.name: next(iter(one.specifier)).version for one, _ in locked(name)}
        for name in ("camera.txt", "camera-py311.txt")
    }
    for name, runtime, other, major in (
        ("camera.txt", "ai-edge-litert", "tflite-runtime", "2"),
        ("camera-py311.txt", "tflite-runtime", "ai-edge-litert", "1"),
    ):
        assert runtime in versions[name]
        assert other not in versions[name]
        assert versions[name]["numpy"].partition(".")[0] == major
        assert "opencv-python-headless" in versions[name]


def test_every_lock_is_looked_at() -> None:
    assert {path.name for path in (ROOT / "deploy" / "locks").glob("*.txt")} == set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_and_has_checksums(lock: str) -> None:
    pinned = locked(lock)
    assert len(pinned) > 5
    assert [str(one) for one, _ in pinned if [spec.operator for spec in one.specifier] != ["=="]] == []
    assert [str(one) for one, sums in pinned if not sums] == []
    assert "setuptools" in {one.name for one, _ in pinned}, "the project itself is built without a download"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_server(lock: str) -> None:
    text = (ROOT / "deploy" / "locks" / lock).read_text()
    assert "://" not in text
    assert "--index-url" not in text


def test_a_development_lock_holds_everything_that_runs() -> None:
    run, dev = ({str(one) for one, _ in locked(name)} for name in ("run.txt", "dev.txt"))
    assert run - dev == set()
