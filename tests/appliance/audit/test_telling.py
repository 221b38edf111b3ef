"""Every kind of entry and every act is told in words, and so is why there is nothing to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import appliance
from appliance.audit import entries
from appliance.audit.entries import ActDecided, ActProposed, AdminAction, Entry, SignedIn
from appliance.audit.records import Recorded
from appliance.audit.telling import ACTS, KINDS, OFFICERS_ACTS, happened, why_unreadable, without_begun

_SOURCE = Path(appliance.__file__).parent
_ACTION_AT = {"AdminAction": 1, "record_act": 2, "admin_action": 0}
_ACTION_IN = {("users.py", "_person"): 1}
"""The calls that put an act of `AdminAction` on record, and which argument names it; `action` is what they pass on."""


def test_every_kind_of_entry_has_words() -> None:
    assert set(KINDS) == set(entries.names_of_types())
    assert len(set(KINDS.values())) == len(KINDS)


def test_every_act_that_is_put_on_record_has_words_and_no_other_has() -> None:
    assert {act for _, act in _acts()} == set(ACTS)


def test_every_act_of_two_officers_has_words() -> None:
    proposed = {words for path in _sources("compliance") for words in _constants(path) if words in _registered()}
    assert proposed == set(OFFICERS_ACTS)


def test_an_event_is_told_by_what_was_done_and_whether_it_failed() -> None:
    assert happened(_entry(SignedIn("u"))) == "Signed in"
    assert happened(_entry(AdminAction("u", "person.added", "ann"))) == "Made an account"
    assert happened(_entry(AdminAction("u", "person.added", "ann", error="conflict"))) == "Made an account (it failed)"
    assert happened(_entry(ActProposed("u", "p", "person.erased", "u-2", "Why"))) == "Proposed to erase a person"
    assert happened(_entry(ActDecided("u", "p", "hold.released", "h", "refused"))) == "Refused to release a legal hold"


def test_an_act_that_failed_is_one_act_and_one_that_was_done_before_it_stays() -> None:
    act = AdminAction("u", "person.added", "ann")
    failed = AdminAction("u", "person.added", "ann", error="conflict")
    other = AdminAction("u", "person.added", "ben")
    told = [replace(_entry(entry), seq=seq) for seq, entry in enumerate((act, act, failed, other, failed))]
    assert [each.seq for each in without_begun(told)] == [4, 3, 2]
    assert [each.seq for each in without_begun(told[:4])] == [3, 2, 0]


def test_what_a_newer_release_wrote_is_told_in_its_own_words() -> None:
    assert happened(Recorded(1, "model.put_down", None, "", None, damaged=False)) == "Model: put down"


def test_an_erased_a_sealed_an_altered_and_an_unknown_entry_are_told_apart() -> None:
    why = [
        why_unreadable(Recorded(1, "log.read", None, "", None, **how))  # type: ignore[arg-type]
        for how in (
            {"damaged": False, "sealed": True, "erased": True},
            {"damaged": False, "sealed": True},
            {"damaged": True},
            {"damaged": False},
        )
    ]
    assert [words.split(".")[0] for words in why] == [
        "What this entry held was erased",
        "The key to this entry is not there, so nobody can read it",
        "This entry was altered after it was written",
        "A newer release wrote this entry, and this one does not know its kind",
    ]


def _entry(entry: Entry) -> Recorded:
    return Recorded(1, entry.type, None, "", entry, damaged=False)


def _sources(folder: str = "") -> list[Path]:
    return sorted((_SOURCE / folder).rglob("*.py"))


def _constants(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def _registered() -> set[str]:
    """What is proposed under the name of a constant: `four_eyes.propose(officer, ACT, ...)`."""
    found: set[str] = set()
    for path in _sources("compliance"):
        tree = ast.parse(path.read_text("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "propose"]
        for call in calls:
            found |= set(_literals(call.args[1], tree))
    return found


def _acts() -> Iterator[tuple[str, str]]:
    """Where an act is put on record, and which."""
    for path in (*_sources(), *_sources("../ingest")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = _name(node.func)
            at = _ACTION_AT.get(called, _ACTION_IN.get((path.name, called)))
            if at is not None:
                for act in _literals(node.args[at], tree):
                    yield f"{path.name}:{node.lineno}", act


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _literals(value: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The texts an expression can be: itself, both sides of a choice, or what its name is given in that file."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.IfExp):
        yield from _literals(value.body, tree)
        yield from _literals(value.orelse, tree)
    elif isinstance(value, ast.Name):
        given = [words for target, words in _assigned(tree) if target == value.id]
        if not given and value.id != "action":
            raise AssertionError(f"An act has to be written out in the file that puts it on record: {value.id}")
        for words in given:
            yield from _literals(words, tree)
    else:
        raise AssertionError(f"An act has to be written out where it is put on record: {ast.unparse(value)}")


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from ((_name(one), given) for one, given in zip(target.elts, node.value.elts, strict=True))
            else:
                yield _name(target), node.value
