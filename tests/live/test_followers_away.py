# SPDX-License-Identifier: MIT
"""Followers that fail for a long time: neither the drain nor anybody else waits for them, the store keeps
what they have not read, and when their targets are there again each has each row once."""

from series_servers import Scripted
from support import Output, wait_for
from test_followers_killed import BLOCK, NAMES, NOTE, check_all, event, positions, settings
from watching import Endpoint

BLOCKS = 20
ROWS, SECONDS = "varve_follower_lag_rows", "varve_follower_lag_seconds"


class Obstacles:
    """What keeps each target from taking anything."""

    def __init__(self, varve, server, database):
        self.server, self.database = server, database
        types = varve.output.with_name(varve.output.name + "-types")
        self.files = [types / NOTE, varve.directory / "vault" / "_delta_log"]
        self.files.append(varve.output / "_quality")
        self.rest = database.rest
        database.rest = (503, {}, b"")
        for path in self.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def remove(self):
        for path in self.files:
            path.unlink()
        self.database.rest = self.rest
        self.server.add_stream("REPLAY", ["replay.>"])


def failing(endpoint):
    body = endpoint.get("/readyz")[2].decode()
    return [name for name in NAMES if f"follower {name} fails: " in body]


def fail_for_a_while(server, varve, config, first):
    """A run in which rows come and all followers fail; the last sequence."""
    last = first + BLOCKS * BLOCK - 1
    run = varve.start(**config)
    endpoint = Endpoint(run)
    for number, block in enumerate(range(first, last + 1, BLOCK), 1):
        server.publish([event(n) for n in range(block, block + BLOCK)])
        if number % 5 == 0:  # so that there are some commits, and small files
            run.wait_rows(number * BLOCK)
    server.wait_acked(last)
    wait_for(lambda: failing(endpoint) == list(NAMES), "all of them fail")
    wait_for(lambda: positions(endpoint, ROWS) == [last] * len(NAMES), "how far behind")
    wait_for(lambda: min(positions(endpoint, SECONDS)) > 1, "for how long")
    assert endpoint.get("/readyz")[0] == 200
    run.wait_line("compacted")
    assert run.stop() == 0
    return last


def test_away_for_long_and_caught_up(any_server, varve):
    """Over a restart, and while small files are merged."""
    any_server.add_stream()
    database = Scripted()
    config = settings(varve, database.base + "/write?db=sim")
    config["compaction"] = {"interval": "1s", "after": "1s"}
    obstacles = Obstacles(varve, any_server, database)
    try:
        last = fail_for_a_while(any_server, varve, config, 1)
        last = fail_for_a_while(any_server, varve, config, last + 1)
        run = varve.start(**config)
        endpoint = Endpoint(run)
        obstacles.remove()
        wait_for(lambda: min(positions(endpoint)) == last, "all of them at the end")
        assert run.stop() == 0
    finally:
        database.close()
    check_all(any_server, varve, database, last)


def test_the_store_keeps_what_they_have_not_read(any_server, varve):
    """Retention of a running varve, for one that was added when all rows were old enough to go."""
    any_server.add_stream()
    any_server.publish([event(n) for n in range(1, 61)])
    varve.once()
    database = Scripted(rest=(503, {}, b""))
    config = settings(varve, database.base + "/write?db=sim")
    config["followers"] = [f for f in config["followers"] if f["name"] == "db"]
    config["retention"] = {"max_age": "16s"}  # it looks each second then
    try:
        run = varve.start(**config)
        assert "the follower db" in run.wait_line("retention_held")["because"]
        assert len(Output(varve.output).table()) == 60
        database.rest = (204, {}, b"")
        wait_for(lambda: Output(varve.output).files() == [], "the old rows to go")
        assert run.stop() == 0
    finally:
        database.close()
    lines = {line for lines in database.lines() for line in lines}
    assert len(lines) == 40  # each third is of another type
