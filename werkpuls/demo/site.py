"""A whole site in one folder: certificates, configurations, secrets, and the processes that use them.

Everything is what a real site has: the broker runs with the configuration and the access list from `deploy/mosquitto`, only its
port and folders are this demo's; nodes and gateway know each other by certificates made on the spot.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from werkpuls.certificates import Authority
from werkpuls.demo.plan import (
    CAMERA,
    MACHINES,
    RECORDING_MACHINE,
    CameraFiles,
    MachinePlan,
    Recording,
    camera_toml,
    costs_toml,
    machine_toml,
    toml,
)
from werkpuls.demo.processes import Child, ProcessFailed

SITE = "demo"
CHECKOUT = Path(__file__).resolve().parents[2]
READY_S = 60.0
CAMERA_PROCESS = "kamera"
RECEIVERS = ("forecast", "budget")
_PYTHON = (sys.executable, "-m")
_TYPES = {
    "forecast": ["de.werkpuls.capacity.v1", "de.werkpuls.scrap.v1", "de.werkpuls.alert.v1"],
    "budget": ["de.werkpuls.cost.v1"],
}


class SiteError(Exception):
    """The demo's site cannot be set up here; the text says what is missing."""


@dataclass(slots=True)
class Site:
    """The folder and the processes; `build` writes everything, `start` runs it in order.

    Args:
        folder: for everything; must be empty or new.
        web_port: of the gateway's page; 0 takes a free one.
        recording: plays as one more machine.
        language: of the machines' titles and of the page.
        camera: whether a camera looks at the oven's goods, where this computer can grade pictures.
        broker_port_for_nodes: where nodes find the broker, if not at its own port (a cable that can be pulled).
        store: the gateway's `[store]` section, lines of TOML; empty: the embedded store.
        wrap: put in front of a process's command, by its name.
        environment: more variables of a process, by its name.
    """

    folder: Path
    web_port: int = 0
    recording: Recording | None = None
    language: str = "de"
    camera: bool = False
    broker_port_for_nodes: int | None = None
    store: str = ""
    wrap: dict[str, Sequence[str]] = field(default_factory=dict)
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    state_folders: dict[str, Path] = field(default_factory=dict)
    """State folder by node or `gateway`, where it is not below `folder`."""
    journal_mb: dict[str, int] = field(default_factory=dict)
    broker_port: int = 0
    children: dict[str, Child] = field(default_factory=dict)
    receiver_ports: dict[str, int] = field(default_factory=dict)
    camera_lacks: str = ""
    """Why there is no camera though one was wanted, empty while it may come."""
    _lesson: Child | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(dict.fromkeys(machine.node for machine in self.machines))

    @property
    def machines(self) -> tuple[MachinePlan, ...]:
        """Every machine of this run."""
        return (*MACHINES, RECORDING_MACHINE) if self.recording else MACHINES

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.web_port}"

    def state(self, name: str) -> Path:
        """State folder of a node or of the gateway."""
        return self.state_folders.get(name, self.folder / "state" / name)

    @property
    def sees(self) -> bool:
        """Whether the camera runs."""
        return CAMERA_PROCESS in self.children

    @property
    def camera_files(self) -> CameraFiles:
        """Where oven, camera and teaching meet."""
        return CameraFiles(self.folder / "crust", self.folder / "profiles")

    def received(self, receiver: str) -> Path:
        """File with the events that a receiver got."""
        return self.folder / f"{receiver}.jsonl"

    def build(self) -> None:
        """Writes certificates, secrets and configurations.

        Raises:
            SiteError: a program or file that is needed is not there.
        """
        self.broker_port = self.broker_port or free_port()
        self.web_port = self.web_port or free_port()
        self.receiver_ports = {name: free_port() for name in RECEIVERS}
        authority = Authority.create(self.folder / "tls", name="Werkpuls demo")
        authority.issue_server(["127.0.0.1", "localhost"])
        for name in ("gateway", *self.nodes):
            authority.issue_client(name)
            self.state(name).mkdir(parents=True, exist_ok=True)
        for name in RECEIVERS:
            _write_secret(self.folder / f"{name}.secret", secrets.token_hex(32))
        if self.camera:
            self.camera_files.profiles.mkdir(exist_ok=True)
        self._write_broker()
        (self.folder / "gateway.toml").write_text(self._gateway(), encoding="utf-8")
        for node in self.nodes:
            (self.folder / f"{node}.toml").write_text(self._node(node), encoding="utf-8")
        self._plan_children()

    def start(self) -> None:
        """Starts broker, receivers, gateway, nodes, each once the one before answers; the camera is taught meanwhile.

        Raises:
            ProcessFailed: one of them ended or did not answer.
        """
        if self._lesson is not None:
            self._lesson.start()
        self.children["broker"].start()
        self.wait_for_port("broker", self.broker_port)
        for name in RECEIVERS:
            self.children[name].start()
        for name in RECEIVERS:
            self.wait_for_port(name, self.receiver_ports[name])
        self.children["gateway"].start()
        self.wait_for_port("gateway", self.web_port)
        for node in self.nodes:
            self.children[node].start()

    def wait_for_port(self, name: str, port: int, timeout_s: float = READY_S) -> None:
        """Waits until a process accepts connections.

        Raises:
            ProcessFailed: it ended, or does not listen in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.children[name].require_running()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise ProcessFailed(
                        f"{name} does not listen on port {port}\n{self.children[name].tail()}"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def tend(self) -> None:
        """Starts the camera once it is taught, or learns why there can be none. Call it now and then after `start`."""
        lesson = self._lesson
        code = lesson.ended() if lesson is not None else None
        if lesson is None or code is None:
            return
        self._lesson = None
        if code != 0:
            self.camera_lacks = lesson.tail(1) or f"teaching it ended with code {code}"
            return
        name = CAMERA_PROCESS
        self._add(
            name,
            [*_PYTHON, "werkpuls", "edge", "watch", "--config", str(self.folder / f"{CAMERA.node}.toml"), "--json"],
        )
        self.children[name].start()

    def stop_nodes(self) -> None:
        """Ends the nodes; what they had not sent yet stays in their journals."""
        if self._lesson is not None:
            self._lesson.stop()
        for name in (CAMERA_PROCESS, *self.nodes):
            if name in self.children:
                self.children[name].stop()

    def stop(self) -> None:
        """Ends everything, sources first; safe at any moment."""
        self.stop_nodes()
        for name in ("gateway", *RECEIVERS, "broker"):
            if name in self.children:
                self.children[name].stop()

    def _plan_children(self) -> None:
        mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if mosquitto is None:
            raise SiteError("mosquitto is missing: sudo apt-get install mosquitto")
        commands: dict[str, list[str]] = {"broker": [mosquitto, "-c", str(self.folder / "mosquitto.conf")]}
        for name in RECEIVERS:
            commands[name] = [
                *_PYTHON, "werkpuls.receivers", "--kind", name, "--json",
                "--secret-file", str(self.folder / f"{name}.secret"),
                "--port", str(self.receiver_ports[name]), "--keep", str(self.received(name)),
            ]  # fmt: skip
        commands["gateway"] = [*_PYTHON, "werkpuls", "gateway", "--config", str(self.folder / "gateway.toml"), "--json"]
        for node in self.nodes:
            commands[node] = [
                *_PYTHON,
                "werkpuls",
                "edge",
                "sense",
                "--config",
                str(self.folder / f"{node}.toml"),
                "--json",
            ]
        for name, command in commands.items():
            self._add(name, command)
        if self.camera:
            names = (CAMERA.products[self.language], CAMERA.called[self.language])
            lesson = [*_PYTHON, "werkpuls.demo.lesson", str(self.camera_files.profiles), *names]
            self._lesson = self._child("lesson", lesson)

    def _add(self, name: str, command: Sequence[str]) -> None:
        self.children[name] = self._child(name, command)

    def _child(self, name: str, command: Sequence[str]) -> Child:
        return Child(
            name,
            [*self.wrap.get(name, ()), *command],
            log=self.folder / f"{name}.log",
            environment=self.environment.get(name),
        )

    def _write_broker(self) -> None:
        source = CHECKOUT / "deploy" / "mosquitto"
        tls, data = self.folder / "tls", self.folder / "state" / "broker"
        data.mkdir(parents=True, exist_ok=True)
        try:
            shipped = (source / "werkpuls.conf").read_text(encoding="utf-8")
            shutil.copy(source / "werkpuls.acl", self.folder / "werkpuls.acl")
        except OSError as exc:
            raise SiteError(f"run the demo from a checkout; {exc.filename} is missing") from exc
        # mosquitto refuses access lists that others may change, and warns about those they may read.
        (self.folder / "werkpuls.acl").chmod(0o600)
        replaced = {
            "listener": f"{self.broker_port} 127.0.0.1",
            "cafile": tls / "ca.crt",
            "certfile": tls / "broker.crt",
            "keyfile": tls / "broker.key",
            "acl_file": self.folder / "werkpuls.acl",
        }
        lines = []
        for line in shipped.splitlines():
            key = line.split(" ", 1)[0]
            lines.append(f"{key} {replaced[key]}" if key in replaced else line)
        lines += [f"persistence_location {data}/", "log_dest stderr"]
        if os.geteuid() == 0:
            lines.append("user root")  # it would drop its rights to a user who cannot read this folder
        (self.folder / "mosquitto.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")

    def _mqtt(self, name: str, port: int) -> str:
        tls = self.folder / "tls"
        return (
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = 10\nca = {toml(tls / "ca.crt")}\n'
            f"cert = {toml(tls / f'{name}.crt')}\nkey = {toml(tls / f'{name}.key')}\n"
        )

    def _gateway(self) -> str:
        store = (
            self.store
            or f'type = "embedded"\ndir = {toml(self.state("gateway") / "store")}\ncommit_s = 0.1\nexact = true\n'
        )
        titles = "\n".join(
            f'[[machine]]\nname = "{machine.name}"\ntitle = "{machine.titles[self.language]}"\n{costs_toml(machine)}'
            for machine in self.machines
        )
        subscribers = "\n".join(
            f'[[subscriber]]\nname = "{name}"\nurl = "http://127.0.0.1:{self.receiver_ports[name]}/events"\n'
            f"secret_file = {toml(self.folder / f'{name}.secret')}\ntypes = {toml(_TYPES[name])}\n"
            for name in RECEIVERS
        )
        return (
            f'site = "{SITE}"\nlanguage = "{self.language}"\n[state]\ndir = {toml(self.state("gateway"))}\n'
            f"{self._mqtt('gateway', self.broker_port)}"
            f"[journal]\nmax_mb = {self.journal_mb.get('gateway', 512)}\nmin_free_mb = 0\n"
            f"[store]\n{store}[web]\nport = {self.web_port}\n"
            "[alerts]\nmin_open_s = 0.5\nclear_after_s = 20.0\nnode_offline_s = 15.0\n"
            "[batches]\nidle_close_s = 10.0\n"
            "[costs]\nenergy_price_per_kwh = 0.31\nitem_cost = {default = 0.35}\n"
            f"{titles}\n{subscribers}"
        )

    def _node(self, node: str) -> str:
        camera = self.camera_files if self.camera else None
        tables = [machine_toml(machine, self.recording, camera) for machine in self.machines if machine.node == node]
        if camera is not None and node == CAMERA.node:
            tables.append(camera_toml(camera, self.language))
        port = self.broker_port_for_nodes or self.broker_port
        return (
            f'site = "{SITE}"\nnode = "{node}"\n[state]\ndir = {toml(self.state(node))}\nsnapshot_minutes = 1.0\n'
            f"{self._mqtt(node, port)}"
            f"[journal]\nmax_mb = {self.journal_mb.get(node, 256)}\nmin_free_mb = 0\ncommit_s = 0.25\n"
            "[report]\ncondition_s = 1.0\nhealth_s = 5.0\n[simulation]\nallow_faults = true\n"
            + "\n".join([*tables, ""])
        )


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
