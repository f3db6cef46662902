# SPDX-License-Identifier: MIT
"""What was measured, a row a figure, and the one table of it all that `make bench` ends with.

A script of tests/bench hands each figure to `Figures.row`. By itself it prints its table when it ends;
where BENCH_FIGURES names a file it adds its rows there, a JSON object a line, and bench.py prints them
all. The keys of a row are those of `Row`; what could not be measured is one without a figure.
"""

import atexit
import json
import operator
import os
import textwrap
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

WIDTH = 100
NAME, NUMBER, UNIT, DETAIL = 28, 9, 12, 33  # characters of a column; the rest is for aims
LEGEND = (
    "M: a million. CPU s/M: seconds of a program's CPU for a million events; server's: of nats-server's.",
    "MiB: the greatest RSS. A ratio is that of the figure to the other's. store's: of the object store's.",
)
HOLDS = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    part: str  # rows of one are together
    what: str
    figure: float | None
    unit: str  # of the figure; why there is none, where there is none
    beside: str = ""
    ratio: float | None = None  # of the figure to that of `beside`
    aim: str = ""  # such as ">= 0.9", of the ratio or, without one, of the figure

    def met(self):
        """Whether the aim is; None where there is none."""
        if not self.aim:
            return None
        sign, limit = self.aim.split()
        return HOLDS[sign](self.figure if self.ratio is None else self.ratio, float(limit))


class Figures:
    """The rows of one part of the table."""

    def __init__(self, part):
        self.part = part

    def row(self, what, figure, unit, beside="", ratio=None, aim=""):
        keep(Row(self.part, what, figure, unit, beside, ratio, aim))

    def left_out(self, what, why):
        keep(Row(self.part, what, None, why))


alone = []


def keep(row):
    path = os.environ.get("BENCH_FIGURES")
    if path:
        with open(path, "a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        return
    if not alone:
        atexit.register(lambda: print("\n".join(table(alone))))
    alone.append(row)


def read(path):
    """The rows of a file; none where there is none."""
    path = Path(path)
    return [Row(**json.loads(t)) for t in path.read_text().splitlines()] if path.exists() else []


def shown(number):
    """Three digits or more."""
    size = abs(number)
    digits = 0 if size >= 100 or number == int(number) else 1 if size >= 10 else 2
    if 0 < size < 0.1:
        return f"{number:.2g}" if size >= 0.001 else f"{number:.1e}"
    return f"{number:,.{digits}f}"


def line(what="", row=None, detail="", aim=""):
    figure = f"{shown(row.figure):>{NUMBER}} {row.unit:{UNIT}}" if row else " " * (NUMBER + 1 + UNIT)
    return f"{what:{NAME}} {figure} {detail:{DETAIL}} {aim}".rstrip()


def aim_of(row):
    return f"{row.aim}{'' if row.met() else ' not'}" if row.aim else ""


def lines_of(what, rows):
    """Of one thing that was measured. What is beside nothing stands behind its first figure."""
    cells, rest, told = [], [], None
    for row in rows:
        figure = (row.figure, row.unit)
        if told is not None and not row.beside and not row.aim:
            rest.append(f"{shown(row.figure)} {row.unit}")
            continue
        detail = f"{shown(row.ratio)} of {row.beside}" if row.beside else ""
        cells.append([None if figure == told else row, detail, aim_of(row)])
        told = figure
    rest = textwrap.wrap(", ".join(rest), WIDTH - NAME - NUMBER - UNIT - 3)
    if rest and not any(cells[0][1:]):
        cells[0][1] = rest.pop(0)
    cells += [[None, text, ""] for text in rest]
    for number, (row, detail, aim) in enumerate(cells):
        yield line(what if number == 0 else "", row, detail, aim)


def table(rows):
    """The lines of the table of these rows."""
    yield line("", None, "as a ratio", "aim")
    for part in dict.fromkeys(row.part for row in rows):
        yield from ("", part)
        group = [row for row in rows if row.part == part]
        for what, same in groupby((r for r in group if r.figure is not None), lambda r: r.what):
            yield from lines_of(what, list(same))
        for row in group:
            if row.figure is None:
                yield from textwrap.wrap(f"left out: {row.what}: {row.unit}", WIDTH)
    aims = [row for row in rows if row.aim]
    yield from ("", *LEGEND, f"{sum(row.met() for row in aims)} of {len(aims)} aims are met")

