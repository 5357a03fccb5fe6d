"""What a node is asked to do: the commands, and what their answers refer to. They are decoded and validated as the messages are."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from wire.fields import Identifier, Label, Name, TimeNs
from wire.goods import TaughtItem
from wire.messages import Evidence

Action: TypeAlias = Literal[
    "relearn",
    "confirm_normal",
    "false_alarm",
    "confirm_fault",
    "set_product",
    "pause",
    "resume",
    "inject_fault",
    "clear_fault",
    "correct_verdict",
    "start_lesson",
    "teach",
    "end_lesson",
]
"""`confirm_normal`: what follows is the new normal (repaired, changed). `false_alarm`: what alarmed just now was normal.
`confirm_fault`: it was a fault, of that cause: it is to be recognised when it comes back.
`correct_verdict`: an item was good, or to be rejected, whatever the camera said: it teaches the product.
`start_lesson`: what comes under a camera is collected for a person to look at, until `issued_ns` and `seconds`. `teach`: the
camera learns a product from such items, and its lesson is over. `end_lesson`: it is over, and nothing was learned."""
PAUSE_S = 1800.0
"""A pause without `seconds` takes so long."""
EXPIRED = "command_expired"
"""`Reply.code` to a command that arrived after its `expires_ns`."""
NO_ALARM = "command_no_alarm"
"""`Reply.code` to a person's word about an alarm where the node remembers none that could be meant: nothing was learned."""


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asks a node to do something to one machine; answered by a `Reply` with the same id.

    A command that arrives twice (same `id`) is carried out once; one that arrives after `expires_ns` is refused.
    `inject_fault` and `clear_fault` work on simulated machines only and are refused by everything else.
    """

    id: Identifier
    machine: Name
    action: Action
    issued_ns: TimeNs
    expires_ns: TimeNs
    by: Annotated[str, Meta(max_length=80)] = ""
    """Who asked, for the audit trail."""
    product: Name | None = None
    """For `set_product`, `start_lesson` and `teach`."""
    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    """For `pause`, `PAUSE_S` without it, and `start_lesson`: how long, from `issued_ns` on; they end by themselves."""
    fault: Name | None = None
    """For `inject_fault` and `clear_fault`."""
    cause: Name | None = None
    """For `confirm_fault`: a key of the catalogue, or a code made for `label`."""
    label: Label = ""
    """For `confirm_fault`: what a person calls it; for `teach`: what people call the product."""
    evidence: Annotated[list[Evidence], Meta(max_length=32)] = []
    """For `confirm_fault`: what was reported of it, so that the right one of several alarms is meant."""
    inspection: Identifier | None = None
    """For `correct_verdict`: which inspection."""
    item: Annotated[int, Meta(ge=0, le=999)] | None = None
    """For `correct_verdict`: which item of it, from 0."""
    verdict: Literal["good", "reject"] | None = None
    """For `correct_verdict`: what a person says it is."""
    camera: Name | None = None
    """For `start_lesson`, `teach` and `end_lesson`: which of the machine's cameras. For `set_product`: only this one; all without it."""
    lesson: Identifier | None = None
    """For these: which lesson."""
    known: Literal["add", "replace"] | None = None
    """For `start_lesson` and `teach`: what to do with a profile that the product has already; without it, it is left alone."""
    taught: Annotated[list[TaughtItem], Meta(max_length=200)] = []
    """For `teach`: what is good and what is not."""
    v: Literal[1] = 1
