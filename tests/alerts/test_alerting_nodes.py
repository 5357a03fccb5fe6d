"""What nodes and cameras say of themselves becomes alerts."""

from __future__ import annotations

from support.alerting import Site
from support.alerts import START, finding

from gateway.alerts import State
from gateway.wording import Wording
from wire.codec import Codec
from wire.messages import Health, JournalState, SensorState, Trust


def test_a_node_that_stays_away_becomes_an_alert_and_comes_back(site: Site) -> None:
    site.alerting.hear_node("bakery", "pi-1", "sense", online=True)
    site.alerting.turn()
    site.alerting.hear_node("bakery", "pi-1", "sense", online=False)
    site.alerting.turn()
    site.clock.pass_s(299)
    site.alerting.turn()
    assert not site.ledger.alerts(passed=True)
    site.clock.pass_s(2)
    site.alerting.turn()
    site.clock.pass_s(31)
    site.alerting.turn()
    (alert,) = site.ledger.open_alerts()
    assert (alert.kind, alert.machine, alert.cause) == ("node", "pi-1", "node_offline")
    assert alert.since_ns == START
    restarted = site.make()
    restarted.hear_node("bakery", "pi-1", "sense", online=True)
    restarted.turn()
    site.clock.pass_s(601)
    restarted.turn()
    assert site.ledger.alert(alert.id).state is State.RESOLVED  # type: ignore[union-attr]  # it was there above


def health(seq: int, at_ns: int, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "uptime_s": 1.0,
        "journal": JournalState(oldest=1, next=2, acked=1, bytes=10, dropped=0),
        "site": "bakery",
        "node": "pi-1",
        "origin": "sense",
        "log": "log-a",
        "seq": seq,
        "prev": seq - 1,
        "boot": "b",
        "time_ns": at_ns,
        "trust": Trust.SYNCED,
    }
    return Codec().encode(Health(**{**fields, **changes}))  # type: ignore[arg-type]  # a test names what it changes


def test_a_node_in_trouble_says_so_itself(site: Site) -> None:
    site.put("health", health(1, site.clock()))
    site.alerting.turn()
    assert not site.ledger.alerts(passed=True)
    dropped = JournalState(oldest=1, next=2, acked=1, bytes=10, dropped=5)
    site.put("health", health(2, site.clock(), under_voltage=True, journal=dropped, disk_free_bytes=1000))
    site.alerting.turn()
    site.clock.pass_s(31)
    site.put("health", health(3, site.clock(), under_voltage=True, journal=dropped, disk_free_bytes=1000))
    site.alerting.turn()
    assert {a.cause for a in site.ledger.open_alerts()} == {"node_under_voltage", "node_disk_low", "node_dropping"}
    site.clock.pass_s(60)
    site.put("health", health(4, site.clock(), journal=dropped))
    site.alerting.turn()
    site.clock.pass_s(3601)
    site.alerting.turn()
    assert not site.ledger.open_alerts()


def cameras(**faults: str) -> dict[str, object]:
    """What a camera daemon's health says of its cameras, by name."""
    states = [
        SensorState(name=name, machine="oven", ok=not fault, fault=fault, detail="why")
        for name, fault in faults.items()
    ]
    return {"origin": "watch", "log": "log-w", "sensors": states}


def test_a_camera_that_grades_nothing_becomes_an_alert_though_its_pictures_are_fine(site: Site) -> None:
    for seq in range(1, 4):
        told = cameras(tray="model_refused", belt="camera_dark", rack="profile_refused")
        site.put("health", health(seq, site.clock(), **told))
        site.alerting.turn()
        site.clock.pass_s(31)
    found = {alert.cause: alert for alert in site.ledger.open_alerts()}
    assert set(found) == {"model_refused", "profile_refused"}, "the camera tells the others itself"
    refused = found["model_refused"]
    assert (refused.kind, refused.machine, refused.channel) == ("camera", "oven", "tray")
    assert refused.since_ns == START
    # A gateway that was away meanwhile hears which one is well again.
    restarted = site.make()
    site.put("health", health(4, site.clock(), **cameras(tray="", belt="", rack="profile_refused")))
    restarted.turn()
    site.clock.pass_s(601)
    restarted.turn()
    assert [alert.cause for alert in site.ledger.open_alerts()] == ["profile_refused"]


def test_a_camera_that_is_taken_away_is_no_longer_in_trouble(site: Site) -> None:
    site.put("health", health(1, site.clock(), **cameras(tray="inspection_failed")))
    site.alerting.turn()
    site.clock.pass_s(31)
    site.alerting.turn()
    assert [alert.cause for alert in site.ledger.open_alerts()] == ["inspection_failed"]
    site.put("health", health(2, site.clock(), **cameras()))
    site.alerting.turn()
    site.clock.pass_s(601)
    site.alerting.turn()
    assert site.ledger.open_alerts() == []


def test_a_machine_that_its_node_fails_to_watch_becomes_an_alert_about_that_machine(site: Site) -> None:
    def sensors(**faults: str) -> list[SensorState]:
        whole = [
            SensorState(name="machine", machine=machine, ok=False, fault=fault, detail="KeyError: x")
            for machine, fault in faults.items()
            if fault
        ]
        return [*(SensorState(name="power", machine=machine, ok=True) for machine in faults), *whole]

    for seq in range(1, 9):
        # The press ended once: its node says so for five minutes.
        told = sensors(mixer="loop_restarted", oven="loop_restarted", press="loop_restarted" if seq < 6 else "")
        site.put("health", health(seq, site.clock(), sensors=told))
        site.alerting.turn()
        site.clock.pass_s(61)
    site.alerting.turn()
    found = {alert.machine: alert for alert in site.ledger.open_alerts()}
    assert set(found) == {"mixer", "oven"}
    assert {(alert.kind, alert.cause) for alert in found.values()} == {("node", "node_blind")}
    said = Wording("de", titles={"mixer": "Spiralkneter"}).describe(found["mixer"], now_ns=site.clock())
    assert said.title == "Warnung: Spiralkneter – Maschine wird nicht überwacht"
    assert "aus- und wieder einschalten" in said.check
    # A gateway that was away meanwhile hears which one is watched again; of the other the alert stays.
    restarted = site.make()
    site.put("health", health(9, site.clock(), sensors=sensors(mixer="", oven="loop_restarted", press="")))
    restarted.turn()
    site.clock.pass_s(601)
    restarted.turn()
    assert [alert.machine for alert in site.ledger.open_alerts()] == ["oven"]


def test_what_was_on_its_way_when_a_daemon_was_retired_becomes_no_alert_and_brings_it_not_back(site: Site) -> None:
    site.retired.add(("pi-1", "sense"))
    site.put("finding", finding(1, site.clock()))
    site.put("health", health(2, site.clock(), under_voltage=True))
    site.put("finding", finding(1, site.clock(), node="pi-2", machine="oven"))
    site.alerting.turn()
    site.clock.pass_s(60)
    site.alerting.turn()
    assert [alert.machine for alert in site.ledger.open_alerts()] == ["oven"]
    site.retired.clear()
    site.put("finding", finding(3, site.clock(), id="f2"))
    site.alerting.turn()
    assert {alert.machine for alert in site.ledger.open_alerts()} == {"oven", "mixer"}
