"""`strongroom user`: accounts, their tokens, and that each act is on record."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from appliance.auth.accounts import Accounts
from appliance.database import Database
from tests.cli.room import WHY, Room

pytestmark = pytest.mark.integration


def test_accounts_are_managed(room: Room) -> None:
    made = room.run("user", "add", "Visitor", "--role", "employee", "--group", "hr")
    assert "Password (shown this once)" in made
    assert "asked for one of their own at the first sign-in" in made
    assert "already" in room.run("user", "add", "visitor", "--role", "employee", ok=False)
    assert "admin" in room.run_apart("user", "add", "both", "--role", "admin", "--role", "compliance", ok=False)
    assert "Write 'hr'" in room.run("user", "add", "other", "--role", "employee", "--group", "HR", ok=False)
    assert "Write 'hr'" in room.run("user", "groups", "visitor", "--group", "Hr", ok=False)
    assert "Write 'hr'" in room.run("ask", "--group", "HR", "What does a senior engineer earn?", ok=False)
    room.run("user", "groups", "visitor", "--group", "finance")
    assert re.search(r"visitor.*finance", room.run("user", "list"))
    assert "sr_" in room.run("user", "token", "visitor")
    room.run("user", "disable", "visitor")
    assert re.search(r"visitor.*disabled", room.run("user", "list"))
    room.run("user", "enable", "visitor")
    changed = room.run("user", "password", "visitor")
    assert "New password" in changed
    assert "asked for one of their own" in changed
    assert "asked for" not in room.run("user", "password", "visitor", "--may-keep")
    assert "There is no account 'ghost'" in room.run("user", "password", "ghost", ok=False)


def test_an_officer_is_confirmed_on_the_machine_where_no_other_one_can(room: Room) -> None:
    room.run("user", "add", "olga", "--role", "compliance")
    with closing(Database(room.data / "strongroom.db")) as database:
        accounts = Accounts(database)
        accounts.change(accounts.named("olga").id, handed_over=True)
    assert re.search(r"olga.*to be confirmed", " ".join(room.run("user", "list", COLUMNS="200").split()))
    assert "signs in anew" in room.run("user", "confirm", "olga")
    assert "to be confirmed" not in " ".join(room.run("user", "list", COLUMNS="200").split())


def test_no_account_is_made_that_is_not_on_record(room: Room, tmp_path: Path) -> None:
    fresh, copy = Room(tmp_path / "fresh"), room.copied(tmp_path / "copy")
    for hurt in (fresh, copy):
        log = hurt.data / "log" / "queries.db"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"this is no log" * 1000)
    fresh.run("init", ok=False)
    assert "employee" not in fresh.run("user", "list")
    copy.run("user", "add", "unrecorded", "--role", "employee", ok=False)
    assert "unrecorded" not in copy.run("user", "list")


def test_tokens_are_listed_and_revoked_one_by_one_or_all_together(room: Room) -> None:
    room.run("user", "add", "robot", "--role", "employee")
    for label in ("first", "second", "third"):
        room.run("user", "token", "robot", "--label", label)

    def listed() -> dict[str, str]:
        text = room.run("user", "tokens", "robot")
        assert "sr_" not in text
        return {label: token_id for token_id, label in re.findall(r"\b([0-9a-f]{12})\b\W+(\w+)", text)}

    ids = listed()
    assert list(ids) == ["first", "second", "third"]
    assert room.run("user", "tokens", "robot").count("never") == 3  # used
    assert "has ended" in room.run("user", "revoke", "robot", ids["second"][:10])
    assert list(listed()) == ["first", "third"]
    assert "No token" in room.run("user", "revoke", "robot", ids["second"], ok=False)
    assert "No token" in room.run("user", "revoke", "employee", ids["first"], ok=False)  # somebody else's
    assert "--all" in room.run("user", "revoke", "robot", ok=False)
    assert "--all" in room.run("user", "revoke", "robot", ids["first"], "--all", ok=False)
    assert list(listed()) == ["first", "third"]
    assert "--all" in room.run("user", "revoke", ok=False)
    room.run("user", "revoke", "robot", "--all")
    assert listed() == {}
    room.run("user", "token", "robot", "--label", "fourth")
    for given in (
        ("--all",),
        ("", "--all"),
        ("robot", "--everybody"),
        ("--all", "--everybody"),
        ("", "x", "--everybody"),
    ):
        assert "--everybody" in room.run("user", "revoke", *given, ok=False)
    assert list(listed()) == ["fourth"]
    assert "of everybody has ended: 1." in room.run("user", "revoke", "--everybody")
    assert listed() == {}
    export = room.root / "with-revocations.jsonl"
    room.run("log", "export", str(export), *WHY)
    recorded = export.read_text("utf-8")
    assert f"second ({ids['second']})" in recorded
    assert "person.sessions_ended" in recorded
