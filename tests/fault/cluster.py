# SPDX-License-Identifier: MIT
"""Three nats-servers as a cluster on the loopback."""

import json
import signal

from support import Server, free_port, wait_for

NAMES = ("a", "b", "c")


class Node(Server):
    """One of them; `routes` are the ports of all."""

    def __init__(self, binary, directory, name, port, routes):
        self.name = name
        self.route = port
        self.routes = routes
        super().__init__(binary, directory / name)

    def configure(self, extra):
        super().configure(extra)
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in self.routes)
        text = self.config.read_text().replace("server_name: test", f"server_name: {self.name}")
        listen = json.dumps(f"127.0.0.1:{self.route}")
        self.config.write_text(
            f"{text}cluster {{ name: varve, listen: {listen}, routes: [{routes}] }}\n"
        )


class Cluster:
    def __init__(self, binary, directory):
        ports = [free_port() for _ in NAMES]
        self.nodes = {
            name: Node(binary, directory, name, port, ports)
            for name, port in zip(NAMES, ports, strict=True)
        }

    @property
    def urls(self):
        return [node.url for node in self.nodes.values()]

    def start(self):
        for node in self.nodes.values():
            node.start()
        wait_for(self.has_leader, "the cluster has a leader")

    def stop(self):
        for node in self.nodes.values():
            node.stop(signal.SIGKILL)

    def alive(self):
        """A node that runs."""
        return next(n for n in self.nodes.values() if n.process is not None)

    def ask(self, work):
        """As Server.ask, until the cluster has an answer."""
        from nats.errors import Error
        from nats.js.errors import Error as JetStreamError

        def attempt():
            try:
                return [self.alive().ask(work, seconds=20)]
            except (Error, JetStreamError, TimeoutError, OSError):
                return None

        return wait_for(attempt, "the cluster answers")[0]

    def has_leader(self):
        return self.ask(lambda js: js.account_info()) is not None

    def stream_leader(self):
        return self._leader(lambda js: js.stream_info("LOGGING"))

    def consumer_leader(self, name="varve"):
        return self._leader(lambda js: js.consumer_info("LOGGING", name))

    def _leader(self, question):
        """The node that leads; waits for an election."""
        name = wait_for(lambda: self.ask(question).cluster.leader, "somebody leads")
        return self.nodes[name]

    def step_down(self, what):
        """`what` is STREAM or CONSUMER."""
        names = {"STREAM": ".LOGGING", "CONSUMER": ".LOGGING.varve"}
        subject = f"$JS.API.{what}.LEADER.STEPDOWN{names[what]}"

        async def work(js):
            return json.loads((await js._nc.request(subject, b"", timeout=10)).data)

        wait_for(lambda: self.ask(work).get("success"), "the leader steps down")
