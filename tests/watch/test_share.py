# SPDX-License-Identifier: MIT
"""What is installed beside the binary: it is true, it works, and its own checkers accept it."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from support import BUILD, ROOT, VARVE
from watching import Endpoint, need, watched

SHARE = ROOT / "tools" / "share"
KEYS = BUILD / "watch" / "keys"
PAGES = [SHARE / "varve.1", SHARE / "varve.yaml.5"]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def succeeds(*command, **options):
    out = run(*command, **options)
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout + out.stderr


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def installed(tmp_path):
    """The root of an installation below tmp_path, with the prefix /usr."""
    root = tmp_path / "root"
    for path in files(SHARE):
        succeeds(ROOT / "tools" / "install", path, root, "/usr")
    (root / "usr/bin").mkdir()
    shutil.copy(VARVE, root / "usr/bin/varve")
    return root


def test_where_it_goes(installed):
    found = {str(p.relative_to(installed / "usr")) for p in installed.rglob("*") if p.is_file()}
    assert found == {
        "bin/varve",
        "lib/systemd/system/varve.service",
        "lib/systemd/system/varve@.service",
        "share/bash-completion/completions/varve",
        "share/man/man1/varve.1",
        "share/man/man5/varve.yaml.5",
        *(f"share/varve/doc/{path.name}" for path in (SHARE / "doc").iterdir()),
        "share/varve/events.ipynb",
        "share/varve/grafana-dashboard.json",
        "share/varve/kubernetes.yaml",
        "share/varve/prometheus-rules.yml",
        "share/varve/varve-part.conf",
        "share/varve/varve.yaml",
    }


def test_keys_are_up_to_date(tmp_path):
    """If this fails: make share"""
    copy = tmp_path / "share"
    shutil.copytree(SHARE, copy)
    succeeds(ROOT / "tools" / "share-keys", KEYS, copy)
    for path in files(SHARE):
        assert (copy / path.relative_to(SHARE)).read_text() == path.read_text(), path.name


# ---- Prometheus and Grafana ----------------------------------------------------------------------


def test_rules():
    promtool = need("promtool")
    assert "18 rules found" in succeeds(promtool, "check", "rules", SHARE / "prometheus-rules.yml")
    succeeds(promtool, "test", "rules", ROOT / "tests" / "watch" / "rules_test.yml")


def test_each_rule_is_tested():
    groups = yaml.safe_load((SHARE / "prometheus-rules.yml").read_text())["groups"]
    rules = [rule["alert"] for group in groups for rule in group["rules"]]
    assert rules
    tests = (ROOT / "tests" / "watch" / "rules_test.yml").read_text()
    for rule in rules:
        assert f"alertname: {rule}}}" in tests  # silent where all is well
        assert f'alertname="{rule}"' in tests  # and not where it is not


def expressions(panel):
    return [target["expr"] for target in panel["targets"]]


def known_metrics(any_server, varve):
    any_server.generate(10)
    run = varve.start(config=watched(varve))
    endpoint = Endpoint(run)
    endpoint.wait_ready(True)
    run.wait_rows(10)  # some are there only after a commit
    # What it has with TLS and with credentials that expire, beside: see test_tls.py, test_login.py.
    secured = {"varve_tls_certificate_expiry_timestamp_seconds"}
    secured.add("varve_login_expires_timestamp_seconds")
    return {key[0] for key in endpoint.metrics()} | secured


def test_only_metrics_that_exist(any_server, varve):
    known = known_metrics(any_server, varve)
    dashboard = json.loads((SHARE / "grafana-dashboard.json").read_text())
    texts = [e for panel in dashboard["panels"] for e in expressions(panel)]
    texts += [v["query"] for v in dashboard["templating"]["list"]]
    texts.append((SHARE / "prometheus-rules.yml").read_text())
    used = {name for text in texts for name in re.findall(r"\b(?:varve|process)_[a-z_]+", text)}
    assert len(used) > 20
    assert used <= known


def test_dashboard(tmp_path):
    dashboard = json.loads((SHARE / "grafana-dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = set()
    for panel in panels:
        at = panel["gridPos"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = {(x, y) for x in columns for y in rows}
        assert not cells & places and max(x for x, _ in cells) < 24
        places |= cells
        assert panel["title"] and panel["targets"]
    # Each expression is PromQL, once the variables are filled in.
    rules = [
        {"record": f"dashboard:{n}", "expr": expr.replace("$__rate_interval", "1m")}
        for n, expr in enumerate(e for panel in panels for e in expressions(panel))
    ]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    succeeds(need("promtool"), "check", "rules", path)


# ---- systemd -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["varve.service", "varve@.service"])
def test_unit(installed, name):
    """`systemd-analyze verify` finds nothing to say, and `security` little that is left open."""
    unit = installed / "usr/lib/systemd/system" / name
    text = unit.read_text()
    assert "ExecStart=/usr/bin/varve run" in text
    unit.write_text(text.replace("=/usr/bin/varve", f"={installed}/usr/bin/varve"))
    environment = {**os.environ, "MANPATH": str(installed / "usr/share/man")}
    analyze = need("systemd-analyze")
    need("man")  # what Documentation= names is looked up with it
    assert succeeds(analyze, "verify", unit, env=environment) == ""
    succeeds(analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit)
    for line in ("Type=notify", "WatchdogSec=60", "Restart=always", "RestartPreventExitStatus=2"):
        assert line in text.splitlines()


# ---- man pages -----------------------------------------------------------------------------------


def rendered(page, tmp_path):
    """The page as text, as mandoc shows it."""
    out = run(need("mandoc"), "-T", "ascii", "-O", "width=200", page)
    return re.sub(r".\x08", "", out.stdout)


def examples(page):
    """The examples of a page, as a reader would copy them."""
    found = re.findall(r"^\.EX\n(.*?)^\.EE$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return [text.replace("\\-", "-") for text in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_clean(page):
    out = run(need("mandoc"), "-T", "lint", "-W", "warning", page)
    assert (out.returncode, out.stdout) == (0, "")
    if shutil.which("man"):
        out = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
        assert (out.returncode, out.stderr) == (0, "")


def commands():
    """What the program says that it has: options by command."""
    listed = re.findall(r"^  varve (\w+) +[a-z]+ ", succeeds(VARVE, "help"), re.MULTILINE)
    assert len(listed) >= 8
    return {
        command: re.findall(r"^  (--?[a-z-]+)(?= )", succeeds(VARVE, command, "--help"), re.M)
        for command in listed
    }


def test_commands_and_options_are_in_the_page(tmp_path):
    text = rendered(SHARE / "varve.1", tmp_path)
    for command, options in commands().items():
        section = re.split(rf"^   varve {command}\b", text, maxsplit=1, flags=re.MULTILINE)[1]
        for option in options:
            assert re.search(rf"^ +{option}\b", section, re.MULTILINE), option


def test_examples_of_the_commands(any_server, varve, tmp_path):
    """Each line behind a $ works, in this order, in a shell."""
    any_server.generate(1000)
    any_server.add_stream("REPLAY", ["replay.>", "lab.events"])
    server = f"127.0.0.1:{any_server.port}"
    (tmp_path / "varve.yaml").write_text(
        f"nats: {{servers: {server}}}\noutput: {{min_free: 0}}\nmetrics: {{listen: off}}\n"
        "payloads: [{event_type: sim.world_note.v1}]\nfollowers: [{name: typed, kind: table}]\n"
    )
    environment = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"}
    lines = [line[2:] for text in examples(SHARE / "varve.1") for line in text.splitlines()]
    assert len(lines) > 10
    lines = [line for line in lines if not line.startswith("varve status")]  # test_status.py
    for line in lines:
        line = line.replace("127.0.0.1:4222", server)
        if line.startswith("varve quality"):  # it fails where there are some
            line += " | grep -q findings"
        succeeds("sh", "-c", line, cwd=tmp_path, env=environment)


def test_examples_of_the_configuration(tmp_path):
    environment = {**os.environ, "NATS_PASSWORD": "x"}
    for text in [*examples(SHARE / "varve.yaml.5"), (SHARE / "varve.yaml").read_text()]:
        path = tmp_path / "varve.yaml"
        path.write_text(text)
        succeeds(VARVE, "check", "--offline", "-c", path, env=environment)


# ---- bash ----------------------------------------------------------------------------------------


def complete(*words, cwd=None):
    """What bash offers for the last word."""
    script = f"""
        source {SHARE}/varve.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _varve
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    out = succeeds("bash", "-uec", script, "_", *words, cwd=cwd)
    return sorted(line for line in out.splitlines() if line)


def test_completion(tmp_path):
    (tmp_path / "one.yaml").touch()
    (tmp_path / "two.parquet").touch()
    assert complete("varve", "ver") == ["verify", "version"]
    assert complete("varve", "run", "--o") == ["--once"]
    assert complete("varve", "check", "--o") == ["--offline"]
    assert complete("varve", "run", "-c", "o", cwd=tmp_path) == ["one.yaml"]
    assert complete("varve", "cat", "t", cwd=tmp_path) == ["two.parquet"]
    assert complete("varve", "run", "--set", "batching.max_") == [
        "batching.max_age=",
        "batching.max_bytes=",
        "batching.max_rows=",
    ]
    assert complete("varve", "run", "--set", "sources") != []
    assert complete("varve", "run", "--set", "batching.max_age", "=") == []
    assert complete("varve", "help", "in") == ["inspect"]


def test_completion_knows_what_the_program_knows():
    known = commands()
    assert complete("varve", "") == sorted(known)
    for command, options in known.items():
        assert complete("varve", command, "-") == sorted(options)
    names = succeeds(KEYS, "names").split()
    offered = complete("varve", "run", "--set", "")
    assert offered == sorted(f"{name.replace('[]', '[0]')}=" for name in names)
