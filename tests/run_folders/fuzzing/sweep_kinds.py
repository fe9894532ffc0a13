"""Which changes strangers make to the folders of sweeps, and to plan files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from tests.run_folders.fuzzing.file_contents import contents
from tests.run_folders.fuzzing.kinds import change_network
from tests.run_folders.fuzzing.mutations import DEEP, SPARSE_BYTES, Stranger

RECORD = "sweep.json"
_HOSTILE_NAMES = (
    "../outside", "..", ".", "a/b", "sweep.json", "sweep.csv", ".lock", "é" * 150, "a" * 200,
    "é" * 100, "\x1b[2J", "x.bitfold", "con", "a b", "~", "-o", "",
)  # fmt: skip
_STATUSES = ("completed", "crashed", "killed", "error", "finite", "audit", "", "[/red]", "\x1b[2J")
# What takes long is asked for, and no fault: these stay as they are.
_LONG = ("epochs", "minutes")
_PLANS = ("plan.csv", "plan.toml")
_RANGES = ("0:10000000", "-9:9:0", "0:" + "9" * 18, "0:1:", "9" * 5000)


def change_sweep(stranger: Stranger) -> str:
    """Change a field of ``sweep.json``."""
    path, chance = stranger.folder / RECORD, stranger.chance
    record = json.loads(contents(path))
    change = chance.choice((_whole, _setting, _setting, _member, _end, _end, _metric, _varied))
    note = change(stranger, record)
    path.write_text(json.dumps(record), encoding="utf-8")
    return f"{change.__name__.strip('_')} {note}"


def many_members(stranger: Stranger) -> str:
    """Give ``sweep.json`` thousands of members, settings or values."""
    path, chance = stranger.folder / RECORD, stranger.chance
    record = json.loads(contents(path))
    first = record["members"][0]
    kind = chance.randrange(5)
    if kind < 2:
        number = (1000, 25_000)[kind]
        record["members"] = [{**first, "name": f"m{index}"} for index in range(number)]
    elif kind == 2:
        first["end"] = {**first["end"], "last": {f"m{index}": 1.0 for index in range(199)}}
        record["members"] = [{**first, "name": f"m{index}"} for index in range(200)]
    elif kind == 3:
        record["varied"] = record["varied"] * 20_000
    text = json.dumps(record)
    if kind == 4:
        item = chance.choice(('"ab",', "1.5,", "[],", '{"a":1},'))
        text = f'{{"a": [{item * (2**26 // len(item) - 10)}0]}}'
    path.write_text(text, encoding="utf-8")
    return f"{len(text)} bytes"


def change_place(stranger: Stranger) -> str:
    """Put something else in the place of a member's folder or file, or of the sweep's own files."""
    chance, folder = stranger.chance, stranger.folder
    members = [one.name for one in folder.iterdir() if one.is_dir()]
    names = (RECORD, "sweep.csv", "compare.html", ".lock", ".sweep.json.tmp", *_PLANS)
    files = [f"{name}.bitfold" for name in members]
    path = folder / chance.choice((*members, *members, *files, *names))
    if os.path.lexists(path):
        path.rename(path.with_name(path.name + "-before"))
    targets = ("victim", "taken", "missing", "taken/missing")
    what = chance.choice((*targets, "/dev/zero", "FIFO", "folder", "nothing", "sparse", "itself"))
    if what in targets:
        path.symlink_to(stranger.outside / what)
    elif what in ("/dev/zero", "itself"):
        path.symlink_to(path if what == "itself" else what)
    elif what == "FIFO":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "sparse":
        with path.open("wb") as file:
            file.truncate(SPARSE_BYTES)
    return f"{path.name}: {what}"


def change_plan(stranger: Stranger) -> str:
    """Write one of the plan files anew."""
    chance = stranger.chance
    path = stranger.folder / chance.choice(_PLANS)
    word, value = stranger.word(), stranger.value()
    shown = json.dumps(value)
    if path.suffix == ".csv":
        hostile: tuple[Callable[[], str], ...] = (
            lambda: f"seed,shape\n{shown}\n",
            lambda: f"seed,{word}\n1,2\n",
            lambda: f'seed\n"{word}"\n',
            lambda: "seed\n" + "1\n" * 2**22,
            lambda: "seed," * 2**20 + "\n1",
            lambda: ",".join(f"a{number}" for number in range(2**20)) + "\n1",
            lambda: "seed\n" + "9" * 5000,
            lambda: "shape\n" + '"' + "[4]," * 10_000 + '"',
        )
    else:
        hostile = (
            lambda: f"[vary]\nseed = {shown}",
            lambda: f"[[members]]\nseed = {shown}\n",
            lambda: f"{json.dumps(word)} = 1",
            lambda: f'[vary]\nshape = "{"," * 60_000}"',
            lambda: f'[vary]\nseed = "{chance.choice(_RANGES)}"',
            lambda: f"[vary]\nseed = {'[' * DEEP}",
            lambda: "[[members]]\nseed = 1\n" * 3000,
            lambda: f"members = {shown}\nvary = {shown}",
            lambda: "".join(f"[[members]]\nseed = {number}\n" for number in range(2000)),
        )
    text = chance.choice(hostile)()
    path.unlink(missing_ok=True)  # an earlier change may have put a link there
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return f"{path.name}: {text[:60]}"


def _whole(stranger: Stranger, record: dict[str, Any]) -> str:
    name: str = stranger.chance.choice(sorted(record))
    record[name] = stranger.value()
    return name


def _setting(stranger: Stranger, record: dict[str, Any]) -> str:
    name: str = stranger.chance.choice(sorted(set(record["settings"]) - {*_LONG}))
    record["settings"][name] = _value(stranger)
    return f"{name} = {str(record['settings'][name])[:40]}"


def _member(stranger: Stranger, record: dict[str, Any]) -> str:
    chance = stranger.chance
    member = chance.choice(record["members"])
    match chance.randrange(4):
        case 0 | 1:
            member["name"] = chance.choice((*_HOSTILE_NAMES, stranger.value()))
        case 2:
            member["settings"][chance.choice(record["varied"])] = _value(stranger)
        case _:
            member[chance.choice(("settings", "end", stranger.word()))] = stranger.value()
    return str(member)[:60]


def _end(stranger: Stranger, record: dict[str, Any]) -> str:
    chance = stranger.chance
    member = chance.choice(record["members"])
    end = member.setdefault("end", {"status": "completed"})
    names = ("epochs", "seconds", "threads", "num_bytes", "error", "psnr_db", "file", "reason")
    name = chance.choice((*names, "status", "status", "last", "best", "epoch_loop"))
    end[name] = chance.choice(_STATUSES) if name == "status" else _value(stranger)
    return f"{name} = {str(end[name])[:40]}"


def _metric(stranger: Stranger, record: dict[str, Any]) -> str:
    chance = stranger.chance
    end = chance.choice(record["members"]).setdefault("end", {"status": "completed"})
    metrics = end.setdefault(chance.choice(("last", "best")), {})
    name = chance.choice((*sorted(metrics), "epoch", "validation_loss", stranger.word()))
    metrics[name] = stranger.value()
    return f"{name[:20]} = {str(metrics[name])[:40]}"


def _varied(stranger: Stranger, record: dict[str, Any]) -> str:
    """Vary another setting, with members that agree."""
    chance = stranger.chance
    name: str = chance.choice(sorted(set(record["settings"]) - {*_LONG}))
    former = record["varied"][0]
    record["varied"][0] = name
    for member in record["members"]:
        del member["settings"][former]
        member["settings"][name] = _value(stranger)
    return name


def _value(stranger: Stranger) -> Any:
    places = ("../outside", str(stranger.outside / "taken"), str(stranger.outside / "victim"))
    return stranger.chance.choice((stranger.value(), stranger.value(), *places))


#: The changes of a sweep's folder; as often as a kind stands here, it is chosen.
OF_SWEEPS = (change_sweep, change_sweep, change_sweep, change_network, change_place, change_place)
#: The same for what reads a sweep, and trains nothing.
OF_READ_SWEEPS = (*OF_SWEEPS, many_members)
#: The same for plan files.
OF_PLANS = (change_plan, change_plan, change_plan, change_place)
