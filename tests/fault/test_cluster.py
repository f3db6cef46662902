# SPDX-License-Identifier: MIT
"""Three servers hold the stream. Leaders die and step down, and the majority goes away: nothing is
missing at the end, nothing twice, and all is acked."""

import signal

import pytest

from chaos import check_published
from cluster import Cluster
from generator import Load
from publisher import Publisher
from support import Runner, all_messages, server_binaries, wait_for


class Drain:
    """A cluster with a stream on all three; events come, varve drains."""

    def __init__(self, directory, cluster, delivery):
        self.delivery = delivery
        self.cluster = cluster
        self.cluster.ask(
            lambda js: js.add_stream(
                name="LOGGING", subjects=["logging.events.raw"], num_replicas=3
            )
        )
        self.runner = Runner(directory, None)
        self.publisher = Publisher(self.cluster.urls, Load(seed=78, payload_bytes=300))
        self.run = self.start()

    def start(self, *args):
        return self.runner.start(
            *args,
            nats={"servers": self.cluster.urls},
            sources=[{"stream": "LOGGING", "delivery": self.delivery}],
            batching={"max_rows": 300, "max_age": "200ms"},
        )

    def close(self):
        self.publisher.ended.set()
        self.runner.close()
        for node in self.cluster.nodes.values():
            if node.process is None:
                node.start()
        self.cluster.ask(lambda js: js.delete_stream("LOGGING"))

    def wait_progress(self):
        """Some hundred rows more are committed."""
        rows = sum(line["rows"] for line in self.run.lines("committed"))
        self.run.wait_rows(rows + 500)

    def finish(self):
        events = self.publisher.stop()
        assert self.run.stop() == 0, self.run.text()
        last = self.start("--once")
        assert last.wait() == 0, last.text()
        # Acks that died with a leader are given again at a start, not after ack_wait.
        if self.delivery == "durable":
            wait_for(self.all_acked, "all is acked")
        held = self.cluster.ask(lambda js: all_messages(js, "LOGGING"))
        check_published(self.runner.output, events, self.publisher.repeated, held)

    def all_acked(self):
        info = self.cluster.ask(lambda js: js.consumer_info("LOGGING", "varve"))
        return info.num_pending == 0 and info.num_ack_pending == 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    binary = server_binaries()["newest"] or pytest.skip("nats-server: newest is not here")
    cluster = Cluster(binary, tmp_path_factory.mktemp("cluster"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def drain(request, tmp_path, cluster):
    drain = Drain(tmp_path, cluster, request.param)
    yield drain
    drain.close()


both = pytest.mark.parametrize("drain", ["durable", "position"], indirect=True)


@both
def test_the_leader_of_the_stream_is_killed(drain):
    drain.wait_progress()
    leader = drain.cluster.stream_leader()
    leader.stop(signal.SIGKILL)
    drain.wait_progress()
    leader.start()
    drain.finish()


@both
def test_leaders_step_down(drain):
    for what in ("STREAM", "CONSUMER", "STREAM"):
        drain.wait_progress()
        if what != "CONSUMER" or drain.delivery == "durable":
            drain.cluster.step_down(what)
    drain.finish()


@both
def test_the_majority_is_away(drain):
    drain.wait_progress()
    gone = [drain.cluster.nodes["a"], drain.cluster.nodes["b"]]
    for node in gone:
        node.stop(signal.SIGKILL)
    for node in gone:
        node.start()
    drain.wait_progress()
    drain.finish()


@pytest.mark.parametrize("drain", ["position"], indirect=True)
def test_the_node_of_the_consumer_is_killed(drain):
    """Of a consumer that is on one node only, nobody says that it is gone."""
    leader = drain.cluster.consumer_leader(drain.run.wait_line("consumer_made")["consumer"])
    leader.stop(signal.SIGKILL)
    drain.wait_progress()
    leader.start()
    drain.finish()


@pytest.mark.parametrize("drain", ["durable"], indirect=True)
def test_a_lame_duck_is_left(drain):
    """It says that it will go, so nobody waits until it does."""
    drain.wait_progress()
    name = drain.run.wait_line("connected")["name"]
    duck = drain.cluster.nodes[name]
    duck.process.send_signal(signal.SIGUSR2)
    drain.run.wait_line("lame_duck")
    assert drain.run.wait_line("connected", count=2)["name"] != name
    assert duck.process.poll() is None
    drain.wait_progress()
    duck.stop(signal.SIGKILL)
    duck.start()
    drain.finish()
