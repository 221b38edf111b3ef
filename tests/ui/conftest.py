"""A stand-in for the API behind the pages, and where it is served; a module may share one among its tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from unittest import mock

import pytest
from streamlit.components.v2 import manifest_scanner

from tests.ui.api_standin import Standin, create_api
from tests.ui.test_client import Served


@pytest.fixture(scope="session", autouse=True)
def _packages_are_searched_once() -> Iterator[None]:
    """Streamlit looks for components in every package that is installed, for each page that a test opens."""
    found = cache(manifest_scanner.scan_component_manifests)
    with mock.patch.object(manifest_scanner, "scan_component_manifests", found):
        yield


@pytest.fixture
def state() -> Standin:
    return Standin()


@pytest.fixture
def base_url(state: Standin) -> Iterator[str]:
    with Served(create_api(state)) as url:
        yield url
