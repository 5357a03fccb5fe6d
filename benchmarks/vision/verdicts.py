"""Grades crops with the shipped model and writes what it says: `python -m benchmarks.vision.verdicts CROPS.npy OUT.npz`.

A process of its own, so that the same crops can be graded by another runtime, and by another processor's Python.
"""

from __future__ import annotations

import platform
import sys

import numpy as np

from models.quality.classifier import Classifier, decide


def main(crops_path: str, out_path: str) -> None:
    """Grades the crops, (n, 96, 96, 3) uint8."""
    classifier = Classifier.shipped()
    grades = classifier.classify(np.load(crops_path, allow_pickle=False))
    verdicts = np.array([decide(row, classifier.card).verdict for row in grades.probabilities])
    np.savez(
        out_path,
        probabilities=grades.probabilities,
        verdicts=verdicts,
        machine=np.array(platform.machine()),
        runtime=np.array(classifier.runtime),
        numpy=np.array(np.__version__),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
