"""The overview page: what needs somebody, then every machine, then whether everything arrives."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.alerts import Alert, State
from gateway.services import Services
from gateway.store.base import Chart, SeriesKey, StoreUnavailable
from gateway.web import views
from gateway.web.api import change_alert
from gateway.web.problems import HttpProblem
from gateway.web.state import machine_views, node_views
from gateway.wording import LANGUAGES, Wording

TEMPLATES = Path(__file__).parent / "templates"
CHART_MINUTES = 15
CHART_POINTS = 240
SNOOZE_MINUTES = 60.0
MAX_FORM_BYTES = 10_000
_FIRST_CHOICES = (
    "vibration.velocity_rms",
    "vibration.envelope_rms",
    "deck_temperature",
    "temperature",
    "power",
    "current",
)
_ACTIONS: dict[str, type[msgspec.Struct]] = {
    "acknowledge": views.Acknowledge,
    "snooze": views.Snooze,
    "resolve": views.Resolve,
    "false_alarm": views.FalseAlarm,
}


class Pages:
    """Renders pages and takes their forms."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def overview(self, request: Request) -> Response:
        """`/`, in the asked language, else the browser's first that we speak, else the site's."""
        language = self._language(request)
        user = getattr(request.state, "user", "")
        page = await run_in_threadpool(self._render, language, user)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    async def act(self, request: Request) -> Response:
        """A button below an alert; back to the page afterwards, so that reloading does nothing twice."""
        form = await self._form(request)
        action = form.pop("action", "")
        kind = _ACTIONS.get(action)
        if kind is None:
            raise HttpProblem(400, f"unknown action {action[:40]!r}")
        language = form.pop("lang", "")
        alert = str(request.path_params["alert"])
        await run_in_threadpool(change_alert, self._services, alert, self._word(kind, form, language))
        target = f"/?lang={language}" if language in LANGUAGES else "/"
        return RedirectResponse(target, status_code=303)

    def _word(self, kind: type[msgspec.Struct], form: dict[str, str], language: str) -> msgspec.Struct:
        note = form.pop("note", "").strip()
        word: dict[str, Any] = {"by": form.get("by", "").strip()}
        if form.get("version"):
            word["version"] = form["version"]
        if kind is views.Resolve:
            word["done"] = note or self._services.wording(language).word("page", "done_without_words")
        else:
            word["note"] = note
        if kind is views.Snooze:
            word["minutes"] = SNOOZE_MINUTES
        try:
            return msgspec.convert(word, kind, strict=False)
        except msgspec.ValidationError as exc:
            raise HttpProblem(422, str(exc)) from exc

    async def _form(self, request: Request) -> dict[str, str]:
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > MAX_FORM_BYTES:
            raise HttpProblem(413, f"a form has at most {MAX_FORM_BYTES} bytes")
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise HttpProblem(415, "send application/x-www-form-urlencoded")
        body = (await request.body())[: MAX_FORM_BYTES + 1]
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
        except (UnicodeDecodeError, ValueError) as exc:
            raise HttpProblem(400, f"not a form: {exc}") from exc

    def _language(self, request: Request) -> str:
        asked = request.query_params.get("lang", "")
        if asked in LANGUAGES:
            return asked
        for part in request.headers.get("accept-language", "").split(","):
            code = part.partition(";")[0].strip().lower()[:2]
            if code in LANGUAGES:
                return code
        return self._services.language

    def _render(self, language: str, user: str) -> str:
        services, words = self._services, self._services.wording(language)
        now_ns = services.wall_ns()
        names = {code: services.wording(code).catalogue["language"]["name"] for code in LANGUAGES}
        return self._templates.get_template("overview.html").render(
            language=language,
            languages=list(names.items()),
            site=services.site,
            user=user,
            version=version("werkpuls"),
            now=datetime.fromtimestamp(now_ns / 1e9, tz=UTC).astimezone().strftime("%H:%M:%S"),
            t=words.catalogue["page"],
            alerts=[_alert(alert, words, now_ns) for alert in services.ledger.open_alerts() if not _asleep(alert, now_ns)],
            machines=[self._machine(machine, words, now_ns) for machine in machine_views(services)],
            deliveries=[
                {"name": t.name, "delivered": t.delivered, "waiting": t.pending, "failed": t.dead,
                 "error": t.disabled or t.last_error}
                for t in services.ledger.deliveries() if not t.retired
            ],
            nodes=[_node(node, words) for node in node_views(services)],
        )  # fmt: skip

    def _machine(self, machine: views.Machine, words: Wording, now_ns: int) -> dict[str, Any]:
        channels = [{"name": name, "unit": value.unit} for name, value in sorted(machine.values.items())]
        names = [channel["name"] for channel in channels]
        chosen = next((name for name in _FIRST_CHOICES if name in names), names[0] if names else "")
        chart = self._chart(machine, chosen, now_ns) if chosen else None
        limit = machine.limit or 1.0
        severity = machine.severity if machine.learned >= 1 else None
        return {
            "node": machine.node,
            "machine": machine.machine,
            "title": machine.title,
            "online": machine.online,
            "severity": severity or "new",
            "severity_name": words.word("severities", severity or "unknown"),
            "regime_name": words.word("regimes", machine.regime or "unknown"),
            "learned": machine.learned,
            "learning_text": str(words.catalogue["page"]["learning"]).format(percent=round(100 * machine.learned)),
            "score": machine.score,
            "meter_max": 2 * limit,
            "meter_limit": limit,
            "sensor_faults": [
                str(words.catalogue["page"]["sensor_fault"]).format(channel=channel)
                for channel in machine.sensor_faults
            ],
            "channels": channels,
            "chosen": chosen,
            **_drawn(chart, words),
        }

    def _chart(self, machine: views.Machine, channel: str, now_ns: int) -> Chart | None:
        key = SeriesKey(machine.site, machine.node, machine.machine, channel)
        start_ns = now_ns - CHART_MINUTES * 60_000_000_000
        try:
            return self._services.store.read(key, start_ns, now_ns, CHART_POINTS)
        except StoreUnavailable:
            return None  # /health says so; the page is still of use


