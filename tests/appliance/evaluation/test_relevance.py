"""Which hits are the evidence: by document, page, quote or passage, and each unit once."""

from __future__ import annotations

import pytest

from appliance.domain import Box, Hit, Place
from appliance.evaluation.golden import Evidence
from appliance.evaluation.relevance import DEPTH, holds, judged
from tests.data.builders import make_chunk

LONG = "Records of terminated treaties are kept for ten years from the day the last claim is settled."


def hit(
    text: str = LONG, *, path: str = "policies/retention.pdf", page: int | None = 4, number: int = 0, title: str = "Records"
) -> Hit:  # fmt: skip
    chunk = make_chunk(
        text, number=number, document=f"id of {path}", version=f"version of {path}", place=Place(page=page)
    )
    return Hit(chunk, title, path, "Policies", "sha", 1.0, 1, 0.5, 1, 1)


@pytest.mark.parametrize(
    "doc",
    ["policies/retention.pdf", "retention.pdf", "RETENTION.PDF", "./policies/retention.pdf", r"policies\retention.pdf",
     "retention", "policies/retention", "Policies/policies/retention.pdf", "Records", "records ", "id of policies/retention.pdf"],
)  # fmt: skip
def test_a_document_goes_by_its_path_name_title_or_id(doc: str) -> None:
    assert holds(hit(), Evidence(doc))


@pytest.mark.parametrize(
    "doc", ["tention.pdf", "retention.docx", "policies", "Record", "retention.pdf/policies", "id of"]
)
def test_a_document_goes_by_no_part_of_its_name(doc: str) -> None:
    assert not holds(hit(), Evidence(doc))


def test_a_file_in_a_container_goes_by_its_own_name_and_by_its_way() -> None:
    inside = hit(path="mails/inbox.mbox › notes/plan.docx")
    assert holds(inside, Evidence("plan.docx"))
    assert holds(inside, Evidence("mails/inbox.mbox/notes/plan.docx"))
    assert holds(inside, Evidence("mails/inbox.mbox › notes/plan.docx"))
    assert not holds(inside, Evidence("inbox.mbox"))


def test_a_page_is_right_wherever_the_passage_runs_over_it() -> None:
    assert holds(hit(page=4), Evidence("retention.pdf", 4))
    assert not holds(hit(page=4), Evidence("retention.pdf", 5))
    assert not holds(hit(page=None), Evidence("retention.pdf", 1))
    boxes = (Box(4, 0, 0, 1, 1), Box(5, 0, 0, 1, 1))
    over = Hit(make_chunk(place=Place(4, boxes=boxes)), "Records", "retention.pdf", "s", "sha", 1.0, 1, None, None, 1)
    assert holds(over, Evidence("retention.pdf", 5))


@pytest.mark.parametrize(
    "quote",
    [LONG, LONG.upper(), LONG.replace(" ", "\n  "), "kept for ten years", "**kept** for _ten years_!", "ten years",
     "kept for ten years from the day the last claim is settled. A hold suspends this."],
)  # fmt: skip
def test_a_quote_is_found_whatever_its_case_spaces_and_signs(quote: str) -> None:
    assert holds(hit(), Evidence("retention.pdf", quote=quote))


@pytest.mark.parametrize("quote", ["kept for eleven years in all cases there are", "ten weeks", "…", "treaty"])
def test_another_quote_is_not_found(quote: str) -> None:
    assert not holds(hit(), Evidence("retention.pdf", quote=quote))


def test_a_guess_of_a_few_words_is_not_proved_right_by_words_that_are_put_around_it() -> None:
    assert holds(hit(), Evidence("retention.pdf", quote="kept for ten years"))
    for around in ("foo kept for ten years bar", "foo bar kept for ten years baz", "kept for ten foo bar"):
        assert not holds(hit(), Evidence("retention.pdf", quote=around)), around


