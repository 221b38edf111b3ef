"""The search story, with the real catalog and the real embedded index."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.catalog import Catalog
from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter, Chunk, DocumentFacts, DocumentState, Hit, Place
from appliance.errors import CatalogUnavailable, IndexUnavailable
from appliance.index.edge import EdgeIndex
from appliance.labels import FileLabels
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.retriever import Retriever
from appliance.retrieval.superseded import packed
from tests.data.builders import SOURCE, ToyEmbedder, index_entries, make_outcome, publish
from tests.data.migrated import migrated

STAFF = AccessFilter(frozenset({"staff"}))
LEGAL = AccessFilter(frozenset({"legal"}))
GROUPS = ("staff", "legal", "board")
QUESTION = "parental leave"
GLOSSARY = Glossary([["capex", "purchases of property"]])


class Shop:
    """A catalog and an index that are kept in step, as ingestion keeps them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.database = migrated(folder / "catalog.db")
        self.catalog = Catalog(self.database)
        self.catalog.add_source(SOURCE)
        self.index = EdgeIndex(folder / "index", dimension=ToyEmbedder.dimension, model_id=ToyEmbedder.model_id)

    def add(
        self, path: str, *texts: str, groups: frozenset[str] = STAFF.groups, place: Place | None = None
    ) -> list[Chunk]:
        chunks = publish(self.catalog, path, *texts, groups=groups, place=place)
        self.index.upsert(index_entries(chunks, groups, path.removesuffix(".txt")))
        return chunks

    def ask(
        self,
        question: str,
        access: AccessFilter = STAFF,
        candidates: int = 60,
        languages: tuple[str, ...] = (),
        on_pages: float = RetrievalSettings().dense_weight_on_pages,
    ) -> list[Hit]:
        return self.retriever(candidates, languages, on_pages).retrieve(question, access)

    def retriever(
        self,
        candidates: int = 60,
        languages: tuple[str, ...] = (),
        on_pages: float = RetrievalSettings().dense_weight_on_pages,
    ) -> Retriever:
        return Retriever(
            catalog=self.catalog,
            index=self.index,
            embedder=ToyEmbedder(),
            settings=RetrievalSettings(candidates=candidates, dense_weight_on_pages=on_pages),
            glossary=GLOSSARY,
            languages=languages,
        )

    def texts(self, question: str = QUESTION, access: AccessFilter = STAFF) -> list[str]:
        return [hit.chunk.text for hit in self.ask(question, access)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.index.close()
    shop.database.close()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A document for every set of groups, all of them about parental leave."""
    shop = Shop(tmp_path_factory.mktemp("mixed"))
    for number in range(2 ** len(GROUPS)):
        label = frozenset(group for bit, group in enumerate(GROUPS) if number >> bit & 1)
        shop.add(f"{number}.txt", f"Parental leave, rule {number}.", groups=label)
    yield shop
    shop.index.close()
    shop.database.close()


# who sees what


@settings(deadline=None, max_examples=30)
@given(
    st.frozensets(st.sampled_from([*GROUPS, "Staff", "nobody", ""])),
    st.sampled_from(["parental leave", "rule 3", "", "entirely different", "\0"]),
)
def test_a_reader_gets_no_chunk_their_groups_do_not_admit(mixed: Shop, mine: frozenset[str], question: str) -> None:
    access = AccessFilter(mine)
    found = {hit.path for hit in mixed.ask(question, access)}
    admitted = {
        f"{number}.txt"
        for number in range(2 ** len(GROUPS))
        if access.admits(group for bit, group in enumerate(GROUPS) if number >> bit & 1)
    }
    assert found <= admitted
    if question == "parental leave":
        assert found == admitted  # and nothing is lost


def test_no_groups_find_nothing(mixed: Shop) -> None:
    assert mixed.ask(QUESTION, AccessFilter(frozenset())) == []


def test_a_label_withdrawn_in_the_catalog_alone_already_holds_back_the_hit(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Ingestion relabels the catalog first; until the index follows, it still returns the chunk."""
    (chunk,) = shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.catalog.relabel(chunk.document_id, FileLabels.all(frozenset({"legal"})), settled=False)
    with caplog.at_level(logging.INFO):
        assert shop.ask(QUESTION) == []
    assert "1 passages were left out of a search" in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]  # it is as it should be
    assert "Parental" not in caplog.text
    assert "leave" not in caplog.text


