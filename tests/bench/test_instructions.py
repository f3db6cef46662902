# SPDX-License-Identifier: MIT
"""Instructions that varve needs for an event, from the socket to the durable file, as callgrind
counts them: unlike seconds they are the same however loaded a machine is. They must not grow by
more than a tenth over what instructions.json has, which

    build/venv/bin/python tests/bench/test_instructions.py --renew

writes anew: after a change that is meant, with the reason in its message. They belong to a compiler
and to what the processor can do, so where either is another one nothing is compared.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import VARVE, Runner, Server, server_binaries  # noqa: E402

REFERENCE = Path(__file__).with_name("instructions.json")
EVENTS = 40_000  # enough that what is done once does not count
MARGIN = 1.1
ATTEMPTS = 3  # a connection that is lost on a slow machine costs a second delivery
SECONDS = 90  # of one attempt, which takes three on an idle machine
FEATURES = ("avx2", "bmi2", "pclmulqdq")
# callgrind's processor lacks the instructions with which varve hashes files everywhere else.
LEFT_OUT = "src/base/sha256.c"


def made_by():
    """The compiler, and what of its processor callgrind passes on."""
    compiler = subprocess.run(["musl-gcc", "--version"], capture_output=True, text=True, check=True)
    flags = Path("/proc/cpuinfo").read_text().split()
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return [
        compiler.stdout.splitlines()[0].split(" ", 1)[1],
        valgrind.stdout.strip(),
        *(name for name in FEATURES if name in flags),
    ]


def counted(out):
    """Instructions by folder of src/ and vendor/; what comes without a name is the C library."""
    command = ["callgrind_annotate", "--threshold=100", out]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    folders = {}
    for count, place in re.findall(r"^ *([\d,]+) +\([ \d.]+%\) +(\S+):", text, re.MULTILINE):
        if LEFT_OUT in place:
            continue
        found = re.search(r"(?:src|vendor)/(\w+)/", place)
        folder = found[1] if found else "libc"
        folders[folder] = folders.get(folder, 0) + int(count.replace(",", ""))
    assert folders, text[:1000]
    return folders


def drain(runner, delivery, name):
    """Instructions an event, by folder, of one drain of all that the server has."""
    out = runner.directory / f"{name}.callgrind"
    source = {"stream": "LOGGING", "consumer": name, "delivery": delivery}
    run = runner.start(
        "--once",
        prefix=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"],
        program=f"{VARVE}.debug",
        sources=[source],
        output={"log_output_directory": str(runner.directory / name), "min_free": 0},
        metrics={"listen": "off"},
        sandbox="off",  # callgrind has threads and calls of its own
    )
    assert run.wait(SECONDS) == 0, run.text()[-2000:]
    return {folder: count / EVENTS for folder, count in counted(out).items()}


def tools_missing():
    return [
        name for name in ("valgrind", "callgrind_annotate", "musl-gcc") if not shutil.which(name)
    ]


@pytest.mark.skipif(bool(tools_missing()), reason=f"not here: {', '.join(tools_missing())}")
@pytest.mark.parametrize("delivery", ["position", "durable"])
def test_no_more_instructions_an_event(any_server, varve, delivery):
    reference = json.loads(REFERENCE.read_text())
    if made_by() != reference["made_by"]:
        pytest.skip(f"the reference is of {reference['made_by']}, this is {made_by()}")
    any_server.add_stream()
    any_server.generate(EVENTS, payload_bytes=120, simulations=1, per_hour=10**8)
    most = MARGIN * sum(reference[delivery].values())
    for attempt in range(ATTEMPTS):
        folders = drain(varve, delivery, f"{delivery}-{attempt}")
        if sum(folders.values()) <= most:
            return
    pytest.fail(f"{folders} instructions an event, {reference[delivery]} before")


def main():
    if tools_missing():
        sys.exit(f"not here: {', '.join(tools_missing())}")
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    reference = {"made_by": made_by()}
    with tempfile.TemporaryDirectory() as name:
        server = Server(binary, Path(name) / "nats").start()
        try:
            server.add_stream()
            server.generate(EVENTS, payload_bytes=120, simulations=1, per_hour=10**8)
            for delivery in ("position", "durable"):
                folders = drain(Runner(Path(name), server), delivery, delivery)
                reference[delivery] = {k: round(v) for k, v in sorted(folders.items())}
                print(f"{delivery}: {sum(folders.values()):,.0f} instructions an event, of which")
                print(json.dumps(reference[delivery]))
        finally:
            server.stop()
    if "--renew" in sys.argv:
        REFERENCE.write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main()
