# SPDX-License-Identifier: MIT
"""The scripts of `make bench` run, all of them, so that they do when they are wanted: a thousandth of
what they measure with, whose figures say nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bench  # noqa: E402
import figures  # noqa: E402

SECONDS = 600  # of any of them on a machine with other work
WIDTH = 100
OPTIONS = {"drain.py": ["--without-peers", "small"]}


@pytest.mark.parametrize("script", bench.SECONDS)
def test_script(script, any_server_binary, tmp_path, monkeypatch):
    rows = tmp_path / "rows"
    monkeypatch.setenv("BENCH_FIGURES", str(rows))
    command = [sys.executable, HERE / script, "--scale", "0.001", "--rounds", "1"]
    done = subprocess.run(
        [*command, *OPTIONS.get(script, [])], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = figures.read(rows)
    assert found
    text = list(figures.table(found))
    assert max(map(len, text)) <= WIDTH, "\n".join(text)
    for row in found:  # nothing is lost on the way to the table
        assert any(row.what in line for line in text), row


def test_every_script_is_run():
    others = {"bench.py", "bench_support.py", "figures.py"}
    scripts = {p.name for p in HERE.glob("*.py") if not p.name.startswith("test_")}
    assert scripts == set(bench.SECONDS) | others


def test_table():
    rows = [
        figures.Row("drain", "varve", 421_000, "events/s", "bare reader", 0.79, ">= 0.9"),
        figures.Row("drain", "varve", 421_000, "events/s", "Rust", 1.6, ">= 1.5"),
        figures.Row("drain", "varve", 1.86, "CPU s/M"),
        figures.Row("other", "start", 40, "ms", aim="<= 100"),
        figures.Row("drain", "Go", None, "no go"),
    ]
    lines = [" ".join(line.split()) for line in figures.table(rows)]
    assert [line for line in lines[2:] if line not in figures.LEGEND] == [
        "drain",
        "varve 421,000 events/s 0.79 of bare reader >= 0.9 not",
        "1.60 of Rust >= 1.5",
        "1.86 CPU s/M",
        "left out: Go: no go",
        "",
        "other",
        "start 40 ms <= 100",
        "",
        "2 of 3 aims are met",
    ]
