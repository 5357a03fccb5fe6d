"""Messages a second from the broker into the journal, beside a bare paho loop that only counts.

Both receive the same backlog from the same broker over MQTT 5, QoS 1, with the same receive-maximum: the subscriber's
session is made first, another process fills it, then the subscriber comes back and the clock runs until the last message.
So the figure is the receiver's, not the publisher's.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.throughput.samples import LOG, NODE, SITE, small
from benchmarks.throughput.servers import BenchmarkError, mosquitto, until
from gateway.ingest import Ingest
from wire import topics
from wire.codec import Codec
from wire.journal import Journal
from wire.link import LinkConfig
from wire.messages import Status

RECEIVE_MAXIMUM = 2000
LIMIT_S = 120.0


def _client(name: str, *, clean: bool) -> tuple[mqtt.Client, Properties, bool]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return client, properties, clean


def publish(port: int, count: int) -> None:
    """Fills the broker; the body of the publishing process."""
    client, properties, clean = _client("bench-publisher", clean=True)
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port, clean_start=clean, properties=properties)
    client.loop_start()
    status = Status(site=SITE, node=NODE, origin="sense", online=True, log=LOG, oldest=1, acked=0, next=count + 1)
    client.publish(topics.status(SITE, NODE, "sense"), Codec().encode(status), qos=1, retain=True)
    topic = topics.data(SITE, NODE, "telemetry")
    sent = [client.publish(topic, payload, qos=1) for payload in small(count)]
    for message in sent:
        message.wait_for_publish(LIMIT_S)
    client.disconnect()
    client.loop_stop()


def _fill(port: int, count: int) -> None:
    subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput.messages", str(port), str(count)], check=True, timeout=LIMIT_S
    )


def bare_rate(port: int, count: int, name: str) -> float:
    """Messages a second of a paho client that counts and lets paho acknowledge."""
    client, properties, _ = _client(name, clean=True)
    client.connect("127.0.0.1", port, clean_start=True, properties=properties)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.loop_start()
    client.subscribe(topics.data(SITE, "+", "telemetry"), qos=1)
    if not subscribed.wait(10):
        raise BenchmarkError("no answer to a subscription")
    client.disconnect()
    client.loop_stop()
    _fill(port, count)
    seen = 0
    done = threading.Event()
    began = 0.0

    def on_message(*_: object) -> None:
        nonlocal seen, began
        if not seen:
            began = time.perf_counter()
        seen += 1
        if seen == count:
            done.set()

    client.on_message = on_message
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    if not done.wait(LIMIT_S):
        raise BenchmarkError(f"the bare loop received {seen} of {count}")
    elapsed = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return count / elapsed


def ingest_rate(port: int, count: int, folder: Path) -> float:
    """Messages a second that are in the journal, committed, and acknowledged."""
    journal = Journal(folder / "journal.db", readers=["store"], max_bytes=1 << 30)
    link = LinkConfig(host="127.0.0.1", port=port, client_id=f"gateway-{folder.name}", receive_maximum=RECEIVE_MAXIMUM)
    first = Ingest(SITE, journal, link)
    first.start()
    until(lambda: first.stats().link.connected, "the link")
    time.sleep(0.5)
    first.stop()
    _fill(port, count)
    ingest = Ingest(SITE, journal, link)
    try:
        ingest.start()
        until(lambda: ingest.stats().received > 0, "the first message")
        began = time.perf_counter()
        until(lambda: ingest.stats().accepted >= count, "ingest", LIMIT_S)
        elapsed = time.perf_counter() - began
        stored = journal.stats().next - 1
        if stored != count:
            raise BenchmarkError(f"the journal holds {stored} of {count} messages: {ingest.stats()}")
    finally:
        ingest.stop()
        journal.close()
    return count / elapsed


def measure(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """Both rates, in turns; medians."""
    bare: list[float] = []
    ingest: list[float] = []
    for number in range(rounds):
        for kind in ("bare", "ingest"):
            place = folder / f"{kind}-{number}"
            place.mkdir()
            # A broker of its own each time: queues and retained messages of the other shall not matter.
            with mosquitto(place) as port:
                if kind == "bare":
                    bare.append(bare_rate(port, count, f"bare-{number}"))
                else:
                    ingest.append(ingest_rate(port, count, place))
    return {
        "payload_bytes": float(len(small(1)[0])),
        "messages": float(count),
        "bare_per_s": statistics.median(bare),
        "ingest_per_s": statistics.median(ingest),
        "share": statistics.median(ingest) / statistics.median(bare),
    }


if __name__ == "__main__":
    publish(int(sys.argv[1]), int(sys.argv[2]))
