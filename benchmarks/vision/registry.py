"""The rows of the table, in its order: a name and where its measurement is. A new row is a new line here."""

from __future__ import annotations

from collections.abc import Mapping

ROWS: Mapping[str, str] = {
    "find-biscuits": "benchmarks.vision.rows.finding:biscuits",
    "find-grey": "benchmarks.vision.rows.finding:grey",
    "find-whole": "benchmarks.vision.rows.finding:whole",
    "find-belt": "benchmarks.vision.rows.belt:measure",
    "lightness": "benchmarks.vision.rows.lightness:measure",
    "grade-biscuits": "benchmarks.vision.rows.grading:biscuits",
    "teach-biscuits": "benchmarks.vision.rows.teaching:biscuits",
    "teach-whole": "benchmarks.vision.rows.teaching:whole",
    "teach-forms": "benchmarks.vision.rows.forms:measure",
    "teach-seconds": "benchmarks.vision.rows.teaching:seconds",
    "speed": "benchmarks.vision.rows.speed:measure",
    "memory": "benchmarks.vision.rows.memory:photos",
    "memory-jpegs": "benchmarks.vision.rows.memory:jpeg_stream",
    "memory-jpegs-cut": "benchmarks.vision.rows.memory:jpeg_stream_cut",
    "memory-h264": "benchmarks.vision.rows.memory:h264_stream",
    "memory-mpeg4": "benchmarks.vision.rows.memory:mpeg4_stream",
    "memory-jpeg-file": "benchmarks.vision.rows.memory:jpeg_file",
    "memory-mpeg4-file": "benchmarks.vision.rows.memory:mpeg4_file",
    "grade-rendered": "benchmarks.vision.rows.grading:rendered",
    "int8-float": "benchmarks.vision.rows.grading:integers",
    "aarch64": "benchmarks.vision.rows.grading:processors",
    "runtimes": "benchmarks.vision.rows.grading:runtimes",
}
