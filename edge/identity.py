"""Whether the node's certificate, its key and its name belong together: a broker refuses it otherwise, and says little."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge.certificate import NoCertificate, common_name
from edge.config import NodeConfig
from wire.settings import SettingsError


def check_identity(config: NodeConfig) -> None:
    """Certificate and key are a pair, and the certificate is this node's.

    The broker takes the certificate's name for the node's (`use_identity_as_username`), unless it is given a user name.

    Raises:
        SettingsError: naming the option that does not fit.
    """
    mqtt = config.options.mqtt
    if mqtt.cert is None or mqtt.key is None:
        return
    _check_pair(mqtt.cert, mqtt.key, config.where)
    if mqtt.username is not None:
        return
    try:
        name = common_name(mqtt.cert)
    except NoCertificate as exc:
        raise SettingsError(config.where, "mqtt.cert", str(exc)) from exc
    if name != config.options.node:
        raise SettingsError(
            config.where,
            "mqtt.cert",
            f'{mqtt.cert} is the certificate of "{name}", but node = "{config.options.node}"; the broker knows a node by '
            "its certificate, so both must be the same",
        )


def _check_pair(cert: Path, key: Path, where: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(cert, key, password="")  # "": an encrypted key fails instead of asking
    except ssl.SSLError as exc:
        if exc.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
            raise SettingsError(where, "mqtt.key", f"{key} is not the key of the certificate {cert}") from exc
        said = f"{cert} and {key} cannot be used together ({exc.reason or exc})"
        raise SettingsError(where, "mqtt.cert", said) from exc
    except (OSError, ValueError) as exc:
        raise SettingsError(where, "mqtt.cert", f"{cert}, {key}: {exc}") from exc
