"""Every hostile file of `tests/data/hostile.py` ends as it must, in time and memory, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import IngestSettings
from bench.hostile import Outcome, descendants, ending, sweep
from ingest.discover import FoundFile, discover
from ingest.parse.sandbox import ParserPool
from tests.data import hostile
from tests.data.hostile import ALL, NAMES, Hostile, Verdict

pytestmark = pytest.mark.integration

MOST_SECONDS = 30
MOST_BYTES = 1024**3
STATES = {
    Verdict.READ: {"read"},
    Verdict.REFUSED: {"refused"},
    Verdict.FAILED: {"failed", "broken"},
    Verdict.EMPTY: {"empty"},
    Verdict.BROKEN: {"broken"},
    Verdict.PASSWORD: {"needs password"},
    Verdict.EITHER: {"refused", "failed", "broken"},
    Verdict.ANY: {"read", "refused", "failed", "broken"},
}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the pool of this module puts scratch folders."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        yield folder


@pytest.fixture(scope="module")
def parsers(temporary: Path) -> Iterator[ParserPool]:
    before = descendants(os.getpid()).keys()
    with ParserPool(IngestSettings(), size=1) as pool:
        pool.report()
        yield pool
    assert not descendants(os.getpid()).keys() - before
    assert list(temporary.iterdir()) == []


def text_of(outcome: Outcome) -> str:
    assert outcome.parsed is not None
    return "\n".join([outcome.parsed.title, *(element.text for element in outcome.parsed.elements)])


def check(pool: ParserPool, folder: Path, temporary: Path, file: Hostile) -> None:
    path = folder / "document"
    path.write_bytes(file.make())
    before = set(folder.iterdir())
    outcome = ending(pool, path, file.name)
    said = outcome.reason if outcome.parsed is None else text_of(outcome)
    assert outcome.state in STATES[file.verdict], said[:300]
    assert said
    assert re.search(file.gives, said), said[:300]
    assert not (file.hides and re.search(file.hides, said)), said[:300]
    assert outcome.cpu_s <= MOST_SECONDS  # on a machine that does nothing else, the same as the clock says
    assert outcome.peak_bytes <= MOST_BYTES
    assert set(folder.iterdir()) == before
    assert [list(scratch.iterdir()) for scratch in temporary.iterdir()] in ([[]], [])  # of the one worker


@pytest.mark.parametrize("file", [file for file in ALL if not file.slow], ids=lambda file: file.name)
def test_a_hostile_file_ends_as_it_must(parsers: ParserPool, tmp_path: Path, temporary: Path, file: Hostile) -> None:
    check(parsers, tmp_path, temporary, file)


@pytest.mark.slow
@pytest.mark.parametrize("file", [file for file in ALL if file.slow], ids=lambda file: file.name)
def test_a_large_hostile_file_ends_as_it_must(
    parsers: ParserPool, tmp_path: Path, temporary: Path, file: Hostile
) -> None:
    check(parsers, tmp_path, temporary, file)


def test_a_good_document_is_read_after_all_of_them(parsers: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "good.pdf"
    path.write_bytes(hostile.one_page())
    assert hostile.VISIBLE in text_of(ending(parsers, path, "good.pdf"))


def test_the_set_is_large_and_its_names_are_its_own() -> None:
    assert len(ALL) >= 60
    assert len({file.name for file in ALL}) == len(ALL)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_awkward_name_is_found_as_it_is_and_said_without_what_nobody_sees(
    parsers: ParserPool, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    assert [found.path for found in discover(tmp_path) if isinstance(found, FoundFile)] == [name]
    outcome = ending(parsers, tmp_path / name, name)
    assert outcome.state in {"empty", "refused"}
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in outcome.reason)


def test_names_that_look_alike_are_different_files(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"x")
    assert len([found for found in discover(tmp_path) if isinstance(found, FoundFile)]) == len(set(NAMES))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_whole_corpus_ends_in_states_with_reasons(temporary: Path) -> None:
    folder = os.environ.get("STRONGROOM_TEST_CORPUS")
    if not folder:
        pytest.skip("set STRONGROOM_TEST_CORPUS to a folder of documents")
    before = descendants(os.getpid()).keys()
    with ParserPool(IngestSettings(), size=1) as pool:
        outcomes = list(sweep(Path(folder), pool))
    assert outcomes
    assert [outcome for outcome in outcomes if outcome.state == "crash"] == []
    assert [outcome.path for outcome in outcomes if outcome.state != "read" and not outcome.reason] == []
    assert not descendants(os.getpid()).keys() - before
