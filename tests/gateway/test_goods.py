"""Pictures and charts of goods: kept once, bounded by days and megabytes, and never in the way of what counts."""

from __future__ import annotations

import logging
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.goods import item, jpeg, point, tray
from support.messages import Node

from gateway.doubtful import MOST_ITEMS
from gateway.goods import DAY_NS, TIDY_NS, Goods, GoodsOptions, GoodsUnavailable
from wire.messages import Inspection, Item

NOW = time.time_ns()


def inspection(items: list[Item], *, at_ns: int = NOW, name: str = "i-1", **fields: Any) -> Inspection:
    values: dict[str, Any] = {"id": name, "machine": "oven", "camera": "tray", "product": "roll", "batch": "b-1"}
    return Inspection(items=items, **{**values, **fields}, **Node(node="pi").envelope(at_ns))


def test_what_a_camera_doubts_is_kept_once_with_both_pictures(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    seen = inspection([*tray(2, 1, 1), item("reject", cut_off=True), item("reject", "broken", seen="", why=["size"])])
    goods.take([seen, inspection([item()], name="i-2", at_ns=NOW + 3600 * 10**9)], now_ns=NOW)
    goods.take([inspection(tray(0, 5))], now_ns=NOW)  # the same name again
    found = goods.items()
    assert {(each.inspection, each.item, each.verdict, each.seen) for each in found} == {
        ("i-1", 5, "reject", False),
        ("i-1", 3, "unsure", True),
        ("i-1", 2, "reject", True),
        ("i-2", 0, "reject", True),
    }
    assert max(each.at_ns for each in found) == NOW, "a node whose clock is ahead"
    assert {each.item: each.why for each in found}[5] == ["size"]
    assert goods.picture("pi", "i-1", 2, "item") == b64decode(jpeg())
    assert goods.picture("pi", "i-1", 5, "seen") is None
    assert goods.picture("other", "i-1", 2, "item") is None
    assert goods.item("pi", "i-1", 3) == found[[each.item for each in found].index(3)]
    assert goods.item("pi", "i-1", 0) is None
    goods.close()


def test_pages_go_back_in_time(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    for number in range(10):
        # Late ones arrive in between.
        goods.take([inspection([item()], name=f"i-{number}", at_ns=NOW - (number % 3) * 10**9 - number)], now_ns=NOW)
    everything = [each.id for each in goods.items(limit=100)]
    paged: list[int] = []
    while page := goods.items(limit=3, before=paged[-1] if paged else None):
        paged += [each.id for each in page]
    assert paged == everything
    assert sorted(paged) == list(range(1, 11))
    times = [each.at_ns for each in goods.items(limit=100)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    "picture",
    ["", "%%%", "AAAA", b64encode(b"<script>alert(1)</script>").decode(), b64encode(b"\xff\xd8\xff half").decode()],
)
def test_what_is_no_jpeg_is_not_kept(tmp_path: Path, picture: str) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    goods.take([inspection([item(picture=picture), item(seen=picture)])], now_ns=NOW)
    assert [(each.item, each.seen) for each in goods.items()] == [(1, False)]
    assert goods.refused == (2 if picture else 0)


def test_a_node_that_sends_too_many_pictures_is_held(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    goods.take([inspection(tray(0, 40))], now_ns=NOW)
    assert len(goods.items(limit=100)) == MOST_ITEMS


def test_old_pictures_and_too_many_go_by_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    goods = Goods(tmp_path / "goods.sqlite", GoodsOptions(keep_days=2, keep_mb=1, chart_days=3))
    noise = b64encode(b"\xff\xd8\xff" + bytes(8000) + b"\xff\xd9").decode()
    with caplog.at_level(logging.INFO):
        for number in range(60):
            seen = inspection(
                [item(picture=noise, seen=noise)] * 4, name=f"i-{number}", charts={"lightness": point(55.0)}
            )
            goods.take([seen], now_ns=NOW)
        assert len(goods.items(limit=1000)) == 240
        assert goods.tidy(NOW + TIDY_NS - 1) == 0, "not at every picture"
        gone = goods.tidy(NOW + TIDY_NS)
    kept = goods.items(limit=1000)
    assert len(kept) == 240 - gone == 1_000_000 // 16_010
    assert {each.inspection for each in kept[:4]} == {"i-59"}, "the oldest go first"
    assert "deleted" in caplog.text
    with closing(sqlite3.connect(tmp_path / "goods.sqlite")) as db:
        assert db.execute("SELECT COUNT(*) FROM pictures").fetchone() == (2 * len(kept),)
    goods.close()
    assert (tmp_path / "goods.sqlite").stat().st_size < 2_000_000, "the disk has it back"
    goods = Goods(tmp_path / "goods.sqlite", GoodsOptions(keep_days=2, keep_mb=1, chart_days=3))
    goods.tidy(NOW + 2 * DAY_NS + 1)
    assert goods.items() == []
    assert len(goods.charts(quantity="lightness", since_ns=0)) == 1
    goods.tidy(NOW + 4 * DAY_NS)
    assert goods.charts(quantity="lightness", since_ns=0) == []


def test_without_days_no_picture_is_kept_and_charts_are(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite", GoodsOptions(keep_days=0))
    goods.take([inspection(tray(0, 1), charts={"lightness": point(55.0)})], now_ns=NOW)
    assert goods.items() == []
    assert len(goods.charts(quantity="lightness", since_ns=0)) == 1


def test_charts_are_by_camera_and_product_latest_first(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    for number in range(80):
        at_ns = NOW + number * 10**9
        charts = {"lightness": point(55.0 - number / 10), "size": point(70.0, unit="mm")}
        goods.take([inspection([], at_ns=at_ns, name=f"a-{number}", charts=charts)], now_ns=at_ns)
        goods.take([inspection([], at_ns=at_ns, name=f"a-{number}", charts=charts)], now_ns=at_ns)
    late = inspection([], at_ns=NOW + 79 * 10**9, product="loaf", charts={"lightness": point(40.0)})
    goods.take(
        [late, inspection([], at_ns=NOW - DAY_NS, product="old", charts={"lightness": point(1.0)})],
        now_ns=NOW + 80 * 10**9,
    )
    found = goods.charts(quantity="lightness", since_ns=NOW)
    assert {each.product for each in found} == {"roll", "loaf"}
    roll = next(each for each in found if each.product == "roll")
    assert len(roll.points) == 60
    assert roll.points[-1].point.value == pytest.approx(47.1)
    assert [each.at_ns for each in roll.points] == sorted(each.at_ns for each in roll.points)
    (size,) = goods.charts(quantity="size", since_ns=NOW)
    assert size.points[0].point.unit == "mm"


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database " * 300)


def one_bad_page(path: Path) -> None:
    """Opens as if nothing were wrong; a check finds it."""
    goods = Goods(path)
    goods.take([inspection(tray(0, 8), name=f"i-{number}") for number in range(20)], now_ns=NOW)
    goods.close()
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'pictures'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size + 12)
        file.write(b"\xff" * 64)


def newer(path: Path) -> None:
    Goods(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("spoil", [no_database, one_bad_page, newer])
def test_a_file_that_is_broken_or_newer_is_moved_aside(
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "goods.sqlite"
    spoil(path)
    spoilt = path.read_bytes()
    goods = Goods(path)
    goods.take([inspection(tray(0, 1))], now_ns=NOW)
    assert len(goods.items()) == 1
    (aside,) = tmp_path.glob("goods.sqlite.broken-*")
    assert aside.read_bytes() == spoilt
    assert "begun anew" in caplog.text
    goods.close()
    assert len(Goods(path).items()) == 1


def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "goods.sqlite"
    path.mkdir()
    patient, goods = Goods(path), Goods(path, retry_s=0.0)
    for each in (patient, goods):
        with pytest.raises(GoodsUnavailable, match="cannot be opened"):
            each.items()
        with pytest.raises(GoodsUnavailable, match="cannot be opened"):
            each.tidy(NOW)
    path.rmdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GoodsUnavailable, match="locked"):
            goods.items()
    goods.take([inspection(tray(0, 1))], now_ns=NOW)
    assert len(goods.items()) == 1
    with pytest.raises(GoodsUnavailable, match="cannot be opened"):
        patient.items()
    patient.close()
    goods.close()


def test_a_chart_without_points_goes_with_the_last_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.goods.MOST_POINTS", 3)
    goods = Goods(tmp_path / "goods.sqlite")
    for number in range(6):
        at_ns = NOW + number
        charts = {"lightness": point(55.0)}
        product = "early" if number < 2 else "late"
        goods.take(
            [inspection([], at_ns=at_ns, name=f"i-{number}", product=product, charts=charts)], now_ns=NOW + TIDY_NS
        )
    assert {each.product for each in goods.charts(quantity="lightness", since_ns=0)} == {"early", "late"}
    goods.tidy(NOW + 3 * TIDY_NS)
    (chart,) = goods.charts(quantity="lightness", since_ns=0)
    assert (chart.product, len(chart.points)) == ("late", 3)


def test_a_point_that_no_chart_can_show_is_left_out(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    charts = {"lightness": point(55.0)}
    goods.take(
        [inspection([], at_ns=NOW + number, name=f"i-{number}", charts=charts) for number in range(3)], now_ns=NOW + 9
    )
    with closing(sqlite3.connect(tmp_path / "goods.sqlite")) as db, db:
        db.execute("UPDATE points SET body = replace(body, '55.0', '1e308') WHERE at_ns = ?", (NOW + 1,))
    (chart,) = goods.charts(quantity="lightness", since_ns=0)
    assert [each.at_ns for each in chart.points] == [NOW, NOW + 2]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    goods = Goods(tmp_path / "goods.sqlite")
    goods.close()
    with pytest.raises(GoodsUnavailable):
        goods.take([inspection(tray(0, 1))], now_ns=NOW)
