# SPDX-License-Identifier: MIT
"""What several tests of the client of object stores start from."""

import pytest
import s3_fake as fake
from s3_platform import Platform


@pytest.fixture
def store():
    with fake.Fake() as found:
        yield found


@pytest.fixture
def platform():
    found = Platform()
    yield found
    found.server.shutdown()
    found.server.server_close()
