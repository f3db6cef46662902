# SPDX-License-Identifier: MIT
"""Fixtures of the tests that need processes. A server that can't be had is skipped by its name."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

for shared in ("live", "watch", "fault", "soak"):  # generator.py, watching.py, confined.py...
    sys.path.insert(0, str(Path(__file__).resolve().parent / shared))

import s3_support  # noqa: E402
from support import Namespace, Runner, Server, accepts, server_binaries  # noqa: E402


# Their tests share what is dear to make, or go through a story in order.
TOGETHER = (
    "fault/test_cluster.py",
    "fault/test_upgrade.py",
    "interop/test_judges.py",
    "interop/test_writer.py",
    "readme/test_readme.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With pytest -n 4: a test goes to whichever process is free; those of a file of TOGETHER go to
    one, in their order, and before all others. So do those of a machine."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            if file.endswith("machines/test_machines.py"):
                return file + nodeid.partition("[")[2]  # the machine
            return file if file.endswith(TOGETHER) else nodeid

    return Scheduling(config, log)


def binary_or_skip(name):
    binary = server_binaries()[name]
    if binary is None:
        pytest.skip(f"nats-server: {name} is not here")
    return binary


@pytest.fixture(params=["debian", "newest"])
def server_binary(request):
    """Each nats-server that the tests run against."""
    return binary_or_skip(request.param)


@pytest.fixture(scope="module")
def any_server_binary():
    """One nats-server, where its version makes no difference."""
    return next((b for b in reversed(server_binaries().values()) if b), None) or pytest.skip(
        "nats-server is not here"
    )


@pytest.fixture(scope="module")
def network():
    """What goes before a command to run it where nobody listens on 4222 and 9464."""
    space = Namespace() if shutil.which("unshare") and shutil.which("nsenter") else None
    if space and space.works:
        yield space.prefix
    elif not any(accepts(port) for port in (4222, 9464)):
        yield []
    else:
        pytest.skip("port 4222 or 9464 is taken, and there is no network namespace to be had")
    if space:
        space.close()


@pytest.fixture
def make_server(tmp_path):
    """Starts servers, and stops them at the end."""
    started = []

    def make(binary, name="nats", **options):
        server = Server(binary, tmp_path / name, **options)
        started.append(server)
        return server.start()

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def server(make_server, server_binary):
    """A running server of each kind."""
    return make_server(server_binary)


@pytest.fixture
def any_server(make_server, any_server_binary):
    """A running server, where its version makes no difference."""
    return make_server(any_server_binary)


def pytest_configure(config):
    config.addinivalue_line("markers", "stores: see pytest_generate_tests")


def pytest_generate_tests(metafunc):
    """A test with the mark `stores` has its table in a directory, and once more in a bucket."""
    if metafunc.definition.get_closest_marker("stores"):
        metafunc.parametrize("table_store", ["directory", "versitygw"], indirect=True)


@pytest.fixture
def table_store(request, tmp_path):
    """None for a directory, else the store; without the mark it is what VARVE_STORE says."""
    name = getattr(request, "param", os.environ.get("VARVE_STORE", "directory"))
    if name == "directory":
        yield None
        return
    with s3_support.server(name, tmp_path / "store") as store:
        yield store


@pytest.fixture
def make_runner(tmp_path, table_store):
    made = []

    def make(server):
        runner = Runner(tmp_path, server, table_store)
        made.append(runner)
        return runner

    yield make
    for runner in made:
        runner.close()


@pytest.fixture
def varve(request, make_runner):
    """Runs varve against whichever server the test has."""
    names = [name for name in ("server", "any_server") if name in request.fixturenames]
    return make_runner(request.getfixturevalue(names[0]) if names else None)


@pytest.fixture
def memory_directory(tmp_path):
    """A directory in memory where the host has one: for tests whose many fsyncs must be quick."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        yield tmp_path
        return
    directory = Path(tempfile.mkdtemp(prefix="varve-", dir=shared))
    yield directory
    shutil.rmtree(directory)
