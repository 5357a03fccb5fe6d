"""Files that people take for recordings and that are not read: what each is, and what to do with it instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORKBOOK = "xl/workbook.xml"
"""The member of a zip file that makes it an Excel workbook; such are read."""
_CSV = "export the table as CSV"
_UNPACK = "unpack it first"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel or Office file; save it as .xlsx or CSV"),
    (b"MATLAB 7.3", "is an HDF5 file (MATLAB 7.3 saves those); in MATLAB, save it with '-v7'"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; save its table as CSV, NPY or Parquet"),
    (b"TDSm", f"is a TDMS file of LabVIEW; {_CSV}"),
    (b"TDSh", f"is a TDMS file of LabVIEW; {_CSV}"),
    (b"ARROW1", "is a Feather or Arrow file; save it as Parquet or CSV"),
    (b"MDF     ", f"is an MDF measurement file; {_CSV}"),
    (b"%PDF", f"is a PDF and no table; {_CSV}"),
    (b"Rar!", f"is a RAR archive; {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7-Zip archive; {_UNPACK}"),
    (b"BZh", f"is packed with bzip2; {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"is packed with xz; {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is packed with zstd; {_UNPACK}"),
    (b"SQLite format 3\x00", f"is a SQLite database; {_CSV}"),
    (b"RDX", "is a file of R; save its table as CSV"),
    (b"X\n\x00\x00\x00", "is a file of R; save its table as CSV"),
)
"""First bytes, as the formats' own specifications name them, and what is said of the file."""
_PICKLE = re.compile(rb"^\x80[\x02-\x05](\x95.{8})?[\x00-\xff]", re.DOTALL)
_JSON = re.compile(r"^\s*(\{\s*[\"}]|\[\s*[\[{\"\d\-\]])")
_ARFF = re.compile(r"^\s*(%.*\s+)*@relation\b", re.IGNORECASE)
_LINES = re.compile(r"^[\w.-]+(,[\w.-]+=[^\s,]+)* [\w.-]+=\S+ \d{10,19}\s")
_MARKUP = re.compile(r"^\s*<[!?a-zA-Z]")


def what_instead(head: bytes) -> str | None:
    """What a file is that is not read, and what to do instead; None where its first bytes (128 are enough) do not tell.

    >>> what_instead(b"TDSm" + bytes(20)), what_instead(b"time;value")
    ('is a TDMS file of LabVIEW; export the table as CSV', None)
    """
    for start, said in _SIGNATURES:
        if head.startswith(start):
            return said
    if head[257:262] == b"ustar":
        return f"is a tar archive; {_UNPACK}"
    if _PICKLE.match(head) and b"\x00" in head:
        return "holds Python objects, which are not read for safety"
    return None


def text_instead(text: str) -> str | None:
    """The same of text.

    >>> text_instead('{"a": [1, 2]}'), text_instead("[Logger]"), text_instead("<html>")
    ('is JSON and no table; save it as CSV', None, 'is XML or HTML and no table; save it as CSV')
    """
    if _JSON.match(text):
        return "is JSON and no table; save it as CSV"
    if _ARFF.match(text):
        return "is an ARFF file; save its table as CSV"
    if _LINES.match(text):
        return "is InfluxDB's line protocol and no table; export the table as CSV"
    return "is XML or HTML and no table; save it as CSV" if _MARKUP.match(text) else None


def office_instead(members: Sequence[str]) -> str | None:
    """The same of a zip file with such members.

    >>> office_instead(["mimetype", "content.xml"]), office_instead(["run1.csv"])
    ('is an OpenDocument file; save its table as .xlsx or CSV', None)
    """
    if "[Content_Types].xml" in members:
        return "is an Office file without a table that is read; save its table as .xlsx or CSV"
    if {"mimetype", "content.xml"} <= set(members):
        return "is an OpenDocument file; save its table as .xlsx or CSV"
    return None
