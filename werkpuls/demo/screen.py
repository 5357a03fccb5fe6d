"""The terminal: machines, alerts and events as they happen, and one key for each thing to break."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from werkpuls.demo.plan import MachinePlan
from werkpuls.demo.run import Show
from werkpuls.demo.site import Site

STYLES = {"good": "green", "watch": "yellow", "warning": "dark_orange", "alarm": "bold red"}
RANKS = ("good", "watch", "warning", "alarm")
BAR = 20
SHOWN_EVENTS = 6
SHOWN_ALERTS = 4
FRAME = 2
"""Rows of a panel's border."""


class Key(NamedTuple):
    """What a key does."""

    key: str
    fault: str
    machine: MachinePlan


def keys_of(site: Site) -> list[Key]:
    """The first fault of each machine, by a digit; the rest by the next ones."""
    faults = [(fault, machine) for machine in site.machines for fault in machine.faults[:2]]
    return [Key(str(number), fault, machine) for number, (fault, machine) in enumerate(faults[:9], start=1)]


def draw(show: Show, keys: list[Key], width: int = 120, height: int | None = None) -> RenderableType:
    """The whole screen, keys on top; where it is low, an alert's details give way to the events.

    Args:
        show: what to draw.
        keys: what can be broken.
        width: columns there are.
        height: rows there are; None: as many as it takes.
    """
    text = show.wording.catalogue["demo"]
    flow, helped, machines = _flow(show), _help(show, keys), _machines(show)
    shown, rest = SHOWN_EVENTS, None
    if height is not None:
        measured = Console(width=width)
        taken = [len(measured.render_lines(part)) for part in (helped, Panel(flow), Panel(machines))]
        titles = min(max(len(show.look.alerts), 1), SHOWN_ALERTS)
        free = height - sum(taken) - 2 * FRAME
        shown = min(max(free - titles, 1), SHOWN_EVENTS)
        rest = max(free - min(shown, max(_arrived(show), 1)), 1)
    events = _events(show, shown)
    return Group(
        Panel(flow, title=f"Werkpuls · {show.site.url}", title_align="left", border_style="dim"),
        helped,
        Panel(machines, title=text["machines"], title_align="left", subtitle=_camera(show), subtitle_align="left"),
        Panel(
            _alerts(show, width - 2 * FRAME, rest), title=text["alerts"], title_align="left", border_style=_worst(show)
        ),
        Panel(events, title=text["events"], title_align="left"),
    )


def _flow(show: Show) -> RenderableType:
    stats, words = show.look.stats, show.wording
    if not stats:
        return Text(words.catalogue["demo"]["starting"])
    latency = stats.get("latency_p50_s")
    return Text(
        words.catalogue["demo"]["flow"].format(
            seconds=round(show.running_s),
            accepted=stats["accepted"],
            stored=stats["stored"],
            points=stats["points"],
            backlog=stats["backlog"],
            missing=stats["evicted"],
            latency="–" if latency is None else words.number(1000 * latency),
        )
    )


def _machines(show: Show) -> RenderableType:
    words, text = show.wording, show.wording.catalogue["demo"]
    table = Table(box=None, expand=True, pad_edge=False)
    for heading in ("machine", "node", "regime", "score", "condition"):
        table.add_column(text[heading], min_width=BAR if heading == "score" else None)
    for machine in show.look.machines:
        severity = machine["severity"] or "good"
        learning = machine["learned"] < 1.0
        if learning:
            state = Text(text["learning"].format(percent=round(100 * machine["learned"])), style="cyan")
        else:
            state = Text(words.word("severities", severity), style=STYLES.get(severity, ""))
        for channel in machine["sensor_faults"]:
            state.append(
                f"  {words.catalogue['page']['sensor_fault'].format(channel=words.feature(channel))}", style="yellow"
            )
        table.add_row(
            words.machine(machine["machine"]),
            machine["node"],
            words.word("regimes", machine["regime"] or "unknown"),
            "" if learning else _bar(machine["score"], machine["limit"], STYLES.get(severity, "")),
            state,
        )
    return table


def _camera(show: Show) -> Text | None:
    """What the camera has seen; None without one. It stands in a border, where it takes no row."""
    words, text = show.wording, show.wording.catalogue["demo"]
    if not show.site.camera:
        return None
    if show.site.camera_lacks:
        return Text(text["no_camera"].format(reason=show.words.told(show.site.camera_lacks)), style="yellow")
    if not show.site.sees:
        return Text(text["camera_learns"], style="cyan")
    counts = {name: sum(product[name] for product in show.look.goods) for name in ("items", "rejects")}
    line = Text(text["camera"].format(**counts))
    for batch in show.look.batches[:1]:
        if batch["items"] and batch["lightness"] is not None:
            bad = 2 * batch["rejects"] > batch["items"]
            said = text["camera_batch"].format(
                items=batch["items"], rejects=batch["rejects"], lightness=words.number(batch["lightness"])
            )
            line.append(said, style=STYLES["alarm"] if bad else "")
    return line


def _bar(score: float, limit: float | None, style: str) -> Text:
    """The score against its limit; the mark stands at the limit, half-way."""
    share = min(score / (2 * (limit or 1.0)), 1.0)
    filled = round(share * BAR)
    bar = Text()
    for place in range(BAR):
        bar.append(
            "│" if place == BAR // 2 else "█" if place < filled else "·", style=style if place < filled else "dim"
        )
    return bar


