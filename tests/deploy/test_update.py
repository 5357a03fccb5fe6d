"""An update, on a computer whose systemd, pip and daemons only write down what was asked of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAY = 'echo "$(basename "$0") $*" >>"$LOG"\n'
PROGRAMS = {
    "id": "echo 0\n",
    "systemd-sysusers": SAY,
    "runuser": 'shift 3\nexec "$@"\n',
    # A daemon is down while there is a file that says so; a restart makes it run, unless it is broken or dies at once.
    "systemctl": SAY
    + """case "$1 $2" in
  "restart werkpuls-$BROKEN") exit 1 ;;
  "restart werkpuls-$DYING") touch "$LOG.down-$2" ;;
  "restart "*) rm -f "$LOG.down-$2" ;;
  "is-active --quiet") [ ! -e "$LOG.down-$3" ] ;;
  "is-enabled --quiet") [ "$3" != "werkpuls-$OFF" ] ;;
esac
""",
}
PYTHON = """case "$1 $2" in
  "-m pip") echo "pip ${PIP_FIND_LINKS:+from $(ls "$PIP_FIND_LINKS") }$*" >>"$LOG"
    [ -z "$OFFLINE" ] ;;
  "-m venv") rm -rf "$4" && mkdir -p "$4/bin" "$4/lib/python3.11" && cp "$0" "$4/bin/python" && cp "$0" "$4/bin/werkpuls" ;;
  "-m werkpuls") shift 2
    echo "werkpuls $* in $(basename "$PWD")" >>"$LOG"
    [ "$1" != "$UNFIT" ] || exit "${STATUS:-2}" ;;
  "-c "*) case "$2" in *print*) echo 3.11 ;; esac ;;
esac
"""
OWN_RULES = "user oven-pi\ntopic read zigbee2mqtt/#\n"


class Computer:
    """A gateway that is a node, too: installed by the guide from an older release, with settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.log = folder / "log"
        self.tools = folder / "tools"
        self.opt = self.root / "opt" / "werkpuls"
        self.units = self.root / "etc/systemd/system"
        self.rules = self.root / "etc/mosquitto/werkpuls/werkpuls.acl"
        for name, text in PROGRAMS.items():
            program(self.tools / name, text)
        self.release(self.opt, "old")
        program(self.opt / ".venv/bin/python", PYTHON)
        program(self.opt / ".venv/bin/werkpuls", PYTHON)
        (self.opt / ".venv/lib/python3.11/site-packages/uvicorn").mkdir(parents=True)
        self.units.mkdir(parents=True)
        for daemon in ("gateway", "sense"):
            (self.units / f"werkpuls-{daemon}.service").write_text("[Service]\nTimeoutStopSec=30\n")
        self.rules.parent.mkdir(parents=True)
        self.rules.write_text(f"pattern write werkpuls/v1/+/%u/telemetry\npattern write mine/#\n{OWN_RULES}")
        self.rules.chmod(0o600)
        self.broker = self.root / "etc/mosquitto/conf.d/werkpuls.conf"
        self.broker.parent.mkdir()
        shipped = (ROOT / "deploy/mosquitto/werkpuls.conf").read_text()
        changed = shipped.replace("listener 8883 127.0.0.1", "listener 8883 10.0.0.2")
        self.broker.write_text(changed.replace("set_tcp_nodelay true\n", ""))
        self.settings = self.root / "etc/werkpuls/gateway.toml"
        self.settings.parent.mkdir()
        self.settings.write_text('site = "bakery"\n')

    def release(self, place: Path, content: str) -> Path:
        for name in ("deploy/update.sh", "deploy/setup.sh", "deploy/locks/run.txt", "deploy/locks/camera.txt", "pyproject.toml",
                     "deploy/mosquitto/werkpuls.acl", "deploy/mosquitto/werkpuls.conf", "systemd/werkpuls.sysusers",
                     "systemd/werkpuls-gateway.service", "systemd/werkpuls-sense.service"):  # fmt: skip
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
        for package in ("edge", "gateway", "models", "werkpuls", "wire"):
            (place / package).mkdir()
            (place / package / "__init__.py").write_text(f'"""{content}"""\n')
        return place

    def update(self, place: Path | None = None, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            ["/bin/sh", str((place or self.opt) / "deploy" / "update.sh"), *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": f"{self.tools}:/usr/bin:/bin", "DESTDIR": str(self.root), "LOG": str(self.log), "WERKPULS_LANG": "en",
                 "BROKEN": "", "DYING": "", "OFF": "", "OFFLINE": "", "UNFIT": "", **environment},
        )  # fmt: skip

    def asked(self) -> list[str]:
        return self.log.read_text().splitlines()

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_everything_but_the_settings_is_brought_up_to_date_once(computer: Computer) -> None:
    settings, broker = computer.settings.read_bytes(), computer.broker.read_bytes()
    done = computer.update()
    assert done.returncode == 0, done.stderr
    asked = computer.asked()
    assert asked[0].endswith(f"-r {computer.opt / 'deploy/locks/run.txt'}")
    checks = [one.split(" --config")[0] for one in asked if one.startswith("werkpuls")]
    assert checks == ["werkpuls gateway --check", "werkpuls edge check"]
    orders = [one for one in asked if one.startswith("systemctl") and "is-active" not in one]
    assert orders == [
        "systemctl daemon-reload",
        "systemctl reload mosquitto",
        "systemctl restart werkpuls-gateway",
        "systemctl restart werkpuls-sense",
    ]
    assert asked.index("systemd-sysusers ") < asked.index("systemctl daemon-reload")
    for daemon in ("gateway", "sense"):
        unit = f"werkpuls-{daemon}.service"
        assert (computer.units / unit).read_bytes() == (ROOT / "systemd" / unit).read_bytes()
        assert "=30" in (computer.units / f"{unit}.before").read_text()
    assert not (computer.units / "werkpuls-watch.service").exists()
    shipped = (ROOT / "deploy/mosquitto/werkpuls.acl").read_text()
    assert computer.rules.read_text() == shipped + OWN_RULES
    assert computer.rules.stat().st_mode & 0o777 == 0o600
    assert "no longer in them: pattern write mine/#" in done.stderr
    assert f"{computer.broker} lacks: set_tcp_nodelay true" in done.stderr
    assert "lacks: listener" not in done.stderr
    assert (computer.settings.read_bytes(), computer.broker.read_bytes()) == (settings, broker)

    files = computer.files()
    again = computer.update()
    assert again.returncode == 0
    assert again.stderr.endswith("everything was up to date already\n")
    assert [
        one
        for one in computer.asked()
        if one.split()[:2] not in (["systemctl", "is-active"], ["werkpuls", "gateway"], ["werkpuls", "edge"])
    ] == []
    assert computer.files() == files


