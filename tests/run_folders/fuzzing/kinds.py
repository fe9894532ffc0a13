"""Changes that strangers make to each kind of folder, and to files that only some runs have."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bitfold.training import RunFolder
from tests.run_folders.fuzzing.file_contents import contents
from tests.run_folders.fuzzing.mutations import (
    DEEP,
    Stranger,
    change_arrays,
    change_bytes,
    change_checkpoint,
    change_config,
    change_metrics,
    change_places,
    change_trajectory,
    special,
)

_SETTINGS = (
    "learning_rate", "kolmogorov_weight", "epochs", "optimizer", "batch_size", "points", "shape",
    "snapshot_dir", "checkpoint_dir", "log_file", "output_dir", "device", "threads", "frame_size",
)  # fmt: skip


def change_status(stranger: Stranger) -> str:
    """Change the status."""
    path, chance = stranger.folder / "run.json", stranger.chance
    found = json.loads(contents(path))
    names = (*found, "parent", "parent_epoch", "replay_of")  # names of branches and replays
    found[chance.choice(sorted(names))] = stranger.value()
    text = chance.choice((json.dumps(found), json.dumps(stranger.value()), "[" * DEEP))
    path.write_text(text)
    return text[:60]


def change_changes(stranger: Stranger) -> str:
    """Change, add or repeat a line of ``changes.jsonl``, which only some runs have."""
    path, chance = stranger.folder / "changes.jsonl", stranger.chance
    lines = contents(path).decode().splitlines() if path.exists() else []
    usual = {"epoch": 3, "settings": {"learning_rate": 0.1}, "before": {"learning_rate": 0.001}}
    number = chance.randrange(len(lines) + 1)
    line: dict[str, Any] = json.loads(lines[number]) if number < len(lines) else usual
    name, setting = chance.choice(sorted({*line, "target", "split"})), chance.choice(_SETTINGS)
    value = stranger.value()
    hostile: tuple[Callable[[], str], ...] = (
        lambda: json.dumps({**line, name: value}),
        lambda: json.dumps({**line, "settings": {setting: value}, "before": {setting: 1}}),
        lambda: json.dumps({**line, "settings": {setting: 0.5}, "before": {setting: value}}),
        lambda: json.dumps({**line, "epoch": chance.choice((0, 1, 4, 10**9, 2**52, 2**80))}),
        lambda: json.dumps({**line, "target": chance.choice((1, 2, 10**4, 2**50))}),
        lambda: json.dumps({**line, "split": chance.choice((1, 2, 10**4, 2**50))}),
        lambda: json.dumps({**line, stranger.word(): 1}),
        lambda: "[" * DEEP,
        lambda: "\n".join([json.dumps(line)] * chance.choice((3, 2000, 60_000))),
        lambda: "",
        lambda: "x" * 10**6,
    )
    lines[number : number + 1] = [chance.choice(hostile)()]
    end = chance.choice(("\n", "\n", "\n", ""))  # a torn last line counts as no change
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return f"line {number + 1}: {lines[number][:100]}"


def change_frontier(stranger: Stranger) -> str:
    """Change a field of ``frontier.json``, or of one of its networks."""
    path, chance = stranger.folder / "frontier.json", stranger.chance
    found = json.loads(contents(path))
    point: dict[str, Any] = found["points"][0]
    name: str
    places = ("../outside", str(stranger.outside / "taken"), "bits:1/../../outside", "a/b", "..")
    match chance.randrange(9):
        case 0 | 1:
            name = chance.choice(sorted(point))
            point[name] = chance.choice((stranger.value(), chance.choice(places)))
        case 2:
            name = chance.choice(sorted(found))
            found[name] = stranger.value()
        case 3:
            name = chance.choice(("kolmogorov_weights", "seeds"))
            found[name] = [*found[name], chance.choice((stranger.value(), *places))]
        case 4 | 5:
            name = chance.choice(sorted(found["settings"]))
            found["settings"][name] = chance.choice((stranger.value(), *places))
        case 6:
            name = chance.choice(("num_bytes", "error"))
            found["wanted"][name] = stranger.value()
        case 7:
            name = "points"
            found["points"] = found["points"] * chance.choice((0, 2, 3000))
        case _:
            name = "everything"
            path.write_text("[" * DEEP)
            return name
    path.write_text(json.dumps(found), encoding="utf-8")
    return name


def change_network(stranger: Stranger) -> str:
    """Change the run of one of the networks of a frontier."""
    runs = sorted(p for p in stranger.folder.iterdir() if RunFolder(p).is_run())
    inner = Stranger(stranger.chance.choice(runs), stranger.outside, stranger.chance)
    inner.mutate(OF_RUNS)
    return "; ".join(inner.done)


#: The changes of a run's folder; a kind that is listed more often is chosen more often.
OF_RUNS = (
    change_config, change_config, change_places, change_metrics, change_metrics, change_trajectory,
    change_trajectory, change_checkpoint, change_checkpoint, change_arrays, change_status,
    change_changes, change_changes, change_bytes, special, special, special,
)  # fmt: skip
#: The changes of a frontier's folder, chosen likewise.
OF_FRONTIERS = (change_frontier, change_frontier, change_network)
