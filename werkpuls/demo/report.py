"""The demo's result: one JSON object, or the same in words."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.wording import Wording
from werkpuls.demo.processes import Usage
from werkpuls.demo.proof import Proof
from werkpuls.demo.run import FaultRun, Show
from werkpuls.words import Words

WRONG = ("lost", "duplicates", "disordered", "altered", "points_missing", "points_extra", "points_altered")
"""Fields of the result that must be 0."""


def result(show: Show, proof: Proof, usage: dict[str, Usage], seconds: float) -> dict[str, Any]:
    """What the demo ends with under `--json`."""
    stats = show.look.stats
    return {
        "seconds": round(seconds, 1),
        "published": proof.published,
        "accepted": proof.accepted,
        "stored": proof.stored,
        "lost": proof.lost,
        "dropped": proof.dropped,
        "duplicates": proof.duplicates,
        "disordered": proof.disordered,
        "altered": proof.altered,
        "points": proof.points,
        "points_missing": proof.points_missing,
        "points_extra": proof.points_extra,
        "points_altered": proof.points_altered,
        "details": proof.details,
        "sent_again": stats.get("duplicates", 0),
        "refused": sum(stats.get("refused", {}).values()),
        "refused_by_kind": stats.get("refused", {}),
        "alerts_opened": stats.get("alerts_total", 0),
        "alerts": [_alert(view) for view in show.look.history],
        "goods": _goods(show),
        "forwarded": {name: len(events) for name, events in show.look.events.items()},
        "events": {name: [event["type"] for event in events] for name, events in show.look.events.items()},
        "faults": [_fault(fault) for fault in show.faults],
        "latency_s": {
            "sample_to_stored": {"p50": stats.get("latency_p50_s"), "p99": stats.get("latency_p99_s")},
            "fault_to_alert": _quantiles([f.alert_after_s for f in show.faults if f.alert_after_s is not None]),
        },
        "processes": {
            name: {
                "resident_bytes": used.resident_bytes,
                "cpu_s": round(used.cpu_s, 2),
                "cpu_share": round(used.cpu_s / used.running_s, 4) if used.running_s else None,
                "written_bytes": used.written_bytes,
            }
            for name, used in usage.items()
        },
    }


def passed(outcome: dict[str, Any]) -> bool:
    """Whether nothing is missing, twice, out of order or changed."""
    return not any(outcome[name] for name in WRONG)


def print_words(console: Console, words: Wording, outcome: dict[str, Any]) -> None:
    """The result for a person."""
    text, spoken = words.catalogue["demo"], Words(words.language)
    told = spoken.told
    verdict = text["nothing_lost"] if passed(outcome) else text["something_lost"]
    console.print()
    console.print(verdict.format(**outcome), style="bold green" if passed(outcome) else "bold red")
    for detail in outcome["details"]:
        console.print(f"  {told(detail)}")
    for fault in outcome["faults"]:
        name = words.cause(fault["fault"]).name
        if fault["alert_after_s"] is not None:
            line = text["fault_found"].format(
                fault=name, machine=words.machine(fault["machine"]), cause=words.cause(fault["cause"]).name,
                seconds=words.number(fault["alert_after_s"]),
            )  # fmt: skip
        else:
            line = text["fault_not_found"].format(
                fault=name, machine=words.machine(fault["machine"]), reason=told(fault["refused"] or "–")
            )
        console.print(line)
        if fault["last_cause"] not in ("", fault["cause"]):
            console.print(text["fault_renamed"].format(cause=words.cause(fault["last_cause"]).name))
        if fault["goods_after_s"] is not None:
            console.print(
                text["fault_in_goods"].format(
                    cause=words.cause(fault["goods_cause"]).name, seconds=words.number(fault["goods_after_s"])
                )
            )
    _print_goods(console, words, outcome["goods"])
    console.print(
        text["forwarded"].format(events=", ".join(f"{name} {count}" for name, count in outcome["forwarded"].items()))
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "memory", "cpu", "written"):
        table.add_column(text[heading], justify="left" if heading == "process" else "right")
    for name, used in outcome["processes"].items():
        table.add_row(
            name,
            f"{used['resident_bytes'] / 1e6:.0f} MB",
            f"{spoken.number(100 * (used['cpu_share'] or 0), 1)} %",
            f"{spoken.number(used['written_bytes'] / 1e6, 1)} MB",
        )
    console.print(table)


def _print_goods(console: Console, words: Wording, goods: dict[str, Any]) -> None:
    text = words.catalogue["demo"]
    if goods["lacks"]:
        # A reason may have brackets, which are no markup.
        reason = Words(words.language).told(goods["lacks"])
        console.print(text["no_camera"].format(reason=reason), markup=False)
    elif goods["camera"]:
        console.print(
            text["goods"].format(
                **{name: goods[name] for name in ("items", "rejects", "unsure")}, loads=len(goods["batches"])
            )
        )
        for finding in goods["findings"]:
            console.print(f"  {finding['title']}")


def _goods(show: Show) -> dict[str, Any]:
    site, goods = show.site, show.goods
    quality = [view for view in show.look.history if view["alert"]["kind"] == "quality"]
    return {
        "camera": site.sees,
        "lacks": site.camera_lacks,
        "inspections": goods.inspections,
        "items": goods.items,
        "rejects": goods.rejects,
        "unsure": goods.unsure,
        "batches": [
            {
                "batch": batch.batch,
                "product": batch.product,
                "items": batch.items,
                "rejects": batch.rejects,
                "unsure": batch.unsure,
                "lightness": batch.lightness,
            }
            for batch in goods.batches.values()
        ],
        "findings": [
            {"cause": view["alert"]["cause"], "severity": view["alert"]["severity"], "title": view["text"]["title"]}
            for view in quality
        ],
    }


def _fault(fault: FaultRun) -> dict[str, Any]:
    return {
        "fault": fault.name,
        "machine": fault.machine.name,
        "due_s": round(fault.due_s, 2),
        "injected": fault.injected_ns is not None and not fault.refused,
        "refused": fault.refused
        or ("" if fault.injected_ns is not None else "the end came before the machine had learned"),
        "alert_after_s": fault.alert_after_s,
        "cause": fault.cause,
        "last_cause": fault.last_cause,
        "severity": fault.severity,
        "receivers_after_s": fault.receivers_after_s,
        "goods_after_s": fault.goods_after_s,
        "goods_cause": fault.goods_cause,
    }


def _alert(view: dict[str, Any]) -> dict[str, Any]:
    alert = view["alert"]
    return {
        **{name: alert[name] for name in ("id", "machine", "node", "kind", "cause", "severity", "state")},
        "title": view["text"]["title"],
        "evidence": view["text"]["evidence"],
    }


def _quantiles(values: list[float]) -> dict[str, float | None]:
    """Nearest-rank quantiles: with a handful of faults anything finer would be invented."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None}
    return {
        name: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 3)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
