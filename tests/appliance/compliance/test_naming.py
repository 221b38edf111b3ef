"""Pseudonyms, and who is told whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.audit.entries import FeedbackGiven, PersonNamed
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.naming import Naming
from appliance.compliance.pseudonyms import Pseudonyms, pseudonyms_of, secret_path, spelled
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import AuditUnavailable, InvalidRequest, NotFound
from tests.appliance.compliance.conftest import Clock

SECRET = b"s" * 32


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    return Pseudonyms(SECRET)


@pytest.fixture
def erin(database: Database) -> str:
    return Accounts(database).add("erin", "copper lantern under nine stairs", (Role.EMPLOYEE,), ()).id


@pytest.fixture
def naming(four_eyes: FourEyes, log: QueryLog, database: Database, pseudonyms: Pseudonyms) -> Naming:
    return Naming(four_eyes, log, Accounts(database), pseudonyms, 3600)


def test_a_pseudonym_is_the_same_every_time_and_another_one_elsewhere(pseudonyms: Pseudonyms) -> None:
    assert pseudonyms.of("u-1") == Pseudonyms(SECRET).of("u-1") != pseudonyms.of("u-2")
    assert pseudonyms.of("u-1") != Pseudonyms(b"t" * 32).of("u-1")
    assert spelled(pseudonyms.of("u-1")) == pseudonyms.of("u-1")
    assert [pseudonyms.of(nobody) for nobody in ("", "operator", "appliance")] == ["", "operator", "appliance"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("p-7k3m9-q2xda", "P-7K3M9-Q2XDA"),
        (" P-7K3M9-Q2XDA ", "P-7K3M9-Q2XDA"),
        ("P-O1I2L-00000", "P-01121-00000"),
        ("erin", ""),
        ("P-7K3M9-Q2XD", ""),
        ("pfriedrichs", ""),
        ("", ""),
    ],
)
def test_a_pseudonym_is_known_however_it_is_typed(typed: str, meant: str) -> None:
    assert spelled(typed) == meant


def test_the_secret_lies_with_the_keys_and_is_nobody_elses(log: QueryLog, tmp_path: Path) -> None:
    first = pseudonyms_of(log.path)
    assert first.of("u-1") == pseudonyms_of(log.path).of("u-1")
    kept = secret_path(log.path)
    assert kept.parent == log.path.parent / "keys"
    assert kept.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AuditUnavailable, match="folder of the keys"):
        pseudonyms_of(tmp_path / "nowhere" / "queries.db")


def test_a_name_is_told_for_a_limited_time_and_to_nobody_else(
    naming: Naming, four_eyes: FourEyes, pseudonyms: Pseudonyms, log: QueryLog, erin: str, clock: Clock
) -> None:
    proposal = naming.ask("o-1", pseudonyms.of(erin), "Complaint about an answer")
    assert naming.granted("o-1") == ()
    four_eyes.decide("o-2", proposal.id, True)
    assert naming.tell("o-1", proposal.id).name == naming.tell("o-2", proposal.id).name == "erin"
    assert log.entry(log.size() - 1).entry == PersonNamed("o-2", pseudonyms.of(erin), proposal.id)
    assert naming.granted("o-3") == ()
    with pytest.raises(NotFound):
        naming.tell("o-3", proposal.id)
    clock.forward(hours=1)
    with pytest.raises(NotFound, match="time is over"):
        naming.tell("o-1", proposal.id)


def test_what_was_refused_is_not_told(naming: Naming, four_eyes: FourEyes, pseudonyms: Pseudonyms, erin: str) -> None:
    proposal = naming.ask("o-1", pseudonyms.of(erin), "Complaint about an answer")
    four_eyes.decide("o-2", proposal.id, False)
    with pytest.raises(NotFound):
        naming.tell("o-1", proposal.id)


def test_somebody_whose_account_is_gone_stays_without_a_name(
    naming: Naming, four_eyes: FourEyes, pseudonyms: Pseudonyms, log: QueryLog
) -> None:
    log.append(FeedbackGiven("q1", "u-gone", "up"))
    proposal = naming.ask("o-1", pseudonyms.of("u-gone"), "Complaint about an answer")
    four_eyes.decide("o-2", proposal.id, True)
    named = naming.tell("o-1", proposal.id)
    assert (named.pseudonym, named.name) == (pseudonyms.of("u-gone"), "")


def test_whom_nobody_means_is_not_asked_for(naming: Naming, pseudonyms: Pseudonyms) -> None:
    with pytest.raises(InvalidRequest):
        naming.ask("o-1", "  ", "Complaint about an answer")
    with pytest.raises(NotFound):
        naming.ask("o-1", pseudonyms.of("u-never"), "Complaint about an answer")
    with pytest.raises(NotFound, match="Nobody signs in"):
        naming.ask("o-1", "nobody-such", "Complaint about an answer")
