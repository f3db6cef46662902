# SPDX-License-Identifier: MIT
"""What the tests of limits share: how much memory a process takes, and what keeps it below that."""

import shutil

MIB = 1024 * 1024

# What varve may take beside memory_limit.
REST = 16


def memory(pid):
    """{"VmHWM": MiB, ...} of a process that runs; empty once it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            lines = [line.split() for line in status if line.startswith("Vm")]
    except OSError:
        return {}
    return {name[:-1]: int(kib) / 1024 for name, kib, _ in lines}


class Peaks:
    """The most of each figure that a process showed while it was looked at."""

    def __init__(self, run):
        self.run = run
        self.most = {}

    def look(self):
        for name, mib in memory(self.run.process.pid).items():
            self.most[name] = max(mib, self.most.get(name, 0))

    def ended(self):
        self.look()
        return self.run.process.poll() is not None


def capped(limit, kind="as"):
    """What goes before a command to give it memory_limit and the rest, and not a page more."""
    assert shutil.which("prlimit")
    return ["prlimit", f"--{kind}={(limit + REST) * MIB}", "--"]
