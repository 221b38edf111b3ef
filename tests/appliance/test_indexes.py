"""Opening the index of a data folder that an older or a later release has written."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from appliance.config import ModelSettings, Provider, Settings
from appliance.domain import EVERYONE, AccessFilter, Source
from appliance.errors import IndexUnavailable
from appliance.indexes import Indexes
from appliance.wiring import opened
from tests.data.builders import ToyEmbedder
from tests.data.embedding_model import models_loaded_once

READERS = AccessFilter(frozenset({EVERYONE}))


def _written_by(data: Path, release_format: int) -> None:
    meta = data / "index" / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text("utf-8")), "format": release_format}), "utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Indexes(Settings(data_dir=tmp_path), owner="me").open(ToyEmbedder()).serving.close()
    return tmp_path


def test_an_index_of_an_older_release_is_made_anew(data: Path) -> None:
    _written_by(data, 1)
    found = Indexes(Settings(data_dir=data), owner="me").open(ToyEmbedder())
    assert found.is_anew
    found.serving.close()
    again = Indexes(Settings(data_dir=data), owner="me").open(ToyEmbedder())
    assert not again.is_anew
    again.serving.close()


@pytest.mark.parametrize(("owner", "release_format"), [("me", 99), ("somebody else", 1)])
def test_what_is_not_ours_or_of_a_later_release_is_left_alone(data: Path, owner: str, release_format: int) -> None:
    _written_by(data, release_format)
    before = sorted(path.name for path in (data / "index").iterdir())
    with pytest.raises(IndexUnavailable):
        Indexes(Settings(data_dir=data), owner=owner).open(ToyEmbedder())
    assert sorted(path.name for path in (data / "index").iterdir()) == before


def test_an_index_that_was_made_anew_is_filled_without_anybody_asking(tmp_path: Path) -> None:
    documents, data = tmp_path / "documents", tmp_path / "data"
    documents.mkdir()
    (documents / "leave.txt").write_text("Parental leave is sixteen weeks for everybody.", encoding="utf-8")
    settings = Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))
    source = Source(str(uuid.uuid4()), "rules", str(documents), READERS.groups, watched=False, compare_every_s=0)
    with models_loaded_once(), opened(settings) as appliance:
        appliance.catalog.add_source(source)
        appliance.runs.wait(appliance.runs.start(source).id)
        assert appliance.retriever.retrieve("How long is parental leave?", READERS)
    _written_by(data, 1)
    with models_loaded_once(), opened(settings) as appliance:
        until = time.monotonic() + 60
        while not (hits := appliance.retriever.retrieve("How long is parental leave?", READERS)):
            assert time.monotonic() < until
            time.sleep(0.1)
    assert hits[0].path == "leave.txt"
