"""Which of two came first does not depend on a clock that was set back while the appliance stood still."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.auth.passwords import generate_password
from appliance.compliance.clock import steady_clock
from appliance.compliance.four_eyes import FourEyes
from appliance.config import Settings
from appliance.data_folder import database_in, found_folder
from appliance.database import Database
from appliance.domain import Role
from appliance.personnel import accounts_of

LATER = datetime(2100, 3, 1, 9, 0, tzinfo=UTC)  # than the clock of this machine: it was set back since


def test_after_a_start_an_account_is_handed_over_later_than_what_was_proposed_before(
    database: Database, log: QueryLog
) -> None:
    officer = Accounts(database).add("olga", generate_password(), (Role.COMPLIANCE,), ()).id
    proposed = FourEyes(database, log, lambda: LATER).propose("confirm officer", officer, "She asked me.", officer)
    Accounts(database, steady_clock(database)).change(officer, handed_over=True)
    handed_over_at = Accounts(database).person(officer).handed_over_at
    assert handed_over_at is not None
    assert handed_over_at > proposed.proposed_at


def test_nor_is_anything_decided_before_the_last_decision(database: Database, log: QueryLog) -> None:
    one, other = (Accounts(database).add(name, generate_password(), (Role.COMPLIANCE,), ()).id for name in ("a", "b"))
    proposed = FourEyes(database, log, lambda: LATER).propose("open an answer", one, "A complaint.", "q1")
    decided_at = LATER + timedelta(hours=2)
    FourEyes(database, log, lambda: decided_at).decide(other, proposed.id, approve=False)
    assert steady_clock(database)() >= decided_at


def test_the_command_line_hands_over_by_the_same_clock(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with accounts_of(settings, may_make_folder=True) as accounts:
        officer = accounts.add("olga", generate_password(), (Role.COMPLIANCE,), ()).id
    with closing(database_in(found_folder(settings))) as database, QueryLog(tmp_path / "log" / "queries.db") as log:
        FourEyes(database, log, lambda: LATER).propose("confirm officer", officer, "She asked me.", officer)
    with accounts_of(settings) as accounts:
        accounts.change(officer, handed_over=True)
        handed_over_at = accounts.person(officer).handed_over_at
    assert handed_over_at is not None
    assert handed_over_at >= LATER
