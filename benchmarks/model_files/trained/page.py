"""The tables of trained networks, made of the cells that are measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.harness.cells import Cell, CellTable
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.model_files.trained.networks import NETWORKS

PAGE = DOCS / "small-models.md"
_KINDS = {"calibrated": "with calibration", "blind": "without"}


def fill_page(table: CellTable, allowed: Sequence[float]) -> None:
    """Write the tables into ``docs/small-models.md``, and print them."""
    text = "\n".join([*_sizes(table, allowed), "", *_summary(table, allowed), "", *_times(table)])
    print(text)
    replace_block(PAGE, "trained", text)


def _sizes(table: CellTable, allowed: Sequence[float]) -> Iterator[str]:
    yield "| network | float32 | NNCodec | with calibration | | without | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name in NETWORKS:
        plain = table.get(f"{name}/float32")
        for points in allowed:
            theirs = table.get(f"{name}/{points}/nncodec")
            if plain is None or theirs is None:
                continue
            is_first = points == allowed[0]
            row = [name, _bytes_and_error(plain)] if is_first else ["", ""]
            row.append(_bytes_and_error(theirs))
            for kind in _KINDS:
                ours = table.get(f"{name}/{points}/{kind}")
                if ours is None:
                    row += ["not measured", ""]
                    continue
                row += [_bytes_and_error(ours), _ratio(ours, theirs)]
            yield "| " + " | ".join(row) + " |"


def _summary(table: CellTable, allowed: Sequence[float]) -> Iterator[str]:
    for kind, words in _KINDS.items():
        found, num_missing = list[float](), 0
        for name in NETWORKS:
            for points in allowed:
                ours = table.get(f"{name}/{points}/{kind}")
                theirs = table.get(f"{name}/{points}/nncodec")
                if ours and theirs and ours["bytes"]:
                    found.append(ours["bytes"] / theirs["bytes"])
                elif ours:
                    num_missing += 1
        if found:
            middle = statistics.median(found)
            yield (
                f"Bytes over NNCodec's, {words}: median {middle:.2f}, {min(found):.2f} to "
                f"{max(found):.2f}, {len(found)} points; none found at {num_missing}."
            )


def _times(table: CellTable) -> Iterator[str]:
    yield (
        "| network | NNCodec codes one setting | finds a size | decodes | bitfold finds a size, "
        "calibrated | blind | reads |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    names = (
        "nncodec_encode", "nncodec_search", "nncodec_decode", "calibrated_write", "blind_write",
        "read",
    )  # fmt: skip
    for network in NETWORKS:
        found = table.get(f"{network}/seconds")
        if found is not None:
            times = (f"{1e3 * found[name]:.1f} ms" if name in found else "" for name in names)
            yield f"| {network} | " + " | ".join(times) + " |"


def _bytes_and_error(cell: Cell) -> str:
    if not cell["bytes"]:
        return "none found"
    return f"{cell['bytes']:,} bytes, {cell['test_percent']:.2f} %"


def _ratio(ours: Cell, theirs: Cell) -> str:
    return f"{ours['bytes'] / theirs['bytes']:.2f}" if ours["bytes"] else ""
