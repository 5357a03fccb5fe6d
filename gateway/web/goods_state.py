"""What is known of goods, summed up for API and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from gateway.batches import Batch
from gateway.doubtful import DoubtfulItem, SeenItem
from gateway.goods import PictureKind
from gateway.ledger_goods import Correction
from gateway.services import Services
from gateway.web import goods_views as views
from gateway.web.problems import HttpProblem
from gateway.wording import Wording
from wire.commands import Command
from wire.messages import SensorState

WATCH = "watch"
"""The daemon of a node that has cameras."""


def today(services: Services, words: Wording) -> list[views.Today]:
    """Every product of every machine since midnight."""
    return [
        views.Today(
            machine=each.machine,
            title=words.machine(each.machine),
            product=each.product,
            items=each.items,
            rejects=each.rejects,
            unsure=each.unsure,
            rate=each.rate,
        )
        for each in services.ledger.goods.tallies(words.midnight(services.wall_ns()))
        if each.items
    ]


def batches(services: Services, words: Wording, limit: int) -> list[views.BatchView]:
    """Latest first."""
    return [_batch(each, words) for each in services.ledger.batches(limit=limit)]


def _batch(batch: Batch, words: Wording) -> views.BatchView:
    return views.BatchView(
        machine=batch.machine,
        title=words.machine(batch.machine),
        product=batch.product,
        batch=batch.batch,
        node=batch.node,
        camera=batch.camera,
        since_ns=batch.since_ns,
        last_ns=batch.last_ns,
        over=batch.closed,
        items=batch.items,
        rejects=batch.rejects,
        unsure=batch.unsure,
        corrected=batch.corrected,
        labels=batch.labels,
        rate=batch.rate,
        lightness=batch.lightness.mean if batch.lightness.count else None,
        lightness_deviation=batch.lightness.deviation,
    )


def items(services: Services, words: Wording, *, limit: int, before: int | None) -> list[views.ItemView]:
    """Rejected and doubtful items, latest first."""
    return item_views(services, words, services.goods.items(limit=limit, before=before))


def item_views(services: Services, words: Wording, found: Sequence[DoubtfulItem]) -> list[views.ItemView]:
    """These items with what people said of them."""
    said = services.ledger.goods.corrections(services.site, [(each.node, each.inspection, each.item) for each in found])
    return [_item(each, words, said.get((each.node, each.inspection, each.item))) for each in found]


def _item(item: DoubtfulItem, words: Wording, correction: Correction | None) -> views.ItemView:
    return views.ItemView(
        **{name: getattr(item, name) for name in SeenItem.__struct_fields__},
        title=words.machine(item.machine),
        picture=_path(item, "item"),
        seen=_path(item, "seen") if item.seen else None,
        correction=correction,
    )


def item_path(node: str, inspection: str, number: int) -> str:
    """An item's part of a path.

    >>> item_path("pi", "i:7", 3)
    'pi/i%3A7/3'
    """
    return "/".join(quote(part, safe="") for part in (node, inspection, str(number)))


def _path(item: DoubtfulItem, kind: PictureKind) -> str:
    return f"/api/v1/goods/items/{item_path(item.node, item.inspection, item.item)}/picture?kind={kind}"


def camera_nodes(services: Services, machine: str) -> list[str]:
    """Nodes that have a camera at a machine."""
    return sorted(
        health.node
        for health in services.live.nodes()
        if health.origin == WATCH and any(camera.machine == machine for camera in health.sensors)
    )


def cameras(services: Services, words: Wording) -> list[views.CameraView]:
    """Every camera by node and name, as its node said last."""
    online = {origin.node for origin in services.ingest.nodes() if origin.online and origin.origin == WATCH}
    now_ns, found, called = services.wall_ns(), [], services.ledger.goods.called()
    for health in services.live.nodes():
        if health.origin != WATCH:
            continue
        age_s = max(now_ns - health.time_ns, 0) / 1e9
        for camera in sorted(health.sensors, key=lambda each: each.name):
            text = words.cause(camera.fault) if camera.fault else None
            found.append(
                views.CameraView(
                    node=health.node,
                    camera=camera.name,
                    machine=camera.machine or "",
                    title=words.machine(camera.machine or ""),
                    online=health.node in online,
                    ok=camera.ok,
                    fault=camera.fault,
                    name=text.name if text else "",
                    explain=text.explain if text else "",
                    check=text.check if text else "",
                    detail=camera.detail,
                    paused_left_s=max((camera.paused_left_s or 0.0) - age_s, 0.0) or None,
                    product=_named(camera.product, camera, called) if camera.product else None,
                    products=sorted(
                        (_named(each, camera, called) for each in camera.products),
                        key=lambda each: each.called.casefold(),
                    ),
                )
            )
    return found


def _named(product: str, camera: SensorState, called: Mapping[str, str]) -> views.ProductView:
    name = camera.products.get(product) or called.get(product, product)
    return views.ProductView(product=product, called=name)


def use(services: Services, node: str, camera: str, product: str, by: str) -> Command:
    """A person says what lies under a camera from now on.

    Raises:
        HttpProblem: 404, no such camera has reported; 409, it does not know that product.
    """
    found = [each for each in services.live.nodes() if (each.node, each.origin) == (node, WATCH)]
    state = next((each for health in found for each in health.sensors if each.name == camera), None)
    if state is None or state.machine is None:
        raise HttpProblem(404, f"no camera {camera} of {node} has reported")
    if product not in state.products:
        raise HttpProblem(409, f"{camera} of {node} does not know {product}")
    return services.ledger.command(
        "set_product",
        site=services.site,
        node=node,
        machine=state.machine,
        by=by,
        origin=WATCH,
        camera=camera,
        product=product,
    )
