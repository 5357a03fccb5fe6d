"""Configurations of nodes for tests: small, plain text to a loopback broker, state below tmp_path."""

from __future__ import annotations

from pathlib import Path

HEAD = """
site = "bakery"
node = "pi"
[state]
dir = "state"
[mqtt]
host = "127.0.0.1"
port = {port}
tls = false
[journal]
commit_s = 0.05
min_free_mb = 0
[report]
condition_s = 0.5
health_s = 0.5
[simulation]
allow_faults = {faults}
"""
MIXER = """
[[machine]]
name = "{name}"
kind = "mixer"
interval_s = 0.1
running_speed_rpm = 1475
warmup_s = 1
[[machine.sensor]]
type = "simulated"
schedule = "continuous"
block_s = 0.1
fault_ramp_s = 0.0
"""


def write_node(
    folder: Path, *machines: str, port: int = 1, faults: bool = True, more: str = "", head: str = HEAD
) -> Path:
    """A node.toml with one mixer for each name, and whatever more."""
    text = head.format(port=port, faults=str(faults).lower()) + "".join(MIXER.format(name=name) for name in machines)
    path = folder / "node.toml"
    path.write_text(text + more, encoding="utf-8")
    return path