def test_a_passage_that_is_a_part_of_a_long_quote_holds_it_unless_it_is_tiny() -> None:
    quote = f"{LONG} A litigation hold suspends every period until it is released in writing by the legal department."
    assert holds(hit("suspends every period until it is released"), Evidence("retention.pdf", quote=quote))
    assert not holds(hit("A litigation hold"), Evidence("retention.pdf", quote=quote))


def test_a_quote_that_the_parser_took_an_address_out_of_is_still_found() -> None:
    quote = LONG.replace("terminated", "terminated (https://intranet.example/treaties/terminated/list?all=1)")
    assert holds(hit(), Evidence("retention.pdf", quote=quote))
    scattered = "records may be kept in treaties or for claims until a day is settled by the last of ten people"
    assert not holds(hit(), Evidence("retention.pdf", quote=scattered))


def test_a_document_of_the_same_content_is_the_one_that_is_named() -> None:
    found, contents = hit(path="kept.pdf"), {"copy.pdf": frozenset({"sha"})}
    for piece in (
        Evidence("copy.pdf"),
        Evidence("copy.pdf", 4),
        Evidence("copy.pdf", quote=LONG),
        Evidence(passage="copy.pdf"),
    ):
        assert not holds(found, piece)
        assert holds(found, piece, contents)
    assert not holds(found, Evidence("copy.pdf", 5), contents)
    assert not holds(found, Evidence("other.pdf"), contents)
    (unit,) = judged([found], [Evidence("copy.pdf", 4)], contents)
    assert (unit.gain, unit.right_document) == (1, True)


def test_the_quote_has_to_stand_in_the_document_that_is_named() -> None:
    assert not holds(hit(path="other.pdf"), Evidence("retention.pdf", quote=LONG))


def test_a_passage_goes_by_the_id_of_its_chunk_or_by_a_file_of_its_own() -> None:
    found = hit()
    assert holds(found, Evidence(passage=found.chunk.id))
    assert holds(found, Evidence("some collection", passage="retention"))
    assert not holds(found, Evidence("some collection", passage="p-9"))


def test_a_document_counts_once_at_its_best_passage() -> None:
    hits = [hit(number=0), hit(number=1), hit(path="b.pdf", number=2)]
    units = judged(hits, [Evidence("b.pdf")])
    assert [(unit.hit.path, unit.gain, unit.right_document) for unit in units] == [
        ("policies/retention.pdf", 0, False),
        ("b.pdf", 1, True),
    ]


def test_a_page_counts_once_and_another_page_of_the_document_beside_it() -> None:
    hits = [hit(page=1, number=0), hit(page=1, number=1), hit(page=2, number=2)]
    units = judged(hits, [Evidence("retention.pdf", 2)])
    assert [(unit.gain, unit.right_document) for unit in units] == [(0, True), (1, True)]


def test_with_a_quote_every_passage_counts_by_itself() -> None:
    units = judged([hit("A preface of the document."), hit(number=1)], [Evidence("retention.pdf", quote=LONG)])
    assert [unit.gain for unit in units] == [0, 1]


def test_a_piece_of_evidence_is_found_once_and_two_may_stand_in_one_passage() -> None:
    evidence = [Evidence("retention.pdf", quote="terminated treaties"), Evidence("retention.pdf", quote="last claim")]
    assert [unit.gain for unit in judged([hit(), hit(number=1)], evidence)] == [2, 0]


def test_only_the_first_units_are_looked_at() -> None:
    hits = [hit(path=f"{number}.pdf", number=number) for number in range(DEPTH + 5)]
    assert len(judged(hits, [Evidence(f"{DEPTH}.pdf")])) == DEPTH
    assert sum(unit.gain for unit in judged(hits, [Evidence(f"{DEPTH}.pdf")])) == 0
    assert sum(unit.gain for unit in judged(hits, [Evidence(f"{DEPTH - 1}.pdf")])) == 1


def test_nothing_found_is_no_unit() -> None:
    assert judged([], [Evidence("a.pdf")]) == []