def test_an_unpacked_release_is_put_in_its_place_without_a_network(computer: Computer) -> None:
    assert computer.update().returncode == 0
    release = computer.release(computer.folder / "stick" / "werkpuls 2", "new")
    (release / "pyproject.toml").write_text((release / "pyproject.toml").read_text() + "\n")
    (release / "wheels").mkdir()
    (release / "wheels" / "numpy.whl").touch()
    (computer.opt / "wire" / "gone.py").write_text("")
    done = computer.update(release)
    assert done.returncode == 0, done.stderr
    assert "copied to" in done.stderr
    assert (computer.opt / "edge/__init__.py").read_text() == '"""new"""\n'
    assert not (computer.opt / "wire/gone.py").exists()
    assert not (computer.opt / "wheels").exists()
    assert (computer.opt / ".venv/bin/werkpuls").exists()
    assert sorted(path.name for path in computer.opt.glob(".*")) == [".venv"]
    assert [one.split()[:3] for one in computer.asked() if one.startswith("pip")] == [["pip", "from", "numpy.whl"]] * 2
    assert "systemctl restart werkpuls-gateway" in computer.asked()
    assert computer.update(release).stderr.endswith("everything was up to date already\n")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("2", "the settings of werkpuls-gateway do not fit the new version; nothing was changed yet"),
        ("1", "the new version does not run here and could not check the settings of werkpuls-gateway"),
    ],
)
def test_a_release_that_the_settings_do_not_fit_or_that_does_not_run_is_not_put_in_its_place(
    computer: Computer, status: str, said: str
) -> None:
    assert computer.update().returncode == 0
    release = computer.release(computer.folder / "stick", "new")
    files = computer.files()
    done = computer.update(release, UNFIT="gateway", STATUS=status)
    assert done.returncode == 1
    assert said in done.stderr
    assert [one.split(" --config")[0] for one in computer.asked()] == ["werkpuls gateway --check"]
    assert computer.asked()[0].endswith(" in .next"), "the new program is asked, not the one that runs"
    assert computer.files() == files
    assert sorted(path.name for path in computer.opt.glob(".*")) == [".venv"]
    assert computer.update(release).returncode == 0
    assert "systemctl restart werkpuls-gateway" in computer.asked()


