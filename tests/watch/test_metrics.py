# SPDX-License-Identifier: MIT
"""/metrics: what Prometheus makes of it, and whether the numbers are true."""

import json
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from support import end, free_port, wait_for
from watching import Endpoint, need, start_prometheus, watched

# A contract with dashboards and rules, and the one that the invariant needs beside these.
NAMES = {
    "varve_messages_received_total": "counter",
    "varve_rows_committed_total": "counter",
    "varve_bytes_received_total": "counter",
    "varve_bytes_written_total": "counter",
    "varve_files_committed_total": "counter",
    "varve_rows_deduplicated_total": "counter",
    "varve_rows_clock_suspect_total": "counter",
    "varve_messages_dead_lettered_total": "counter",
    "varve_messages_pending": "gauge",
    "varve_acks_sent_total": "counter",
    "varve_commit_seconds": "histogram",
    "varve_commit_conflicts_total": "counter",
    "varve_encode_seconds": "histogram",
    "varve_event_delay_seconds": "histogram",
    "varve_consumer_pending": "gauge",
    "varve_consumer_ack_floor": "gauge",
    "varve_stream_last_sequence": "gauge",
    "varve_oldest_unacked_seconds": "gauge",
    "varve_open_partitions": "gauge",
    "varve_last_commit_timestamp_seconds": "gauge",
    "varve_alerts": "gauge",
    "varve_memory_bytes": "gauge",
    "varve_connected": "gauge",
    "varve_disconnected": "gauge",
    "varve_reconnects_total": "counter",
    "varve_tls_certificate_expiry_timestamp_seconds": "gauge",
    "varve_messages_lost_total": "counter",
    "varve_stream_gaps_total": "counter",
    "varve_disk_free_bytes": "gauge",
    "varve_paused": "gauge",
    "varve_expired_files_total": "counter",
    "varve_expired_bytes_total": "counter",
    "varve_compactions_total": "counter",
    "varve_compaction_memory_bytes": "gauge",
    "varve_files_live": "gauge",
    "varve_follower_position_sequence": "gauge",
    "varve_follower_lag_rows": "gauge",
    "varve_follower_lag_seconds": "gauge",
    "varve_follower_rows_total": "counter",
    "varve_follower_rows_refused_total": "counter",
    "varve_follower_notes_removed_total": "counter",
    "varve_follower_memory_bytes": "gauge",
    "varve_follower_files_fed_total": "counter",
    "varve_follower_files_read_total": "counter",
    "varve_follower_errors_total": "counter",
    "varve_quality_events_total": "counter",
    "varve_quality_findings_total": "counter",
    "varve_log_lines_lost_total": "counter",
    "varve_build_info": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_start_time_seconds": "gauge",
    "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
}


def total(metrics, name):
    return sum(value for key, value in metrics.items() if key[0] == name)


def at_rest(endpoint, messages):
    """The metrics once this many messages are received, committed and acked."""

    def settled():
        m = endpoint.metrics()
        acked = m["varve_oldest_unacked_seconds", "stream=LOGGING"] == 0
        quiet = m["varve_messages_pending", "stream=LOGGING"] == 0
        received = m["varve_messages_received_total", "stream=LOGGING"]
        return m if received >= messages and quiet and acked else None

    return wait_for(settled, f"{messages} messages at rest")


@pytest.fixture
def busy(any_server, varve):
    """A varve that has drained 2,000 events, 10 of them corrupt; its endpoint."""
    any_server.generate(2000, corrupt=10)
    process = varve.start(config=watched(varve))
    endpoint = Endpoint(process)
    at_rest(endpoint, 2010)
    return endpoint


