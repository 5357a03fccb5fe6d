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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from werkpuls.certificates import Authority
from werkpuls.demo.processes import Child, ProcessFailed

SITE = "demo"
CHECKOUT = Path(__file__).resolve().parents[2]
READY_S = 60.0
LEAST_INTERVAL_S = 0.05
MOST_FALSE_ALARMS = 1000.0
RECEIVERS = ("forecast", "budget")
_TYPES = {
    "forecast": ["de.werkpuls.capacity.v1", "de.werkpuls.scrap.v1", "de.werkpuls.alert.v1"],
    "budget": ["de.werkpuls.cost.v1"],
}


class SiteError(Exception):
    """The demo's site cannot be set up here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Recordings that play one after the other as a machine of its own; see the options of `werkpuls score`."""

    file: Path
    warmup: int = 400
    """Rows or blocks in the beginning that are known normal."""
    pace_hz: float = 20.0
    """Rows or blocks a second."""
    row_s: float = 1.0
    """Time between two rows or blocks in the recording itself."""
    separator: str | None = None
    time: str | None = None
    ignore: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rate_hz: float | None = None
    block_s: float | None = None
    more: tuple[Path, ...] = ()
    """Played after `file`."""

    @property
    def sensor(self) -> dict[str, object]:
        """Options of the `replay` sensor that plays it. It begins again after its end: an end is no broken sensor."""
        options: dict[str, object] = {
            "files": [file.resolve() for file in (self.file, *self.more)],
            "speed": 0,
            "loop": True,
            "separator": self.separator,
            "time": self.time,
            "ignore": list(self.ignore) or None,
            "columns": list(self.columns) or None,
            "rate_hz": self.rate_hz,
            "block_s": self.block_s,
        }
        return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """A machine of the demo: where it runs and as what."""

    node: str
    name: str
    titles: Mapping[str, str]
    """What people call it, by language."""
    faults: tuple[str, ...] = ()
    """Simulated faults by the name that `--fault` takes, best first."""


MACHINES = (
    MachinePlan("backstube", "kneter", {"de": "Spiralkneter", "en": "Spiral mixer"}, ("bearing_outer", "bearing_inner", "bearing_ball", "imbalance",
                                                        "belt", "misalignment", "looseness")),
    MachinePlan("backstube", "ofen", {"de": "Etagenofen", "en": "Deck oven"}, ("heating_element_open", "thermostat_drift", "door_seal",
                                                    "thermocouple_drift")),
    MachinePlan("keller", "kuehlung", {"de": "Kälteverdichter", "en": "Cooling compressor"}, ("fan_blocked", "refrigerant_leak", "winding_short")),
    MachinePlan("keller", "rechner", {"de": "Messrechner", "en": "Measuring computer"}),
)  # fmt: skip
RECORDING_MACHINE = MachinePlan("keller", "aufnahme", {"de": "Aufzeichnung", "en": "Recording"})


@dataclass(slots=True)
class Site:
    """The folder and the processes; `build` writes everything, `start` runs it in order.

    Args:
        folder: for everything; must be empty or new.
        web_port: of the gateway's page; 0 takes a free one.
        recording: plays as one more machine.
        language: of the machines' titles and of the page.
        broker_port_for_nodes: where nodes find the broker, if not at its own port (a cable that can be pulled).
        store: the gateway's `[store]` section, lines of TOML; empty: the embedded store.
        wrap: put in front of a process's command, by its name.
        environment: more variables of a process, by its name.
    """

    folder: Path
    web_port: int = 0
    recording: Recording | None = None
    language: str = "de"
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
        self._write_broker()
        (self.folder / "gateway.toml").write_text(self._gateway(), encoding="utf-8")
        for node in self.nodes:
            (self.folder / f"{node}.toml").write_text(self._node(node), encoding="utf-8")
        self._plan_children()

    def start(self) -> None:
        """Starts broker, receivers, gateway, nodes, each once the one before answers.

        Raises:
            ProcessFailed: one of them ended or did not answer.
        """
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

    def stop_nodes(self) -> None:
        """Ends the nodes; what they had not sent yet stays in their journals."""
        for node in self.nodes:
            if node in self.children:
                self.children[node].stop()

    def stop(self) -> None:
        """Ends everything, sources first; safe at any moment."""
        for name in (*self.nodes, "gateway", *RECEIVERS, "broker"):
            if name in self.children:
                self.children[name].stop()

    def _plan_children(self) -> None:
        python = [sys.executable, "-m"]
        mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if mosquitto is None:
            raise SiteError("mosquitto is missing: sudo apt-get install mosquitto")
        commands: dict[str, list[str]] = {"broker": [mosquitto, "-c", str(self.folder / "mosquitto.conf")]}
        for name in RECEIVERS:
            commands[name] = [
                *python, "werkpuls.receivers", "--kind", name, "--json",
                "--secret-file", str(self.folder / f"{name}.secret"),
                "--port", str(self.receiver_ports[name]), "--keep", str(self.received(name)),
            ]  # fmt: skip
        commands["gateway"] = [*python, "werkpuls", "gateway", "--config", str(self.folder / "gateway.toml"), "--json"]
        for node in self.nodes:
            commands[node] = [
                *python,
                "werkpuls",
                "edge",
                "sense",
                "--config",
                str(self.folder / f"{node}.toml"),
                "--json",
            ]
        for name, command in commands.items():
            self.children[name] = Child(
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
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = 10\nca = {_toml(tls / "ca.crt")}\n'
            f"cert = {_toml(tls / f'{name}.crt')}\nkey = {_toml(tls / f'{name}.key')}\n"
        )

    def _gateway(self) -> str:
        store = (
            self.store
            or f'type = "embedded"\ndir = {_toml(self.state("gateway") / "store")}\ncommit_s = 0.1\nexact = true\n'
        )
        titles = "\n".join(
            f'[[machine]]\nname = "{machine.name}"\ntitle = "{machine.titles[self.language]}"\n{_COSTS.get(machine.name, "")}'
            for machine in self.machines
        )
        subscribers = "\n".join(
            f'[[subscriber]]\nname = "{name}"\nurl = "http://127.0.0.1:{self.receiver_ports[name]}/events"\n'
            f"secret_file = {_toml(self.folder / f'{name}.secret')}\ntypes = {_toml(_TYPES[name])}\n"
            for name in RECEIVERS
        )
        return (
            f'site = "{SITE}"\nlanguage = "{self.language}"\n[state]\ndir = {_toml(self.state("gateway"))}\n'
            f"{self._mqtt('gateway', self.broker_port)}"
            f"[journal]\nmax_mb = {self.journal_mb.get('gateway', 512)}\nmin_free_mb = 0\n"
            f"[store]\n{store}[web]\nport = {self.web_port}\n"
            "[alerts]\nmin_open_s = 0.5\nclear_after_s = 20.0\nnode_offline_s = 15.0\n"
            "[batches]\nidle_close_s = 60.0\n"
            "[costs]\nenergy_price_per_kwh = 0.31\n"
            f"{titles}\n{subscribers}"
        )

    def _node(self, node: str) -> str:
        machines = "\n".join(_MACHINE_TOML[machine.name] for machine in self.machines if machine.name in _MACHINE_TOML and
                             machine.node == node)  # fmt: skip
        if self.recording is not None and node == RECORDING_MACHINE.node:
            machines += _recording_toml(self.recording)
        port = self.broker_port_for_nodes or self.broker_port
        return (
            f'site = "{SITE}"\nnode = "{node}"\n[state]\ndir = {_toml(self.state(node))}\nsnapshot_minutes = 1.0\n'
            f"{self._mqtt(node, port)}"
            f"[journal]\nmax_mb = {self.journal_mb.get(node, 256)}\nmin_free_mb = 0\ncommit_s = 0.25\n"
            "[report]\ncondition_s = 1.0\nhealth_s = 5.0\n[simulation]\nallow_faults = true\n"
            f"{machines}\n"
        )


