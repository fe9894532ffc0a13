"""`compress_picture`: a search for a small file that can be stopped, and its page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.errors import ConfigError
from bitfold.experiments import Goal, SearchEvent, TrialEnded, compare_picture, compress_picture
from bitfold.experiments.pictures.opponents import opponents
from bitfold.experiments.pictures.plan import next_trial
from bitfold.experiments.pictures.record import EXACT_DB, SearchRecord, Trial, read_search
from bitfold.experiments.pictures.search import _config
from bitfold.experiments.pictures.similarity import psnr_db, ssim
from bitfold.training import EpochEnded


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a drawing of two colours, wider than high."""
    pixels = np.full((16, 24, 3), 230, np.uint8)
    pixels[4:12, 6:18] = (200, 30, 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_search_ends_with_the_best_file_within_the_size(picture: Path) -> None:
    """The best file has at most the wanted bytes and decodes to the picture that is measured."""
    output = picture.parent / "a.bitfold"
    found = compress_picture(picture, output, Goal(num_bytes=150), 0.05)
    assert found.exit_code == 0
    assert found.best is not None
    assert found.best.task == "classification"  # two flat colours
    assert output.stat().st_size == found.best.num_bytes
    assert found.reaches_goal == (found.best.size <= 150)
    quality = psnr_db(found.original, found.decoded())
    assert min(quality, EXACT_DB) == pytest.approx(found.best.psnr_db)
    assert found.best.quality_db == max(
        trial.quality_db for trial in found.record.done if trial.size <= 150
    )
    assert np.array_equal(np.asarray(Image.open(found.folder / "picture.png")), found.decoded())
    comparison = compare_picture(found)
    page = picture.parent / "a.html"
    comparison.write_page(page)
    text = page.read_text(encoding="utf-8")
    assert "data:image/png" in text
    assert "http" not in text.replace('http-equiv="Content', "")
    assert f"{found.best.num_bytes} bytes" in text


@pytest.mark.slow
def test_a_stopped_search_goes_on(picture: Path) -> None:
    """An interrupted search keeps its record, and the same call trains only the other trials."""
    output = picture.parent / "a.bitfold"
    ended: list[int] = []

    def interrupt(event: SearchEvent) -> None:
        if isinstance(event, TrialEnded):
            ended.append(event.number)
        if len(ended) == 1 and isinstance(event, EpochEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress_picture(picture, output, Goal(num_bytes=150), 0.05, listeners=[interrupt])
    before = read_search(output.with_name("a.bitfold.search"))
    assert before is not None
    assert [trial.is_done for trial in before.trials] == [True, False]
    assert output.stat().st_size == before.trials[0].num_bytes
    found = compress_picture(picture, output, Goal(num_bytes=150), 0.05)
    assert found.record.trials[0] == before.trials[0]
    assert all(trial.is_done for trial in found.record.trials)


def test_another_goal_is_another_search(picture: Path) -> None:
    """A search in the folder of a search for another size is refused."""
    output = picture.parent / "a.bitfold"
    folder = picture.parent / "a.bitfold.search"
    folder.mkdir()
    SearchRecord(str(picture), Goal(num_bytes=150), 1.0).write(folder)
    with pytest.raises(ConfigError, match="the same picture and goal"):
        compress_picture(picture, output, Goal(num_bytes=151), 1.0)


@pytest.mark.parametrize(("goal", "minutes"), [(Goal(num_bytes=3), 1), (Goal(), 0), (Goal(), -1)])
def test_what_no_search_can_do_is_refused(picture: Path, goal: Goal, minutes: float) -> None:
    """A size of three bytes, and a time of zero, are refused."""
    with pytest.raises(ConfigError, match="expected"):
        compress_picture(picture, picture.parent / "a.bitfold", goal, minutes)
    assert not (picture.parent / "a.bitfold.search").exists()


def done(record: SearchRecord, size: int, quality_db: float) -> SearchRecord:
    """Return the record after its next trial had this outcome."""
    trial = next_trial(record, 2**16)
    assert trial is not None
    fields = {**vars(trial), "num_bytes": size, "psnr_db": quality_db}
    return record.with_trial(Trial(**fields))


def test_a_plan_uses_the_minutes_up() -> None:
    """A plan tries several kinds, then the best kind for longer, within the given minutes."""
    record = SearchRecord("a.png", Goal(num_bytes=2000), 10.0)
    for quality_db in (24.0, 26.0, 23.0):
        record = done(record, 2000, quality_db)
    best = record.trials[1].encoding
    while next_trial(record, 2**16) is not None:
        record = done(record, 2000, 26.0)
    assert record.spent_minutes == pytest.approx(10.0)
    assert len({trial.encoding for trial in record.trials[:3]}) == 3
    assert all(trial.encoding == best for trial in record.trials[3:])
    assert record.trials[-1].minutes >= 4


def test_a_plan_goes_on_from_the_nearest_size() -> None:
    """The last lambda is that of the nearest trial, moved by what two trials of the kind showed.

    The first trial of the kind is so much smaller than wanted that by a rule of thumb it would
    have the better picture at that size.
    """
    record = SearchRecord("a.png", Goal(num_bytes=2457), 10.0)
    for quality_db in (27.0, 28.0, 30.0):
        record = done(record, 1117, quality_db)
    record = done(record, 1951, 31.3)
    first, second = record.trials[2:]
    last = next_trial(record, 2**16)
    assert last is not None
    assert last.target_bits is None  # nothing is known of K's bits
    assert last.shape == second.shape == first.shape
    exponent = math.log(first.kolmogorov_weight / second.kolmogorov_weight) / math.log(1951 / 1117)
    expected = second.kolmogorov_weight * (1951 / (0.95 * 2457)) ** exponent
    assert last.kolmogorov_weight == pytest.approx(expected, rel=0.01)


def test_a_long_trial_of_grids_is_trained_for_bits() -> None:
    """It aims at the bits that K takes for a file of nearly the wanted size."""
    record = SearchRecord("a.png", Goal(num_bytes=2000), 10.0)
    for quality_db in (27.0, 30.0, 28.0):
        record = done(record, 1600, quality_db)
    record = done(record, 1900, 31.0)
    told = replace(record.trials[-1], trained_bits=20_000.0)
    last = next_trial(replace(record, trials=(*record.trials[:-1], told)), 2**16)
    assert last is not None
    assert last.target_bits == round(20_000 * 0.96 * 2000 / 1900)
    assert _config("a.png", last, Path("run")).kolmogorov_weight == f"bits:{last.target_bits}"
    assert _config("a.png", told, Path("run")).kolmogorov_weight == told.kolmogorov_weight
    few = replace(told, trained_bits=900.0)  # most of which may not depend on lambda
    last = next_trial(replace(record, trials=(*record.trials[:-1], few)), 2**16)
    assert last is not None
    assert last.target_bits is None


def test_an_exact_file_reaches_every_quality() -> None:
    """Records hold at most `EXACT_DB`; a goal beyond it is reached by equal pictures alone."""
    record = SearchRecord("a.png", Goal(psnr_db=120.0), 10.0)
    trial = Trial("[8]", "none", 1e-3, 1.0, num_bytes=90, psnr_db=EXACT_DB)
    assert record.reaches(trial)
    nearly = replace(trial, psnr_db=EXACT_DB - 0.01)
    assert not record.reaches(nearly)
    assert (trial.quality_text, nearly.quality_text) == ("exact", "99.99 dB")


def test_a_plan_for_a_quality_moves_the_size() -> None:
    """If a file is better than wanted, the next trial's network is smaller."""
    widths = []
    for quality_db in (24.0, 34.0):
        record = SearchRecord("a.png", Goal(psnr_db=28.0), 10.0)
        for _ in range(3):
            record = done(record, 2000, quality_db)
        trial = next_trial(record, 2**16)
        assert trial is not None
        widths.append(int(trial.shape[1:].partition("]")[0]))
    assert widths[0] > widths[1]


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    """A record of another version, or with texts for numbers, is refused."""
    SearchRecord("a", Goal(num_bytes=99), 1.0, (Trial("[2]", "none", 0.1, 1.0),)).write(tmp_path)
    path = tmp_path / "picture.json"
    whole = json.loads(path.read_text())
    changes: list[dict[str, object]] = [{"version": 9}, {"best": 5}, {"minutes": None}]
    changes += [{"trials": [{**whole["trials"][0], name: "many"}]} for name in ("minutes", "task")]
    for change in changes:
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(Exception, match="expected the record of a search"):
            read_search(tmp_path)


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    """SSIM is 1 for equal pictures and falls as noise grows."""
    random = np.random.default_rng(0)
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[:, None, None], 60, 1)
    one = np.repeat(ramp, 3, 2)
    small, large = (
        (one + random.integers(0, most, one.shape)).astype(np.uint8) for most in (4, 15)
    )
    assert ssim(one, one) == pytest.approx(1)
    assert 1 > ssim(one, small) > ssim(one, large) > 0
    assert psnr_db(one, one) == math.inf


def test_opponents_fit_the_size() -> None:
    """Each other format's file is within the size, or absent."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    found = opponents(pixels, 1500)
    assert any(one.data for one in found)
    for one in found:
        assert one.data is None or len(one.data) <= 1500
        assert (one.data is None) == (one.pixels is None)
    assert all(one.data is None for one in opponents(pixels, 20))