def _asleep(alert: Alert, now_ns: int) -> bool:
    return alert.snoozed_until_ns is not None and alert.snoozed_until_ns > now_ns


def _alert(alert: Alert, words: Wording, now_ns: int) -> dict[str, Any]:
    text = words.describe(alert, now_ns=now_ns)
    return {
        "id": alert.id,
        "version": alert.version,
        "severity": alert.severity.value,
        "severity_name": words.severity(alert.severity),
        "machine": words.machine(alert.machine),
        "cause": words.cause(alert.cause).name,
        "explain": text.explain,
        "since": text.since,
        "sure": text.sure,
        "also": text.also,
        "evidence": text.evidence,
        "check": text.check,
        "owner": alert.owner,
        "acknowledged": alert.state is State.ACKNOWLEDGED,
        "state_name": words.word("states", alert.state),
    }


def _node(node: views.Node, words: Wording) -> dict[str, Any]:
    page = words.catalogue["page"]
    return {
        "name": node.node if node.origin == "sense" else f"{node.node} ({node.origin})",
        "online": node.online,
        "connection": page["online"] if node.online else page["offline"],
        "received": node.last,
        "missing": node.evicted,
    }


def _drawn(chart: Chart | None, words: Wording) -> dict[str, str]:
    """The chart as points of a 300 × 100 drawing, and its numbers."""
    if chart is None or len(chart.mean) < 2:
        return {"points": "", "low": "", "latest": "", "high": ""}
    first, span = chart.times_ns[0], (chart.times_ns[-1] - chart.times_ns[0]) or 1
    low, high = min(chart.mean), max(chart.mean)
    height = (high - low) or 1.0
    points = " ".join(
        f"{300 * (time_ns - first) / span:.1f},{95 - 90 * (value - low) / height:.1f}"
        for time_ns, value in zip(chart.times_ns, chart.mean, strict=True)
    )
    return {
        "points": points,
        "low": f"min {words.number(low)}",
        "latest": f"{words.number(chart.mean[-1])} {chart.unit}",
        "high": f"max {words.number(high)}",
    }
