"""The life of one alert, as pure functions: observation, time or a person's word in; changed alert and effects out.

Every moment is an argument (`*_ns`, nanoseconds since the epoch). What becomes of the effects is the ledger's business.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping

from gateway.alerts import (
    SECOND_NS,
    SYSTEM,
    Alert,
    Change,
    Fault,
    Observation,
    Policy,
    Resolution,
    State,
    foreseen,
)
from gateway.pen import Pen
from wire.messages import Severity

RESTATE_NS = 60 * SECOND_NS
"""A cause that is still being found out is told to subscribers at most this often."""


def begin(seen: Observation, policy: Policy, *, taken: int = 0) -> Change:
    """A new alert from its first observation: pending, or open at once when it is an alarm.

    `taken` counts the ids for this very observation that exist already; the id is otherwise the same whenever it is made.
    """
    pen = Pen(
        Alert(
            id=_identify(seen, taken),
            site=seen.site,
            machine=seen.machine,
            node=seen.node,
            origin=seen.origin,
            kind=seen.kind,
            key=seen.key,
            cause=seen.cause,
            severity=seen.severity,
            since_ns=seen.since_ns,
            first_ns=seen.at_ns,
            last_seen_ns=seen.at_ns,
            active={seen.source: seen.severity},
        )
    )
    _explain(pen, seen)
    if seen.severity is Severity.ALARM or policy.min_open_s <= 0:
        open_it(pen, seen.at_ns)
    else:
        pen.write("suspected", seen.at_ns)
    return pen.change()


def sight(alert: Alert, seen: Observation, policy: Policy) -> Change:
    """An alert that is not closed is reported again, or a further finding joins it."""
    pen = Pen(alert)
    fresh = seen.source not in alert.active
    came_back = alert.clear_since_ns is not None
    pen.set(
        active={**alert.active, seen.source: seen.severity},
        away=_without(alert.away, seen.source),
        count=alert.count + (1 if fresh else 0),
        flaps=alert.flaps + (1 if came_back else 0),
        clear_since_ns=None,
        last_seen_ns=max(alert.last_seen_ns, seen.at_ns),
        since_ns=min(alert.since_ns, seen.since_ns),
        first_ns=seen.at_ns if came_back and alert.state is State.PENDING else alert.first_ns,
    )
    others = [grade.rank for source, grade in alert.active.items() if source != seen.source]
    if seen.severity.rank >= max(others, default=0):
        _explain(pen, seen)
        if seen.cause != alert.cause or seen.key != alert.key:
            pen.write(
                "cause_changed", seen.at_ns, text=f"{alert.cause} -> {seen.cause}", cause=seen.cause, key=seen.key
            )
            if alert.state.visible:
                restate(pen, seen.at_ns)
        elif alert.state.visible and seen.prognosis != alert.prognosis:
            pen.write("foreseen", seen.at_ns, text=foreseen(seen.prognosis))
            restate(pen, seen.at_ns)
    if came_back and alert.flaps + 1 == policy.flap_opens - 1 and alert.state.visible:
        pen.write("flapping", seen.at_ns)
    grade(pen, seen.at_ns, policy)
    if alert.state is State.PENDING:
        flapping = pen.alert.flaps + 1 >= policy.flap_opens
        if pen.alert.severity is Severity.ALARM or flapping or policy.min_open_s <= 0:
            open_it(pen, seen.at_ns, text="flapping" if flapping else "")
    return pen.change()


def reopen(alert: Alert, seen: Observation, policy: Policy) -> Change:
    """The trouble of a closed alert is back within `reopen_s`."""
    pen = Pen(alert)
    by_person = alert.resolved_by not in {"", SYSTEM}
    active = {**alert.settled, seen.source: seen.severity}
    pen.set(
        active=active,
        settled={},
        away=_without(alert.away, seen.source),
        severity=max(active.values(), key=lambda grade: grade.rank),
        count=alert.count + 1,
        last_seen_ns=max(alert.last_seen_ns, seen.at_ns),
        first_ns=seen.at_ns,
        cause=seen.cause,
        key=seen.key,
        clear_since_ns=None,
        eased_since_ns=None,
        snoozed_until_ns=None,
        resolved_ns=None,
        resolved_by="",
        resolution="",
        done="",
        owner="",
        relation=None,
    )
    _explain(pen, seen)
    if alert.state is State.PASSED:
        # It never was an alert, so this is not its return: it is pending again, and closer to being called flapping.
        pen.write("suspected", seen.at_ns, state=State.PENDING, flaps=alert.flaps + 1)
        flapping = pen.alert.flaps + 1 >= policy.flap_opens
        if seen.severity is Severity.ALARM or flapping:
            open_it(pen, seen.at_ns, text="flapping" if flapping else "")
        return pen.change()
    pen.set(since_ns=seen.since_ns)
    pen.write("reopened", seen.at_ns, state=State.OPEN, opened_ns=seen.at_ns, reopened=alert.reopened + 1)
    if by_person or _worth_telling(pen.alert, seen.at_ns, policy):
        pen.notify("reopened", seen.at_ns)
    pen.publish("reopened", seen.at_ns)
    return pen.change()


def clear(alert: Alert, source: str, at_ns: int, policy: Policy) -> Change:
    """One finding of an alert has cleared; the alert itself waits for `clear_after_s` of quiet."""
    pen = Pen(alert)
    pen.set(
        active=_without(alert.active, source),
        settled=_without(alert.settled, source),
        away=_without(alert.away, source),
        last_seen_ns=max(alert.last_seen_ns, at_ns),
    )
    if not alert.state.closed:
        if not pen.alert.active:
            pen.set(clear_since_ns=at_ns, eased_since_ns=None)
        else:
            grade(pen, at_ns, policy)
    return pen.change()


def open_it(pen: Pen, at_ns: int, *, text: str = "") -> None:
    """Makes a pending alert visible, and tells everybody."""
    pen.write("opened", at_ns, text=text, state=State.OPEN, opened_ns=at_ns)
    pen.notify("opened", at_ns)
    pen.publish("opened", at_ns)


def grade(pen: Pen, at_ns: int, policy: Policy) -> None:
    """Brings the alert's severity up to its worst active finding at once, and down only with patience."""
    alert = pen.alert
    worst = max(alert.active.values(), key=lambda grade: grade.rank)
    if worst.rank < alert.severity.rank:
        if alert.eased_since_ns is None:
            pen.set(eased_since_ns=at_ns)
        return
    pen.set(eased_since_ns=None)
    if worst.rank == alert.severity.rank:
        return
    if not alert.state.visible:
        pen.set(severity=worst)
        return
    pen.write(
        "escalated", at_ns, text=f"{alert.severity} -> {worst}", severity=worst, state=State.OPEN, snoozed_until_ns=None
    )
    if _worth_telling(pen.alert, at_ns, policy):
        pen.notify("escalated", at_ns)
    pen.publish("escalated", at_ns)


