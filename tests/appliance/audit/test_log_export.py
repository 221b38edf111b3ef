"""Exports, checked as a stranger would: from the lines alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from appliance.audit.checkpoint import Checkpoint
from appliance.audit.log import QueryLog
from appliance.audit.verifier import NotJudged, Report, Wrong
from appliance.audit.verifier import verify as verify_texts
from appliance.errors import NotFound

from .conftest import Ask, Close

Lines = list[Any]


@pytest.fixture
def whole(filled: Path) -> list[str]:
    """The export of a log of 12 entries."""
    with QueryLog(filled) as log:
        return list(log.export())


@pytest.fixture
def part(filled: Path) -> list[str]:
    """The export of three entries of a log of 12."""
    with QueryLog(filled) as log:
        return list(log.export([9, 3, 4, 3]))


def verify_export(lines: Iterable[str], carried: Checkpoint | None = None) -> Report:
    return verify_texts(lines, [carried.text()] if carried else [])


def changed(lines: list[str], change: Callable[[Lines], object]) -> list[str]:
    values = [json.loads(line) for line in lines]
    change(values)
    return [json.dumps(value) for value in values]


def test_a_whole_log_verifies_from_its_lines(whole: list[str], filled: Path) -> None:
    with QueryLog(filled) as log:
        current = log.checkpoint()
    verified = verify_export(whole, current)
    assert (verified.entries, verified.complete, verified.checkpoint.root) == (12, True, current.root)
    assert verify_export(line.rstrip("\n") for line in whole).entries == 12


def test_an_empty_log_can_be_exported(log: QueryLog) -> None:
    assert verify_export(log.export()).entries == 0


def test_a_part_verifies_by_proofs_and_is_in_order(part: list[str]) -> None:
    assert [json.loads(line)["seq"] for line in part[1:]] == [3, 4, 9]
    verified = verify_export(part)
    assert (verified.entries, verified.complete, verified.checkpoint.size) == (3, False, 12)


def test_a_later_whole_export_still_contains_an_earlier_checkpoint(filled: Path, asked: Ask) -> None:
    with QueryLog(filled) as log:
        earlier = log.checkpoint()
        log.append(asked("later"))
        lines = list(log.export())
    assert verify_export(lines, earlier).entries == 13
    with pytest.raises(Wrong, match="altered, or it is of another log"):
        verify_export(lines, Checkpoint(earlier.origin, earlier.size, bytes(32)))
    with pytest.raises(Wrong, match="ends after 13"):
        verify_export(lines, Checkpoint(earlier.origin, 14, earlier.root))
    with pytest.raises(Wrong):
        verify_export(lines, Checkpoint("another/log", earlier.size, earlier.root))


def test_what_was_asked_and_answered_can_be_read_in_an_export(log: QueryLog, asked: Ask, closed: Close) -> None:
    log.append(asked("q1", "Größe \ud800?"))
    log.append(closed("q1"))
    lines = list(log.export(log.query("q1").seqs))
    assert verify_export(lines).entries == 2
    content = json.loads(json.loads(lines[1])["content"])
    assert content["content"]["question"] == "Größe \ud800?"


def test_a_log_is_proved_without_what_it_holds(filled: Path) -> None:
    with QueryLog(filled) as log:
        lines = list(log.export(with_content=False))
    assert not any("invoices" in line for line in lines)
    verified = verify_export(lines)
    assert (verified.entries, verified.without_content) == (12, 12)


def test_an_entry_that_is_not_there_cannot_be_exported(filled: Path) -> None:
    with QueryLog(filled) as log, pytest.raises(NotFound):
        list(log.export([3, 12]))


CHANGES: dict[str, tuple[Callable[[Lines], object], int | None]] = {
    "a word of a content": (lambda v: v[4].update(content=v[4]["content"].replace("invoices", "offers")), 3),
    "a head": (lambda v: v[4].update(head=v[4]["head"].replace('"actor":"', '"actor":"0')), None),
    "a number": (lambda v: v[4].update(seq=4), 3),
    "a line left out": (lambda v: v.pop(4), 3),
    "a line twice": (lambda v: v.insert(4, v[4]), 4),
    "two lines swapped": (lambda v: v.insert(4, v.pop(5)), 3),
    "the last line left out": (lambda v: v.pop(), 11),
    "a content left out": (lambda v: v[4].pop("content"), 3),
    "a line that is no object": (lambda v: v.__setitem__(slice(4, 5), [[]]), 3),
    "a lone surrogate in a head": (lambda v: v[4].update(head="\ud800"), 3),
    "a smaller checkpoint": (lambda v: v[0].update(checkpoint=v[0]["checkpoint"].replace("\n12\n", "\n11\n")), None),
    "a larger checkpoint": (lambda v: v[0].update(checkpoint=v[0]["checkpoint"].replace("\n12\n", "\n13\n")), 12),
    "another format": (lambda v: v[0].update(format="other"), None),
    "called a part": (lambda v: v[0].update(complete=False), 0),
    "neither whole nor part": (lambda v: v[0].update(complete="yes"), None),
    "nothing": (lambda v: v.clear(), None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_whole_export_with_anything_changed_is_refused(whole: list[str], name: str) -> None:
    change, first_bad = CHANGES[name]
    with pytest.raises(Wrong) as caught:
        verify_export(changed(whole, change))
    assert caught.value.seq == first_bad


PART_CHANGES: dict[str, Callable[[Lines], object]] = {
    "a content": lambda v: v[2].update(content=v[2]["content"].replace("invoices", "offers")),
    "a head": lambda v: v[2].update(head=v[2]["head"].replace('"actor":"', '"actor":"0')),
    "a number": lambda v: v[2].update(seq=5),
    "a huge number": lambda v: v[2].update(seq=2**70),
    "a negative number": lambda v: v[1].update(seq=-1),
    "no number": lambda v: v[2].pop("seq"),
    "a proof of another": lambda v: v[2].update(proof=v[3]["proof"]),
    "no proof": lambda v: v[2].pop("proof"),
    "a proof that is no base64": lambda v: v[2].update(proof=["?"]),
    "a proof too long": lambda v: v[2]["proof"].append(v[2]["proof"][0]),
    "a line twice": lambda v: v.insert(2, v[2]),
    "another root": lambda v: v[0].update(checkpoint=Checkpoint("strongroom/query-log", 12, bytes(32)).text()),
    "called whole": lambda v: v[0].update(complete=True),
}


@pytest.mark.parametrize("name", PART_CHANGES)
def test_a_partial_export_with_anything_changed_is_refused(part: list[str], name: str) -> None:
    with pytest.raises(Wrong):
        verify_export(changed(part, PART_CHANGES[name]))


def test_a_partial_export_is_compared_with_a_checkpoint_of_its_size_only(part: list[str], filled: Path) -> None:
    with QueryLog(filled) as log:
        current = log.checkpoint()
    assert verify_export(part, current).entries == 3
    with pytest.raises(Wrong):
        verify_export(part, Checkpoint(current.origin, 12, bytes(32)))
    with pytest.raises(NotJudged, match="complete export"):
        verify_export(part, Checkpoint(current.origin, 10, current.root))