def test_a_release_that_cannot_run_before_it_has_its_packages_gets_them_and_is_asked_then(computer: Computer) -> None:
    assert computer.update().returncode == 0
    release = computer.release(computer.folder / "stick", "new")
    with (release / "deploy/locks/run.txt").open("a") as lock:
        lock.write("more==1\n")
    offline = computer.update(release, UNFIT="gateway", STATUS="1", OFFLINE="yes")
    assert (offline.returncode, "is there a network?" in offline.stderr) == (1, True)
    done = computer.update(release, UNFIT="gateway", STATUS="1")
    assert done.returncode == 1
    assert "the program is the new one already" in done.stderr
    assert [one for one in computer.asked() if one.startswith("pip")]
    assert not [one for one in computer.asked() if one.startswith("systemctl")]
    assert computer.update(release).returncode == 0


def test_settings_that_do_not_fit_a_pulled_program_stop_it_before_anything_is_switched_over(computer: Computer) -> None:
    done = computer.update(UNFIT="gateway")
    assert done.returncode == 1
    assert "the settings of werkpuls-gateway do not fit" in done.stderr
    assert "what runs goes on running, but would not start again" in done.stderr
    assert not [one for one in computer.asked() if one.startswith("systemctl")]
    assert "=30" in (computer.units / "werkpuls-gateway.service").read_text()
    assert computer.update().returncode == 0
    assert "systemctl restart werkpuls-gateway" in computer.asked()


def test_a_daemon_that_is_down_is_started_also_where_nothing_is_new_but_not_one_that_was_switched_off(
    computer: Computer,
) -> None:
    assert computer.update().returncode == 0
    down = Path(f"{computer.log}.down-werkpuls-gateway")
    down.touch()
    off = computer.update(OFF="gateway")
    assert (off.returncode, "up to date already" in off.stderr) == (0, True)
    for _ in range(2):
        broken = computer.update(BROKEN="gateway")
        assert (broken.returncode, "does not start: werkpuls-gateway;" in broken.stderr) == (1, True)
    dying = computer.update(DYING="gateway")
    assert (dying.returncode, "does not start: werkpuls-gateway;" in dying.stderr) == (1, True)
    done = computer.update()
    assert (done.returncode, "restarted werkpuls-gateway" in done.stderr) == (0, True)
    assert not down.exists()
    assert not [one for one in computer.asked() if one == "systemctl restart werkpuls-sense"]


@pytest.mark.parametrize("left", ["the new one", "a dead link"])
def test_after_a_change_of_the_system_s_python_the_packages_are_installed_anew(computer: Computer, left: str) -> None:
    wheels = computer.opt / "wheels"
    wheels.mkdir()
    (wheels / "numpy.whl").touch()
    assert computer.update().returncode == 0
    newer = PYTHON.replace("3.11", "3.13")
    program(computer.tools / "python3", newer)
    python = computer.opt / ".venv/bin/python"
    python.unlink()
    if left == "a dead link":
        python.symlink_to("/no/such/python3.11")
    else:
        program(python, newer)
    cut = computer.update(OFFLINE="yes")
    assert cut.returncode == 1
    done = computer.update()
    assert done.returncode == 0, done.stderr
    assert "packages: run.txt" in done.stderr
    pips = [one for one in computer.asked() if one.startswith("pip from numpy.whl ")]
    assert [one.endswith("/run.txt") for one in pips] == [True, False]
    assert not (computer.opt / ".venv/lib/python3.11").exists()
    assert computer.update().stderr.endswith("everything was up to date already\n")


def test_a_release_is_readable_to_the_daemons_whoever_unpacked_it(computer: Computer) -> None:
    assert computer.update().returncode == 0
    release = computer.release(computer.folder / "stick", "new")
    (release / "edge/__init__.py").chmod(0o600)
    (release / "edge").chmod(0o700)
    (computer.opt / "models").chmod(0o700)
    assert computer.update(release).returncode == 0
    assert (computer.opt / "edge").stat().st_mode & 0o777 == 0o755
    assert (computer.opt / "edge/__init__.py").stat().st_mode & 0o777 == 0o644
    assert (computer.opt / "models").stat().st_mode & 0o777 == 0o755