def test_a_label_withdrawn_in_the_index_alone_holds_back_the_hit_too(shop: Shop) -> None:
    (chunk,) = shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.index.set_groups(chunk.document_id, frozenset({"legal"}))
    assert shop.ask(QUESTION) == []
    assert shop.ask(QUESTION, LEGAL) == []


def test_what_the_catalog_alone_has_closed_takes_no_place_of_a_candidate(shop: Shop) -> None:
    """The index hears of it when a sync comes to it: till then every nearer passage is one of a closed document."""
    shop.add("open.txt", "Parental leave is sixteen weeks, as the handbook of the house says.")
    shop.add("also open.txt", "The handbook of the house says other things of leave, and of bicycles in the yard.")
    for number in range(80):
        (chunk,) = shop.add(f"closed-{number}.txt", f"Parental leave {number}.")
        shop.catalog.relabel(chunk.document_id, FileLabels.all(LEGAL.groups), settled=False)
    for candidates in (1, 2, 3, 60):
        found = [hit.path for hit in shop.ask(QUESTION, candidates=candidates)]
        assert found == ["open.txt", "also open.txt"][:candidates]
    assert shop.ask(QUESTION)[0].sparse_rank == shop.ask(QUESTION)[0].dense_rank == 1


def test_the_old_version_of_a_document_takes_no_place_of_the_new_one(shop: Shop) -> None:
    shop.add("a.txt", *(f"Parental leave {number}." for number in range(80)))
    shop.add("a.txt", "Parental leave is sixteen weeks, as the handbook of the house says.")
    assert shop.texts() == ["Parental leave is sixteen weeks, as the handbook of the house says."]


def test_a_name_that_the_catalog_alone_has_closed_takes_no_place_of_one_that_is_open(shop: Shop) -> None:
    shop.add("FABRIKAM.txt", "Dividends were paid in autumn.")
    for number in range(60):
        (chunk,) = shop.add(f"FABRIKAM_HOLDING_{number}.txt", "Nothing.")
        shop.catalog.relabel(chunk.document_id, FileLabels.all(LEGAL.groups), settled=False)
    (named,), (unnamed,) = (shop.ask(f"Dividends of {name}?") for name in ("Fabrikam Holding", "fabrikam holding"))
    assert named.score > unnamed.score


def test_of_what_is_settled_and_closed_the_alarm_tells_how_much_the_index_brought(shop: Shop) -> None:
    shop.add("open.txt", "Parental leave is sixteen weeks, as the handbook of the house says.")
    for number in range(10):
        (chunk,) = shop.add(f"closed-{number}.txt", f"Parental leave {number}.")
        shop.catalog.relabel(chunk.document_id, FileLabels.all(LEGAL.groups), settled=number > 0)
    alarms: list[str] = []
    withheld: list[int] = []
    retriever = Retriever(
        catalog=shop.catalog,
        index=shop.index,
        embedder=ToyEmbedder(),
        settings=RetrievalSettings(candidates=4),
        glossary=GLOSSARY,
        alarm=alarms.append,
    )
    found = retriever.retrieve(QUESTION, STAFF, on_withheld=withheld.append)
    assert [hit.path for hit in found] == ["open.txt"]
    assert withheld == [9]
    assert alarms == ["the index let 9 passages through that the catalog kept from their reader"]


def test_a_superseded_version_and_a_document_that_is_gone_are_not_found_even_if_the_index_still_has_them(
    shop: Shop,
) -> None:
    shop.add("a.txt", "Parental leave is fourteen weeks.")
    shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.add("b.txt", "Parental leave is a secret.")
    shop.catalog.record(make_outcome("b.txt", state=DocumentState.GONE), keep_version=False)
    assert shop.index.count() == 3
    assert shop.texts() == ["Parental leave is sixteen weeks."]


