"""The `[store]` section of gateway.toml: which store, and its options."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Days = Annotated[float, Meta(gt=0.0, le=36_500.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=3_600.0)]


class EmbeddedConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="embedded"):
    """The store without a server: one SQLite file on the gateway. The default."""

    dir: str = "/var/lib/werkpuls/store"
    """Directory of the file `series.db`; made if it is not there."""
    raw_days: Days = 30.0
    """Days that every single value is kept."""
    minute_days: Days = 180.0
    """Days that mean, lowest and highest per minute are kept."""
    rollup_days: Days = 1100.0
    """Days that mean, lowest and highest per quarter of an hour are kept."""
    max_mb: Annotated[int, Meta(ge=4)] = 2000
    """Most megabytes the file may hold; beyond that the oldest values go first, then the oldest minutes, then the
    oldest quarters."""
    commit_s: Seconds = 1.0
    """Least seconds between two commits; fewer commits spare an SD card, and what waits is safe in the journal."""
    exact: bool = False
    """Keep every bit of every value (about six times the space). Otherwise values are rounded far below their own
    noise once an hour of them is packed; decimals of up to nine places stay exact."""


class InfluxConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="influx"):
    """InfluxDB 1.x, 2.x or 3.x, or VictoriaMetrics, over HTTP."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/@\s]+(/[^?@\s]*)?$")]
    """Base address without user or password, e.g. http://127.0.0.1:8086."""
    api: Literal["v2", "v1"] = "v2"
    """Write path: `v2` is /api/v2/write (InfluxDB 1.8 and later, VictoriaMetrics), `v1` is /write (InfluxDB 1.x)."""
    reads: Literal["influxql", "metricsql"] = "influxql"
    """How charts are read: `influxql` over /query (InfluxDB), `metricsql` over /api/v1/query_range
    (VictoriaMetrics)."""
    bucket: Annotated[str, Meta(min_length=1)] = "werkpuls"
    """Bucket to write to; with `api = "v1"` the database."""
    database: str | None = None
    """Database that /query reads, where its name is not the bucket's (the database mapping of InfluxDB 2.x)."""
    retention_policy: str | None = None
    """Retention policy within the database; none: the database's default."""
    org: str = "-"
    """Organisation of InfluxDB 2.x; everything else ignores it."""
    username: str | None = None
    """User name for `api = "v1"`; the password is the content of `token_file`."""
    token_file: str | None = None
    """File that holds the token (v2) or the password (v1) and nothing else; none: the server asks for none."""
    token_env: str | None = None
    """Environment variable that holds the token or password, in place of `token_file`."""
    ca: str | None = None
    """PEM file of the authority that signed the server's certificate; none: the system's."""
    gzip: bool = True
    """Compress what is sent; worth it on every network slower than the loopback."""
    batch_lines: Annotated[int, Meta(ge=1, le=50_000)] = 5000
    """Lines in one request."""
    timeout_s: Annotated[float, Meta(gt=0.0, le=600.0)] = 10.0
    """Longest wait for an answer."""
    settle_s: Seconds = 0.0
    """How long the server may hold acknowledged points in memory only. InfluxDB writes them to disk first: 0.
    VictoriaMetrics does not: 30. So much is sent again after the connection broke."""
    history_days: Days = 30.0
    """How far back the list of series looks."""


StoreConfig: TypeAlias = EmbeddedConfig | InfluxConfig
