"""A certificate, its key and the node's name that do not belong together are told before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.nodes import write_node

from edge.config import read_node
from edge.doctor.examine import _config
from werkpuls.certificates import Authority
from werkpuls.edge import check
from werkpuls.words import Words


def written(folder: Path, cert: str, key: str) -> Path:
    authority = Authority.create(folder / "tls")
    for name in ("pi", "mixer-pi"):
        authority.issue_client(name)
    path = write_node(folder, "mixer-1")
    tls = (
        f'host = "gateway.local"\nport = 8883\ntls = true\nca = "tls/ca.crt"\ncert = "tls/{cert}"\nkey = "tls/{key}"\n'
    )
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition("[mqtt]\n")
    after = rest[rest.index("\n[") :]
    path.write_text(f"{before}[mqtt]\n{tls}{after}", encoding="utf-8")
    assert read_node(path).options.node == "pi"
    return path


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("pi.crt", "mixer-pi.key", "mixer-pi.key is not the key of the certificate"),
        ("mixer-pi.crt", "mixer-pi.key", 'is the certificate of "mixer-pi", but node = "pi"'),
        ("pi.crt", "pi.key", ""),
    ],
)
def test_certificate_key_and_name_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cert: str, key: str, said: str
) -> None:
    path = written(tmp_path, cert, key)
    assert check(path, Words("en")) == (2 if said else 0)
    assert said in capsys.readouterr().err
    config, (told,) = _config(path)
    assert config is not None, "the rest is examined all the same"
    assert (told.code, said in told.values.get("error", "")) == (("wrong", True) if said else ("good", not said))