def test_what_an_earlier_answer_drew_on_is_admitted_for_as_long_as_its_reader_may_see_it(shop: Shop) -> None:
    (old,) = shop.add("a.txt", "Parental leave is fourteen weeks.")
    shop.add("a.txt", "Parental leave is sixteen weeks.")
    (other,) = shop.add("b.txt", "Parental leave of others.")
    hits, admits = shop.ask(QUESTION), shop.retriever().admits
    assert admits(hits, [old.id, other.id], STAFF)  # an edition that was superseded is no matter
    assert not admits(hits, [old.id, other.id], LEGAL)
    assert not admits([], [old.id], LEGAL)
    shop.catalog.relabel(other.document_id, FileLabels.all(frozenset({"legal"})), settled=False)
    assert admits([], [old.id], STAFF)
    assert not admits([], [old.id, other.id], STAFF)


def test_scores_say_nothing_about_documents_one_may_not_see(tmp_path: Path) -> None:
    small, large = Shop(tmp_path / "small"), Shop(tmp_path / "large")
    for shop in (small, large):
        shop.add("a.txt", "Parental leave is sixteen weeks.")
        shop.add("b.txt", "Leave the building by the stairs.")
    for number in range(20):
        large.add(f"closed-{number}.txt", f"Parental leave {number}.", groups=LEGAL.groups)
    assert small.ask(QUESTION) == large.ask(QUESTION)
    for shop in (small, large):
        shop.index.close()
        shop.database.close()


# what is found, and how it is told


def test_the_best_passage_comes_first_with_all_that_a_citation_shows(shop: Shop) -> None:
    shop.add("rules/parking.txt", "Parking costs ten francs.", "Bicycles stand in the yard.")
    (chunk,) = shop.add("rules/leave.txt", "Parental leave is sixteen weeks.")
    first = shop.ask(QUESTION)[0]
    assert (first.chunk, first.title, first.path, first.source) == (
        chunk,
        "rules/leave.txt",
        "rules/leave.txt",
        SOURCE.name,
    )
    assert (first.rank, first.dense_rank, first.sparse_rank) == (1, 1, 1)
    assert first.similarity is not None
    assert first.similarity > 0.5
    assert len(first.version_sha256) == 64


def test_ranks_count_from_one_without_gaps_and_scores_fall(mixed: Shop) -> None:
    hits = mixed.ask(QUESTION, AccessFilter(frozenset(GROUPS)))
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_same_passage_in_two_files_is_shown_once(shop: Shop) -> None:
    shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.add("copy of a.txt", "Parental leave is sixteen weeks.", "Something else.")
    hits = shop.ask(QUESTION)
    assert [hit.chunk.text for hit in hits] == ["Parental leave is sixteen weeks.", "Something else."]
    assert [hit.rank for hit in hits] == [1, 2]


def test_a_copy_one_may_not_see_does_not_hide_the_one_that_one_may(shop: Shop) -> None:
    shop.add("a.txt", "Parental leave is sixteen weeks.", groups=LEGAL.groups)
    shop.add("b.txt", "Parental leave is sixteen weeks.", groups=STAFF.groups)
    assert [hit.path for hit in shop.ask(QUESTION, STAFF)] == ["b.txt"]
    assert [hit.path for hit in shop.ask(QUESTION, LEGAL)] == ["a.txt"]


RULES = (
    "Receipts are handed in within thirty days of the journey, on paper or as a picture, by whoever travelled. Trains are "
    "booked second class, flights in the cheapest class that leaves on the day, and taxis only where nothing else goes."
)


def test_of_editions_that_say_the_same_the_newest_is_found_and_what_differs_stays(shop: Shop) -> None:
    for year, most in (("2023", "180"), ("2025", "240"), ("2024", "200")):
        shop.add(f"Travel rules {year}.txt", RULES, f"A hotel may cost at most {most} francs per night and person.")
    found = [(hit.path, hit.chunk.text == RULES) for hit in shop.ask("Who hands in receipts of hotel and trains?")]
    assert [path for path, is_rules in found if is_rules] == ["Travel rules 2025.txt"]
    assert {path[-8:-4] for path, is_rules in found if not is_rules} == {"2023", "2024", "2025"}
    asked = shop.ask("Who hands in receipts of hotel and trains in 2023?")
    assert [hit.path for hit in asked if hit.chunk.text == RULES] == ["Travel rules 2023.txt"]


