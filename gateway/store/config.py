"""The `[store]` section of gateway.toml: which store, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct


class EmbeddedConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="embedded"):
    """The store without a server: one SQLite file on the gateway. The default."""

    dir: Annotated[Path, Meta(description="folder of the file series.db; made if it is not there")] = Path(
        "/var/lib/werkpuls-gateway/store"
    )
    raw_days: Annotated[float, Meta(gt=0.0, le=36_500.0, description="days that every single value is kept")] = 30.0
    minute_days: Annotated[
        float, Meta(gt=0.0, le=36_500.0, description="days that mean, lowest and highest per minute are kept")
    ] = 180.0
    rollup_days: Annotated[
        float, Meta(gt=0.0, le=36_500.0, description="days that the same per quarter of an hour is kept")
    ] = 1100.0
    max_mb: Annotated[
        int,
        Meta(
            ge=4,
            le=1_000_000,
            description="most megabytes in the file; beyond, the oldest values go first, then minutes, then quarters",
        ),
    ] = 2000
    commit_s: Annotated[
        float,
        Meta(
            ge=0.0,
            le=60.0,
            description="least seconds between two commits; fewer spare an SD card, and what waits is in the journal",
        ),
    ] = 1.0
    exact: Annotated[
        bool,
        Meta(
            description="keep every bit of every value, at about six times the space; otherwise values are rounded far "
            "below their own noise once an hour of them is packed (decimals stay exact)"
        ),
    ] = False


class InfluxConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="influx"):
    """InfluxDB 1.x, 2.x or 3.x, or VictoriaMetrics, over HTTP."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^/@?\s]+(/[^?@\s]*)?$",
            description="base address without user or password, e.g. http://127.0.0.1:8086",
        ),
    ]
    api: Annotated[
        Literal["v2", "v1"],
        Meta(
            description="where lines are written: v2 is /api/v2/write (InfluxDB 1.8 and later, VictoriaMetrics), "
            "v1 is /write (older InfluxDB 1.x)"
        ),
    ] = "v2"
    reads: Annotated[
        Literal["influxql", "metricsql"],
        Meta(
            description="how charts are read: influxql from /query (InfluxDB), metricsql from /api/v1/query_range "
            "(VictoriaMetrics)"
        ),
    ] = "influxql"
    bucket: Annotated[str, Meta(min_length=1, description="bucket to write to; with v1 the database")] = "werkpuls"
    database: Annotated[
        str | None,
        Meta(description="database that /query reads, where its name is not the bucket's (InfluxDB 2.x: DBRP mapping)"),
    ] = None
    retention_policy: Annotated[
        str | None, Meta(description="retention policy within the database; none: the database's default")
    ] = None
    org: Annotated[str, Meta(description="organisation of InfluxDB 2.x; other servers ignore it")] = "-"
    username: Annotated[str | None, Meta(description="user name of InfluxDB 1.x; the token is then its password")] = (
        None
    )
    token_file: Annotated[Path | None, Meta(description="file with the token or password and nothing else")] = None
    token_env: Annotated[
        str | None, Meta(description="environment variable with the token or password, in place of a file")
    ] = None
    ca: Annotated[
        Path | None, Meta(description="certificate that signed the server's (PEM); none: the system's authorities")
    ] = None
    gzip: Annotated[bool, Meta(description="compress what is sent; worth it beyond the own computer")] = True
    batch_lines: Annotated[int, Meta(ge=1, le=50_000, description="most lines in one request")] = 5000
    timeout_s: Annotated[float, Meta(gt=0.0, le=50.0, description="longest wait for an answer, in seconds")] = 10.0
    settle_s: Annotated[
        float,
        Meta(
            ge=0.0,
            le=3600.0,
            description="how long the server may hold acknowledged points in memory only, in seconds: InfluxDB 0, "
            "VictoriaMetrics 30; so much is sent again after a broken connection",
        ),
    ] = 0.0
    history_days: Annotated[
        float, Meta(gt=0.0, le=36_500.0, description="the list of series shows those with points in so many days")
    ] = 30.0


StoreConfig: TypeAlias = EmbeddedConfig | InfluxConfig
