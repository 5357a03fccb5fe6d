"""A Debian kernel booted in QEMU, without hardware support, that runs a Python program of this checkout.

The guest sees this computer's file system read-only through 9p and runs this very interpreter as root, so that it needs no
image. `deploy/kernel.sh` fetches the kernel. What is missing is said by `lacking`.
"""

from __future__ import annotations

import lzma
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
QEMU = "qemu-system-x86_64"
MEMORY_MB = 512
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
{modules}
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 answer /host{answer}
for one in proc sys dev; do $b mount --bind /$one /host/$one; done
cd /host
$b chroot /host /bin/sh {answer}/run >/host{answer}/output 2>&1
echo $? >/host{answer}/code
$b sync
$b poweroff -f
"""


def kernel_folder() -> Path:
    """Where `deploy/kernel.sh` puts the kernel."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("WERKPULS_TEST_KERNEL") or cache / "werkpuls" / "kernel")


def lacking() -> str:
    """What is missing to boot a guest; empty when nothing is."""
    if platform.machine() != "x86_64":
        return "only on x86-64: the guest runs this computer's own programs"
    for program, package in ((QEMU, "qemu-system-x86"), ("busybox", "busybox-static")):
        if shutil.which(program) is None:
            return f"{program} is missing (Debian package {package})"
    if b"/ld-linux" in Path(_busybox()).read_bytes()[:4096]:
        return "busybox is not the static one (Debian package busybox-static)"
    if not list(kernel_folder().glob("boot/vmlinuz-*")):
        return f"no kernel in {kernel_folder()} (sh deploy/kernel.sh fetches one)"
    return ""


def boot(
    answer: Path, words: Sequence[str], modules: Sequence[tuple[str, str]] = (), timeout_s: float = 50.0
) -> tuple[int, str]:
    """Boots, runs this interpreter with `words` in the project's folder, and switches off.

    Args:
        answer: an empty folder that the guest may write to, under the same path, which has no blanks.
        words: arguments of the interpreter.
        modules: kernel modules with their parameters, loaded before.
        timeout_s: for all of it.

    Returns:
        Exit code and output of the program.

    Raises:
        RuntimeError: the guest did not come so far; with its console.
    """
    initial = answer.parent / f"{answer.name}.cpio"
    initial.write_bytes(_initramfs(answer, modules))
    (answer / "run").write_text(f"cd {shlex.quote(str(ROOT))} && exec {shlex.join([sys.executable, *words])}\n")
    kernel = max(kernel_folder().glob("boot/vmlinuz-*"))
    command = [
        QEMU, "-M", "pc,accel=tcg", "-cpu", "max", "-m", str(MEMORY_MB), "-nographic", "-no-reboot", "-nodefaults",
        "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initial),
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on",
        "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
        "-virtfs", f"local,path={answer},mount_tag=answer,security_model=none",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
        console = (done.stdout + done.stderr).decode(errors="replace")
    except subprocess.TimeoutExpired as exc:
        console = f"{(exc.stdout or b'').decode(errors='replace')}\nno end within {timeout_s:g} s"
    code = answer / "code"
    output = answer / "output"
    if not code.exists():
        shown = output.read_text(errors="replace") if output.exists() else ""
        raise RuntimeError(f"the guest failed:\n{console}\n{shown}")
    return int(code.read_text()), output.read_text(errors="replace")


def _busybox() -> str:
    return shutil.which("busybox") or "busybox"


def _initramfs(answer: Path, modules: Sequence[tuple[str, str]]) -> bytes:
    wanted = [*((name, "") for name in BOOT_MODULES), *modules]
    files: dict[str, bytes] = {}
    lines: list[str] = []
    for name, parameters in wanted:
        _load(name, parameters, files, lines)
    init = INIT.format(modules="\n".join(lines), answer=answer)
    archive = b"".join(_entry(folder, b"", 0o040755) for folder in ("bin", "proc", "sys", "dev", "host", "modules"))
    archive += _entry("bin/busybox", Path(_busybox()).read_bytes(), 0o100755)
    archive += _entry("init", init.encode(), 0o100755)
    archive += b"".join(_entry(name, data, 0o100644) for name, data in files.items())
    return archive + _entry("TRAILER!!!", b"", 0)


def _load(name: str, parameters: str, files: dict[str, bytes], lines: list[str]) -> None:
    """Adds a module after those it depends on; one that is built into the kernel has no file."""
    target = f"modules/{name}.ko"
    found = next(
        (
            path
            for path in sorted(kernel_folder().glob("**/lib/modules/**/*.ko*"))
            if path.name.partition(".")[0].replace("-", "_") == name.replace("-", "_")
        ),
        None,
    )
    if found is None or target in files:
        return
    data = lzma.decompress(found.read_bytes()) if found.suffix == ".xz" else found.read_bytes()
    depends = _DEPENDS.search(b"\0" + data)
    for other in depends[1].decode().split(",") if depends else []:
        if other:
            _load(other, "", files, lines)
    files[target] = data
    lines.append(f"$b insmod /{target} {parameters}".rstrip())


def _entry(name: str, data: bytes, mode: int) -> bytes:
    """One file of a "newc" archive (linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    padded = header + encoded
    padded += b"\0" * (-len(padded) % 4)
    return padded + data + b"\0" * (-len(data) % 4)
