"""Opens the store that the configuration names. A new kind is one file, one config class and one line here."""

from __future__ import annotations

from gateway.store.base import Store
from gateway.store.config import EmbeddedConfig, StoreConfig
from gateway.store.embedded import EmbeddedStore


def open_store(config: StoreConfig) -> Store:
    """The store, ready to write.

    Raises:
        StoreConfigError: it can never work as configured.
        StoreUnavailable: the embedded store's file cannot be opened, or belongs to another process.
    """
    if isinstance(config, EmbeddedConfig):
        return EmbeddedStore(config)
    # influxdb-client takes 50 MB and a quarter of a second: only who uses it pays for it.
    from gateway.store.influx import InfluxStore  # noqa: PLC0415 - see above

    return InfluxStore(config)


def pause_s(config: StoreConfig) -> float:
    """Least seconds between two writes to this store while nothing is waiting."""
    return config.commit_s if isinstance(config, EmbeddedConfig) else 0.0
