"""What the API takes and answers about lessons: types only."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from gateway.ledger_lessons import Known, Lesson
from gateway.web.goods_views import ItemView
from gateway.web.views import Person
from wire.messages import Name, TaughtItem

ProductLabel = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="what people call it; files and messages bear a plain form of it"),
]


class BeginLesson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera is to collect what comes, to be taught a product."""

    by: Person
    node: Name
    camera: Name
    name: ProductLabel
    known: Known | None = None
    """What to do with what was taught under that name before; without it, it is left alone."""


class TeachLesson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the items of a lesson are; those that are not named are left out."""

    by: Person
    items: Annotated[list[TaughtItem], Meta(min_length=1, max_length=200)]
    known: Known | None = None
    """What to do with a profile that came in the meantime; without it, what was said at the beginning holds."""


class LessonView(Struct, frozen=True, kw_only=True):
    """A lesson with what was collected for it, oldest first."""

    lesson: Lesson
    items: list[ItemView]
