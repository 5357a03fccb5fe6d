"""The API's handlers: each asks one part of the gateway and shapes the answer. Routes and documents come from `ENDPOINTS`."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.alerts import Alert
from gateway.ledger import AuditEntry, Ledger
from gateway.origins import StillOnline
from gateway.outbox import DeadLetter, Kind, TargetStatus
from gateway.retiring import retire
from gateway.services import Services
from gateway.store.base import Rejected, SeriesKey
from gateway.store.window import finished, window
from gateway.triage import StaleVersion, UnknownAlert, WrongState
from gateway.web import views
from gateway.web.commands import found, get_command, post_command
from gateway.web.endpoint import Call, Endpoint, Param
from gateway.web.goods_api import GOODS_ENDPOINTS
from gateway.web.lesson_api import LESSON_ENDPOINTS
from gateway.web.problems import HttpProblem
from gateway.web.state import health, machine_view, machine_views, node_views, stats
from gateway.wording import LANGUAGES
from wire.journal import JournalError
from wire.messages import NAME_PATTERN, Origin

MINUTE_NS = 60_000_000_000
Named = Annotated[str, Meta(pattern=NAME_PATTERN)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]
LANG = Param(
    "lang", Annotated[str, Meta(pattern="^(de|en)$")], description=f"language of the texts: {', '.join(LANGUAGES)}"
)
LIMIT = Param("limit", Annotated[int, Meta(ge=1, le=1000)], default=100, description="at most so many, latest first")
NODE = Param("node", Named, "path", required=True)
MACHINE = Param("machine", Named, "path", required=True)
ALERT = Param("alert", Identity, "path", required=True)


def get_machines(services: Services, _call: Call) -> list[views.Machine]:
    """Every machine."""
    return machine_views(services)


def get_machine(services: Services, call: Call) -> views.Machine:
    """One machine."""
    state = services.live.machine(call.params["node"], call.params["machine"])
    if state is None:
        raise HttpProblem(404, f"nothing was ever heard of {call.params['node']}/{call.params['machine']}")
    return machine_view(services, state)


def get_channels(services: Services, call: Call) -> list[views.Channel]:
    """A machine's stored series."""
    where = (call.params["node"], call.params["machine"])
    known = services.store.series()
    return [views.Channel(name=key.channel, unit=unit) for key, unit in known if (key.node, key.machine) == where]


