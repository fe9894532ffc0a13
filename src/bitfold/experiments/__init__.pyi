from bitfold.experiments.coded_run import CodedRun
from bitfold.experiments.comparison.page import RunComparison, compare_runs
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
from bitfold.experiments.quality import (
    Quality,
    QualityMeter,
    measure_quality,
    spread_pixels,
)
from bitfold.experiments.reports.page import Report, write_report
from bitfold.experiments.run_coding import code_run
from bitfold.experiments.run_summary import PolytopeCount, count_polytopes, decoded_psnr_db
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayPlace
from bitfold.experiments.sweeps.events import (
    MemberAdvanced,
    MemberEnded,
    MemberStarted,
    SweepEvent,
    SweepListener,
    SweepStarted,
)
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.merging import merge_sweeps
from bitfold.experiments.sweeps.plans.member import Member
from bitfold.experiments.sweeps.plans.written_values import parse_variation, read_plan
from bitfold.experiments.sweeps.record import SweepRecord, read_sweep_record
from bitfold.experiments.sweeps.sweep import Sweep, load_sweep, sweep
from bitfold.experiments.sweeps.table import SweepTable
from bitfold.runtime.display.decibels import psnr_text

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
    "Member",
    "MemberAdvanced",
    "MemberEnd",
    "MemberEnded",
    "MemberStarted",
    "PartitionLook",
    "PictureFile",
    "PictureSettings",
    "PointEnded",
    "PointStarted",
    "PolytopeCount",
    "Quality",
    "QualityMeter",
    "RayPlace",
    "Report",
    "Rival",
    "RunComparison",
    "SearchEvent",
    "SearchListener",
    "Sweep",
    "SweepEvent",
    "SweepListener",
    "SweepRecord",
    "SweepStarted",
    "SweepTable",
    "Trial",
    "TrialEnded",
    "TrialStarted",
    "check_ending",
    "check_picture_name",
    "code_run",
    "compare_picture",
    "compare_runs",
    "compress_picture",
    "count_polytopes",
    "decoded_psnr_db",
    "demo_config",
    "draw_frontier",
    "draw_network",
    "draw_picture",
    "frontier",
    "load_frontier",
    "load_sweep",
    "measure_quality",
    "merge_sweeps",
    "pareto_front",
    "parse_variation",
    "picture_settings",
    "psnr_text",
    "read_picture_network",
    "read_plan",
    "read_sweep_record",
    "resume",
    "spread_pixels",
    "sweep",
    "train",
    "write_clip",
    "write_partition",
    "write_report",
]