def test_an_edition_one_may_not_see_changes_nothing_of_what_one_finds(tmp_path: Path) -> None:
    small, large = Shop(tmp_path / "small"), Shop(tmp_path / "large")
    for shop in (small, large):
        shop.add("Travel rules 2023.txt", RULES, "A hotel may cost at most 180 francs per night and person.")
        shop.add("Travel rules 2024.txt", RULES, "A hotel may cost at most 200 francs per night and person.")
    large.add("Travel rules 2025.txt", RULES, "A hotel may cost 240 francs per night.", groups=LEGAL.groups)
    question = "receipts of hotel and trains"
    assert small.ask(question) == large.ask(question)
    assert "Travel rules 2025.txt" in {hit.path for hit in large.ask(question, LEGAL)}
    for shop in (small, large):
        shop.index.close()
        shop.database.close()


LEASING = tuple(
    f"Leasing rule {number}: the monthly rate of a leased {thing} is paid by the employer and leased anew each spring."
    for number, thing in enumerate(("car", "van", "phone", "desk", "printer", "scooter", "lamp", "boat"))
)
RATE = "What is the monthly rate of a leased bicycle?"
OLD_RATE = "The monthly rate of a leased bicycle is 45 EUR."
NEW_RATE = "Whoever has a leased bicycle contributes 52 EUR."


def of_leasing(shop: Shop, older: str = "Bicycle policy 2024.txt", newer: str = "Bicycle policy 2025.txt") -> None:
    """Two editions, the newer one reworded, and other documents that are nearer to the question than that."""
    shop.add(older, OLD_RATE)
    for number, rule in enumerate(LEASING):
        shop.add(f"Leasing rule {number}.txt", rule)
    shop.add(newer, NEW_RATE, "Canteen: eleven.")


@pytest.mark.parametrize("candidates", [2, 60])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Bicycle policy 2024.txt", "Bicycle policy 2025.txt"),
        ("Bicycle policy 2024-03-01.txt", "Bicycle policy 2025-03-01.txt"),  # too short to tell whether they are alike
        ("Rules/Archive/bicycle_policy_v1.txt", "Rules/Bicycle policy v2.txt"),
        ("Bicycle policy Rev A.txt", "Bicycle policy Rev B.txt"),
        ("Bicycle policy 1st edition.txt", "Bicycle policy 2nd edition.txt"),
    ],
)
def test_a_superseded_document_is_packed_together_with_its_newest_edition(
    shop: Shop, older: str, newer: str, candidates: int
) -> None:
    of_leasing(shop, older, newer)
    hits = shop.ask(RATE, candidates=candidates)
    assert hits[0].path == older
    (later,) = {hit.chunk.document_id for hit in hits if hit.path == newer}
    assert {hit.superseded_by for hit in hits if hit.path == older} == {later}
    assert {hit.superseded_by for hit in hits if hit.path != older} == {""}
    assert [(hit.path, hit.chunk.text) for hit in packed(hits, 8)[:2]] == [(older, OLD_RATE), (newer, NEW_RATE)]
    assert [hit.path for hit in packed(hits, 1)] == [newer]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Bicycle policy 2024.txt", "Bicycle policy 2023.txt"),
        ("Bicycle policy 2024.txt", "Car policy 2025.txt"),
        ("Geneva/Bicycle policy 2024.txt", "Zurich/Bicycle policy 2025.txt"),  # and not alike
        ("Contract 17.txt", "Contract 18.txt"),
    ],
)
def test_what_is_no_newer_edition_is_not_brought_in(shop: Shop, older: str, newer: str) -> None:
    of_leasing(shop, older, newer)
    hits = shop.ask(RATE)
    assert (hits[0].path, hits[0].superseded_by) == (older, "")
    assert packed(hits, 8) == hits[:8]


def test_whoever_asks_for_the_year_of_the_older_edition_gets_no_newer_one(shop: Shop) -> None:
    of_leasing(shop)
    hits = shop.ask("What was the monthly rate of a leased bicycle in 2024?", candidates=4)
    assert hits[0].path == "Bicycle policy 2024.txt"
    assert {hit.superseded_by for hit in hits} == {""}