def get_chart(services: Services, call: Call) -> views.ChartView:
    """A chart of one series; one until now leaves out the bucket that is still running."""
    until_ns = services.wall_ns() if call.params["until_ms"] is None else call.params["until_ms"] * 1_000_000
    start_ns = max(until_ns - round(call.params["minutes"] * MINUTE_NS), 0)
    key = SeriesKey(services.site, call.params["node"], call.params["machine"], call.params["channel"])
    chart = services.store.read(key, start_ns, until_ns, call.params["points"])
    step_ns = window(start_ns, until_ns, call.params["points"]).step_ns
    over = len(chart.mean) if call.params["until_ms"] else finished(chart.times_ns, step_ns, until_ns)
    kept = [place for place, mean in enumerate(chart.mean[:over]) if math.isfinite(mean)]
    return views.ChartView(
        channel=key.channel,
        unit=chart.unit,
        times_ms=[int(chart.times_ns[place]) // 1_000_000 for place in kept],
        mean=[float(chart.mean[place]) for place in kept],
        low=[float(chart.low[place]) for place in kept],
        high=[float(chart.high[place]) for place in kept],
    )


def alert_text(services: Services, alert: Alert, language: str | None) -> views.AlertText:
    """An alert in plain words."""
    called = services.ledger.goods.called() if alert.kind == "quality" else None
    beside = services.ledger.open_alerts() if alert.kind == "quality" else ()
    words = services.wording(language).describe(alert, now_ns=services.wall_ns(), called=called, beside=beside)
    return views.AlertText(
        title=words.title,
        explain=words.explain,
        since=words.since,
        expected=words.expected,
        sure=words.sure,
        also=words.also,
        evidence=list(words.evidence),
        related=words.related,
        check=words.check,
    )


def _alert_view(services: Services, alert: Alert, call: Call) -> views.AlertView:
    return views.AlertView(alert=alert, text=alert_text(services, alert, call.params.get("lang")))


def get_alerts(services: Services, call: Call) -> list[views.AlertView]:
    """Open alerts, or the latest of any state."""
    if call.params["state"] == "open":
        found = services.ledger.open_alerts()
    else:
        found = services.ledger.alerts(limit=call.params["limit"])
    return [_alert_view(services, alert, call) for alert in found[: call.params["limit"]]]


def get_alert(services: Services, call: Call) -> views.AlertDetail:
    """One alert with its history."""
    alert = services.ledger.alert(call.params["alert"])
    if alert is None:
        raise HttpProblem(404, f"no alert {call.params['alert']}")
    return views.AlertDetail(
        alert=alert,
        text=alert_text(services, alert, call.params["lang"]),
        history=services.ledger.history(alert.id),
    )


def change_alert(services: Services, alert: str, body: object, by: str) -> Alert:
    """A person's word about an alert.

    Args:
        services: the gateway's parts.
        alert: its id.
        body: the word.
        by: whose, for the audit trail.

    Raises:
        HttpProblem: 404 no such alert, 409 it has changed or is in a state in which this makes no sense.
    """
    try:
        return _change(services.ledger, services.wall_ns(), alert, body, by)
    except UnknownAlert as exc:
        raise HttpProblem(404, str(exc)) from exc
    except (StaleVersion, WrongState) as exc:
        raise HttpProblem(409, str(exc)) from exc


def _change(ledger: Ledger, now_ns: int, alert: str, body: object, by: str) -> Alert:
    match body:
        case views.Acknowledge(note=note, version=version):
            return ledger.acknowledge(alert, by=by, note=note, fault=found(body.cause, body.label), version=version)
        case views.Confirm(version=version):
            fault = found(body.cause, body.label)
            if fault is None:
                raise HttpProblem(422, "say which cause it was, by cause or by label")
            return ledger.confirm(alert, fault=fault, by=by, version=version)
        case views.Snooze(minutes=minutes, note=note, version=version):
            until_ns = now_ns + round(minutes * MINUTE_NS)
            return ledger.snooze(alert, until_ns=until_ns, by=by, note=note, version=version)
        case views.Resolve(done=done, new_normal=new_normal, version=version):
            fault = found(body.cause, body.label)
            return ledger.resolve(alert, done=done, by=by, new_normal=new_normal, fault=fault, version=version)
        case views.FalseAlarm(note=note, version=version):
            return ledger.false_alarm(alert, by=by, note=note, version=version)
        case views.Note(text=text, version=version):
            return ledger.note(alert, text=text, by=by, version=version)
    raise TypeError(f"not a word about an alert: {type(body).__name__}")


def post_alert(services: Services, call: Call) -> views.AlertView:
    """Any of the words above."""
    return _alert_view(services, change_alert(services, call.params["alert"], call.body, call.by), call)


def get_nodes(services: Services, _call: Call) -> list[views.Node]:
    """Every daemon of every node."""
    return node_views(services)


def post_retire(services: Services, call: Call) -> views.Done:
    """A daemon is no longer in use."""
    node, origin = call.params["node"], call.params["origin"]
    take_out(services, node, origin, by=call.by)
    return views.Done()


def take_out(services: Services, node: str, origin: str, *, by: str) -> None:
    """A daemon is no longer in use, as API and page say it.

    Raises:
        HttpProblem: 404 there is none, 409 it is connected, 503 it cannot be kept now.
    """
    try:
        retire(services, node, origin, by=by)
    except KeyError as exc:
        raise HttpProblem(404, f"no daemon {node}/{origin}") from exc
    except StillOnline as exc:
        raise HttpProblem(409, f"{node}/{origin} is connected; switch it off first") from exc
    except (JournalError, TimeoutError) as exc:
        raise HttpProblem(503, f"cannot be kept now: {exc}") from exc


def get_deliveries(services: Services, _call: Call) -> list[TargetStatus]:
    """Every receiver."""
    return services.ledger.deliveries()


def get_dead_letters(services: Services, call: Call) -> list[DeadLetter]:
    """What was given up."""
    return services.ledger.dead_letters(limit=call.params["limit"])


def post_resend(services: Services, call: Call) -> views.Done:
    """Sends a dead letter again."""
    if not services.ledger.resend(call.params["letter"], by=call.by):
        raise HttpProblem(404, f"no dead letter {call.params['letter']}")
    return views.Done()


def post_enable(services: Services, call: Call) -> views.Done:
    """Serves a receiver again that was switched off because it said it is gone."""
    if not services.ledger.enable(call.params["kind"], call.params["name"], by=call.by):
        raise HttpProblem(404, f"no {call.params['kind']} {call.params['name']}")
    return views.Done()


def get_audit(services: Services, call: Call) -> list[AuditEntry]:
    """Who did what."""
    return services.ledger.audit(limit=call.params["limit"])


def get_rejected(services: Services, call: Call) -> list[Rejected]:
    """What the store refused."""
    return list(services.storing.rejected(call.params["limit"]))


def get_stats(services: Services, _call: Call) -> views.Stats:
    """Counters."""
    return stats(services)


def get_health(services: Services, _call: Call) -> views.HealthView:
    """Whether every part works."""
    return health(services)


def _word(action: str, request: type[msgspec.Struct], summary: str) -> Endpoint:
    path = f"/api/v1/alerts/{{alert}}/{action}"
    return Endpoint("POST", path, post_alert, summary, views.AlertView, request, (ALERT, LANG), problems=(404, 409))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/api/v1/machines", get_machines, "Every machine with its condition.", list[views.Machine]),
    Endpoint(
        "GET",
        "/api/v1/machines/{node}/{machine}",
        get_machine,
        "One machine.",
        views.Machine,
        params=(NODE, MACHINE),
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/api/v1/machines/{node}/{machine}/channels",
        get_channels,
        "What is stored of a machine.",
        list[views.Channel],
        params=(NODE, MACHINE),
    ),
    Endpoint(
        "GET",
        "/api/v1/machines/{node}/{machine}/chart",
        get_chart,
        "A chart of one channel: mean, lowest and highest value per bucket; until now without the one still running.",
        views.ChartView,
        params=(
            NODE,
            MACHINE,
            Param("channel", Annotated[str, Meta(min_length=1, max_length=95)], required=True),
            Param("minutes", Annotated[float, Meta(ge=0.01, le=1_000_000)], default=60.0, description="how far back"),
            Param(
                "until_ms",
                Annotated[int, Meta(ge=1, le=4_102_444_800_000)],
                description="end of the chart; default: now",
            ),
            Param("points", Annotated[int, Meta(ge=2, le=5000)], default=600, description="at most so many buckets"),
        ),
    ),
    Endpoint(
        "POST",
        "/api/v1/machines/{node}/{machine}/commands",
        post_command,
        "Asks a machine's node to do something.",
        views.CommandAccepted,
        views.CommandRequest,
        (NODE, MACHINE),
        status=202,
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/api/v1/commands/{command}",
        get_command,
        "What became of a command.",
        views.CommandFate,
        params=(Param("command", Identity, "path", required=True),),
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/api/v1/alerts",
        get_alerts,
        "Alerts with their explanation.",
        list[views.AlertView],
        params=(Param("state", Annotated[str, Meta(pattern="^(open|all)$")], default="open"), LIMIT, LANG),
    ),
    Endpoint(
        "GET",
        "/api/v1/alerts/{alert}",
        get_alert,
        "One alert with its history.",
        views.AlertDetail,
        params=(ALERT, LANG),
        problems=(404,),
    ),
    _word("acknowledge", views.Acknowledge, "Somebody takes the alert on."),
    _word("confirm", views.Confirm, "It was a fault, and this was its cause; it is recognised from here on."),
    _word("snooze", views.Snooze, "Hides the alert for a while, or until it gets worse."),
    _word("resolve", views.Resolve, "Something was done about it."),
    _word("false_alarm", views.FalseAlarm, "There was nothing; the machine's model learns it."),
    _word("note", views.Note, "Adds a line to the history."),
    Endpoint(
        "GET", "/api/v1/nodes", get_nodes, "Every daemon of every node, and how complete its log is.", list[views.Node]
    ),
    Endpoint(
        "POST",
        "/api/v1/nodes/{node}/{origin}/retire",
        post_retire,
        "A daemon that is away is no longer in use: it and its machines are no longer shown, its alerts end. Heard again, it is a new one.",
        views.Done,
        views.By,
        (NODE, Param("origin", Origin, "path", required=True)),
        problems=(404, 409),
    ),
    Endpoint(
        "GET", "/api/v1/deliveries", get_deliveries, "Every receiver: waiting, delivered, given up.", list[TargetStatus]
    ),
    Endpoint(
        "POST",
        "/api/v1/deliveries/{kind}/{name}/enable",
        post_enable,
        "Serves a switched-off receiver again.",
        views.Done,
        views.By,
        (
            Param("kind", Kind, "path", required=True),
            Param("name", Annotated[str, Meta(max_length=80)], "path", required=True),
        ),
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/api/v1/dead-letters",
        get_dead_letters,
        "Events that were given up, with the reason.",
        list[DeadLetter],
        params=(LIMIT,),
    ),
    Endpoint(
        "POST",
        "/api/v1/dead-letters/{letter}/resend",
        post_resend,
        "Sends one again.",
        views.Done,
        views.By,
        (Param("letter", Annotated[int, Meta(ge=1, le=2**53)], "path", required=True),),
        problems=(404,),
    ),
    Endpoint("GET", "/api/v1/audit", get_audit, "Who did what, latest first.", list[AuditEntry], params=(LIMIT,)),
    Endpoint(
        "GET",
        "/api/v1/rejected",
        get_rejected,
        "Lines the store refused, with the reason.",
        list[Rejected],
        params=(LIMIT,),
    ),
    Endpoint("GET", "/api/v1/stats", get_stats, "Counters since the gateway's start.", views.Stats),
    *GOODS_ENDPOINTS,
    *LESSON_ENDPOINTS,
)
