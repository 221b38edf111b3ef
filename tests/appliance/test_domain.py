"""The words of the system: access, identifiers, and that nothing can be changed behind one's back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import domain
from appliance.domain import (
    EVERYONE,
    AccessFilter,
    Place,
    Principal,
    Role,
    chunk_id,
    document_id,
    text_sha256,
    version_id,
)
from appliance.labels import NO_LEVEL
from tests.data.builders import make_chunk

groups = st.frozensets(st.sampled_from(["staff", "legal", "Legal", "everyone", "", "a b"]))


@settings(deadline=None)
@given(groups)
def test_an_empty_filter_admits_nothing(labels: frozenset[str]) -> None:
    assert not AccessFilter(frozenset()).admits(labels)


@settings(deadline=None)
@given(groups, groups)
def test_a_filter_admits_exactly_what_shares_a_group_with_it(mine: frozenset[str], labels: frozenset[str]) -> None:
    assert AccessFilter(mine).admits(labels) == bool(mine & labels)


def test_a_person_reads_for_their_groups_and_for_everyone_whatever_their_roles() -> None:
    admin = Principal("p", "Admin", frozenset(Role), frozenset({"it"}), frozenset({NO_LEVEL}))
    assert admin.access == AccessFilter(frozenset({"it", EVERYONE}))
    assert not admin.access.admits({"legal"})


def test_there_is_no_access_filter_without_groups_being_named() -> None:
    with pytest.raises(TypeError):
        AccessFilter()  # type: ignore[call-arg]


def test_every_value_of_the_domain_is_frozen() -> None:
    values = [item for item in vars(domain).values() if isinstance(item, type) and dataclasses.is_dataclass(item)]
    assert len(values) > 10
    for value in values:
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]


def test_the_search_text_has_the_context_in_front_and_the_text_alone_without_one() -> None:
    assert make_chunk("Body.", context="Title > Heading").search_text == "Title > Heading\nBody."
    assert make_chunk("Body.").search_text == "Body."


def test_what_is_embedded_begins_with_the_text_and_says_no_heading_twice() -> None:
    def embedded(text: str, headings: tuple[str, ...], page: int | None = None) -> str:
        context = " > ".join(("Title", *headings))
        return make_chunk(text, context=context, place=Place(page=page, headings=headings)).embedded_text

    assert embedded("Body.", ("Hotels",)) == "Body.\nTitle > Hotels"
    assert embedded("Hotels\nBody.\nHotels", ("Hotels",)) == "Body.\nHotels\nTitle > Hotels"
    assert embedded("Travel\nHotels\nBody.", ("Travel", "Hotels")) == "Body.\nTitle > Travel > Hotels"
    assert embedded("Hotels", ("Hotels",)) == "Hotels\nTitle > Hotels"
    assert embedded("Hotels\nBody.", ("Hotels",), page=1) == "Title > Hotels\nHotels\nBody."
    assert make_chunk("Body.", place=Place()).embedded_text == "Body."


def test_identifiers_never_change_between_releases() -> None:
    """They are stored in catalogs, indexes and query logs: another value would orphan all of them."""
    document = document_id("source", "a/b.txt")
    version = version_id(document, "0" * 64, "plain/1")
    assert document == "b7f01eb5-be5b-543e-a370-59e03cf8bf1f"
    assert version == "33086a5e-28ab-569a-83d8-817682a22957"
    assert chunk_id(version, 3, "model@1") == "584e8922-1484-5da6-ab69-6cbbdfc78d8a"


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("ab/", max_size=3), st.text("ab/", max_size=3)), unique=True, max_size=8))
def test_two_files_never_share_an_identifier(files: list[tuple[str, str]]) -> None:
    identifiers = {document_id(source, path) for source, path in files}
    assert len(identifiers) == len(files)
    assert all(str(uuid.UUID(identifier)) == identifier for identifier in identifiers)


def test_a_chunk_identifier_depends_on_version_number_and_model() -> None:
    assert len({chunk_id("v", 1, "m"), chunk_id("w", 1, "m"), chunk_id("v", 2, "m"), chunk_id("v", 1, "n")}) == 4


def test_a_hash_of_text_is_that_of_its_utf8_and_exists_for_any_text() -> None:
    assert text_sha256("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    assert text_sha256("\ud800") != text_sha256("\ud801") != text_sha256("?")


def test_importing_the_core_values_loads_no_vendor() -> None:
    code = (
        "import sys, appliance.domain, appliance.errors, appliance.index.port, appliance.inference.port\n"
        "print(sorted({'qdrant_edge', 'sqlalchemy', 'torch', 'streamlit', 'pydantic'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
