# SPDX-License-Identifier: MIT
"""README.md and its chapters do what they say: their commands run as they stand, in their order,
against a real server on the default port of a network of their own; and their tables are those of
the program."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from importlib.metadata import packages_distributions

import deltalake
import pytest

from support import BUILD, ROOT, VARVE, VENV, Output, end, server_binaries, wait_for

README = (ROOT / "README.md").read_text()
# In the order in which the README lists them.
CHAPTERS = [ROOT / name for name in re.findall(r"\]\((tools/share/doc/\w+\.md)\) \|", README)]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *CHAPTERS]}
FENCE = re.compile(r"(?:<!-- (by hand: [^>]*) -->\n)?```(\w*)\n(.*?)\n```\n", re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    by_hand: str
    language: str
    text: str


BLOCKS = [
    Block(name, page[: m.start(3)].count("\n") + 1, m[1] or "", m[2], m[3])
    for name, page in PAGES.items()
    for m in FENCE.finditer(page)
]
RUN = [block for block in BLOCKS if not block.by_hand]


@pytest.fixture(scope="module")
def place(network, any_server_binary, tmp_path_factory):
    """A directory in which the commands find what they need, and a server on port 4222."""
    directory = tmp_path_factory.mktemp("readme")
    (directory / "build").symlink_to(BUILD)
    data = tmp_path_factory.mktemp("jetstream")
    server = subprocess.Popen(
        [*network, any_server_binary, "-js", "-a", "127.0.0.1", "-sd", data],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    probe = "import socket; socket.create_connection(('127.0.0.1', 4222), 1)"

    def listens():
        command = [*network, sys.executable, "-c", probe]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    try:
        wait_for(listens, "nats-server listens")
        yield directory
    finally:
        end(server)


def missing(text):
    """What this host, or this varve, lacks for a block."""
    if "curl " in text and shutil.which("curl") is None:
        return "curl is not here"
    for command in re.findall(r"^build/varve (\w+)", text, re.MULTILINE):
        found = subprocess.run([VARVE, "help", command], capture_output=True, timeout=60)
        if found.returncode != 0:
            return f"there is no varve {command} yet"
    return None


@pytest.mark.parametrize("block", RUN, ids=[f"{block.page}-{block.line}" for block in RUN])
def test_block(place, network, block):
    if block.language == "yaml":
        name = re.match(r"# (\S+)\n", block.text)[1]
        (place / name).write_text(block.text + "\n")
        return
    reason = missing(block.text)
    if reason:
        pytest.skip(reason)
    shell = ["bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]
    command = {"sh": shell, "python": [VENV / "bin/python", "-c"]}[block.language]
    for _ in range(2):
        out = subprocess.run(
            [*network, *command, block.text],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=100,
            env={**os.environ, "PATH": f"{VENV}/bin:{os.environ['PATH']}", "MAKEFLAGS": ""},
        )
        # Now and then a reader's own threads end after the interpreter: its rows are printed then.
        if "terminate called without an active exception" not in out.stdout:
            break
    assert out.returncode == 0, out.stdout
    print(out.stdout)


def test_all_of_it_was_drained(place):
    """After the blocks: the loads of two commands, each once."""
    output = Output(place / "sim_logs")
    sequences = output.table()["stream_seq"].to_pylist()
    quarantined = [row["stream_seq"] for row in output.quarantine()]
    assert len(quarantined) == 5
    assert sorted(sequences + quarantined) == list(range(1, 210006))


# ---- what the blocks leave to a test of its own --------------------------------------------------


def test_every_block_is_run_or_has_a_test():
    assert {block.language for block in BLOCKS} == {"sh", "python", "yaml"}
    assert sum(page.count("```") for page in PAGES.values()) == 2 * len(BLOCKS)
    names = {name for block in BLOCKS for name in re.findall(r"test_\w+", block.by_hand)}
    assert names <= set(globals())
    assert all(
        "test_" in block.by_hand or "the test starts" in block.by_hand
        for block in BLOCKS
        if block.by_hand
    )


def anchors(page):
    """Of its headings, as those who show Markdown make them."""
    headings = re.findall(r"^#+ (.*)", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_chapter_is_listed_and_every_link_leads_somewhere():
    assert sorted(CHAPTERS) == sorted((ROOT / "tools/share/doc").glob("*.md"))
    for path in [ROOT / "README.md", *CHAPTERS]:
        for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
            name, _, anchor = link.partition("#")
            there = path.parent / name if name else path
            if link.startswith("http"):
                continue
            assert there.exists(), link
            assert not anchor or anchor in anchors(there.read_text()), link


def test_scripts_that_are_named_take_what_they_are_given():
    """Those of tests/bench, each with the words and options that it explains."""
    named = r"`(?:build/venv/bin/python\s)?(tests/bench/\w+\.py)([^`]*)`"
    commands = {found for page in PAGES.values() for found in re.findall(named, page)}
    assert len(commands) > 5
    for script, arguments in commands:
        ask = [VENV / "bin/python", script, "--help"]
        out = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert out.returncode == 0, out.stderr
        words = arguments.split()
        for before, word in zip(["", *words], words, strict=False):
            if word.startswith("--") or not before.startswith("--"):  # else it is a value
                assert re.search(rf"(?<![\w-]){word}\b", out.stdout), (script, word)


def test_the_binary_has_every_chapter():
    """Under the names that `varve help` lists."""

    def told(*name):
        out = subprocess.run([VARVE, "help", *name], capture_output=True, text=True, timeout=60)
        assert out.returncode == 0, out.stderr
        return out.stdout

    names = re.findall(r"^  varve help (\w+)", told(), re.MULTILINE)
    assert sorted(map(told, names)) == sorted(path.read_text() for path in CHAPTERS)


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 900


def test_the_venv_has_what_the_python_imports():
    """The venv that the README names; what it installs is pinned for the tests."""
    [named] = [line for block in BLOCKS for line in block.text.splitlines() if "-m venv" in line]
    packages = set(named.split(" install ")[1].split())
    pinned = (ROOT / "tests/requirements.txt").read_text()
    assert all(f"\n{package}==" in pinned for package in packages)
    python = [block.text for block in BLOCKS if block.language == "python"]
    imported = {
        name for text in python for name in re.findall(r"^import (\w+)", text, re.MULTILINE)
    }
    assert imported <= packages and len(python) > 3


def test_expire(tmp_path):
    """On a store of 2024, and not on the one of the other blocks, whose events are as old."""
    [block] = [block for block in BLOCKS if "test_expire" in block.by_hand]
    shutil.copytree(ROOT / "tests/interop/old_store", tmp_path / "sim_logs")
    (tmp_path / "build").symlink_to(BUILD)
    out = subprocess.run(["bash", "-ec", block.text], cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert deltalake.DeltaTable(tmp_path / "sim_logs").to_pyarrow_table().num_rows == 0
    assert not list(tmp_path.glob("sim_logs/*/*/*/*.parquet"))


def test_iceberg_takes_the_files(any_server, varve):
    """Old files, which lack columns, as well; and again after more events, without taking any twice."""
    for module in ("pyiceberg", "sqlalchemy"):
        pytest.importorskip(module, reason=f"{module} is not here: see tools/setup")
    from pyiceberg.catalog.sql import SqlCatalog

    [block] = [block for block in BLOCKS if "test_iceberg" in block.by_hand]
    place = varve.output.parent
    shutil.copytree(ROOT / "tests/interop/old_store", varve.output)
    (place / "sim_logs").symlink_to(varve.output)
    for rows in (0, 3000, 4000):
        if rows:
            any_server.generate(
                rows // 2, seed=rows
            )  # one event in a thousand has no simulation_id
            varve.once()
        subprocess.run([VENV / "bin/python", "-c", block.text], cwd=place, check=True, timeout=100)
        catalog = SqlCatalog(
            "local", uri=f"sqlite:///{place}/catalog.db", warehouse=f"file://{place}/iceberg"
        )
        found = catalog.load_table("sim.events").scan().to_arrow().sort_by("event_id")
        wanted = deltalake.DeltaTable(varve.output).to_pyarrow_table().sort_by("event_id")
        for name in wanted.column_names:
            assert found[name].to_pylist() == wanted[name].to_pylist(), name
    assert found.num_rows == 40 + 1500 + 2000 and found["event_time"].null_count == 40


def test_the_demo_installs_what_it_imports():
    """Of Python; in a fresh clone, where nothing of the tests is."""
    [job] = re.findall(r"^demo\)\n(.*?);;", (ROOT / "tools/setup").read_text(), re.M | re.S)
    installed = set(re.findall(r"install_python (.*)", job)[0].split())
    imported = set(re.findall(r"^import (\w+)", (ROOT / "tools/demo").read_text(), re.M))
    packages = packages_distributions()
    needed = {packages[name][0] for name in imported - sys.stdlib_module_names}
    assert needed and needed <= installed


def test_demo():
    """tools/demo works, within two minutes, and cleans up after itself."""
    if server_binaries()["newest"] is None:
        pytest.skip("nats-server: newest is not here")
    began = time.monotonic()
    demo = subprocess.Popen(
        ["tools/demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = demo.communicate(timeout=110)
    except subprocess.TimeoutExpired:
        os.killpg(demo.pid, signal.SIGKILL)
        raise
    assert demo.returncode == 0, text
    assert time.monotonic() - began < 110
    assert "0 findings" in text
    counts = [int(n) for n in re.findall(r"^│ \w+\.\w+\.v1 +│ +(\d+) │ ", text, re.MULTILINE)]
    assert len(counts) == 4 and sum(counts) == 120000
    assert f"{sum(counts):,} events of 4 simulations; " in text
    said = [
        json.loads(p.read_text()) for p in (ROOT / "build/demo/sim_logs/_quality").glob("*.json")
    ]
    assert sum(simulation["events"] for simulation in said) == sum(counts)
    rewards = re.findall(r"^│ (?:sim-\d+)? *│ +(\d+) │ ", text, re.MULTILINE)
    assert sum(map(int, rewards)) == counts[2]  # those in the table of typed columns
    if "in a time-series database" in text:
        stored = re.findall(r"^events,event_type_key=[\w.]+,0,(\d+)$", text, re.MULTILINE)
        assert sorted(map(int, stored)) == sorted(counts)
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)  # nothing of it runs any more
    assert len(Output(ROOT / "build/demo/sim_logs").quarantine()) == 3


# Runs the cells of a notebook in one namespace, as a kernel does: what a cell ends with is shown.
CELLS = """
import ast, json, sys
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot
shown = [0]
def show():
    for number in matplotlib.pyplot.get_fignums():
        shown[0] += 1
        matplotlib.pyplot.figure(number).savefig(f"{sys.argv[2]}/{shown[0]}.png")
    matplotlib.pyplot.close("all")
