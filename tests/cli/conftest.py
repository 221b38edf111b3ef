"""A room that is set up and filled once, by commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.room import Room
from tests.data.embedding_model import models_loaded_once


@pytest.fixture(scope="module", autouse=True)
def _a_model_is_loaded_once() -> Iterator[None]:
    with models_loaded_once():
        yield


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Not to be changed."""
    made = Room(tmp_path_factory.mktemp("filled"))
    (made.documents / "empty.pdf").touch()
    (made.documents / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    made.run("init")
    made.first_ingestion = made.run("ingest", str(made.documents))
    made.first_status = made.run("status")
    return made


@pytest.fixture(scope="module")
def room(filled: Room, tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A copy for the tests of one file, which may add to it."""
    made = filled.copied(tmp_path_factory.mktemp("room"))
    made.first_ingestion, made.first_status = filled.first_ingestion, filled.first_status
    return made