def _alerts(show: Show, width: int, rows: int | None) -> RenderableType:
    """The worst first, with its details; of the others their titles, and last those that a person put off."""
    words = show.wording
    alerts = sorted(show.look.alerts, key=lambda view: (_asleep(view), -RANKS.index(view["alert"]["severity"])))
    if not alerts:
        return Text(words.catalogue["page"]["no_alerts" if _calm(show) else "no_alerts_only"], style=_worst(show))
    titles = [_title(view, show) for view in alerts[:SHOWN_ALERTS]]
    text = alerts[0]["text"]
    details = [
        Text(f"   {line}")
        for line in (text["explain"], text["since"], text["sure"], *text["evidence"], text["check"])
        if line and not _asleep(alerts[0])
    ]
    lines = _fitting([titles[0], *details], width, None if rows is None else rows - len(titles) + 1)
    return Group(*lines, *titles[1:])


def _asleep(view: dict[str, Any]) -> bool:
    """Whether a person put it off; the gateway ends that by itself."""
    return view["alert"].get("snoozed_until_ns") is not None


def _title(view: dict[str, Any], show: Show) -> Text:
    alert, words = view["alert"], show.wording
    if _asleep(view):
        until = words.clock(alert["snoozed_until_ns"])[:5]
        return Text(f"{view['text']['title']}  [{words.catalogue['demo']['snoozed'].format(until=until)}]", style="dim")
    title = Text(view["text"]["title"], style=STYLES.get(alert["severity"], ""))
    return title.append(f"  [{words.word('states', alert['state'])}]", style="dim")


def _fitting(lines: list[Text], width: int, rows: int | None) -> list[Text]:
    """As many from the front as fit; the first always."""
    if rows is None:
        return lines
    measured = Console(width=width)
    kept, used = lines[:1], len(lines[0].wrap(measured, width))
    for line in lines[1:]:
        used += len(line.wrap(measured, width))
        if used > rows:
            break
        kept.append(line)
    return kept


def _arrived(show: Show) -> int:
    return sum(map(len, show.look.events.values()))


def _events(show: Show, most: int) -> RenderableType:
    """The latest, one row each."""
    text = show.wording.catalogue["demo"]
    arrived = [(name, event) for name, events in show.look.events.items() for event in events]
    arrived.sort(key=lambda pair: str(pair[1]["time"]))
    if not arrived:
        return Text(text["no_events"], style="dim")
    lines = [
        f"{_clock(event['time'])}  → {name:<8}  {show.wording.machine(event['subject'])}  {_event(event, show)}"
        for name, event in arrived[-most:]
    ]
    return Text("\n".join(lines))


def _clock(time: str) -> str:
    """A moment of RFC 3339 on the wall clock here."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")


def _event(event: dict[str, Any], show: Show) -> str:
    data: dict[str, Any] = event["data"]
    text: dict[str, str] = show.wording.catalogue["demo"]
    match event["type"].split(".")[-2]:
        case "capacity":
            return text["capacity"].format(
                share=round(100 * data["share"]), probability=round(100 * data["probability"])
            )
        case "cost":
            return text[_cost(data)].format(total=_amount(data["total"], show), currency=data["currency"])
        case "scrap":
            return text["scrap"].format(rejects=data["rejects"], items=data["items"])
        case _:
            return str(data["texts"].get(show.wording.language, {}).get("title", data["cause"]))


def _cost(data: dict[str, Any]) -> str:
    """Which sentence says it: nothing to pay is no amount, and nothing known even less."""
    over = data["state"] == "final"
    if data["total"]:
        return "cost_over" if over else "cost"
    return "cost_none" if over or data["kind"] == "scrap" else "cost_unknown"


def _amount(total: float, show: Show) -> str:
    """Some rolls cost cents, an oven hundreds."""
    return str(round(total)) if total >= 10 else show.wording.number(round(total, 2))


def _worst(show: Show) -> str:
    severities = [view["alert"]["severity"] for view in show.look.alerts if not _asleep(view)]
    return next(
        (STYLES[s] for s in ("alarm", "warning", "watch") if s in severities), "green" if _calm(show) else "dim"
    )


def _calm(show: Show) -> bool:
    """Whether all runs as usual; of a machine that is away, paused or still learned nobody knows."""
    return bool(show.look.machines) and all(
        each["severity"] == "good" and each["learned"] >= 1.0 and each["online"] and not each["paused"]
        for each in show.look.machines
    )


def _help(show: Show, keys: list[Key]) -> RenderableType:
    words, text = show.wording, show.wording.catalogue["demo"]
    line = Text()
    for key in keys:
        waiting = any(f.name == key.fault and f.machine == key.machine and f.command is None for f in show.faults)
        line.append(f" {key.key} ", style="reverse")
        line.append(f" {words.machine(key.machine.name)}: {words.cause(key.fault).name}{' …' if waiting else ''}  ")
    for letter, what in (("h", "heal"), ("a", "acknowledge"), ("q", "quit")):
        line.append(f" {letter} ", style="reverse")
        line.append(f" {text[what]}  ")
    return line


class Keyboard:
    """Keys without Enter, while standard input is a terminal; its settings come back at the end."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if self._descriptor is not None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None and self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """Keys pressed since the last call."""
        if self._descriptor is None or not select.select([self._descriptor], [], [], 0)[0]:
            return ""
        return os.read(self._descriptor, 64).decode(errors="ignore")