def confirm(pen: Pen, fault: Fault, at_ns: int, *, by: str) -> None:
    """A person says what it was; the node is told to know it again."""
    pen.write(
        "confirmed",
        at_ns,
        by=by,
        text=fault.text,
        confirmed=fault.code,
        confirmed_label=fault.label,
        confirmed_by=by,
    )
    pen.instruct("confirm_fault", by, fault)


def resolve(pen: Pen, at_ns: int, *, by: str, resolution: Resolution, text: str = "") -> None:
    """Ends an alert; what is still active is settled and waits for the node's all-clear."""
    visible = pen.alert.state.visible
    pen.write(
        "passed" if resolution == "passed" else "merged" if resolution == "merged" else "resolved",
        at_ns,
        by=by,
        text=text,
        state=State.RESOLVED if visible else State.PASSED,
        resolved_ns=at_ns,
        resolved_by=by,
        resolution=resolution,
        done=text if resolution in {"done", "false_alarm"} else "",
        settled=pen.alert.active,
        active={},
        snoozed_until_ns=None,
        eased_since_ns=None,
        clear_since_ns=None,
        restate=False,
    )
    if visible:
        pen.publish("resolved", at_ns)


def retire(alert: Alert, gone: Collection[str], at_ns: int, policy: Policy, *, by: str) -> Change:
    """Who reported these findings is no longer in use, and will not clear them; an alert that has no others is over."""
    pen = Pen(alert)
    # What is wrong with a node the gateway sees by itself, anew.
    lasting = () if alert.kind == "node" else gone
    pen.set(
        away={source: severity for source, severity in alert.held.items() if source in alert.away or source in lasting},
        settled={source: severity for source, severity in alert.settled.items() if source not in gone},
    )
    if alert.state.closed:
        return pen.change()
    pen.set(active={source: severity for source, severity in alert.active.items() if source not in gone})
    if pen.alert.active:
        grade(pen, at_ns, policy)
    else:
        resolve(pen, at_ns, by=by, resolution="retired")
    return pen.change()


