"""The gateway's configuration: gateway.toml as types, checked as a whole before anything starts."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field

from gateway import forward, notify
from gateway.alerts import Policy
from gateway.batches import BatchPolicy
from gateway.costs import Costs, MachineFacts
from gateway.goods import GoodsOptions
from gateway.notify import Notifications, Person
from gateway.signing import SecretError
from gateway.store.config import EmbeddedConfig, StoreConfig
from wire.broker import MqttOptions, check_mqtt, is_loopback
from wire.messages import Name
from wire.settings import SettingsError, load, require_file, require_unique

MB = 1_000_000


class StateOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway keeps its journal and its ledger."""

    dir: Annotated[Path, Meta(description="folder for the journal and the ledger")] = Path("/var/lib/werkpuls-gateway")


class JournalOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the gateway holds while the store cannot be reached."""

    max_mb: Annotated[int, Meta(ge=8, le=1_000_000, description="largest size of the journal, megabytes")] = 2048
    min_free_mb: Annotated[int, Meta(ge=0, le=1_000_000, description="disk space that is always left free")] = 500


class WebOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page and the API."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="address to listen on; 0.0.0.0 for all")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=1, le=65535, description="port to listen on")] = 8077
    password_file: (
        Annotated[Path, Meta(description="file whose first line is the password, 12 characters at least")] | None
    ) = None
    cert: Annotated[Path, Meta(description="certificate of the page, for https")] | None = None
    key: Annotated[Path, Meta(description="private key of that certificate")] | None = None
    plain_http: Annotated[
        bool, Meta(description="serve other computers without https: everybody in the network can read the password")
    ] = False


class GatewayOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """gateway.toml."""

    site: Annotated[Name, Meta(description="name of the site; the same for all of its nodes")]
    language: Annotated[
        Literal["de", "en"], Meta(description="language of the page where a browser names none we speak")
    ] = "de"
    timezone: Annotated[str, Meta(max_length=64, description="e.g. Europe/Berlin; empty: the computer's own")] = ""
    state: StateOptions = StateOptions()
    mqtt: MqttOptions = MqttOptions()
    journal: JournalOptions = JournalOptions()
    store: StoreConfig = EmbeddedConfig()
    web: WebOptions = WebOptions()
    alerts: Policy = Policy()
    batches: BatchPolicy = BatchPolicy()
    goods: GoodsOptions = GoodsOptions()
    costs: Costs = Costs()
    machines: Annotated[list[MachineFacts], Meta(max_length=1000)] = field(name="machine", default_factory=list)
    subscribers: Annotated[list[forward.Subscriber], Meta(max_length=50)] = field(
        name="subscriber", default_factory=list
    )
    persons: Annotated[list[Person], Meta(max_length=200)] = field(name="person", default_factory=list)
    notify: Notifications = Notifications()


MIN_PASSWORD = 12


def read_gateway(path: Path) -> GatewayOptions:
    """Reads and checks gateway.toml; starts and opens nothing.

    Raises:
        SettingsError: with file, path within it, and what is allowed.
    """
    options = load(path, GatewayOptions)
    where = str(path)
    require_unique((one.name for one in options.machines), where=where, path="machine", what="machine")
    require_unique((one.name for one in options.subscribers), where=where, path="subscriber", what="subscriber")
    require_unique((one.name for one in options.persons), where=where, path="person", what="person")
    zone_of(options, where)
    try:
        forward.check(options.subscribers)
    except (forward.SubscriberError, SecretError) as exc:
        raise SettingsError(where, "subscriber", str(exc)) from exc
    for place, person in enumerate(options.persons):
        try:
            notify.addresses(person, os.environ)
        except notify.NotifyError as exc:
            raise SettingsError(where, f"person[{place}]", str(exc)) from exc
    # Last, so that a file that is not there yet hides no mistake in this one.
    check_mqtt(options.mqtt, where)
    _check_web(options.web, where)
    return options


def zone_of(options: GatewayOptions, where: str) -> ZoneInfo | None:
    """The configured time zone; None for the computer's own.

    Raises:
        SettingsError: there is no such zone.
    """
    if not options.timezone:
        return None
    try:
        return ZoneInfo(options.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise SettingsError(where, "timezone", f"no such time zone: {options.timezone!r}; e.g. Europe/Berlin") from exc


def local_zone() -> tzinfo:
    """The computer's own time zone with its summer time, as `TZ` or /etc/localtime say; UTC where neither does."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        place = Path("/etc/localtime")
        with place.open("rb") as file:
            return ZoneInfo.from_file(file, key=place.resolve().as_posix().partition("/zoneinfo/")[2] or "localtime")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def password_of(web: WebOptions, where: str) -> str | None:
    """The page's password, if one is configured.

    Raises:
        SettingsError: the file holds none, or too short a one.
    """
    if web.password_file is None:
        return None
    try:
        lines = web.password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(where, "web.password_file", f"{web.password_file}: {exc}") from exc
    password = lines[0].strip() if lines else ""
    if len(password) < MIN_PASSWORD:
        raise SettingsError(
            where,
            "web.password_file",
            f"{web.password_file}: the first line must have at least {MIN_PASSWORD} characters",
        )
    return password


def _check_web(web: WebOptions, where: str) -> None:
    if (web.cert is None) is not (web.key is None):
        given, missing = ("cert", "key") if web.key is None else ("key", "cert")
        raise SettingsError(where, f"web.{missing}", f"must be given together with {given}")
    for name, secret in (("cert", False), ("key", True), ("password_file", True)):
        file = getattr(web, name)
        if file is not None:
            require_file(file, where=where, path=f"web.{name}", secret=secret)
    password_of(web, where)
    if not is_loopback(web.host):
        if web.password_file is None:
            raise SettingsError(where, "web.password_file", "must be given where other computers can reach the page")
        if web.cert is None and not web.plain_http:
            raise SettingsError(
                where, "web.cert", "must be given where other computers can reach the page (or plain_http)"
            )
