"""The command line: help that is true, exit codes, and nothing loaded that the command does not need."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from werkpuls import cli

ROOT = Path(__file__).parents[2]
GATEWAY_ONLY = (
    *("starlette", "uvicorn", "influxdb_client", "apprise", "jinja2", "prometheus_client", "httpx"),
    *("gateway.wording", "gateway.alerts", "gateway.config"),
)
NODE_ONLY = ("edge", "river", "scipy", "models")


def werkpuls(*words: str, cwd: Path = ROOT, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "werkpuls", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_example_in_the_help_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    example = capsys.readouterr().out.rpartition("example: ")[2].strip()
    program, *words = shlex.split(example)
    assert (program, words[0]) == ("werkpuls", name)
    assert cli.build_parser(name).parse_args(words).command == name


def test_the_general_help_names_every_command_and_its_example_parses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {name} " in shown for name in cli.COMMANDS)
    words = shlex.split(shown.rpartition("example: ")[2])
    assert cli.build_parser().parse_args(words[1:]).command == "demo"


def test_every_option_is_explained() -> None:
    parser = cli.build_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, sub in commands.choices.items():
        unexplained = [action.dest for action in sub._actions if not action.help]
        assert not unexplained, name


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("werkpuls 0")


@pytest.mark.parametrize(("words", "code"), [(["demo"], 2), (["--help"], 0)])
def test_a_command_whose_packages_are_not_installed_says_so_and_is_no_obstacle(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nsys.modules['httpx'] = None\nfrom werkpuls.cli import main\nsys.exit(main())", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert "needs the package httpx, which is not" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND"),
        (["dmeo"], "dmeo"),
        (["--log-level", "LOUD", "certs"], "LOUD"),
        (["demo", "--fro", "10"], "--fro"),
        (["demo", "--for", "0"], "above 0"),
        (["demo", "--for", "soon"], "soon"),
        (["demo", "--fault", "flood@3"], "bearing_outer"),
        (["demo", "--fault", "bearing_outer@soon"], "soon"),
        (["demo", "--fault", "bearing_outer@-3"], "from 0 on"),
        (["demo", "--port", "70000"], "70000"),
        (["demo", "--lang", "fr"], "fr"),
        (["demo", "--folder", str(ROOT)], "not empty"),
        (["demo", "--recording", "gone.csv"], "gone.csv"),
        (["demo", "--separator", ";;"], ";;"),
        (["edge", "sense"], "--config"),
        (["edge", "sleep", "--config", "x"], "sleep"),
        (["edge", "sense", "--config", "gone.toml"], "gone.toml"),
        (["edge", "watch", "--config", "gone.toml"], "gone.toml"),
        (["edge", "check", "--config", "gone.toml"], "gone.toml"),
        (["gateway"], "--config"),
        (["gateway", "--config", "gone.toml"], "gone.toml"),
        (["gateway", "--check", "--config", "gone.toml"], "gone.toml"),
        (["score"], "FILE"),
        (["score", "--node", "gone.toml", "x.csv"], "gone.toml"),
        (["certs"], "--folder"),
        (["certs", "--folder", "x"], "--broker"),
        (["certs", "--folder", "x", "--node", "pi", "--days", "0"], "--days"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(words)
    except SystemExit as exc:
        code = exc.code  # type: ignore[assignment]  # argparse exits with numbers
    assert code == 2
    caught = capsys.readouterr()
    assert said in caught.err
    assert not caught.out
    assert "Traceback" not in caught.err
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_a_recording_that_cannot_be_used_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", str(tmp_path / "gone.csv"), "--json"]) == 1
    caught = capsys.readouterr()
    assert json.loads(caught.out)["problems"]
    assert "gone.csv" in caught.err


def loaded_by(*words: str) -> set[str]:
    """Names of the modules that a command has loaded when it ends."""
    program = (
        "import sys\nfrom werkpuls.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "sys.stdout = sys.__stdout__\nprint('LOADED', *sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize(
    ("words", "not_loaded"),
    [
        (("edge", "sense", "--config", "gone.toml"), (*GATEWAY_ONLY, "rich.live", "cv2", "werkpuls.demo", "pyarrow")),
        (("edge", "watch", "--config", "gone.toml"), (*GATEWAY_ONLY, "rich.live", "werkpuls.demo", "pyarrow")),
        (("gateway", "--config", "gone.toml"), ("edge", "cv2", "werkpuls.demo", "pyarrow", "hypothesis")),
        (("gateway", "--check", "--config", "gone.toml"), ("edge", "cv2", "starlette", "uvicorn", "influxdb_client")),
        (("certs", "--folder", "x"), (*GATEWAY_ONLY, *NODE_ONLY, "rich.live", "numpy", "werkpuls.demo")),
        (("score", "gone.csv", "--json"), (*GATEWAY_ONLY, "rich.live", "werkpuls.demo", "cryptography")),
        # It speaks of causes as the pages do.
        (
            ("doctor", "--config", "gone.toml"),
            {*GATEWAY_ONLY, "rich.live", "cryptography", "cv2"} - {"gateway.wording", "gateway.alerts"},
        ),
        (("--version",), ()),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and value else None,
)
def test_only_what_the_command_needs_is_loaded(words: tuple[str, ...], not_loaded: tuple[str, ...]) -> None:
    loaded = loaded_by(*words)
    assert not loaded.intersection(not_loaded)
    called = cli.COMMANDS.get(words[0])
    others = set(cli.COMMANDS.values()) - {called} if called else set()
    assert not loaded.intersection(others)
    assert "werkpuls.cli" in loaded


def test_certs_end_with_one_json_object(tmp_path: Path) -> None:
    done = werkpuls("certs", "--folder", str(tmp_path / "tls"), "--node", "pi", "--json")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert [Path(one["certificate"]).name for one in json.loads(done.stdout)["made"]] == ["ca.crt", "pi.crt"]


@pytest.mark.parametrize(
    ("words", "name"),
    [(("edge", "check", "--config"), "node.toml"), (("gateway", "--check", "--json", "--config"), "gateway.toml")],
)
def test_a_check_says_good_and_exits_with_0(words: tuple[str, ...], name: str, tmp_path: Path) -> None:
    made = werkpuls("certs", "--folder", str(tmp_path), "--broker", "gateway.local", "--node", "oven-pi")
    assert made.returncode == 0
    for kind in ("crt", "key"):
        (tmp_path / f"oven-pi.{kind}").rename(tmp_path / f"node.{kind}")
    text = (ROOT / "deploy" / name).read_text().replace("/etc/werkpuls/tls", str(tmp_path))
    (tmp_path / name).write_text(text)
    done = werkpuls(*words, str(tmp_path / name))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def recording(folder: Path, rows: int) -> Path:
    path = folder / "pump.csv"
    path.write_text("t;power\n" + "".join(f"{row};{row % 7}\n" for row in range(rows)))
    return path


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "werkpuls", "score", str(recording(tmp_path, 5000)), "--warmup", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"file,row")
        process.stdout.close()
        told = process.stderr.read().decode()
        assert process.wait(60) == 0, told
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def test_a_closed_standard_output_is_no_error_either(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "werkpuls", "certs", "--folder", str(tmp_path / "tls"), "--node", "pi", "--json"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert not done.stderr


def test_ctrl_c_exits_with_130_and_without_a_trace(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "werkpuls", "score", str(recording(tmp_path, 400_000)), "--out", str(tmp_path / "o")],
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        out, deadline = tmp_path / "o", time.monotonic() + 40
        while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read().decode()
        assert process.wait(30) == 130, told
    assert "Traceback" not in told
