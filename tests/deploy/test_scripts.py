"""The shell scripts: nothing that shellcheck knows better, and clear words where something is lacking."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from werkpuls.words import language_of

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "deploy").glob("*.sh"))
SHELLCHECK = shutil.which("shellcheck")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "-x", str(script)], capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (0, "")


def sourced(folder: Path, commands: str, *programs: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs commands after `deploy/setup.sh`, with only these programs in the PATH, as a user who may not install."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("dirname", "uname", "cat", "cksum", "grep", "basename", "head", *programs):
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "id").chmod(0o755)
    project = folder / "a project with blanks"
    (project / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "setup.sh", project / "deploy")
    shutil.copy(ROOT / "pyproject.toml", project)
    script = project / "deploy" / "test.sh"
    script.write_text(f'set -eu\n. "$(dirname "$0")/setup.sh"\n{commands}\n')
    return subprocess.run(
        ["/bin/sh", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": str(tools), "WERKPULS_LANG": "en", **environment},
    )


def test_a_missing_program_is_named_with_what_installs_it(tmp_path: Path) -> None:
    done = sourced(tmp_path, "need_command no-such-program no-such-package")
    assert done.returncode == 1
    assert "'no-such-program' is missing" in done.stderr
    assert "sudo apt-get install no-such-package" in done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WERKPULS_LANG": "de", "LANG": "en_GB.UTF-8"}, "fehlt und ließ sich nicht installieren"),
        ({"WERKPULS_LANG": "", "LANG": "de_DE.UTF-8"}, "fehlt und ließ sich nicht installieren"),
        ({"WERKPULS_LANG": "", "LANG": "C.UTF-8"}, "fehlt und ließ sich nicht installieren"),
        ({"WERKPULS_LANG": "", "LC_ALL": "fr_FR", "LANG": "de_DE"}, "is missing and could not be installed"),
        ({"WERKPULS_LANG": "", "LANG": "en_GB.UTF-8"}, "is missing and could not be installed"),
    ],
)
def test_scripts_speak_the_language_that_the_command_speaks(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = sourced(tmp_path, "need_command no-such-program no-such-package", **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert ("de" if "fehlt" in said else "en") == language_of((), environment)


def test_a_program_that_tests_can_do_without_is_told_and_no_obstacle(tmp_path: Path) -> None:
    done = sourced(tmp_path, "want_command no-such-program no-such-package\nsay 'went on'")
    assert done.returncode == 0
    assert "LACKING: no-such-program (Debian package no-such-package)" in done.stderr
    assert "went on" in done.stderr


@pytest.mark.parametrize(("word", "said"), [("", "say which"), ("armv7l", "say which"), ("tflite", ".venv is missing")])
def test_another_runtime_is_made_ready_only_for_who_says_which(word: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("setup.sh", "runtime.sh"):
        shutil.copy(ROOT / "deploy" / name, tmp_path / "deploy")
    environment = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", str(tmp_path / "deploy/runtime.sh"), *filter(None, [word])],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert not (tmp_path / "cache").exists()


def test_the_command_of_another_runtime_can_be_read_back_wherever_it_lies(tmp_path: Path) -> None:
    project, caches = tmp_path / "a project", tmp_path / "Anna's caches"
    (project / "deploy" / "locks").mkdir(parents=True)
    for name in ("setup.sh", "runtime.sh", "locks/camera-py311.txt"):
        shutil.copy(ROOT / "deploy" / name, project / "deploy" / name)
    (project / ".venv" / "bin").mkdir(parents=True)
    named = 'cat "$1/locks/camera-py311.txt" "$1/runtime.sh" | cksum | cut -d " " -f 1'
    key = subprocess.check_output(["/bin/sh", "-c", named, "sh", str(project / "deploy")], text=True).strip()
    for python in (project / ".venv" / "bin" / "python", caches / "werkpuls" / f"tflite-{key}" / "python"):
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("#!/bin/sh\n")
        python.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(project / "deploy" / "runtime.sh"), "tflite"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(caches), "HOME": str(tmp_path)},
    )
    assert shlex.split(done.stdout) == [str(python)]


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    done = sourced(tmp_path, 'echo x >"$root/lock"\nmake_venv "$root/lock"')
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is missing" in done.stderr
    assert not (tmp_path / "a project with blanks" / ".venv").exists()


def test_a_python_that_was_asked_for_and_is_none_is_told(tmp_path: Path) -> None:
    done = sourced(tmp_path, 'echo x >"$root/lock"\nmake_venv "$root/lock"', WERKPULS_PYTHON="/bin/false")
    assert done.returncode == 1
    assert "WERKPULS_PYTHON: /bin/false is no Python 3.11, 3.12 or 3.13" in done.stderr


def test_a_32_bit_system_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "fake").mkdir()
    uname = tmp_path / "fake" / "uname"
    uname.write_text("#!/bin/sh\necho armv7l\n")
    uname.chmod(0o755)
    done = sourced(
        tmp_path,
        f'PATH="{tmp_path}/fake:$PATH"\necho x >"$root/lock"\nmake_venv "$root/lock"',
    )
    assert done.returncode == 1
    assert "64-bit" in done.stderr
    assert not (tmp_path / "a project with blanks" / ".venv").exists()


FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv") mkdir -p "$4/bin" "$4/lib/python3.11" && cp "$0" "$4/bin/python" ;;
  "-m pip") for word; do case "$word" in *.txt) ! grep -q "^opencv" "$word" || [ -e "$NETWORK" ] || exit 1 ;; esac; done ;;
  "-m werkpuls") shift 2; echo "werkpuls $*" ;;
  "-c "*) case "$2" in *print*) echo 3.11 ;; esac ;;
esac
"""


def test_where_opencv_cannot_be_installed_the_demo_is_set_up_without_and_every_run_tries_again(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "deploy" / "locks").mkdir(parents=True)
    for name in ("demo.sh", "setup.sh"):
        shutil.copy(ROOT / "deploy" / name, project / "deploy")
    shutil.copy(ROOT / "deploy" / "locks" / "run.txt", project / "deploy" / "locks")
    shutil.copy(ROOT / "pyproject.toml", project)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").write_text(FAKE_PYTHON)
    (tools / "mosquitto").write_text("#!/bin/sh\n")
    for made in tools.iterdir():
        made.chmod(0o755)

    network = tmp_path / "network"

    def demo() -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "WERKPULS_PYTHON": str(tools / "python3"),
            "NETWORK": str(network),
            "WERKPULS_LANG": "en",
        }
        words = ["/bin/sh", str(project / "deploy" / "demo.sh"), "--for", "1"]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=environment)

    runs = [demo(), demo(), demo()]
    network.touch()
    runs += [demo(), demo()]
    assert [(run.returncode, run.stdout) for run in runs] == [(0, "werkpuls demo --for 1\n")] * 5, runs
    first, second, third, fourth, fifth = (run.stderr for run in runs)
    assert "without OpenCV" in first
    for again in (second, third):
        assert "trying again" in again
        assert again.endswith("werkpuls: the demo has no camera\n")
    assert "no camera" not in fourth
    assert fifth == ""
