"""What was cut is found: by the folder that holds it, the real parser, index and retriever."""

from __future__ import annotations

import pytest

from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter, Hit
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.retriever import Retriever
from tests.ingest.conftest import STAFF, Room, ToyEmbedder, tally

_HEAD = "Article | List price EUR | Minimum quantity | Supplier number"
_ROWS = [f"Seal ring SR-{n:03},{n * 1.5 + 2:.2f},{n % 9 + 1},S-{1000 + n}" for n in range(60)]
_ENGLISH = "The supplier delivers the goods within thirty days. Either party may end this contract in writing. " * 9
_GERMAN = "Der Lieferant haftet für Schäden an den Waren. Die Kündigung dieses Vertrags bedarf der Schriftform. " * 9


@pytest.fixture
def shop(room: Room) -> Room:
    room.embedder = ToyEmbedder(max_tokens=256)
    room.settings = room.settings.model_copy(update={"chunk_tokens": 200, "overlap_tokens": 32})
    return room


def _ask(room: Room, question: str) -> list[Hit]:
    retriever = Retriever(
        catalog=room.catalog,
        index=room.index,
        embedder=room.embedder,
        settings=RetrievalSettings(),
        glossary=Glossary([]),
    )
    return retriever.retrieve(question, AccessFilter(STAFF))


def test_a_question_about_a_row_far_down_a_table_finds_it_with_the_head_of_the_table(shop: Room) -> None:
    shop.write("prices.csv", "\n".join([_HEAD.replace(" | ", ","), *_ROWS]))
    shop.write("stock.csv", "\n".join(["Article,Hall", *(f"Shaft SH-{n:03},{n % 4}" for n in range(60))]))
    shop.sync()
    best = _ask(shop, "What is the list price of seal ring SR-058?")[0].chunk
    head, *rows = best.text.split("\n")
    assert head == _HEAD
    assert _ROWS[58].replace(",", " | ") in rows
    assert best.number > 1


def test_both_halves_of_a_document_in_two_languages_are_found_by_other_forms_of_their_words(shop: Room) -> None:
    shop.write("contract.md", f"# Contract\n\n## English\n\n{_ENGLISH}\n\n## Deutsch\n\n{_GERMAN}\n")
    shop.sync()
    german = _ask(shop, "Welche Schriftformen brauchen die Kündigungen der Verträge?")[0]
    english = _ask(shop, "Which suppliers are delivering goods to the parties?")[0]
    assert (german.chunk.language, german.sparse_rank) == ("de", 1)
    assert (english.chunk.language, english.sparse_rank) == ("en", 1)


def test_documents_are_read_again_when_they_would_be_cut_otherwise(shop: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("contract.md", _ENGLISH)
    shop.sync()
    before = shop.known()["contract.md"].version_id
    assert tally(shop.sync()) == {"unchanged": 1}
    monkeypatch.setattr("ingest.plan.CUTTER_VERSION", "another")
    assert tally(shop.sync()) == {"indexed": 1}
    assert shop.known()["contract.md"].version_id != before
