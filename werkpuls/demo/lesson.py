"""Teaches the demo's product as a baker would: a few photos of good rolls, one of too dark and one of too light ones.

Run as a process of its own, `python -m werkpuls.demo.lesson PROFILES PRODUCT NAME`: it needs OpenCV and a TFLite runtime, which the demo
itself does without. Where they cannot be used it says so in its last line and ends with another code than 0.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from werkpuls import cli
from werkpuls.demo.plan import CAMERA

GOOD = (0.46, 0.52, 0.58)
"""Browning of what is sold, see `edge.sensors.simulation.crust`: loads of a sound oven come out like that."""
BAD = (0.33, 0.74)


def main(argv: Sequence[str]) -> int:
    """Writes PROFILES/PRODUCT.json of what people call NAME; 0 when it is written."""
    profiles, product, name = Path(argv[0]), argv[1], argv[2]
    try:
        from edge.vision.decode import encode  # noqa: PLC0415  # where it cannot be had, that is to be said in one line
        from edge.vision.scene import tray  # noqa: PLC0415  # as above
    except ImportError as exc:
        sys.stderr.write(f"{exc}; .venv/bin/pip install -e '.[camera]' in Werkpuls' folder brings what cameras need\n")
        return 1
    import numpy as np  # noqa: PLC0415  # came with them

    with TemporaryDirectory() as folder:
        for kind, shades in (("good", GOOD), ("bad", BAD)):
            photos = Path(folder) / kind
            photos.mkdir()
            for number, browning in enumerate(shades):
                image, _ = tray(np.random.default_rng((number, len(kind))), CAMERA.size, browning)
                (photos / f"{number}.jpg").write_bytes(encode(image))
        good, bad = (str(Path(folder) / kind) for kind in ("good", "bad"))
        names = [str(profiles / product), "--product", name]
        return cli.main(["teach", *names, "--good", good, "--bad", bad, "--lang", "en"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