def test_the_newest_of_many_editions_is_found_and_none_that_is_not_in_force(shop: Shop) -> None:
    of_leasing(shop)
    for number in range(5):
        shop.add(f"{number}/Bicycle policy {1800 + number}.txt", "The canteen opens at eleven.")
    for version in range(2, 40):  # more than are asked for at once
        shop.add(f"Bicycle policy 2025 v{version}.txt", f"Those who cycle contribute {version} EUR.")
    hits = shop.ask(RATE, candidates=2)
    newest = next(hit for hit in hits if hit.path == "Bicycle policy 2025 v39.txt")
    assert hits[0].superseded_by == newest.chunk.document_id
    shop.catalog.record(make_outcome(newest.path, state=DocumentState.GONE), keep_version=False)
    assert packed(shop.ask(RATE, candidates=2), 8)[1].path == "Bicycle policy 2025 v38.txt"


MINUTES = "Minutes of the board, who were present, what was decided, and by whom it is to be done: " + " ".join(
    f"{word} of {word}s," for word in ("rent", "bonus", "garden", "lift", "roof", "stair", "lamp", "gate", "wall")
)


def test_of_documents_of_a_day_only_those_that_are_much_alike_are_editions(shop: Shop) -> None:
    """Minutes have one name and a date, and the next ones do not take the place of the last."""
    other = " ".join(f"{number}th item: nothing." for number in range(40))
    shop.add("Board 2024-03-01.txt", f"{MINUTES} The rate is 45 EUR.")
    shop.add("Board 2024-04-01.txt", other)
    assert [hit.superseded_by for hit in shop.ask("rate of bonus", candidates=1)] == [""]
    shop.add("Board 2024-05-01.txt", f"{MINUTES} Whoever cycles contributes 52 EUR.")
    assert packed(shop.ask("rate of bonus", candidates=1), 8)[1].path == "Board 2024-05-01.txt"


def test_an_edition_elsewhere_is_brought_in_where_it_is_much_alike(shop: Shop) -> None:
    shop.add("Geneva/Bicycle policy 2024.txt", f"{MINUTES} The rate is 45 EUR.")
    shop.add("All/Bicycle policy 2025.txt", f"{MINUTES} Whoever cycles contributes 52 EUR.")
    assert packed(shop.ask("rate of bonus", candidates=1), 8)[1].path == "All/Bicycle policy 2025.txt"


@pytest.mark.parametrize("candidates", [2, 60])
def test_whoever_may_not_see_the_newer_edition_finds_what_they_would_without_it(
    tmp_path: Path, candidates: int
) -> None:
    small, large = Shop(tmp_path / "small"), Shop(tmp_path / "large")
    for shop in (small, large):
        of_leasing(shop, newer="Bicycle policy 2023.txt")
    for year in range(2025, 2065):  # more than the index is asked for at once
        large.add(f"Bicycle policy {year}.txt", NEW_RATE, groups=LEGAL.groups)
    assert small.ask(RATE, candidates=candidates) == large.ask(RATE, candidates=candidates)
    both = AccessFilter(STAFF.groups | LEGAL.groups)
    assert "Bicycle policy 2064.txt" in {hit.path for hit in large.ask(RATE, both, candidates=candidates)}
    for shop in (small, large):
        shop.index.close()
        shop.database.close()


def test_a_newer_edition_that_the_catalog_alone_has_closed_is_not_told_of(shop: Shop) -> None:
    of_leasing(shop)
    (document,) = {hit.chunk.document_id for hit in shop.ask(RATE) if hit.path == "Bicycle policy 2025.txt"}
    shop.catalog.relabel(document, FileLabels.all(frozenset({"legal"})), settled=False)
    hits = shop.ask(RATE)
    assert hits[0].path == "Bicycle policy 2024.txt"
    assert document not in {it for hit in hits for it in (hit.superseded_by, hit.chunk.document_id)}


def test_a_hit_carries_the_date_that_its_document_gives(shop: Shop) -> None:
    facts = DocumentFacts(created="2023-02-01", modified="2024-03-05T10:00:00")
    chunks = publish(shop.catalog, "a.txt", "Parental leave is sixteen weeks.", facts=facts)
    shop.index.upsert(index_entries(chunks, STAFF.groups))
    assert [hit.dated for hit in shop.ask(QUESTION)] == ["2024-03-05T10:00:00"]