matplotlib.pyplot.show = show
names = {"__name__": "__main__"}
for number, cell in enumerate(json.load(open(sys.argv[1]))["cells"]):
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]), f"cell {number}")
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), names)
    if last:
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        if value is not None:
            print(value.to_string())
"""


def test_notebook(any_server, varve, tmp_path):
    """All of its cells run on events such as those of the demo, and draw what they promise; what it
    installs has what it imports."""
    any_server.generate(5000, simulations=3)
    varve.once()
    path = ROOT / "tools/share/events.ipynb"
    out = subprocess.run(
        [VENV / "bin/python", "-c", CELLS, path, tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "VARVE_STORE": str(varve.output), "MPLCONFIGDIR": str(tmp_path)},
    )
    assert out.returncode == 0, out.stderr
    pictures = sorted(tmp_path.glob("*.png"))
    assert [picture.name for picture in pictures] == ["1.png", "2.png", "3.png"]
    counts = re.findall(r"^(?:sim|ai)\.\S+ +(\d+) ", out.stdout, re.MULTILINE)
    assert len(counts) == 4 and sum(map(int, counts)) == 5000
    notebook = json.loads(path.read_text())
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    [packages] = re.findall(r"pip install (.*)", text)
    imported = set(re.findall(r"^import (\w+)", text, re.MULTILINE)) - sys.stdlib_module_names
    assert imported <= set(packages.split())
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_all_files_by_a_pattern(any_server, varve):
    """That of the chapter, beside a checkpoint of the log, whose name ends like those of files."""
    any_server.generate(2500, corrupt=2)
    varve.once()
    deltalake.DeltaTable(varve.output).create_checkpoint()
    place = varve.output.parent
    assert list(varve.output.glob("_delta_log/*.checkpoint.parquet"))
    [pattern] = set(re.findall(r"'(sim_logs/[^']*\*\*/\*\.parquet)'", PAGES["read.md"]))
    for count in (
        f"duckdb.sql(\"SELECT count(*) FROM '{pattern}'\").fetchall()[0][0]",
        f"polars.scan_parquet('{pattern}').select(polars.len()).collect().item()",
    ):
        code = f"import duckdb, polars; print({count})"
        (place / "sim_logs").unlink(missing_ok=True)
        (place / "sim_logs").symlink_to(varve.output)
        command = [VENV / "bin/python", "-c", code]
        out = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100)
        assert out.stdout == "2500\n", out.stderr


def test_each_alert_says_what_it_wants_done(any_server, varve):
    followed = {
        "payloads": [{"event_type": "sim.world_note.v1"}],
        "followers": [{"name": "typed"}],
    }
    run = varve.start(config=varve.config(metrics={"listen": "127.0.0.1:0"}, **followed))
    address = re.search(r"http://[\d.:]+", run.wait_line("listening")["text"])[0]
    with urllib.request.urlopen(address + "/metrics", timeout=60) as answer:
        text = answer.read().decode()
    known = set(re.findall(r'^varve_alerts\{reason="(\w+)"', text, re.MULTILINE))
    assert {name for name, _ in rows_after("operate.md", "## What each alert wants done")} == known


def test_backup_and_restore(any_server, varve, tmp_path):
    """A copy, put in the place of the directory, gets again what was stored since."""
    any_server.generate(1000)
    varve.once()
    copy = tmp_path / "copy"
    shutil.copytree(varve.output, copy)
    any_server.generate(500, start_index=1000)
    varve.once()
    shutil.rmtree(varve.output)
    copy.rename(varve.output)
    varve.once()
    assert sorted(Output(varve.output).table()["stream_seq"].to_pylist()) == list(range(1, 1501))
    verify = subprocess.run([VARVE, "verify", varve.output], capture_output=True, timeout=60)
    assert verify.returncode == 0, verify.stdout


def make(*args):
    return subprocess.run(
        ["make", "--no-print-directory", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "MAKEFLAGS": ""},
    )


def test_install(tmp_path):
    """What the README names is installed, and the unit is one that systemd takes."""
    out = make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr/local")
    assert out.returncode == 0, out.stdout + out.stderr
    installed = tmp_path / "usr/local/bin/varve"
    assert subprocess.run([installed, "version"], timeout=60).returncode == 0
    section = PAGES["operate.md"].split("## Install", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"/usr/local/[\w./-]+\w", section + PAGES["bucket.md"])
    assert named
    assert all((tmp_path / name.lstrip("/")).exists() for name in named), named
    for kind, marked in (("spdx", "spdxVersion"), ("cyclonedx", "bomFormat")):  # test_supply.py
        bill = tmp_path / f"usr/local/share/varve/varve.{kind}.json"
        assert marked in json.loads(bill.read_text())
    example = tmp_path / "usr/local/share/varve/varve.yaml"
    checked = [installed, "check", "--offline", "-c", example]
    assert subprocess.run(checked, timeout=60).returncode == 0
    (unit,) = tmp_path.rglob("varve.service")
    text = unit.read_text()
    assert "/etc/varve/varve.yaml" in text and "/etc/varve/varve.yaml" in section
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    # The binary that the unit names is not installed on this host: here it names that of the test.
    moved = tmp_path / "varve.service"
    moved.write_text(text.replace("/usr/local/bin/varve", str(installed)))
    args = ["systemd-analyze", "verify", "--man=no", moved]
    found = subprocess.run(args, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr


def test_deb(tmp_path, monkeypatch):
    """A package that dpkg takes and lintian does not mind, the same bytes each time, in which an
    edited configuration survives."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not here")
    monkeypatch.setenv("DEBFULLNAME", "Ann Example")
    monkeypatch.setenv("DEBEMAIL", "ann@varve.example")
    packages = []
    for _ in range(2):
        out = make("deb")
        assert out.returncode == 0, out.stdout + out.stderr
        package = ROOT / out.stdout.split()[-1]
        packages.append(package.read_bytes())
    assert packages[0] == packages[1]
    named = subprocess.run(
        ["dpkg-deb", "-f", package, "Maintainer"], capture_output=True, text=True, timeout=60
    )
    assert named.stdout == "Ann Example <ann@varve.example>\n"
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True, timeout=60)
    subprocess.run(["dpkg-deb", "-e", package, tmp_path / "control"], check=True, timeout=60)
    varve = tmp_path / "usr/bin/varve"
    assert subprocess.run([varve, "version"], timeout=60).returncode == 0
    (conffile,) = (tmp_path / "control/conffiles").read_text().split()
    checked = [varve, "check", "--offline", "-c", tmp_path / conffile.lstrip("/")]
    assert subprocess.run(checked, timeout=60).returncode == 0
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", tmp_path / "control" / script], check=True, timeout=60)
    for unit in tmp_path.rglob("*.service"):
        assert "/usr/bin/varve run" in unit.read_text() and "/usr/local" not in unit.read_text()
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not here")
    args = ["lintian", "--allow-root", package]
    found = subprocess.run(args, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0 and found.stdout == "", found.stdout + found.stderr


def test_release(tmp_path):
    """The tarball is the same each time, its checksum is right, and what is in it runs."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("git is not here, or this is no clone")
    hashes = []
    for _ in range(2):
        out = make("release", "MACHINES=")
        assert out.returncode == 0, out.stdout + out.stderr
        tarball = ROOT / out.stdout.split()[-1]
        hashes.append(tarball.with_name(tarball.name + ".sha256").read_text())
    assert hashes[0] == hashes[1]
    checked = subprocess.run(["sha256sum", "-c", "-"], input=hashes[0].encode(), cwd=tarball.parent)
    assert checked.returncode == 0
    subprocess.run(["tar", "xzf", tarball, "-C", tmp_path], check=True, timeout=60)
    [top] = tmp_path.iterdir()
    assert subprocess.run([top / "bin/varve", "version"], timeout=60).returncode == 0
    assert (top / "share/man/man1/varve.1").exists() and (top / "LICENSE").exists()


def test_dist(tmp_path):
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("git is not here, or this is no clone")
    out = make("dist")
    assert out.returncode == 0, out.stdout + out.stderr
    tarball = ROOT / out.stdout.split()[-1]
    listing = subprocess.run(["tar", "tzf", tarball], capture_output=True, text=True, timeout=60)
    names = listing.stdout.splitlines()
    assert any(name.endswith("/Makefile") for name in names)
    lock = (ROOT / "vendor/sources.lock").read_text().splitlines()
    libraries = {line.split()[0] for line in lock if line and line[0] != "#"}
    endings = (".tar.gz", ".tar.xz", ".tar.bz2", ".crate")
    sources = [name for name in names if "/vendor/" in name and name.endswith(endings)]
    assert len(sources) >= len(libraries)  # each library once, or from two places


# ---- tables --------------------------------------------------------------------------------------


def rows_after(chapter, heading):
    """The cells of the first table after a heading."""
    rest = PAGES[chapter].split(heading, 1)[1]
    lines = []
    for line in rest.splitlines():
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
        elif lines:
            break
    return lines[2:]


def test_the_table_of_keys_is_that_of_the_program():
    keys = [BUILD / "watch" / "keys", "defaults"]
    out = subprocess.run(keys, capture_output=True, text=True, check=True, timeout=60)
    known = dict(line.split("\t") for line in out.stdout.splitlines())
    assert len(known) > 25
    listed = {}
    for keys, default, _ in rows_after("configure.md", "# Configure"):
        for key in keys.split(", "):
            listed[key] = default
    assert listed == known


def test_metrics_that_are_named_exist(any_server, varve):
    run = varve.start(config=varve.config(metrics={"listen": "127.0.0.1:0"}))
    address = re.search(r"http://[\d.:]+", run.wait_line("listening")["text"])[0]
    with urllib.request.urlopen(address + "/metrics", timeout=60) as answer:
        scraped = answer.read().decode()
    types = set(re.findall(r"^# TYPE (\w+) ", scraped, re.MULTILINE))
    named = set(re.findall(r"\bvarve_[a-z_]+\b", "\n".join(PAGES.values())))
    # Times are there once there is what they are of, and the number of files once it is known;
    # requests to a bucket are there with one, where tests/live/test_bucket.py looks.
    elsewhere = re.compile("varve_object_.*|varve_files_live|.*_timestamp_seconds")
    assert named and {name for name in named if not elsewhere.fullmatch(name)} <= types


def test_columns_are_those_of_a_file(place):
    """Of one that the blocks above have left."""
    file = Output(place / "sim_logs").files()[0]
    inspect = [VARVE, "inspect", "--json", file]
    out = subprocess.run(inspect, capture_output=True, text=True, check=True, timeout=60)
    rows = rows_after("store.md", "outside of the directory.")
    listed = [name for names, *_ in rows for name in names.split(", ")]
    assert listed == [column["name"] for column in json.loads(out.stdout)["schema"]]
