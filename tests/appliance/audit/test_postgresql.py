"""A log in PostgreSQL when its server is stopped, killed, restored, altered or not what the log needs.

What holds for a log wherever it is kept: tests/contracts/test_query_log.py.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError
from pydantic import ValidationError
from typer.testing import CliRunner

from appliance.audit import checkpoint
from appliance.audit.checkpoint import latest_path
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.moving import copy
from appliance.audit.postgresql import PostgresqlStore
from appliance.audit.postgresql_wire import sqlstate_of
from appliance.audit.records import LogFilter
from appliance.audit.sqlite import SqliteStore
from appliance.audit.verify import verify
from appliance.cli import app as cli
from appliance.config import LogSettings
from appliance.config.postgresql import PostgresqlAddress
from appliance.errors import AuditBroken, AuditUnavailable, Conflict
from tests.appliance.audit import postgresql_server
from tests.appliance.audit.postgresql_server import PASSWORD, Server
from tests.appliance.ldap.slapd import Authority

from .conftest import Ask

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.moving import copy
from appliance.audit.postgresql import PostgresqlStore
from appliance.config import LogSettings

settings = LogSettings(postgresql=sys.argv[2], postgresql_password_file=sys.argv[3])
with QueryLog(PostgresqlStore(Path(sys.argv[1]), settings)) as log:
    for number in range(1_000_000):
        print(log.append(AdminAction("writer", "test.written", str(number), "x" * 500)).seq, flush=True)
"""


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    with postgresql_server.running() as server:
        yield server


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    """An empty one, that is running again afterwards."""
    started.empty()
    yield started
    if not started.is_running():
        started.start()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 24 MB of its own, half of which an empty database takes. Only root can make one."""
    mount = shutil.which("mount")
    with tempfile.TemporaryDirectory(prefix="strongroom-disk-") as made:
        Path(made).chmod(0o755)
        command = [mount or "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", made]
        if mount is None or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk takes root")
        try:
            yield Path(made)
        finally:
            subprocess.run(["umount", "--lazy", made], check=True)


@pytest.fixture
def store(server: Server, log_path: Path) -> PostgresqlStore:
    return PostgresqlStore(log_path, server.settings())


def written(number: int) -> AdminAction:
    return AdminAction("u-admin", "test.written", str(number))


def verified(store: PostgresqlStore) -> int:
    """How many entries the log has, all of which verify, with the checkpoint beside it."""
    return verify(store, checkpoint.read(latest_path(store.path))).size


def test_while_the_server_is_stopped_nothing_is_recorded_and_then_the_log_goes_on_by_itself(
    server: Server, store: PostgresqlStore, asked: Ask
) -> None:
    with QueryLog(store) as log:
        log.append(asked("q0"))
        server.stop()
        for act in (
            lambda: log.append(asked("q1", "Is the merger off?")),
            lambda: log.append(asked("q2")),
            log.examine,
            log.size,
            lambda: verify(store),
            lambda: QueryLog(store),
        ):
            with pytest.raises(AuditUnavailable, match="server cannot be reached; see that it runs") as caught:
                act()
            assert not any(word in str(caught.value) for word in ("merger", PASSWORD))
        assert (log.failures, "cannot be reached" in log.problem) == (2, True)
        server.start()
        assert log.append(asked("q3")).seq == 1
        assert log.failures == 2
        assert [query.query_id for query in log.queries()] == ["q3", "q0"]
    assert verified(store) == 2


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_is_started_anew_between_two_entries_is_not_noticed(
    server: Server, store: PostgresqlStore, how: str
) -> None:
    with QueryLog(store) as log:
        for number in range(2):
            assert log.append(written(number)).seq == number
            server.restart(how)
        assert log.size() == 2
    assert verified(store) == 2


def test_no_entry_is_lost_or_doubled_by_a_server_that_is_killed_in_the_middle(
    server: Server, store: PostgresqlStore
) -> None:
    acknowledged: dict[int, str] = {}
    refused: list[str] = []
    ended = threading.Event()
    with QueryLog(store) as log:

        def write() -> None:
            for number in range(1_000_000):
                if ended.is_set():
                    return
                try:
                    acknowledged[log.append(written(number)).seq] = str(number)
                except AuditUnavailable:
                    refused.append(str(number))
                    time.sleep(0.01)

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(2):
            before = len(acknowledged)
            _until(lambda before=before: len(acknowledged) > before + 20)  # type: ignore[misc]
            server.restart("immediate")
        before = len(acknowledged)
        _until(lambda: len(acknowledged) > before + 20)
        ended.set()
        writer.join()
        found = [entry.entry.subject for entry in log.entries(limit=10_000)[::-1]]  # type: ignore[union-attr]
        assert len(set(found)) == len(found)
        assert [found[seq] for seq in acknowledged] == list(acknowledged.values())
        assert set(found) - set(acknowledged.values()) <= set(refused)  # cut off in the commit, at most one each time
        assert len(found) - len(acknowledged) <= 2
    assert verified(store) == len(found)


def test_what_was_acknowledged_survives_a_kill_of_the_writer(server: Server, store: PostgresqlStore) -> None:
    arguments = [str(store.path), server.url(), str(server.folder / "password")]
    acknowledged = -1
    for _ in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(5):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        told = writer.communicate()[0].splitlines(keepends=True)
        acknowledged = max([acknowledged, *(int(line) for line in told if line.endswith("\n"))])
        assert verified(store) > acknowledged
    with QueryLog(store) as log:
        assert log.append(written(0)).seq >= acknowledged + 1


def test_an_entry_whose_connection_is_ended_under_way_is_refused_and_leaves_nothing(
    server: Server, store: PostgresqlStore
) -> None:
    with QueryLog(store) as log:
        log.append(written(0))
        caught: list[str] = []

        def append() -> None:
            with pytest.raises(AuditUnavailable) as refused:
                log.append(written(1))
            caught.append(str(refused.value))

        with server.as_superuser() as superuser:
            superuser.run("BEGIN; LOCK TABLE query_log.payloads IN EXCLUSIVE MODE")
            waiting = threading.Thread(target=append)
            waiting.start()
            ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
            _until(lambda: bool(superuser.run(ended)))
            superuser.run("ROLLBACK")
            waiting.join()
        assert len(caught) == 1
        assert log.append(written(2)).seq == 1
        assert [entry.entry for entry in log.entries()] == [written(2), written(0)]
    assert verified(store) == 2


def test_a_connection_that_is_lost_inside_a_transaction_is_not_opened_again_there(
    server: Server, store: PostgresqlStore
) -> None:
    with contextlib.closing(store.open_to_append()) as connection:
        with pytest.raises(InterfaceError, match="inside a transaction"), connection.transaction():
            with server.as_superuser() as superuser:
                superuser.run(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'strongroom'"
                )
            with pytest.raises(InterfaceError):
                connection.execute("SELECT 1")
            connection.execute("INSERT INTO payloads (seq, payload) VALUES (?, ?)", (0, b"x"))
        with connection.transaction():
            assert connection.execute("SELECT count(*) FROM payloads").fetchone() == (0,)


def test_the_account_of_the_appliance_may_add_rows_and_nothing_else(store: PostgresqlStore, asked: Ask) -> None:
    def refused() -> set[str]:
        codes = set()
        with contextlib.closing(store.open_to_append()) as connection:
            for table in ("heads", "payloads", "nodes"):
                column = {"heads": "head", "payloads": "payload", "nodes": "hash"}[table]
                for change in (f"UPDATE {table} SET {column} = ''", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                    with pytest.raises(DatabaseError) as caught:
                        connection.script(change)
                    codes.add(sqlstate_of(caught.value))
        return codes

    with QueryLog(store) as log:
        log.append(asked("q0", actor="u-gone"))
        assert refused() == {"42501"}
        log.erase([held for held in log.holdings() if held.person == "u-gone"])
        assert refused() == {"42501"}
    assert verified(store) == 2


def test_what_was_emptied_is_vacuumed(server: Server, store: PostgresqlStore, asked: Ask) -> None:
    vacuumed = "SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'payloads'"
    with QueryLog(store) as log, server.as_superuser() as superuser:
        log.append(asked("q0", actor="u-gone"))
        assert superuser.run(vacuumed) == [[False]]
        log.erase([held for held in log.holdings() if held.person == "u-gone"])
        _until(lambda: bool(superuser.run(vacuumed) == [[True]]))


def test_a_dump_that_was_restored_verifies_and_goes_on(server: Server, store: PostgresqlStore, asked: Ask) -> None:
    with QueryLog(store) as log:
        log.append(asked("q0", actor="u-gone"))
        log.append(asked("q1"))
        log.erase([held for held in log.holdings() if held.person == "u-gone"])
    server.restore(server.dumped())
    assert verified(store) == 3
    with QueryLog(store) as log:
        assert log.query("q0").asked.erased
        assert log.query("q1").question == asked("q1")
        assert log.append(asked("q2")).seq == 3
    with server.as_superuser() as connection, pytest.raises(Exception, match="append-only"):
        connection.run("TRUNCATE query_log.payloads")


def test_an_older_database_under_its_name_stops_the_running_log(
    server: Server, store: PostgresqlStore, asked: Ask
) -> None:
    """Attack 18: the log opens its lost connection again by itself, and must not go on in another database."""
    with pytest.raises(AuditBroken), QueryLog(store) as log:
        log.append(asked("q0"))
        server.copy(postgresql_server.DATABASE, "older")
        log.append(asked("q1"))
        server.put_in_its_place("older")
        with pytest.raises(AuditBroken, match="cut, exchanged or altered"):
            log.append(asked("q2"))
        assert log.problem


def test_a_full_disk_of_the_server_stops_the_log_and_room_starts_it_again(
    server: Server, small_disk: Path, log_path: Path, asked: Ask
) -> None:
    """Attack 17."""
    ballast = small_disk / "ballast"
    with server.with_database_on(small_disk) as database:
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 500_000))
        store = PostgresqlStore(log_path, server.over_the_socket(database))
        with QueryLog(store) as log:
            acknowledged = 0
            with pytest.raises(AuditUnavailable, match="the disk of its server is full"):
                for number in range(1000):
                    log.append(asked(f"q{number}", "x" * 5000))
                    acknowledged += 1
            assert 0 < acknowledged < 1000
            assert log.size() == acknowledged
            ballast.unlink()
            assert log.append(asked("again")).seq == acknowledged
        assert verified(store) == acknowledged + 1


def test_a_log_moves_from_its_file_with_every_proof_as_it_was(
    server: Server, log_path: Path, asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QueryLog(log_path) as log:
        log.append(asked("q0", actor="u-gone"))
        for number in range(1, 120):
            log.append(asked(f"q{number}"))
        log.erase([held for held in log.holdings() if held.person == "u-gone"])
        before, proof = log.checkpoint(), log.consistency_proof(70)[0]
    for name, value in (("", server.url()), ("_PASSWORD_FILE", str(server.folder / "password"))):
        monkeypatch.setenv(f"STRONGROOM_LOG__POSTGRESQL{name}", value)
    monkeypatch.setenv("STRONGROOM_DATA_DIR", str(log_path.parents[1]))
    store = PostgresqlStore(log_path, server.settings())
    with pytest.raises(AuditBroken, match="gone"):
        QueryLog(store)
    moved = CliRunner().invoke(cli, ["log", "move-to-postgresql"])
    assert moved.exit_code == 0, moved.output
    assert not log_path.exists()
    with QueryLog(store) as log:
        assert log.consistency_proof(70, before.size)[0] == proof
        assert log.query("q0").asked.erased
        assert log.query("q119").question == asked("q119")
        act = log.entry(before.size).entry
        assert isinstance(act, AdminAction)
        assert (act.action, act.detail) == ("log.moved", str(store))
        assert log.append(asked("after")).seq == before.size + 1
    assert verify(store, before).size == before.size + 2


def test_a_log_is_not_moved_to_where_one_is(server: Server, store: PostgresqlStore, tmp_path: Path, asked: Ask) -> None:
    with QueryLog(store) as log:
        log.append(asked())
    file = SqliteStore(tmp_path / "other" / "queries.db")
    with QueryLog(file) as log:
        log.append(asked())
    with pytest.raises(Conflict, match="already"):
        copy(file, store)
    assert verified(store) == 1


ALTERED: dict[str, tuple[str, ...]] = {
    "a column to search by says something else": (
        "ALTER TABLE query_log.heads ALTER COLUMN actor DROP EXPRESSION",
        "UPDATE query_log.heads SET actor = 'nobody'",
    ),
    "so it does with the function put back": (
        "ALTER FUNCTION query_log.told RENAME TO told_before",
        "CREATE FUNCTION query_log.told(head bytea) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT AS "
        "'SELECT ARRAY[NULL, NULL, ''nobody'', NULL]'",
        "ALTER TABLE query_log.heads DROP COLUMN actor",
        "ALTER TABLE query_log.heads ADD COLUMN actor text GENERATED ALWAYS AS ((query_log.told(head))[3]) STORED",
        "DROP FUNCTION query_log.told_before CASCADE",
    ),
    "rows are hidden": ("ALTER TABLE query_log.heads ENABLE ROW LEVEL SECURITY",),
    "a view is in its place": (
        "ALTER TABLE query_log.payloads RENAME TO payloads_before",
        "CREATE VIEW query_log.payloads AS SELECT * FROM query_log.payloads_before",
        "GRANT SELECT ON query_log.payloads TO strongroom",
    ),
    "a table adds rows to it": ("CREATE TABLE query_log.more () INHERITS (query_log.heads)",),
    "a trigger does something else": (
        "CREATE FUNCTION query_log.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER quiet BEFORE INSERT ON query_log.heads FOR EACH ROW EXECUTE FUNCTION query_log.quiet()",
    ),
    "a rule does something else": ("CREATE RULE quiet AS ON INSERT TO query_log.nodes DO INSTEAD NOTHING",),
    "a table is gone": ("DROP TABLE query_log.payloads",),
}


@pytest.mark.parametrize("alteration", ALTERED)
def test_a_database_that_was_made_to_say_something_else_does_not_verify(
    server: Server, store: PostgresqlStore, alteration: str
) -> None:
    with QueryLog(store) as log:
        log.append(written(0))
    with server.as_superuser() as connection:
        connection.run("SET session_replication_role = replica")
        for statement in ALTERED[alteration]:
            connection.run(statement)
    with pytest.raises(AuditBroken):
        verify(store)


def test_a_search_for_a_person_sees_what_the_heads_say(store: PostgresqlStore, asked: Ask) -> None:
    with QueryLog(store) as log:
        log.append(asked("q0", actor="u-a"))
        log.append(asked("q1", actor="u-b"))
        assert [query.query_id for query in log.queries(LogFilter(actor="u-b"))] == ["q1"]
        with contextlib.closing(store.open_to_read()) as connection, connection.snapshot():
            plan = "".join(
                row[0] for row in connection.execute("EXPLAIN SELECT seq FROM heads WHERE actor = ?", ("u",))
            )
            assert "heads" in plan
            with pytest.raises(Exception, match="read-only"):
                connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (2, b"{}"))


def _refusals(server: Server) -> Iterator[tuple[str, LogSettings]]:
    wrong = server.folder / "wrong"
    wrong.write_text("not it")
    yield "refuses the password", server.settings(postgresql_password_file=str(wrong))
    yield "password cannot be read", server.settings(postgresql_password_file=str(wrong.with_name("none")))
    yield "server refuses the password", server.settings(postgresql_password_file="")
    yield "no such database", server.settings(server.url(database="other"))
    yield "server cannot be reached", server.settings(server.url().replace(f":{server.port}", ":1"))


def test_what_is_wrong_with_the_settings_is_said_without_the_password(server: Server, log_path: Path) -> None:
    for told, settings in _refusals(server):
        with pytest.raises(AuditUnavailable, match=told) as caught:
            QueryLog(PostgresqlStore(log_path, settings))
        assert not any(word in str(caught.value) for word in (PASSWORD, "not it"))
        assert "Nothing is answered until it is." in str(caught.value)


def test_an_account_that_may_make_nothing_is_told_so(server: Server, log_path: Path) -> None:
    with server.as_superuser() as connection:
        connection.run("ALTER DATABASE strongroom OWNER TO postgres")
        try:
            with pytest.raises(AuditUnavailable, match="owner of the database"):
                QueryLog(PostgresqlStore(log_path, server.settings()))
        finally:
            connection.run("ALTER DATABASE strongroom OWNER TO strongroom")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_forgets_in_a_power_cut_is_refused(server: Server, store: PostgresqlStore, setting: str) -> None:
    server.set(**{setting: "off"})
    try:
        with pytest.raises(AuditUnavailable, match=f"{setting} of its server is not on"):
            QueryLog(store)
    finally:
        server.set(**{setting: "on"})
    QueryLog(store).close()


def test_a_commit_waits_for_the_disk_whatever_the_account_is_set_to(server: Server, store: PostgresqlStore) -> None:
    with server.as_superuser() as connection:
        connection.run("ALTER ROLE strongroom SET synchronous_commit = off")
    try:
        with contextlib.closing(store.open_to_append()) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    finally:
        with server.as_superuser() as superuser:
            superuser.run("ALTER ROLE strongroom RESET synchronous_commit")


def test_over_a_network_the_server_must_show_a_certificate_that_is_valid(
    server: Server, log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresqlAddress, "is_this_machine", False)
    authority, stranger = Authority(), Authority()
    trusted, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    authority.write(trusted)
    stranger.write(other)

    def opened(ca_file: Path) -> None:
        QueryLog(PostgresqlStore(log_path, server.settings(postgresql_ca_file=str(ca_file)))).close()

    with pytest.raises(AuditUnavailable, match="shows no certificate that is valid"):
        opened(trusted)  # it speaks no TLS at all
    with server.with_certificate(authority):
        with pytest.raises(AuditUnavailable, match="shows no certificate that is valid"):
            opened(other)
        with pytest.raises(AuditUnavailable, match=r"authority in .* cannot be read"):
            opened(tmp_path / "none.pem")
        opened(trusted)


def test_an_address_with_a_password_or_of_another_kind_is_refused_without_repeating_it() -> None:
    for url in (
        "postgresql://strongroom:hunter2@db/strongroom",
        "postgresql://strongroom:hunter2/x@db/strongroom",
        "mysql://hunter2@db/strongroom",
        "postgresql://db/hunter2",
        "postgresql://hunter2@db",
        "postgresql://hunter2@/strongroom",
        "postgresql://hunter2@db/strongroom?sslmode=disable",
        "postgresql://hunter2@db:port/strongroom",
        "hunter2",
    ):
        with pytest.raises(ValidationError) as caught:
            LogSettings(postgresql=url)
        assert "hunter2" not in str(caught.value)


def test_an_address_is_read_as_it_is_written() -> None:
    assert LogSettings(postgresql="postgresql://a%40b@db.example/log").postgresql_address == PostgresqlAddress(
        "a@b", "db.example", 5432, "log"
    )
    over_socket = LogSettings(postgresql="postgresql://a@/log?host=/run/postgresql").postgresql_address
    assert (over_socket.socket, over_socket.is_this_machine) == ("/run/postgresql/.s.PGSQL.5432", True)
    assert not LogSettings(postgresql="postgresql://a@db.example/log").postgresql_address.is_this_machine


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)
