"""Files that commands are given as photos: what can be read is, and of what cannot it is said what it is."""

from __future__ import annotations

import io
import json
import os
import struct
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from support.trays import photo

from edge.vision.decode import MAX_PIXELS, Unreadable, decode
from werkpuls import cli, pictures


def png() -> bytes:
    done, data = cv2.imencode(".png", photo("good", 1)[:64, :64])
    assert done
    return bytes(data)


def test_what_follows_the_end_of_a_png_is_no_part_of_it() -> None:
    assert np.array_equal(decode(png() + bytes(500), "a.png"), decode(png(), "a.png"))


@pytest.mark.parametrize("kept", [20, 200, -1, -12, -13])
def test_a_png_that_is_cut_short_is_refused(kept: int) -> None:
    with pytest.raises(Unreadable, match="ends in the middle"):
        decode(png()[:kept], "a.png")


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


@cache
def drawn() -> NDArray[np.uint8]:
    return photo("good", 1)


def tray() -> Image.Image:
    return Image.fromarray(drawn()[..., ::-1])


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "webp": ("WEBP", {"quality": 95}),
    "webp, lossless": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff, lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "tiff, packbits": ("TIFF", {"compression": "packbits"}),
    "tiff, jpeg": ("TIFF", {"compression": "jpeg", "quality": 95}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_is_the_same_in_every_format_that_is_read_and_refused_where_it_is_cut_short(kind: str) -> None:
    data = saved(tray(), KINDS[kind][0], **KINDS[kind][1])
    seen = decode(data, "a")
    assert np.abs(seen.astype(int) - drawn()).mean() < 3
    for kept in (6, 20, len(data) // 2, len(data) - 30):
        with pytest.raises(Unreadable):
            decode(data[:kept], "a")


def test_grey_palette_cmyk_and_16_bit_tiffs_are_read() -> None:
    for mode in ("L", "P", "CMYK"):
        assert decode(saved(tray().convert(mode), "TIFF"), "a").shape == drawn().shape
    deep = bytes(cv2.imencode(".tiff", drawn().astype(np.uint16) * 257)[1])
    assert np.array_equal(decode(deep, "a"), drawn())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(kind: str) -> None:
    image = tray()
    image.putalpha(0)
    image.paste((10, 200, 30, 255), (0, 0, 32, 32))
    image.paste((0, 0, 0, 128), (32, 0, 64, 32))
    seen = decode(saved(image, kind, lossless=True), "a")
    assert (seen[-1, -1], seen[5, 5].tolist()) == (pytest.approx(255), [30, 200, 10])
    assert seen[5, 40] == pytest.approx(127, abs=1)
    large = image.resize((2000, 1500))
    assert decode(saved(large, kind, lossless=True), "a").shape == (750, 1000, 3)


def test_a_16_bit_tiff_with_transparency_is_white_below_it() -> None:
    deep = np.full((64, 64, 4), (10 * 257, 200 * 257, 30 * 257, 65535), np.uint16)
    deep[32:, :, 3] = 0
    data = bytes(cv2.imencode(".tiff", deep)[1])
    # OpenCV writes no word of what its fourth channel is.
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    fields = data[at + 2 : at + 2 + 12 * count] + struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    longer = data + struct.pack("<H", count + 1) + fields + bytes(4)
    seen = decode(longer[:4] + struct.pack("<I", len(data)) + longer[8:], "a")
    assert seen[[5, -1], 5].tolist() == [[10, 200, 30], [255, 255, 255]]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), *((kind, mode) for kind in ("PNG", "WEBP", "TIFF") for mode in ("RGB", "RGBA"))],
)
def test_a_photo_is_turned_as_its_exif_says_in_every_format_and_with_transparency(kind: str, mode: str) -> None:
    marked = Image.new(mode, (90, 60), (255, 255, 255, 200)[: len(mode)])
    marked.paste((200, 0, 0, 255)[: len(mode)], (0, 0, 30, 20))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(marked, kind, exif=exif.tobytes(), **({"lossless": True} if kind == "WEBP" else {}))
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))[..., ::-1]
        seen = decode(data, "a")
        assert seen.shape == expected.shape
        assert np.abs(seen.astype(int) - expected).mean() < 2, orientation


def several(kind: str) -> bytes:
    return saved(tray(), kind, save_all=True, append_images=[tray().rotate(90)])


