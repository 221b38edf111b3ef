from __future__ import annotations

import json

import pytest

from appliance.domain import Box, PageCoverage, TextMeans
from ingest.parse.elements import (
    Element,
    ElementKind,
    Facts,
    InvalidResult,
    Member,
    Parsed,
    clean_name,
    clean_text,
    from_json,
    to_json,
)

PARSED = Parsed(
    title="Policy",
    media_type="application/pdf",
    language="en",
    elements=(
        Element(ElementKind.HEADING, "Terms", page=1, boxes=(Box(1, 0.1, 0.1, 0.5, 0.2),), level=2),
        Element(ElementKind.TABLE, "a | b\nc | d", page=2, label="Sheet A"),
    ),
    pages=(PageCoverage(1, TextMeans.TEXT_LAYER, 5), PageCoverage(2, TextMeans.NONE, 0, "the page is blank")),
    members=(
        Member(
            "mail.eml/a.xlsx",
            Parsed(
                "Budget",
                "text/csv",
                "",
                (Element(ElementKind.TABLE, "a | b", page=1),),
                facts=Facts(created="2026-06-01"),
                sha256="0" * 64,
                size_bytes=9,
            ),
        ),
        Member("mail.eml/b.bin", None, "document_rejected", "is not supported"),
    ),
    facts=Facts("A. Writer", "2026-06-01T09:00:00+02:00", "2026-06-02", "first@bank.example"),
)


def test_a_result_survives_the_way_through_the_pipe() -> None:
    assert from_json(to_json(PARSED)) == PARSED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("language",), "english"),
        (("media_type",), "<script>"),
        (("elements",), {}),
        (("elements", 0), ["heading"]),
        (("elements", 0, 0), "script"),
        (("elements", 0, 1), 7),
        (("elements", 0, 1), "x" * 1_000_001),
        (("elements", 0, 2), 0),
        (("elements", 0, 2), True),
        (("elements", 0, 5), 99),
        (("elements", 0, 4), [[1, -0.1, 0, 1, 1]]),
        (("elements", 0, 4), [[1, 0.6, 0, 0.5, 1]]),
        (("elements", 0, 4), [[1, "0", 0, 1, 1]]),
        (("pages", 0, 1), "magic"),
        (("pages", 0, 2), -1),
        (("pages", 0, 4), 1.5),
        (("pages", 0, 4), True),
        (("facts", 1), "yesterday"),
        (("facts",), ["a"]),
        (("members", 0), ["a", None, "b"]),
        (("members", 0, 0), "../a.xlsx"),
        (("members", 0, 0), "/a.xlsx"),
        (("members", 0, 0), "mail.eml/b.bin"),
        (("members", 0, 0), "a\\b.xlsx"),
        (("members", 0, 0), "pay\u202eroll.xlsx"),
        (("members", 0, 1, "sha256"), "abc"),
        (("members", 0, 1, "size_bytes"), -1),
        (("members", 0, 1, "elements", 0, 0), "script"),
        (("members", 1, 2), "<script>"),
    ],
)
def test_what_is_not_exactly_a_result_is_refused(path: tuple[str | int, ...], value: object) -> None:
    whole = json.loads(to_json(PARSED))
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidResult):
        from_json(json.dumps(whole).encode())


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 200_000,
        to_json(PARSED).replace(b'"title"', b'"tilte"'),
        b'{"title": NaN}',
    ],
)
def test_noise_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidResult):
        from_json(sent)


@pytest.mark.parametrize(
    ("untrusted", "seen"),
    [
        ("uni\ufb01ed e\ufb03ciency", "unified efficiency"),
        ("pay\u202eroll\u202c", "payroll"),
        ("a\u200bb\u200dc\u2060d\ufeff", "abcd"),
        ("in\u00advoice", "invoice"),
        ("hi\U000e0041\U000e0042", "hi"),
        ("a\ufe0fb\U000e0101", "ab"),
        ("bell\x07 and \x1b[31mred", "bell and [31mred"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
        ("much   space\u00a0here", "much space here"),
        ("10\u00b2 m\u00b2 and 1\u00bd", "10^2 m2 and 1 1/2"),
        ("Ｆｕｌｌ", "Full"),
    ],
)
def test_text_is_cleaned_to_what_a_reader_sees(untrusted: str, seen: str) -> None:
    assert clean_text(untrusted) == seen


@pytest.mark.parametrize(("characters", "kind", "level"), [(300, ElementKind.HEADING, 2), (301, ElementKind.TEXT, 0)])
def test_a_heading_that_is_too_long_to_repeat_is_a_text(characters: int, kind: ElementKind, level: int) -> None:
    whole = json.loads(to_json(PARSED))
    whole["elements"][0][1] = "x" * characters
    heading = from_json(json.dumps(whole).encode()).elements[0]
    assert (heading.kind, heading.level, len(heading.text)) == (kind, level, characters)


def test_text_from_a_taken_over_worker_is_cleaned_on_arrival() -> None:
    whole = json.loads(to_json(PARSED))
    whole["elements"][0][1] = "pay\u202eroll\u200b"
    assert from_json(json.dumps(whole).encode()).elements[0].text == "payroll"


def test_a_name_is_its_last_part_on_one_line() -> None:
    assert clean_name("../../etc/pass\u202ewd\n") == "passwd"
    assert clean_name("C:\\x\\report.pdf") == "report.pdf"
    assert clean_name("") == "unnamed"


@pytest.mark.parametrize(
    "untrusted", ["a\uff0fb.pdf", "a\uff3cb.pdf", "\u2024\u2024/x", "x" * 299 + " y", " a \x00", "\ud800"]
)
def test_a_clean_name_stays_as_it_is_when_it_is_cleaned_again(untrusted: str) -> None:
    assert clean_name(clean_name(untrusted)) == clean_name(untrusted)
    assert "/" not in clean_name(untrusted)