def test_no_pattern_of_an_older_release_is_kept_below_an_own_rule(computer: Computer) -> None:
    shipped = (ROOT / "deploy/mosquitto/werkpuls.acl").read_text()
    computer.rules.write_text(f"{OWN_RULES}{shipped}pattern readwrite werkpuls/v1/#\n")
    done = computer.update()
    assert done.returncode == 0, done.stderr
    assert "no longer in them: pattern readwrite werkpuls/v1/#\n" in done.stderr
    assert computer.rules.read_text().startswith(shipped)
    assert [one for one in computer.rules.read_text()[len(shipped) :].splitlines() if one] == OWN_RULES.splitlines()
    assert computer.update().stderr.endswith("everything was up to date already\n")


def test_a_daemon_that_does_not_start_is_named_the_other_is_started_and_the_next_run_tries_again(
    computer: Computer,
) -> None:
    done = computer.update(BROKEN="gateway")
    assert done.returncode == 1
    assert "does not start: werkpuls-gateway" in done.stderr
    assert "systemctl restart werkpuls-sense" in computer.asked()
    assert computer.update().returncode == 0
    restarts = [one for one in computer.asked() if "restart" in one]
    assert restarts == ["systemctl restart werkpuls-gateway"]


def test_a_checkout_that_was_pulled_is_restarted_and_one_is_not_written_over_by_a_release(computer: Computer) -> None:
    assert computer.update().returncode == 0
    (computer.opt / ".git").mkdir()
    (computer.opt / "gateway/__init__.py").write_text('"""pulled"""\n')
    done = computer.update()
    assert done.returncode == 0
    assert "restarted werkpuls-gateway" in done.stderr
    refused = computer.update(computer.release(computer.folder / "stick", "new"))
    assert refused.returncode == 1
    assert "is a git checkout" in refused.stderr
    assert (computer.opt / "gateway/__init__.py").read_text() == '"""pulled"""\n'


@pytest.mark.parametrize(
    ("there", "lock"), [("uvicorn", "run.txt"), ("tflite_runtime", "camera-py311.txt"), ("numpy", "camera.txt")]
)
def test_packages_come_from_the_lock_file_that_they_came_from(computer: Computer, there: str, lock: str) -> None:
    shutil.copy(ROOT / "deploy/locks/camera-py311.txt", computer.opt / "deploy/locks")
    packages = computer.opt / ".venv/lib/python3.11/site-packages"
    (packages / "uvicorn").rename(packages / there)
    assert computer.update().returncode == 0
    assert computer.asked()[0].endswith(f"/{lock}")
    assert computer.update().returncode == 0
    assert not [one for one in computer.asked() if one.startswith("pip")]
    assert computer.update(None, "--lock", "camera.txt" if lock == "run.txt" else "run.txt").returncode == 0
    assert computer.asked()[0].endswith("/camera.txt" if lock == "run.txt" else "/run.txt")


@pytest.mark.parametrize(
    ("words", "change", "said"),
    [
        (["--lock", "none.txt"], None, "possible: camera.txt run.txt"),
        (["--now"], None, "unknown: --now"),
        ([], "tools/id", "start it with sudo"),
        ([], "root/opt/werkpuls/.venv", "nothing is installed"),
    ],
)
def test_what_is_in_its_way_is_said_before_anything_is_touched(
    computer: Computer, words: list[str], change: str | None, said: str
) -> None:
    if change == "tools/id":
        program(computer.folder / change, "echo 1000\n")
    elif change is not None:
        shutil.rmtree(computer.folder / change)
    before = computer.files()
    done = computer.update(None, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert (computer.files(), computer.asked()) == (before, [])


def test_the_broker_s_key_at_the_page_is_told(computer: Computer) -> None:
    for place in ("etc/werkpuls/tls/page.key", "etc/mosquitto/werkpuls/broker.key"):
        (computer.root / place).parent.mkdir(parents=True, exist_ok=True)
        (computer.root / place).write_text("the same")
    assert "the page has the broker's key" in computer.update().stderr
    (computer.root / "etc/werkpuls/tls/page.key").write_text("its own")
    assert "the page has the broker's key" not in computer.update().stderr
