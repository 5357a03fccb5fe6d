"""The disk the node writes to: is it there, may we write, is there room, and does the card show its age."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edge.doctor.checks import Check, check
from edge.doctor.files import number, text

WORN_STEPS = 8
"""An eMMC tells its used life in steps of 10 %, 0x01 to 0x0B (JEDEC 84-B51, 7.4.33 DEVICE_LIFE_TIME_EST)."""
PRE_EOL_NORMAL = 1
"""EXT_CSD PRE_EOL_INFO: 1 normal, 2 eighty percent of the spare blocks are used, 3 urgent."""
NOTABLE_WRITTEN_GB = 1000.0


class Mount(NamedTuple):
    """One line of /proc/mounts."""

    device: str
    folder: str
    kind: str
    options: tuple[str, ...]


def free_bytes(folder: Path) -> int:
    """What a plain user can still write there; raises OSError."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def disk(root: Path, folder: Path, need_mb: int, *, free: Callable[[Path], int] = free_bytes) -> Iterator[Check]:
    """The disk under `folder`, the node's state folder.

    Args:
        root: stands for / in every path.
        folder: absolute, as the node itself sees it; may not exist yet, then its nearest parent is looked at.
        need_mb: room that the configuration counts on.
        free: bytes free at a folder.
    """
    present = folder
    while not _real(root, present).is_dir() and present != present.parent:
        present = present.parent
    mount = mount_of(root, present)
    if mount is not None and "ro" in mount.options:
        yield check("disk", "read_only", folder=str(folder), device=mount.device)
    elif present != folder:
        yield check("disk", "missing", folder=str(folder))
    elif not os.access(_real(root, folder), os.W_OK | os.X_OK):
        yield check("disk", "not_ours", folder=str(folder))
    try:
        free_mb = free(_real(root, present)) // 1_000_000
    except OSError:
        free_mb = None
    if free_mb is not None:
        code = "low" if free_mb < need_mb else "good"
        yield check("disk", code, folder=str(present), free_gb=free_mb / 1000.0, need_gb=need_mb / 1000.0)
    if mount is not None:
        yield from wear(root, mount)


def _real(root: Path, folder: Path) -> Path:
    return root / folder.relative_to("/")


def mount_of(root: Path, folder: Path) -> Mount | None:
    """Where `folder` is mounted; the longest fitting line, of equal ones the last."""
    found = None
    for line in (text(root / "proc/mounts") or "").splitlines():
        parts = line.split()
        if len(parts) < 4:
            continue
        mount = Mount(parts[0], parts[1].replace("\\040", " "), parts[2], tuple(parts[3].split(",")))
        fits = folder.is_relative_to(mount.folder)
        if fits and (found is None or len(mount.folder) >= len(found.folder)):
            found = mount
    return found


def wear(root: Path, mount: Mount) -> Iterator[Check]:
    """What file system and card tell of their age: errors seen, used life, written volume."""
    partition = mount.device.removeprefix("/dev/")
    if partition == "root":
        partition = _root_partition(root)
    errors = number(root / "sys/fs/ext4" / partition / "errors_count")
    if errors:
        yield check("disk", "errors", device=partition, count=errors)
    written_kb = number(root / "sys/fs/ext4" / partition / "lifetime_write_kbytes")
    if written_kb is not None and written_kb / 1e6 > NOTABLE_WRITTEN_GB and partition.startswith("mmcblk"):
        yield check("disk", "written", device=partition, written_gb=written_kb / 1e6)
    card = root / "sys/block" / partition.partition("p")[0] / "device"
    steps = [int(step, 16) for step in re.findall(r"0x[0-9a-fA-F]{1,2}\b", text(card / "life_time") or "")]
    spare = number(card / "pre_eol_info", 16) or 0
    if not steps and not spare:
        return
    used = 10 * max(steps, default=0)
    if spare > PRE_EOL_NORMAL or used > 10 * WORN_STEPS:
        yield check("disk", "worn", device=partition, percent=min(used, 100))
    elif used:
        yield check("disk", "life", device=partition, percent=used)


def _root_partition(root: Path) -> str:
    """The only partition that an ext4 file system is on, when the kernel calls it /dev/root."""
    known = sorted(path.name for path in (root / "sys/fs/ext4").glob("mmcblk*"))
    return known[0] if len(known) == 1 else "root"
