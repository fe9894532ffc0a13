"""Tasks and reports as lines of JSON, between a sweep and the processes of its members."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from bitfold.experiments.sweeps.engines.engine import Advanced, Finished, Report
from bitfold.experiments.sweeps.member_end import MemberEnd, parse_end
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from bitfold.training import config_from_mapping, settings_mapping


def task_line(task: MemberTask) -> bytes:
    """Return a line that orders a member."""
    content = {
        "name": task.name,
        "settings": settings_mapping(task.config),
        "writes_file": task.writes_file,
    }
    return _line({"task": content})


def stop_line(reason: str, exit_code: int) -> bytes:
    """Return a line that asks the member to end."""
    return _line({"stop": {"reason": reason, "exit_code": exit_code}})


def parse_order(line: bytes) -> MemberTask | tuple[str, int]:
    """Return a task, or reason and exit code of a stop."""
    content = json.loads(line)
    if "stop" in content:
        return content["stop"]["reason"], content["stop"]["exit_code"]
    task = content["task"]
    config = config_from_mapping(task["settings"], place="the order of a sweep")
    return MemberTask(task["name"], config, task["writes_file"])


def report_line(report: Report) -> bytes:
    """Return a line that reports how far a member is."""
    if isinstance(report, Advanced):
        return _line({"advanced": asdict(report)})
    if isinstance(report.end, MemberEnd):
        return _line({"name": report.name, "ended": report.end.as_json()})
    return _line({"name": report.name, "stopped": asdict(report.end)})


def parse_report(line: bytes) -> Report:
    """Return the report of a line.

    Raises:
        ValueError, TypeError, KeyError: the line is none: the process is broken.
    """
    content = json.loads(line)
    if "advanced" in content:
        return Advanced(**content["advanced"])
    if "ended" in content:
        return Finished(content["name"], parse_end(content["ended"]))
    return Finished(content["name"], MemberStopped(**content["stopped"]))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False).encode() + b"\n"