def come_back(alert: Alert, back: Collection[str], at_ns: int, policy: Policy) -> Change:
    """Who reported these findings is heard again: it tells none of them a second time, so they count as before."""
    found = {source: severity for source, severity in alert.away.items() if source in back}
    if not found:
        return Change(alert)
    pen = Pen(alert)
    pen.set(away={source: severity for source, severity in alert.away.items() if source not in back})
    if not alert.state.closed:
        pen.set(active={**alert.active, **found}, clear_since_ns=None)
        grade(pen, at_ns, policy)
    elif alert.state is State.PASSED:
        worst = max(found.values(), key=lambda severity: severity.rank)
        pen.write("suspected", at_ns, state=State.PENDING, first_ns=at_ns, active=found, severity=worst)
    else:
        _still_there(pen, found, at_ns)
    return pen.change()


def due_ns(alert: Alert, policy: Policy) -> int | None:
    """The next moment at which time alone changes this alert; None when it never does."""
    moments: list[int] = []
    if alert.state is State.PENDING:
        if alert.clear_since_ns is None:
            moments.append(alert.first_ns + round(policy.min_open_s * SECOND_NS))
        else:
            moments.append(alert.clear_since_ns + round(policy.flap_window_s * SECOND_NS))
    elif alert.state.visible:
        if alert.clear_since_ns is not None:
            moments.append(alert.clear_since_ns + round(policy.clear_after_s * SECOND_NS))
        if alert.eased_since_ns is not None:
            moments.append(alert.eased_since_ns + round(policy.ease_after_s * SECOND_NS))
        if alert.snoozed_until_ns is not None:
            moments.append(alert.snoozed_until_ns)
        if alert.restate:
            moments.append(alert.published_ns + RESTATE_NS)
    else:
        if alert.settled and alert.resolution in {"done", "false_alarm"} and alert.resolved_ns is not None:
            moments.append(alert.resolved_ns + round(policy.reopen_s * SECOND_NS))
        if alert.restate:
            moments.append(alert.published_ns + RESTATE_NS)
    return min(moments, default=None)


def pass_time(alert: Alert, now_ns: int, policy: Policy) -> Change:
    """What has become of an alert by `now_ns` if nothing was heard."""
    pen = Pen(alert)
    for _ in range(6):  # a pending alert may open, ease and end within one long silence
        moment = due_ns(pen.alert, policy)
        if moment is None or moment > now_ns:
            break
        _turn(pen, moment, policy)
    return pen.change()


