"""A stand-in for the API behind the pages, and where it is served; a module may share one among its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ui.api_standin import Standin, create_api
from tests.ui.test_client import Served


@pytest.fixture
def state() -> Standin:
    return Standin()


@pytest.fixture
def base_url(state: Standin) -> Iterator[str]:
    with Served(create_api(state)) as url:
        yield url
