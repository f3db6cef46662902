# SPDX-License-Identifier: MIT
"""many_hosts.py with few events; tests/soak/hosts has it with 10 million."""

import many_hosts
import pytest


@pytest.mark.timeout(900)
def test_four_hosts_and_one_table(tmp_path, any_server_binary):
    compaction = {"interval": "2s", "after": "1s"}
    many_hosts.go(tmp_path, any_server_binary, 30_000, list(many_hosts.WAYS), print, "500ms", compaction)
