"""One pool for the whole suite: a worker takes seconds to load the office parsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.config import IngestSettings
from ingest.parse.sandbox import ParserPool


@pytest.fixture(scope="session")
def pool() -> Iterator[ParserPool]:
    with ParserPool(IngestSettings(), size=2) as opened:
        yield opened