_COSTS = {
    "kneter": (
        "capacity_share = 0.5\nhourly_downtime_cost = 180.0\noutage_hours = {default = 8.0, bearing = 12.0}\n"
        "repair_cost = {default = 400.0, bearing = 900.0}\n"
    ),
    "ofen": (
        "capacity_share = 0.6\nhourly_downtime_cost = 260.0\noutage_hours = {default = 6.0}\n"
        "repair_cost = {default = 350.0, heating_element_open = 280.0}\nextra_power_kw = {door_seal = 1.5}\n"
    ),
    "aufnahme": "capacity_share = 0.3\nhourly_downtime_cost = 120.0\nrepair_cost = {default = 500.0}\n",
    "kuehlung": "capacity_share = 0.2\nhourly_downtime_cost = 90.0\nrepair_cost = {default = 700.0}\n",
}
# Machine time passes faster than real time, so that a machine shows all that it does while somebody watches;
# vibration keeps its real pace. A warm-up of half a minute is for show, at home it is a whole shift; it holds some hours of
# the mixer and the oven and most of an hour of the compressor. Within five minutes the default seed raised no false alarm,
# five others one for the mixer, two for the oven and none for the compressor; half of the warm-up raised one in most runs.
_MACHINE_TOML = {
    "kneter": (
        '[[machine]]\nname = "kneter"\nkind = "mixer"\ninterval_s = 0.25\nrunning_speed_rpm = 1475\nwarmup_s = 15\n'
        "[machine.bearing]\nballs = 9\nball_mm = 7.94\npitch_mm = 39.04\n"
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 480\nschedule = "continuous"\nblock_s = 0.25\nfault_ramp_s = 3\n'
    ),
    "ofen": (
        '[[machine]]\nname = "ofen"\nkind = "oven"\ninterval_s = 0.4\nwarmup_s = 24\n'
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 240\nschedule = "continuous"\nblock_s = 0.4\nfault_ramp_s = 3\n'
    ),
    "kuehlung": (
        '[[machine]]\nname = "kuehlung"\nkind = "compressor"\ninterval_s = 0.4\nwarmup_s = 24\nrunning_speed_rpm = 1450\n'
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 120\nschedule = "continuous"\nblock_s = 0.4\nfault_ramp_s = 3\n'
    ),
    "rechner": '[[machine]]\nname = "rechner"\nkind = "generic"\ninterval_s = 1.0\nwarmup_s = 60\n[[machine.sensor]]\ntype = "host"\n',
}


def _recording_toml(recording: Recording) -> str:
    """One row or block a turn. The alarm budget is the one that its rows would have at their own pace."""
    interval_s = max(1.0 / recording.pace_hz, LEAST_INTERVAL_S)
    budget = min(recording.row_s / interval_s, MOST_FALSE_ALARMS)
    lines = [
        "\n[[machine]]", 'name = "aufnahme"', 'kind = "generic"', f"interval_s = {interval_s:.6g}",
        f"warmup_s = {recording.warmup * interval_s:.6g}", f"false_alarms_per_month = {budget:.6g}",
        "[[machine.sensor]]", 'type = "replay"', *(f"{name} = {_toml(value)}" for name, value in recording.sensor.items()),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


def _toml(value: object) -> str:
    """Paths, strings, numbers and lists of strings are written alike in JSON and TOML."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
