"""The configuration table that node and gateway share: the broker, and how to reach it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from wire.connection import Tls
from wire.link import LinkConfig
from wire.settings import SettingsError, require_file


class MqttOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker: where it is and how the daemon proves who it is."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="name or address of the broker")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="8883 with TLS by convention, 1883 without")] = 8883
    tls: Annotated[bool, Meta(description="encrypt and check certificates; false only for this computer itself")] = True
    ca: Annotated[Path, Meta(description="certificate that signed the broker's")] | None = None
    cert: Annotated[Path, Meta(description="this daemon's certificate")] | None = None
    key: Annotated[Path, Meta(description="private key of this daemon's certificate")] | None = None
    username: (
        Annotated[str, Meta(min_length=1, max_length=256, description="name at the broker, if it asks")] | None
    ) = None
    password_file: Annotated[Path, Meta(description="file whose first line is the password")] | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=600, description="a silent connection counts as broken after this")] = 30


def check_mqtt(mqtt: MqttOptions, where: str) -> None:
    """Certificates and passwords are there, readable by us and by nobody else; plain text only to this computer.

    Raises:
        SettingsError: for the first thing that is not so.
    """
    if not mqtt.tls:
        for name in ("ca", "cert", "key"):
            if getattr(mqtt, name) is not None:
                raise SettingsError(where, f"mqtt.{name}", "has no use with tls = false")
        if not is_loopback(mqtt.host):
            raise SettingsError(
                where, "mqtt.tls", f'false is only for a broker on this computer (127.0.0.1), not for "{mqtt.host}"'
            )
    elif mqtt.ca is None:
        raise SettingsError(where, "mqtt.ca", "must be given with TLS: the certificate that signed the broker's")
    if (mqtt.cert is None) is not (mqtt.key is None):
        given, missing = ("cert", "key") if mqtt.key is None else ("key", "cert")
        raise SettingsError(where, f"mqtt.{missing}", f"must be given together with {given}")
    if mqtt.password_file is not None and mqtt.username is None:
        raise SettingsError(where, "mqtt.username", "must be given together with password_file")
    for name, secret in (("ca", False), ("cert", False), ("key", True), ("password_file", True)):
        file = getattr(mqtt, name)
        if file is not None:
            require_file(file, where=where, path=f"mqtt.{name}", secret=secret)


def is_loopback(host: str) -> bool:
    """Whether that name or address can only mean this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def link_config(mqtt: MqttOptions, client_id: str) -> LinkConfig:
    """How a daemon reaches the broker. `client_id` is unique per broker."""
    tls = None
    if mqtt.tls and mqtt.ca is not None:
        tls = Tls(
            ca=str(mqtt.ca),
            cert=None if mqtt.cert is None else str(mqtt.cert),
            key=None if mqtt.key is None else str(mqtt.key),
        )
    return LinkConfig(
        host=mqtt.host,
        port=mqtt.port,
        client_id=client_id,
        username=mqtt.username,
        password_file=None if mqtt.password_file is None else str(mqtt.password_file),
        tls=tls,
        keepalive_s=mqtt.keepalive_s,
    )
