"""What people ask of a machine's node, by the API and by the page, and what became of it."""

from __future__ import annotations

import msgspec

from gateway.alerts import Fault
from gateway.services import Services
from gateway.web import views
from gateway.web.endpoint import Call
from gateway.web.goods_state import WATCH, camera_nodes
from gateway.web.problems import HttpProblem
from gateway.wording import machine_causes
from wire.codec import Refused
from wire.commands import Command


def found(cause: str | None, label: str) -> Fault | None:
    """What a person found, from what they filled in; None where that is nothing.

    Raises:
        HttpProblem: 422, no cause of a machine that the catalogue knows.
    """
    if cause is not None and cause not in machine_causes():
        raise HttpProblem(422, f"no cause {cause!r} of a machine; use label for your own words")
    return Fault.of(cause, label)


def ask(services: Services, node: str, machine: str, asked: views.CommandRequest, *, by: str) -> Command:
    """Queues a command for a machine's node.

    Args:
        services: the gateway's parts.
        node: where the machine is.
        machine: its name.
        asked: what it shall do.
        by: who asks, for the audit trail.

    Raises:
        HttpProblem: 404 no such machine, 422 it breaks the contract or has a call of its own.
    """
    if asked.action == "correct_verdict":
        raise HttpProblem(422, "use /api/v1/goods/items/{node}/{inspection}/{item}/verdict, which counts it too")
    if asked.action in ("start_lesson", "teach", "end_lesson"):
        raise HttpProblem(422, "use /api/v1/goods/lessons, which keeps account of lessons")
    at_camera = asked.origin == WATCH and node in camera_nodes(services, machine)
    if not at_camera and services.live.machine(node, machine) is None:
        raise HttpProblem(404, f"nothing was ever heard of {node}/{machine}")
    try:
        return services.ledger.command(
            asked.action,
            site=services.site,
            node=node,
            machine=machine,
            by=by,
            origin=asked.origin,
            product=asked.product,
            seconds=asked.seconds,
            fault=asked.fault,
            confirmed=found(asked.cause, asked.label),
        )
    except (msgspec.ValidationError, Refused) as exc:
        raise HttpProblem(422, str(exc)) from exc


def post_command(services: Services, call: Call) -> views.CommandAccepted:
    """Queues a command."""
    command = ask(services, call.params["node"], call.params["machine"], call.body, by=call.by)
    return views.CommandAccepted(id=command.id, expires_ns=command.expires_ns)


def get_command(services: Services, call: Call) -> views.CommandFate:
    """What became of a command."""
    fate = services.ledger.command_state(call.params["command"])
    if fate is None:
        raise HttpProblem(404, f"no command {call.params['command']}")
    return views.CommandFate(id=fate.id, machine=fate.machine, action=fate.action, state=fate.state, reason=fate.reason)
