"""PNGs with much text, as generators of pictures write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bitfold.targets import load_target
from bitfold.targets.picture import ORIENTATION_TAG


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "iCCP"])
def test_long_texts_in_a_png_are_ignored(tmp_path: Path, kind: str) -> None:
    """A PNG with megabytes of workflow or colour profile is the same picture as without them."""
    picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    texts, more = PngInfo(), dict[str, Any]()
    for number in range(3):
        text = f"{number}" * 3_000_000
        if kind == "iTXt":
            texts.add_itxt(f"workflow {number}", text, zip=True)
        elif kind == "iCCP":
            more["icc_profile"] = text.encode()
        else:
            texts.add_text(f"workflow {number}", text, zip=kind == "zTXt")
    picture.save(tmp_path / "plain.png")
    picture.save(tmp_path / "long.png", pnginfo=texts, **more)
    assert (tmp_path / "long.png").read_bytes().count(kind.encode()) >= 1
    plain, long = (load_target(str(tmp_path / name)) for name in ("plain.png", "long.png"))
    assert np.array_equal(plain.picture(), long.picture())


@pytest.mark.parametrize("where", ["XML:com.adobe.xmp", "Raw profile type exif"])
def test_orientation_in_a_text_of_a_png_is_obeyed(tmp_path: Path, where: str) -> None:
    """A quarter turn that only a text of a PNG tells is obeyed."""
    texts, exif = PngInfo(), Image.Exif()
    exif[ORIENTATION_TAG] = 6
    if where.startswith("XML"):
        texts.add_itxt(where, '<rdf:Description tiff:Orientation="6"/>')
    else:
        data = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        texts.add_text(where, f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    Image.new("L", (6, 4)).save(tmp_path / "a.png", pnginfo=texts)
    assert load_target(str(tmp_path / "a.png"), task="regression").picture().shape[:2] == (6, 4)
