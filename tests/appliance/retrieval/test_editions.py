"""Editions of one document: what has the same name, and which is newer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain import Hit
from appliance.retrieval.editions import called_alike, name_of, newer, same_name, same_place, undecided
from tests.data.builders import make_hit


def hit(path: str, title: str = "", dated: str = "") -> Hit:
    return replace(make_hit(), path=path, title=title or path.split("/")[-1], dated=dated)


@pytest.mark.parametrize(
    ("name", "date", "version"),
    [
        ("Travel policy 2024", (2024,), ()),
        ("travel_policy_v2.1_final", (), (2, 1)),
        ("travel_policy_définitive_v2.1", (), (2, 1)),
        ("Travel-Policy (version 3) copy", (), (3,)),
        ("2024-03-05 Travel policy", (2024, 3, 5), ()),
        ("Travel policy 05.03.2024", (2024, 3, 5), ()),
        ("20240305_travel_policy", (2024, 3, 5), ()),
        ("Travel policy 2024-03", (2024, 3), ()),
        ("Travel policy 2023-2024", (2024,), ()),
        ("Travel policy 2024-25", (2025,), ()),
        ("Travel policy 2024/25", (2025,), ()),
        ("Travel policy '24", (2024,), ()),
        ("Travel policy FY25", (2025,), ()),
        ("Travel policy as of 2024", (2024,), ()),
        ("Travel policy, Stand: 2024-03", (2024, 3), ()),
        ("old - Travel policy", (), ()),
        ("Travel policy (old)", (), ()),
        ("NEW_travel_policy 2024", (2024,), ()),
        ("Copy of Travel policy", (), ()),
        ("Travel policy, 2nd edition", (), (2,)),
        ("Travel policy 3. Auflage", (), (3,)),
        ("Travel policy 2e édition", (), (2,)),
        ("Travel policy 2.ª edición", (), (2,)),
        ("Travel policy 2a edizione", (), (2,)),
        ("Travel policy révision 4", (), (4,)),
    ],
)
def test_a_name_is_read_without_what_tells_editions_apart(name: str, date: tuple[int, ...], version: object) -> None:
    found = name_of(name)
    assert (found.bare, found.date, found.version) == (("travel", "policy"), date, version)


@pytest.mark.parametrize("number", ["1" * 19, "1" * 5000, "1." + "1" * 5000, "1." * 5000])
def test_a_name_of_any_length_is_read(number: str) -> None:
    assert name_of(f"Travel policy version {number}").bare[:2] == ("travel", "policy")


@pytest.mark.parametrize(
    "name", ["Travel policy Rev B", "travel_policy_rev_b", "Rev. B - Travel policy", "Travel policy (Revision B)"]
)
def test_the_letter_of_a_revision_is_read_too(name: str) -> None:
    found = name_of(name)
    assert (found.bare, found.date, found.version, found.letter) == (("travel", "policy"), (), (), (2,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("New York office", "York office"),
        ("Old Town map", "Town map"),
        ("Current account terms", "Account terms"),
        ("Stand der Technik", "der Technik"),
        ("Neue Welt", "Welt"),
        ("Letter of Rev. A. Smith", "Letter of Smith"),
        ("Rev A Smith", "Rev B Smith"),
        ("ACME contract 17", "ACME contract 18"),
        ("Form 24", "Form 25"),
        ("Paper 2024-99", "Paper 2025-98"),
        ("Hits of the '90s", "Hits of the '80s"),
        ("Room 2nd floor", "Room 3rd floor"),
        ("Ausgabe von Geld 3", "Ausgabe von Geld 4"),
    ],
)
def test_what_belongs_to_a_name_does_not_tell_editions(one: str, other: str) -> None:
    assert not same_name(hit(f"{one}.pdf"), hit(f"{other}.pdf"))


def test_numbers_that_are_no_years_belong_to_the_name() -> None:
    assert name_of("ISO 27001").bare == ("iso", "27001")
    assert name_of("Room 120240").bare == ("room", "120240")
    assert not same_name(hit("3M_2018_10K.pdf"), hit("3M_2018_8K.pdf"))


_NAMES = st.sampled_from(["", "policy.md", "Policy v2.pdf", "policy_2024.docx", "report 2023.pdf", "v1.txt"])


@given(named=st.lists(st.tuples(_NAMES, _NAMES), max_size=8))
def test_the_pairs_that_are_called_alike_are_those_of_the_same_name(named: list[tuple[str, str]]) -> None:
    hits = [hit(path, title) for path, title in named]
    pairs = [(one, other) for number, one in enumerate(hits) for other in hits[number + 1 :] if same_name(one, other)]
    found = list(called_alike(hits))
    assert len(found) == len(pairs)
    assert all(pair in pairs for pair in found)


@pytest.mark.parametrize(
    ("older", "later", "why"),
    [
        (hit("a/Travel 2024.docx"), hit("b/Travel 2025.pdf"), ("2025", "2024")),
        (hit("Travel v9.docx"), hit("Travel v10.docx"), ("version 10", "version 9")),
        (hit("x1.pdf", "Travel 2024"), hit("x2.pdf", "Travel 2025"), ("2025", "2024")),
        (hit("Travel 2024 v1.docx"), hit("Travel 2024 v2.docx"), ("version 2", "version 1")),
        (hit("Travel Rev A.docx"), hit("Travel Rev C.docx"), ("revision C", "revision A")),
        (hit("Travel, 2nd edition.pdf"), hit("Travel, 3rd edition.pdf"), ("version 3", "version 2")),
        (hit("mail.eml › Travel 2024.docx"), hit("Travel 2025.docx"), ("2025", "2024")),
        (hit("Travel 2024.docx", dated="2026-01-01"), hit("Travel 2025.docx", dated="2025-01-01"), ("2025", "2024")),
        (hit("old/Travel.docx", dated="2023-05-02T08:00"), hit("Travel.docx", dated="2025-03-01"), ("2025-03-01", "2023-05-02")),
        (hit("Travel.docx", dated="2023-05-02"), hit("Travel 2024.md"), ("2024", "2023-05-02")),
    ],
)  # fmt: skip
def test_the_newer_edition_is_told_by_its_name_and_else_by_its_own_date(
    older: Hit, later: Hit, why: tuple[str, str]
) -> None:
    for found in (newer(older, later), newer(later, older)):
        assert found is not None
        assert (found.hit, found.why) == (later, why)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (hit("Travel 2024.docx"), hit("Parking 2025.docx")),
        (hit("Travel 2024.docx"), hit("Travel 2024-03.docx")),
        (hit("Travel 2024.docx"), hit("Travel.docx")),
        (hit("Travel.docx"), hit("Travel.docx", dated="2025-03-01")),
        (hit("Travel.docx", dated="2025-03-01"), hit("Travel.docx", dated="2025-03-01")),
        (hit("2024.docx"), hit("2025.docx")),
        (hit("Travel Rev B.docx"), hit("Travel Rev 1.docx")),
        (hit("Travel Rev B.docx"), hit("Travel.docx")),
        (hit("Travel 2023.md"), hit("Travel.docx", dated="2025-03-01T08:00")),
        (hit("Minutes 2024-03-05.docx"), hit("Minutes.docx", dated="2026-01-10")),
    ],
)
def test_where_nothing_tells_neither_is_newer(one: Hit, other: Hit) -> None:
    assert newer(one, other) is None
    assert newer(other, one) is None


@pytest.mark.parametrize(
    ("one", "other", "is_undecided"),
    [
        (hit("Travel 2024.docx"), hit("Travel.docx"), True),
        (hit("Travel 2024.docx"), hit("Archive/Travel.docx"), True),
        (hit("x1.pdf", "Travel v2"), hit("x2.pdf", "Travel"), True),
        (hit("Travel 2024.docx"), hit("Travel v2.docx"), True),
        (hit("Travel 2024.docx"), hit("Travel.docx", dated="2024-03-01"), True),
        (hit("Travel 2024.docx"), hit("Travel.docx", dated="2025-03-01"), True),  # an old one may be saved anew
        (hit("Travel 2024.docx"), hit("Travel.docx", dated="2023-12-31"), False),
        (hit("Travel 2024.docx"), hit("Travel 2025.docx"), False),
        (hit("Travel 2024.docx"), hit("Travel 2024.pdf"), False),
        (hit("Travel.docx"), hit("Travel.pdf"), False),
        (hit("Geneva/Travel 2024.docx"), hit("Vienna/Travel.docx"), False),
        (hit("Travel 2024.docx"), hit("Parking.docx"), False),
        (hit("2024.docx"), hit("v2.docx"), False),
    ],
)
def test_of_one_name_it_is_undecided_which_is_newer_if_nothing_tells(one: Hit, other: Hit, is_undecided: bool) -> None:
    assert undecided(one, other) is undecided(other, one) is is_undecided


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_names_are_compared_the_same_both_ways_round(one: str, other: str) -> None:
    first, second = hit(f"{one} 2024"), hit(f"{other} 2025")
    found, turned = newer(first, second), newer(second, first)
    assert (found is None) == (turned is None)
    assert found is None or turned is None or found.hit == turned.hit


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("Rules/a.md", "Rules/b.md", True),
        ("Rules/Archive/a.md", "Rules/b.md", True),
        ("Rules/2023/a.md", "Rules/b.md", True),
        ("Rules/Archiv 2023/a.md", "Rules/Aktuell/b.md", True),
        ("Rules/obsolète/a.md", "Rules/b.md", True),
        ("Old/a.md", "b.md", True),
        ("Rules/a.md", "b.md", False),
        ("Sites/Geneva/a.md", "Sites/Zurich/b.md", False),
        ("Old Town/a.md", "b.md", False),
    ],
)
def test_an_archive_is_part_of_the_folder_it_lies_in(one: str, other: str, are_same: bool) -> None:
    assert same_place(hit(one), hit(other)) is are_same
    assert not same_place(hit(one), replace(hit(other), source="elsewhere"))