def test_the_same_question_gives_the_same_hits(mixed: Shop) -> None:
    access = AccessFilter(frozenset(GROUPS))
    assert mixed.ask(QUESTION, access) == mixed.ask(QUESTION, access)


def test_no_more_hits_than_candidates_come_back(mixed: Shop) -> None:
    assert len(mixed.ask(QUESTION, AccessFilter(frozenset(GROUPS)), candidates=2)) == 2


def test_a_document_that_the_question_names_comes_before_others_that_say_the_same(shop: Shop) -> None:
    shop.add("NORTHWIND_2021.txt", "Dividends were paid in spring.", "Nothing else.")
    shop.add("NORTHWIND_2022.txt", "Dividends were paid in autumn.")
    shop.add("FABRIKAM_2022.txt", "Dividends were paid in summer.")
    for document, name in (("NORTHWIND_2021", "Northwind in FY2021"), ("FABRIKAM_2022", "Fabrikam in 2022")):
        assert shop.ask(f"When were dividends of {name} paid?")[0].path == f"{document}.txt"
    assert len(shop.ask("When were dividends of Northwind in FY2021 paid?")) == 4


def test_a_passage_of_a_named_document_is_found_although_many_others_are_nearer(shop: Shop) -> None:
    for number in range(30):
        shop.add(f"other-{number}.txt", f"Dividends dividends dividends, case {number}.")
    shop.add("NORTHWIND_2021.txt", "Dividends dividends were paid in spring.")
    assert "NORTHWIND_2021.txt" in {hit.path for hit in shop.ask("Dividends dividends of Northwind?", candidates=5)}


def test_a_name_that_only_closed_documents_have_changes_nothing(tmp_path: Path) -> None:
    small, large = Shop(tmp_path / "small"), Shop(tmp_path / "large")
    for shop in (small, large):
        shop.add("NORTHWIND_2022.txt", "Dividends were paid in autumn.")
        shop.add("FABRIKAM_2022.txt", "Dividends were paid in summer.")
    for number in range(20):
        large.add(f"FABRIKAM_2022_{number}.txt", f"Dividends {number}.", groups=LEGAL.groups)
    for question in ("Dividends of Northwind in 2022?", "Dividends of Fabrikam 17?"):
        assert small.ask(question) == large.ask(question)
    for shop in (small, large):
        shop.index.close()
        shop.database.close()


def test_the_name_of_a_document_that_the_catalog_withholds_changes_nothing(tmp_path: Path) -> None:
    found = []
    for name in ("FABRIKAM_2022", "SOMETHING_ELSE"):
        shop = Shop(tmp_path / name)
        shop.add("NORTHWIND.txt", "Dividends were paid in autumn.")
        (withheld,) = shop.add(f"{name}.txt", "Dividends were paid in summer.")
        shop.catalog.relabel(withheld.document_id, FileLabels.all(LEGAL.groups))
        found.append(shop.ask("Dividends of Northwind and of Fabrikam in 2022?"))
        shop.index.close()
        shop.database.close()
    assert found[0] == found[1] != []


def test_a_passage_that_keeps_the_questions_words_together_comes_before_one_that_scatters_them(shop: Shop) -> None:
    filler = "Other matters are dealt with elsewhere in this handbook. " * 4
    shop.add("a.txt", f"Managers. {filler} Notice. {filler} Senior. {filler} Period.")
    shop.add("b.txt", f"{filler} The notice period of senior managers. {filler} {filler}")
    assert [hit.path for hit in shop.ask("What notice period do senior managers have?")] == ["b.txt", "a.txt"]


def test_other_names_of_a_thing_are_searched_for_too(shop: Shop) -> None:
    shop.add("a.txt", "Purchases of property were ten million.")
    shop.add("b.txt", "The capexists met in spring.")
    assert shop.ask("What was the capex?")[0].path == "a.txt"


def test_words_count_more_in_a_language_that_the_embedding_model_does_not_read(shop: Shop) -> None:
    shop.add("a.txt", "Der Urlaub beträgt dreissig Tage.")
    question = "Wie viele Tage Urlaub gibt es im Unternehmen?"
    read, unread = shop.ask(question, languages=("de",))[0], shop.ask(question, languages=("en",))[0]
    assert read.score == pytest.approx(unread.score)  # the only one is the best on both legs, whatever they weigh
    shop.add("b.txt", "Tage Tage Urlaub Urlaub.")
    scores = [{hit.path: hit.score for hit in shop.ask(question, languages=reads)} for reads in (("de",), ("en",), ())]
    assert scores[0] == scores[2] != scores[1]


