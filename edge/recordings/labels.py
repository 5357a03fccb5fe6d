"""Columns that say what a model has to find out by itself, or which machine or run a row is of: it is never fed with them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.recordings.naming import fold

_LABELS = re.compile(
    r"^(is_|has_|true_|y_|binary_)?("
    r"anomalous|abnormal(ity)?|novelty|change_?points?|outliers?|ausreisser|lab(el|le)s?|labell?ed|etikett|target|class(es)?|"
    r"klasse|ground_?truth|gt|true|att|intrusion|faulty|schaden|stoerung|fehler|event|ereignis|fail(ed|s)?|broken|alarms?|"
    r"normal(_attack)?|pass_?fail|(ok_?)?nok|(io_)?nio|maintenance(_required|_needed)?|health|gesundheit|"
    r"([a-z0-9]+_)*(anomal(y|ies|ie)|attack|fault|failure|defect|damage|breakdown|ausfall|defekt)s?|"
    r"(engine|machine|motor|bearing|fault|health|equipment|asset)_condition"
    r")(_?(lab(el|le)s?|flags?|class|type|code|id|mode|klasse|typ|state|status|number|nummer|nr|no|bit|\d+))?$"
)
_REMAINING = re.compile(
    r"^(rul|remaining_(useful_)?life|(time|days|hours|cycles)_to_failure|ttf|restlebensdauer)(_(s|h|hours|days|cycles))?$"
)
_IDENTITY = re.compile(
    r"(^|_)(id|uid|udi|number|nummer|nr|uuid|guid|serial|serial_?(no|nr|number)|seriennummer|mac)$|"
    r"^(unit|engine|machine|asset|run|experiment|trajectory)_?(no|num|index)$"
)
_THING = re.compile(
    r"^(unit|engine|machine|maschine|device|geraet|asset|anlage|simulation_?run|run|lauf|table|experiment|versuch|trajectory)$"
)
_MOSTLY = 0.5
_SELDOM = 0.05


def called_as(name: str) -> str:
    """A column's name as the rules here are written.

    >>> [called_as(name) for name in ("Machine failure", "faultNumber", "Normal/Attack", "Label (1: attack)", "#")]
    ['machine_failure', 'fault_number', 'normal_attack', 'label', '#']
    """
    bare = re.sub(r"\s*[(\[].*$", "", name.strip()) or name
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare)
    return re.sub(r"[^a-z0-9#]+", "_", fold(spaced)).strip("_")


def is_label(called: str) -> bool:
    """Whether a column is called what a model must find out, or how long the machine still lives.

    >>> [is_label(called_as(name)) for name in ("anomaly", "Machine failure", "EVENT", "Engine Condition", "RUL")]
    [True, True, True, True, True]
    >>> [is_label(called_as(name)) for name in ("pressure", "target temperature", "operating condition", "machine_status")]
    [False, False, False, False]
    """
    return bool(_LABELS.match(called)) or is_remaining(called)


def is_remaining(called: str) -> bool:
    """Whether a column is called the life that remains; it is no class but counts down."""
    return bool(_REMAINING.match(called))


def is_identity(called: str, *, switch: bool = False) -> bool:
    """Whether a column is called like a number that only says which machine, run or piece it is.

    Args:
        called: its name, as `called_as` makes it.
        switch: whether it is 0 or 1: a `run` then says that the machine runs.

    >>> [is_identity(called_as(name)) for name in ("machineID", "UDI", "program number", "simulationRun", "unit price")]
    [True, True, True, True, False]
    """
    return bool(_IDENTITY.search(called)) or (not switch and bool(_THING.match(called)))


def failure_bits(
    labels: Mapping[int, NDArray[np.float64]], bits: Mapping[int, NDArray[np.float64]], last: int
) -> dict[int, int]:
    """Columns that name one kind of failure each, beside the label that names all of them, and that label.

    Such are 0 or 1. They fill the table from the label to its end, and one of them is 1 mostly where the label is; or they stand
    in front of it and are 1 only where it is.

    Args:
        labels: columns that are called a label, (rows,) each.
        bits: columns that are 0 or 1, (rows,) each, NaN where a value is missing.
        last: the table's last column with numbers.
    """
    found: dict[int, int] = {}
    for label, said in labels.items():
        values, counts = np.unique(said, return_counts=True)
        failed = said != values[counts.argmax()]  # what is most frequent is normal: 0, or -1
        behind = [at for at in range(label + 1, last + 1) if at not in labels]
        if behind and all(at in bits for at in behind):
            some = np.any([bits[at] == 1 for at in behind], axis=0)
            if not some.any() or failed[some].mean() >= _MOSTLY:
                found.update(dict.fromkeys(behind, label))
        at = label - 1
        while at in bits and (bits[at] == 1).any() and failed[bits[at] == 1].all():
            found[at] = label
            at -= 1
    return found


def tells_runs_apart(values: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    """Whether a column of whole numbers changes exactly where a count beside it begins again, as the number of a machine does.

    >>> tells_runs_apart(np.array([1.0] * 40 + [2.0] * 40), np.array([*range(40), *range(40)], float))
    True
    """
    changes, steps = np.diff(values) != 0, np.diff(counts)
    return bool(0 < changes.mean() <= _SELDOM and np.array_equal(changes, steps < 0) and (steps[~changes] > 0).all())