def tag(data: bytes, number: int, value: int) -> bytes:
    """A TIFF whose first page has another value in one of its fields."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    places = (at + 2 + 12 * k for k in range(count))
    place = next(each for each in places if struct.unpack_from("<H", data, each) == (number,))
    return data[: place + 2] + struct.pack("<HII", 4, 1, value) + data[place + 12 :]


def test_an_animation_several_pages_and_what_would_take_all_memory_are_refused() -> None:
    tiff = saved(tray(), "TIFF")
    with pytest.raises(Unreadable, match="an animation"):
        decode(several("WEBP"), "a")
    with pytest.raises(Unreadable, match="several pages"):
        decode(several("TIFF"), "a")
    for width in (256, 257):
        with pytest.raises(Unreadable, match="at most 60000000"):
            decode(tag(tiff, width, 4_000_000), "a")
    webp = bytearray(saved(tray(), "WEBP", lossless=True))
    webp[21:25] = b"\xff\xff\xff\x0f"
    with pytest.raises(Unreadable, match="16384 × 16384 pixels"):
        decode(bytes(webp), "a")
    bmp = bytearray(saved(tray(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, -100_000)
    with pytest.raises(Unreadable):
        decode(bytes(bmp), "a")


def test_a_tiff_that_never_ends_or_is_packed_unusually_is_refused() -> None:
    tiff = saved(tray(), "TIFF")
    (at,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, at)
    following = at + 2 + 12 * count
    with pytest.raises(Unreadable, match="several pages"):
        decode(tiff[:following] + struct.pack("<I", at) + tiff[following + 4 :], "a")
    for number, value in ((258, 1), (259, 4), (262, 32803), (277, 9), (284, 2)):
        with pytest.raises(Unreadable, match="its packing"):
            decode(tag(tiff, number, value), "a")
    for mode in ("1", "F"):
        with pytest.raises(Unreadable, match="its packing"):
            decode(saved(tray().convert(mode), "TIFF"), "a")


@cache
def little(kind: str) -> bytes:
    return saved(tray().resize((64, 48)), KINDS[kind][0], **KINDS[kind][1])


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
)
def test_damage_in_a_header_is_refused_or_read_and_never_more(kind: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(little(kind))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        seen = decode(bytes(data), "a")
    except Unreadable:
        return
    assert seen.dtype == np.uint8
    assert seen.shape[2] == 3
    assert seen.size <= 3 * MAX_PIXELS


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GIF89a" + bytes(20), "the format GIF is not read; save it as JPEG or PNG"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "iPhone: Settings, Camera, Formats, Most Compatible"),
        (b"\0\0\0\x18ftypavif" + bytes(40), "the format AVIF is not read"),
        (b"text that is called a picture", "no JPEG, PNG, WebP, BMP or TIFF"),
        (b"", "no JPEG, PNG, WebP, BMP or TIFF"),
    ],
)
def test_of_what_is_not_read_is_said_what_it_is_and_what_to_do(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        decode(data, "IMG_1.HEIC")


def test_a_pipe_is_not_waited_for_and_a_folder_is_no_photo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "Größe 1.JPG").write_bytes(bytes(cv2.imencode(".jpg", photo("good", 1))[1]))
    told = {each.path.name: each.problem for each in pictures.photos([tmp_path])}
    assert set(told) == {"pipe.jpg", "loop.jpg", "Größe 1.JPG"}
    assert told["pipe.jpg"] == f"{tmp_path}/pipe.jpg: no file"
    assert "cannot be read" in told["loop.jpg"]
    assert told["Größe 1.JPG"] == ""


def test_pictures_of_photos_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    for number, name in enumerate(("a/x.png", "b/x.png", "b/x.jpg")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), photo("good", number))
    words = ["classify", *(str(tmp_path / each) for each in ("a", "b")), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == ["x-2.graded.png", "x-3.graded.png", "x.graded.png"]
    assert len({path.read_bytes() for path in made}) == 3


def test_of_a_photo_without_colour_it_is_told_and_of_others_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tray = photo("good", 1)
    cv2.imwrite(str(tmp_path / "colour.jpg"), tray)
    cv2.imwrite(str(tmp_path / "grey.jpg"), cv2.cvtColor(tray, cv2.COLOR_BGR2GRAY))
    for words in (["classify", str(tmp_path), "--json"], ["teach", str(tmp_path / "p"), "--good", str(tmp_path)]):
        assert cli.main(words) == 0
        told = [line for line in capsys.readouterr().err.splitlines() if pictures.WITHOUT_COLOUR in line]
        assert told == [f"{tmp_path}/grey.jpg: {pictures.WITHOUT_COLOUR}"]


def test_a_name_that_is_no_text_is_written_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / os.fsdecode(b"tray\xff.png")).write_bytes(bytes(cv2.imencode(".png", photo("good", 1))[1]))
    assert cli.main(["classify", str(tmp_path), "--json"]) == 0
    (line,) = capsys.readouterr().out.encode("utf-8").splitlines()
    assert json.loads(line)["image"] == f"{tmp_path}/tray\ufffd.png"
    assert cli.main(["classify", str(tmp_path)]) == 0
    assert "tray\ufffd.graded.png" in capsys.readouterr().out
