"""What the goods page shows, as plain values for its template: texts in the reader's language, drawings as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.batches import Rate
from gateway.goods import DAY_NS, GoodsUnavailable, ProductChart, Quantity
from gateway.ledger_goods import Correction, Switch
from gateway.services import Services
from gateway.web import goods_state as state
from gateway.web import goods_views as views
from gateway.web.camera_card import camera_state
from gateway.web.chart_drawing import HEIGHT, WIDTH, draw
from gateway.wording import Wording
from wire.messages import ChartPoint

PICTURES = 24
"""On one page; older ones are a link away."""
BATCHES = 20
CHARTS = 12
POINTS = 60
CHART_DAYS = 7
_QUANTITIES: tuple[Quantity, ...] = ("lightness", "size")
SUREST = 99
"""Per cent that are said at most: nothing is certain."""
_TOLD = {
    "queued": "told_waiting",
    "sent": "told_waiting",
    "done": "told_done",
    "refused": "told_refused",
    "expired": "told_expired",
}


class _Kept(NamedTuple):
    """What comes out of the file of goods."""

    charts: list[dict[str, Any]]
    pictures: list[dict[str, Any]]
    readable: bool


class GoodsPage:
    """Everything on the page at one moment, in one language."""

    def __init__(self, services: Services, words: Wording) -> None:
        self._services = services
        self._words = words
        self._page = words.catalogue["goods"]
        self._grading = words.catalogue["grading"]
        self._now_ns = services.wall_ns()
        self._midnight_ns = words.midnight(self._now_ns)
        self._called: dict[str, str] = {}
        self._there = {one.node for one in services.ingest.nodes() if one.online and one.origin == state.WATCH}

    def values(self, before: int | None = None) -> dict[str, Any]:
        """The template's values, but for the reader's own; pictures older than the one with id `before`, the newest without older.

        Raises:
            LedgerError, LedgerUnavailable: counts cannot be read now.
        """
        services, words = self._services, self._words
        self._called = services.ledger.goods.called()
        kept = self._kept(before)
        if before is not None and kept.readable and not kept.pictures:
            # They were tidied away since: an empty page would say that nothing was ever rejected.
            before, kept = None, self._kept(None)
        cameras = state.cameras(services, words)
        asked = services.ledger.goods.switches(services.site)
        return {
            "t": self._page,
            "today": [self._today(each) for each in state.today(services, words)],
            "alerts": self._alerts(),
            "charts": kept.charts,
            "width": round(WIDTH),
            "height": round(HEIGHT),
            "pictures": kept.pictures,
            "readable": kept.readable,
            "older": kept.pictures[-1]["id"] if len(kept.pictures) == PICTURES else None,
            "before": before,
            "batches": [self._batch(each) for each in state.batches(services, words, BATCHES)],
            "cameras": [self._camera(each) for each in cameras],
            "under": [self._under(each, asked) for each in cameras if each.product is not None],
        }

    def _kept(self, before: int | None) -> _Kept:
        services = self._services
        try:
            since_ns = self._now_ns - CHART_DAYS * DAY_NS
            charts = [
                chart
                for quantity in _QUANTITIES
                for chart in services.goods.charts(quantity=quantity, since_ns=since_ns, limit=CHARTS, points=POINTS)
            ]
            items = state.items(services, self._words, limit=PICTURES, before=before)
        except GoodsUnavailable:
            return _Kept([], [], readable=False)  # the counts are of use without them
        # In an order that stays, so that a chart is found where it was; a product's size beside its colour.
        charts.sort(key=lambda each: (each.machine, each.camera, each.product, each.quantity))
        return _Kept(
            [self._chart(each) for each in charts if each.points], [self._item(each) for each in items], readable=True
        )

    def _product(self, name: str) -> str:
        """As a person called it who taught it here; else as its file is called."""
        return self._called.get(name, name)

    def _today(self, tally: views.Today) -> dict[str, Any]:
        return {
            "product": self._product(tally.product),
            "machine": tally.title,
            "items": tally.items,
            "rejects": tally.rejects,
            "unsure": tally.unsure,
            "rate": self._share(tally.rate),
        }

    def _share(self, rate: Rate) -> str:
        if rate.share is None:
            return str(self._page["share_none"])
        share, low, high = (self._percent(value) for value in (rate.share, rate.low, rate.high))
        return str(self._page["share"]).format(share=share, low=low, high=high)

    def _percent(self, share: float) -> str:
        """Per cent as people write them: one decimal where there is little."""
        percent = 100 * share
        return self._one_decimal(percent) if 0 < percent < 9.95 else f"{percent:.0f}"

    def _alerts(self) -> list[dict[str, Any]]:
        words = self._words
        return [
            {
                "id": alert.id,
                "severity": alert.severity.value,
                "severity_name": words.severity(alert.severity),
                "title": f"{words.machine(alert.machine)}: {words.cause(alert.cause, alert.label).name}",
            }
            for alert in self._services.ledger.open_alerts()
            if alert.kind in ("quality", "camera")
        ]

    def _chart(self, chart: ProductChart) -> dict[str, Any]:
        words, points = self._words, [each.point for each in chart.points]
        drawing = draw(points)
        machine = words.machine(chart.machine)
        latest, size = points[-1], "_size" if chart.quantity == "size" else ""
        unit = self._page["pixels"] if latest.unit == "px" else latest.unit
        before, after = ("", f"\u00a0{unit}" if unit else "") if size else ("L*\u00a0", "")

        def amount(value: float) -> str:
            return f"{before}{self._one_decimal(value)}{after}"

        return {
            "product": self._product(chart.product),
            "quantity": chart.quantity,
            "what": self._page[f"chart_{chart.quantity}"],
            "where": f"{machine} · {chart.camera}",
            "label": str(self._page[f"chart{size}_of"]).format(product=self._product(chart.product), machine=machine),
            "before": before,
            "after": after,
            "drawing": drawing,
            "titles": [f"{words.when(each.at_ns)}: {amount(each.point.value)}" for each in chart.points],
            "low": self._one_decimal(drawing.low),
            "high": self._one_decimal(drawing.high),
            "first": self._moment(chart.points[0].at_ns),
            "last": self._moment(chart.points[-1].at_ns),
            "said": self._said(latest, size, amount),
            "warns": bool(latest.rule),
            "learned": latest.learned,
        }

    def _said(self, latest: ChartPoint, size: str, amount: Callable[[float], str]) -> str:
        if latest.learned < 1:
            return str(self._page[f"chart{size}_learning"]).format(percent=int(100 * latest.learned))
        shown = latest.average if latest.rule == "drift" else latest.value
        direction = "up" if shown > latest.expected else "down"
        key = f"chart{size}_{latest.rule}_{direction}" if latest.rule else "chart_good"
        return str(self._page[key]).format(value=amount(shown), expected=amount(latest.expected))

    def _item(self, item: views.ItemView) -> dict[str, Any]:
        page = self._page
        said, product = self._looked(item), self._product(item.product)
        correction = item.correction
        return {
            "id": item.id,
            "key": state.item_path(item.node, item.inspection, item.item),
            "anchor": anchor(item.node, item.inspection, item.item),
            "verdict": correction.verdict if correction else item.verdict,
            "said": said,
            "why": [self._grading["reasons"].get(code, code) for code in item.why],
            "where": f"{product} · {item.title} · {item.camera}",
            "when": self._moment(item.at_ns),
            "picture": item.picture,
            "picture_name": str(page["picture_of"]).format(product=product, said=said),
            "box": [f"{100 * value:.1f}" for value in item.within] if item.within else None,
            "seen": item.seen,
            "seen_name": str(page["seen_of"]).format(label=self._label(item.label)),
            "correction": str(page[f"said_{correction.verdict}"]).format(by=correction.by) if correction else "",
            "told": str(page[self._told(item.node, correction)]) if correction else "",
            "can_be": [verdict for verdict in ("good", "reject") if not correction or correction.verdict != verdict],
        }

    def _told(self, node: str, correction: Correction) -> str:
        told = _TOLD[correction.state]
        return "told_asked" if told == "told_waiting" and node in self._there else told

    def _looked(self, item: views.ItemView) -> str:
        """What the camera saw in it; where only a taught product speaks against it, there is no label."""
        key = "looked_taught" if item.label == "good" else "looked"
        text = str(self._page[f"{key}_unsure" if item.verdict == "unsure" else key])
        return text.format(label=self._label(item.label), percent=min(round(100 * item.confidence), SUREST))

    def _label(self, code: str) -> str:
        return str(self._grading["labels"].get(code, code))

    def _batch(self, batch: views.BatchView) -> dict[str, Any]:
        words, page = self._words, self._page
        start, end = self._moment(batch.since_ns), words.clock(batch.last_ns)[:5]
        return {
            "product": self._product(batch.product),
            "machine": batch.title,
            "time": str(page["from_now" if not batch.over else "at" if start == end else "from_to"]).format(
                start=start, end=end
            ),
            "items": batch.items,
            "rejects": batch.rejects,
            "unsure": batch.unsure,
            "corrected": str(page["corrected"]).format(count=batch.corrected) if batch.corrected else "",
            "rate": self._share(batch.rate),
            "lightness": "" if batch.lightness is None else self._one_decimal(batch.lightness),
        }

    def _one_decimal(self, value: float) -> str:
        return f"{value:.1f}".replace(".", str(self._words.catalogue["language"]["decimal"]))

    def _moment(self, time_ns: int) -> str:
        """A time of day; with its date where that is not today's."""
        return self._words.clock(time_ns)[:5] if time_ns >= self._midnight_ns else self._words.when(time_ns)

    def _camera(self, camera: views.CameraView) -> dict[str, Any]:
        told = camera.online and not camera.paused_left_s
        how, bad = camera_state(camera, self._words, self._now_ns)
        return {
            "name": f"{camera.title} · {camera.camera}" if camera.title else camera.camera,
            "node": camera.node,
            "bad": bad,
            "state": how,
            "explain": camera.explain if told else "",
            "check": camera.check if told else "",
        }

    def _under(self, camera: views.CameraView, asked: Mapping[tuple[str, str], Switch]) -> dict[str, Any]:
        """What lies under a camera, and what a person can choose instead."""
        now = camera.product.product if camera.product else ""
        switch = asked.get((camera.node, camera.camera))
        waits = switch is not None and switch.waits and switch.product != now
        names = {each.product: each.called for each in camera.products}
        return {
            "name": f"{camera.title} · {camera.camera}" if camera.title else camera.camera,
            "place": f"/goods/cameras/{camera.node}/{camera.camera}",
            "now": camera.product.called if camera.product else "",
            "waits": str(self._page["under_waits" if camera.online else "under_away"]).format(
                name=names.get(switch.product, switch.product), by=switch.by
            )
            if switch is not None and waits
            else "",
            "others": [each for each in camera.products if each.product != now],
        }


def anchor(node: str, inspection: str, item: int) -> str:
    """Where an item is on the page.

    >>> anchor("pi", "i-7", 3)
    'item-pi-i-7-3'
    """
    return f"item-{node}-{inspection}-{item}"
