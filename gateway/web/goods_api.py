"""The API's calls about goods: today's counts, batches, control charts, pictures, and a person's verdict."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.doubtful import DoubtfulItem
from gateway.goods import DAY_NS, PictureKind, ProductChart, Quantity
from gateway.services import Services
from gateway.web import goods_state as state
from gateway.web import goods_views as views
from gateway.web.endpoint import Call, Endpoint, Param
from gateway.web.problems import HttpProblem
from gateway.web.views import CommandAccepted
from wire.commands import Command
from wire.messages import NAME_PATTERN, Identifier

ITEM = "/api/v1/goods/items/{node}/{inspection}/{item}"
_NODE = Param("node", Annotated[str, Meta(pattern=NAME_PATTERN)], "path", required=True)
_INSPECTION = Param("inspection", Identifier, "path", required=True)
_NUMBER = Param("item", Annotated[int, Meta(ge=0, le=999)], "path", required=True)
_LIMIT = Annotated[int, Meta(ge=1, le=200)]
_LANG = Param("lang", Annotated[str, Meta(pattern="^(de|en)$")], description="language of the texts: de, en")


def get_today(services: Services, _call: Call) -> list[views.Today]:
    """Today's counts."""
    return state.today(services, services.wording())


def get_batches(services: Services, call: Call) -> list[views.BatchView]:
    """Batches."""
    return state.batches(services, services.wording(), call.params["limit"])


def get_charts(services: Services, call: Call) -> list[ProductChart]:
    """Control charts."""
    since_ns = services.wall_ns() - round(call.params["days"] * DAY_NS)
    return services.goods.charts(
        quantity=call.params["quantity"], since_ns=since_ns, limit=50, points=call.params["points"]
    )


def get_items(services: Services, call: Call) -> list[views.ItemView]:
    """Rejected and doubtful items."""
    return state.items(services, services.wording(), limit=call.params["limit"], before=call.params["before"])


def get_picture(services: Services, call: Call) -> bytes:
    """A picture of one."""
    params = call.params
    found = services.goods.picture(params["node"], params["inspection"], params["item"], params["kind"])
    if found is None:
        raise HttpProblem(404, "there is no such picture, or no longer")
    return found


def get_cameras(services: Services, call: Call) -> list[views.CameraView]:
    """Every camera."""
    return state.cameras(services, services.wording(call.params["lang"]))


def correct(services: Services, where: tuple[str, str, int], verdict: Literal["good", "reject"], by: str) -> Command:
    """A person's verdict about an item: node, inspection and number.

    Raises:
        HttpProblem: 404, nothing is known of it, or no longer.
    """
    item: DoubtfulItem | None = services.goods.item(*where)
    if item is None:
        raise HttpProblem(404, "there is no such item, or no longer")
    return services.ledger.correct(item, verdict, by=by)


def post_verdict(services: Services, call: Call) -> CommandAccepted:
    """A person's verdict."""
    params, asked = call.params, call.body
    command = correct(services, (params["node"], params["inspection"], params["item"]), asked.verdict, call.by)
    return CommandAccepted(id=command.id, expires_ns=command.expires_ns)


GOODS_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/v1/goods/today",
        get_today,
        "Items, rejects and doubtful ones since midnight, by machine and product.",
        list[views.Today],
    ),
    Endpoint(
        "GET",
        "/api/v1/goods/batches",
        get_batches,
        "Batches, latest first.",
        list[views.BatchView],
        params=(Param("limit", _LIMIT, default=50, description="at most so many"),),
    ),
    Endpoint(
        "GET",
        "/api/v1/goods/charts",
        get_charts,
        "Control charts of crust colour or size, by camera and product.",
        list[ProductChart],
        params=(
            Param("quantity", Quantity, default="lightness", description="lightness (CIELAB L*) or size"),
            Param(
                "days",
                Annotated[float, Meta(gt=0, le=3650)],
                default=7.0,
                description="only charts with a point in the last days",
            ),
            Param("points", Annotated[int, Meta(ge=2, le=1000)], default=60, description="latest points of each"),
        ),
    ),
    Endpoint(
        "GET",
        "/api/v1/goods/items",
        get_items,
        "Rejected and doubtful items with pictures, latest first.",
        list[views.ItemView],
        params=(
            Param("limit", _LIMIT, default=24, description="at most so many"),
            Param("before", Annotated[int, Meta(ge=1, le=2**53)], description="only those older than this item's id"),
        ),
    ),
    Endpoint(
        "GET",
        f"{ITEM}/picture",
        get_picture,
        "A small picture of an item, or of what the model looked at.",
        bytes,
        params=(
            _NODE,
            _INSPECTION,
            _NUMBER,
            Param(
                "kind", PictureKind, default="item", description="item, or seen: the places that spoke for its label"
            ),
        ),
        problems=(404,),
        media="image/jpeg",
    ),
    Endpoint(
        "POST",
        f"{ITEM}/verdict",
        post_verdict,
        "A person says what an item is: it counts as that, and its camera learns it.",
        CommandAccepted,
        views.CorrectVerdict,
        (_NODE, _INSPECTION, _NUMBER),
        status=202,
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/api/v1/goods/cameras",
        get_cameras,
        "Every camera and what is wrong with it.",
        list[views.CameraView],
        params=(_LANG,),
    ),
)