def _turn(pen: Pen, at_ns: int, policy: Policy) -> None:
    alert = pen.alert
    if alert.state is State.PENDING:
        if alert.clear_since_ns is None:
            open_it(pen, at_ns)
        else:
            resolve(pen, at_ns, by=SYSTEM, resolution="passed")
    elif alert.state.closed and alert.restate and alert.published_ns + RESTATE_NS <= at_ns:
        pen.publish("resolved", at_ns)
    elif alert.state.closed:
        pen.set(settled={})
        _still_there(pen, alert.settled, at_ns)
    elif alert.snoozed_until_ns is not None and alert.snoozed_until_ns <= at_ns:
        pen.write("snooze_ended", at_ns, snoozed_until_ns=None)
    elif alert.clear_since_ns is not None and alert.clear_since_ns + round(policy.clear_after_s * SECOND_NS) <= at_ns:
        resolve(pen, at_ns, by=SYSTEM, resolution="cleared")
    elif alert.restate and alert.published_ns + RESTATE_NS <= at_ns:
        pen.publish("changed", at_ns)
    else:
        worst = max(alert.active.values(), key=lambda severity: severity.rank)
        pen.write("eased", at_ns, text=f"{alert.severity} -> {worst}", severity=worst, eased_since_ns=None)
        pen.publish("changed", at_ns)


def _still_there(pen: Pen, active: Mapping[str, Severity], at_ns: int) -> None:
    """An alert that was called over is not: this is found still."""
    pen.write(
        "still_there",
        at_ns,
        state=State.OPEN,
        opened_ns=at_ns,
        active=dict(active),
        severity=max(active.values(), key=lambda severity: severity.rank),
        reopened=pen.alert.reopened + 1,
        resolved_ns=None,
        resolved_by="",
        resolution="",
        done="",
        owner="",
    )
    pen.notify("reopened", at_ns)
    pen.publish("reopened", at_ns)


def take_over(
    closed: Alert, other: Alert, moved: Mapping[str, Severity], at_ns: int, policy: Policy
) -> tuple[Change, Change]:
    """Findings of one alert that is over, and that did not go away, move to the open alert of the same trouble."""
    mine, theirs = Pen(closed), Pen(other)
    mine.set(
        settled={source: severity for source, severity in closed.settled.items() if source not in moved},
        away={source: severity for source, severity in closed.away.items() if source not in moved},
    )
    theirs.set(active={**moved, **other.active}, clear_since_ns=None)
    grade(theirs, at_ns, policy)
    if other.state is State.PENDING:
        open_it(theirs, at_ns)
    return mine.change(), theirs.change()


def restate(pen: Pen, at_ns: int) -> None:
    """Tells subscribers what has been found out since, or has it told once `RESTATE_NS` have passed."""
    if at_ns - pen.alert.published_ns >= RESTATE_NS:
        pen.publish("changed", at_ns)
    else:
        pen.set(restate=True)


def _worth_telling(alert: Alert, at_ns: int, policy: Policy) -> bool:
    worse = alert.notified is None or alert.severity.rank > alert.notified.rank
    return worse or at_ns - alert.notified_ns >= policy.renotify_s * SECOND_NS


def _explain(pen: Pen, seen: Observation) -> None:
    pen.set(
        node=seen.node,
        origin=seen.origin,
        channel=seen.channel,
        regime=seen.regime,
        score=seen.score,
        limit=seen.limit,
        causes=list(seen.causes),
        evidence=list(seen.evidence),
        detail=seen.detail,
        model=seen.model,
        prognosis=seen.prognosis,
        certainty=seen.certainty,
        product=seen.product,
        reported_ns=seen.at_ns,
    )
    relation = pen.alert.relation
    if relation is not None and seen.product not in {None, relation.product}:
        pen.set(relation=None)


def _without(sources: Mapping[str, Severity], source: str) -> dict[str, Severity]:
    return {name: severity for name, severity in sources.items() if name != source}


def _identify(seen: Observation, taken: int) -> str:
    text = f"{seen.site}\0{seen.machine}\0{seen.key}\0{seen.source}\0{seen.at_ns}\0{taken}"
    digest = hashlib.blake2b(text.encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode().lower()
