from bitfold.experiments.demo import DEMO, demo_config
from bitfold.experiments.frontiers.figure import draw_frontier
from bitfold.experiments.frontiers.frontier import Frontier, frontier, load_frontier
from bitfold.experiments.frontiers.record import FrontierPoint, FrontierRecord, pareto_front
from bitfold.experiments.frontiers.training import (
    FrontierEvent,
    FrontierListener,
    PointEnded,
    PointStarted,
)
from bitfold.experiments.goal import Goal
from bitfold.experiments.interactive import resume, train
from bitfold.experiments.network_picture import (
    check_picture_name,
    draw_network,
    draw_picture,
    read_picture_network,
    write_clip,
)
from bitfold.experiments.partition_output import PartitionLook, check_ending, write_partition
from bitfold.experiments.picture_settings import PictureSettings, picture_settings
from bitfold.experiments.pictures.comparison import Comparison, Rival, compare_picture
from bitfold.experiments.pictures.record import Trial
from bitfold.experiments.pictures.search import (
    PictureFile,
    SearchEvent,
    SearchListener,
    TrialEnded,
    TrialStarted,
    compress_picture,
)
from bitfold.experiments.quality import Quality, QualityMeter, measure_quality, spread_pixels
from bitfold.experiments.reports.page import Report, write_report
from bitfold.experiments.run_coding import CodedRun, code_run
from bitfold.experiments.run_summary import PolytopeCount, count_polytopes, decoded_psnr_db

__all__ = [
    "DEMO",
    "CodedRun",
    "Comparison",
    "Frontier",
    "FrontierEvent",
    "FrontierListener",
    "FrontierPoint",
    "FrontierRecord",
    "Goal",
    "PartitionLook",
    "PictureFile",
    "PictureSettings",
    "PointEnded",
    "PointStarted",
    "PolytopeCount",
    "Quality",
    "QualityMeter",
    "Report",
    "Rival",
    "SearchEvent",
    "SearchListener",
    "Trial",
    "TrialEnded",
    "TrialStarted",
    "check_ending",
    "check_picture_name",
    "code_run",
    "compare_picture",
    "compress_picture",
    "count_polytopes",
    "decoded_psnr_db",
    "demo_config",
    "draw_frontier",
    "draw_network",
    "draw_picture",
    "frontier",
    "load_frontier",
    "measure_quality",
    "pareto_front",
    "picture_settings",
    "read_picture_network",
    "resume",
    "spread_pixels",
    "train",
    "write_clip",
    "write_partition",
    "write_report",
]
