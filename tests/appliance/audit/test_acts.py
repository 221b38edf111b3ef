"""Acts are on record before they are done, and once more when they were not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.audit.acts import begun
from appliance.audit.entries import AdminAction
from appliance.errors import AuditUnavailable, Conflict

ACT = AdminAction("u-admin", "person.added", "anne")
API = Path(__file__).parents[3] / "appliance" / "api"
LOOKS_ALONE = {"access.looked_up"}
"""Acts that are done by reading, so that nothing of them can fail halfway."""


def test_what_is_done_is_on_record_once_and_before() -> None:
    kept: list[AdminAction] = []
    with begun(kept.append, ACT):
        assert kept == [ACT]
    assert kept == [ACT]


@pytest.mark.parametrize(("error", "code"), [(Conflict("taken"), "conflict"), (KeyError("x"), "internal")])
def test_what_fails_is_on_record_as_failed_and_fails_as_it_did(error: Exception, code: str) -> None:
    kept: list[AdminAction] = []
    with pytest.raises(type(error)), begun(kept.append, ACT):
        raise error
    assert [act.error for act in kept] == ["", code]
    assert kept[1].subject == "anne"


def test_what_cannot_be_put_on_record_is_not_begun() -> None:
    def refuse(_: AdminAction) -> None:
        raise AuditUnavailable("The disk is full.")

    with pytest.raises(AuditUnavailable), begun(refuse, ACT):
        raise AssertionError("it was done")


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "record_act":
            yield node


def _wrapped(tree: ast.AST) -> Iterator[ast.expr]:
    """What a `with`, or an exit stack, takes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            yield from (item.context_expr for item in node.items)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "enter_context":
            yield from node.args


def test_every_act_of_the_api_is_done_where_its_failure_would_be_on_record() -> None:
    trees = {path.name: ast.parse(path.read_text("utf-8")) for path in API.glob("*.py")}
    found = {
        f"{name}:{call.lineno}"
        for name, tree in trees.items()
        for call in _calls(tree)
        if call not in list(_wrapped(tree))
        and not any(isinstance(part, ast.Constant) and part.value in LOOKS_ALONE for part in call.args)
    }
    assert sum(len(list(_calls(tree))) for tree in trees.values()) > 20
    assert found == set(), "write `with record_act(...):` around what is done"