def test_promtool_accepts_it(busy):
    out = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=busy.text("/metrics"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


def test_names_types_and_labels(busy):
    text = busy.text("/metrics")
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    assert types | {"varve_files_live": "gauge"} == NAMES  # which is not known from the start on
    labels = {label.split("=")[0] for key in busy.metrics() for label in key[1:]}
    assert labels == {"stream", "reason", "le", "version", "build"}
    assert {k for k in busy.metrics() if "version=" in str(k)} == {
        k for k in busy.metrics() if k[0] == "varve_build_info"
    }


def test_headers(busy):
    status, headers, body = busy.get("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(headers["Content-Length"]) == len(body)


def test_the_numbers_are_true(busy, any_server, varve):
    m = busy.metrics()
    assert m["varve_messages_received_total", "stream=LOGGING"] == 2010
    assert m["varve_rows_committed_total", "stream=LOGGING"] == 2000
    assert total(m, "varve_messages_dead_lettered_total") == 10
    assert total(m, "varve_rows_deduplicated_total") == 0
    # One is for all that was committed.
    commits = len(varve.started[-1].lines("committed"))
    assert 1 <= m["varve_acks_sent_total", "stream=LOGGING"] <= commits
    assert m["varve_stream_last_sequence", "stream=LOGGING"] == 2010
    any_server.wait_acked(2010)
    files = [*varve.output.rglob("*.parquet"), *varve.output.rglob("*.quarantine")]
    assert m["varve_bytes_written_total",] == sum(p.stat().st_size for p in files)
    assert total(m, "varve_files_committed_total") == len(files)
    assert m["varve_event_delay_seconds_count", "stream=LOGGING"] == 2010
    assert m["varve_event_delay_seconds_bucket", "stream=LOGGING", "le=+Inf"] == 2010
    assert m["varve_connected",] == 1
    assert abs(m["process_start_time_seconds",] - time.time()) < 600


def test_the_invariant(any_server, varve):
    """received = committed + dead_lettered + deduplicated + pending, also where the server delivers
    anew what it has acks for: its consumer was deleted and made again, from the start."""
    any_server.generate(1000, corrupt=10)
    varve.once()
    config = any_server.consumer().config
    any_server.delete_consumer()
    any_server.ask(lambda js: js.add_consumer("LOGGING", config))
    any_server.generate(2000, corrupt=20)
    m = at_rest(Endpoint(varve.start(config=watched(varve))), 3030)
    parts = {
        "varve_rows_committed_total": 2000,
        "varve_messages_dead_lettered_total": 20,
        "varve_rows_deduplicated_total": 1010,
        "varve_messages_pending": 0,
    }
    assert {name: total(m, name) for name in parts} == parts
    assert total(m, "varve_messages_received_total") == sum(parts.values())


def test_pending_is_what_is_not_committed_yet(any_server, varve):
    any_server.generate(500)
    process = varve.start(config=watched(varve, batching={"max_age": "1h"}))
    endpoint = Endpoint(process)
    key = ("varve_messages_received_total", "stream=LOGGING")
    wait_for(lambda: endpoint.metrics()[key] == 500, "500 messages received")
    m = endpoint.metrics()
    assert m["varve_messages_pending", "stream=LOGGING"] == 500
    assert m["varve_rows_committed_total", "stream=LOGGING"] == 0
    assert m["varve_open_partitions",] > 0
    assert m["varve_memory_bytes",] > 0
    assert 0 < m["varve_oldest_unacked_seconds", "stream=LOGGING"] < 600


def test_prometheus_scrapes_it(busy, tmp_path):
    """A real Prometheus, asked what it has stored."""
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [
                    {"job_name": "varve", "static_configs": [{"targets": [busy.target]}]}
                ],
            }
        )
    )
    process = start_prometheus(tmp_path, port)

    def ask(query):
        url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                result = json.load(response)["data"]["result"]
        except OSError:
            return None
        return result[0]["value"][1] if result else None

    try:
        wait_for(lambda: ask("up") == "1", "Prometheus scrapes")
        assert ask('varve_rows_committed_total{stream="LOGGING"}') == "2000"
        assert ask("histogram_quantile(0.5, varve_event_delay_seconds_bucket)") not in (None, "NaN")
        wait_for(lambda: ask("scrape_samples_scraped") == str(len(busy.metrics())), "all of it")
    finally:
        end(process)
