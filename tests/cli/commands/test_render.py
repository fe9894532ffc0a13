"""`bitfold render`: a run's frames and video, drawn again or in another style."""

from pathlib import Path

from PIL import Image

from bitfold.cli.main import main
from tests.cli.command_runs import num_video_frames


def test_render_draws_again_otherwise(trained: Path, tmp_path: Path) -> None:
    """Other sizes, windows and single epochs are drawn elsewhere; the run's own frames stay."""
    before = (trained / "video.mp4").read_bytes()
    output = tmp_path / "other"
    window = ["--window", "-0.1", "-0.1", "0.1", "0.1"]
    assert main(["render", str(trained), "--frame-size", "96", "-o", str(output), *window]) == 0
    assert num_video_frames(output / "video.mp4") >= 3
    single = tmp_path / "one.png"
    arguments = ["--epoch", "2", "--layout", "folds", "--frame-size", "100", "-o", str(single)]
    assert main(["render", str(trained), *arguments]) == 0
    with Image.open(single) as picture:
        assert picture.size == (100, 100)
    assert (trained / "video.mp4").read_bytes() == before


def test_render_completes_what_is_missing(trained: Path) -> None:
    """Without options, the run's missing video and frames are drawn."""
    (trained / "video.mp4").unlink()
    next((trained / "snapshots").iterdir()).unlink()
    assert main(["render", str(trained), "--quiet"]) == 0
    moments = len(list((trained / "snapshots").glob("frame-*.png")))
    assert num_video_frames(trained / "video.mp4") == moments