NO_PAGE = Place()
SHORT, LONG = "Leave, parental.", f"Parental leave is sixteen weeks. {'Parental matters are dealt with here. ' * 12}"


def score_of_the_second(shop: Shop, on_pages: float = RetrievalSettings().dense_weight_on_pages) -> float:
    hits = shop.ask(QUESTION, on_pages=on_pages)
    assert len(hits) == 2
    return hits[1].score


def test_nearness_counts_more_as_far_as_the_candidates_stand_on_pages(tmp_path: Path) -> None:
    scores = []
    for number, places in enumerate([(NO_PAGE, NO_PAGE), (NO_PAGE, None), (None, None)]):
        shop = Shop(tmp_path / str(number))
        for path, text, place in zip(("a.txt", "b.txt"), (SHORT, LONG), places, strict=True):
            shop.add(path, text, place=place)
        scores.append(score_of_the_second(shop))
        as_much = score_of_the_second(shop, RetrievalSettings().dense_weight)
        assert as_much == pytest.approx(scores[0])
        shop.index.close()
        shop.database.close()
    none, half, all_of_them = scores
    assert half != pytest.approx(none)
    assert half == pytest.approx((none + all_of_them) / 2)


def test_pages_one_may_not_see_do_not_change_how_much_nearness_counts(tmp_path: Path) -> None:
    small, large = Shop(tmp_path / "small"), Shop(tmp_path / "large")
    for shop in (small, large):
        shop.add("a.txt", SHORT, place=NO_PAGE)
        shop.add("b.txt", LONG, place=NO_PAGE)
    for number in range(20):
        large.add(f"closed-{number}.txt", f"Parental leave {number}.", groups=LEGAL.groups)
    assert small.ask(QUESTION) == large.ask(QUESTION)
    for shop in (small, large):
        shop.index.close()
        shop.database.close()


def test_pages_change_nothing_in_a_language_that_the_embedding_model_does_not_read(shop: Shop) -> None:
    question = "Wie viele Tage Urlaub gibt es im Unternehmen?"
    shop.add("a.txt", "Der Urlaub beträgt dreissig Tage.")
    shop.add("b.txt", "Tage Tage Urlaub Urlaub.")
    assert shop.ask(question, languages=("en",)) == shop.ask(question, languages=("en",), on_pages=0.0)
    assert shop.ask(question, languages=("de",)) != shop.ask(question, languages=("de",), on_pages=0.0)


def test_every_hit_is_scored_on_both_legs_whichever_found_it(shop: Shop) -> None:
    for number in range(20):
        shop.add(f"{number}.txt", f"Parental leave is rule {number} of the house, as are {'others ' * number}.")
    assert all(hit.similarity is not None and hit.dense_rank for hit in shop.ask(QUESTION, candidates=4))


@pytest.mark.parametrize("question", ["", " ", "?", "\0", "half a \ud83d smile", "x" * 20_000, "' OR 1=1 --"])
def test_an_odd_question_breaks_nothing(mixed: Shop, question: str) -> None:
    assert isinstance(mixed.ask(question), list)


def test_an_empty_library_finds_nothing(shop: Shop) -> None:
    assert shop.ask(QUESTION) == []


# failures


def test_a_closed_index_is_an_error_and_not_an_empty_answer(shop: Shop) -> None:
    shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.index.close()
    with pytest.raises(IndexUnavailable):
        shop.ask(QUESTION)


def test_a_broken_catalog_is_an_error_and_not_an_empty_answer(shop: Shop, tmp_path: Path) -> None:
    shop.add("a.txt", "Parental leave is sixteen weeks.")
    shop.database.close()
    for file in tmp_path.glob("catalog.db*"):
        file.unlink()
    (tmp_path / "catalog.db").write_bytes(b"no database" * 1000)
    with pytest.raises(CatalogUnavailable):
        shop.ask(QUESTION)
