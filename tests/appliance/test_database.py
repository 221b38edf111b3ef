"""The database file: durable, migrated, and failing in sentences."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select, text

from appliance import catalog, conversations, history  # noqa: F401 - they define the tables
from appliance import database as database_module
from appliance.auth import tables  # noqa: F401
from appliance.auth.accounts import Accounts
from appliance.auth.sessions import Sessions
from appliance.auth.standing import Membership
from appliance.compliance import cases, erasures, four_eyes, holds, retention, review_queue, sampling_rules  # noqa: F401
from appliance.config import SignInSettings
from appliance.database import Database, metadata, newest_revision
from appliance.domain import AccessFilter, PageCoverage, Role, Scope, TextMeans
from appliance.errors import CatalogUnavailable, Conflict, InvalidRequest
from appliance.labels import FileLabels

STAFF = AccessFilter(frozenset({"staff"}))
NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "catalog.db")
    database.migrate()
    yield database
    database.close()


def add_conversation(connection: Connection, key: str, person: str = "p") -> None:
    connection.execute(insert(conversations.conversations).values(id=key, person_id=person, updated_at=NOW))


def keys(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(conversations.conversations.c.id)).scalars())


# the schema


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    assert {"chunks", "turns", "people"} <= set(metadata.tables)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_told_without_asking_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        add_conversation(connection, "c")
    with database.read() as connection:
        before = connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name")).all()
    database.migrate()
    with database.read() as connection:
        assert connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name")).all() == before
    assert keys(database) == ["c"]


def test_a_database_of_a_newer_release_is_refused_with_a_sentence_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        add_conversation(connection, "c")
    with pytest.raises(CatalogUnavailable, match=r"made by another release.*restore a backup"):
        database.migrate()
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    assert keys(database) == ["c"]


def test_a_migration_that_fails_leaves_no_half_of_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE turns (something_else TEXT)")  # the first migration meets it half-way
    database = Database(path)
    with pytest.raises(CatalogUnavailable, match="turns already exists"):
        database.migrate()
    with database.read() as connection:
        assert connection.execute(text("SELECT name FROM sqlite_master")).scalars().all() == ["turns"]
    database.close()


@pytest.mark.parametrize("name", ["50%", "a?b=c", "a#b", "a b", "Prüfung", "%(here)s"])
def test_the_file_lies_where_it_was_asked_for_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(folder / "catalog.db")
    database.migrate()
    database.close()
    assert [file.name for file in folder.iterdir()] == ["catalog.db"]
    assert [file.name for file in tmp_path.iterdir()] == [name]


# durability and isolation


def test_every_connection_is_durable_checks_references_and_overwrites_what_is_deleted(database: Database) -> None:
    for transaction in (database.read, database.write):
        with transaction() as connection:
            values = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
            ]
        assert values == ["wal", 2, 1, 1]


def _write_and_die(path: Path) -> None:
    database = Database(path)
    with database.write() as connection:
        add_conversation(connection, "committed")
    with database.write() as connection:
        add_conversation(connection, "not committed")
        os._exit(9)


def test_what_was_committed_survives_the_death_of_the_process_and_the_rest_does_not(database: Database) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(database.path,))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    assert keys(database) == ["committed"]


def test_an_error_inside_a_transaction_undoes_all_of_it(database: Database) -> None:
    with pytest.raises(KeyError), database.write() as connection:
        add_conversation(connection, "c")
        raise KeyError
    assert keys(database) == []


def test_writers_take_turns_and_none_fails_half_way(database: Database) -> None:
    """With a lock that is only taken at the first write, two that have read would both fail to write."""

    def count_up(_: int) -> None:
        for _ in range(10):
            with database.write() as connection:
                count = len(connection.execute(select(conversations.conversations.c.id)).all())
                add_conversation(connection, str(count))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(4)))  # raises what a thread raised
    assert sorted(map(int, keys(database))) == list(range(40))


def test_what_fifty_people_ask_at_once_is_asked_over_connections_that_stay_open(database: Database) -> None:
    def asked_at_once() -> set[int]:
        with ExitStack() as open_together:
            readers = [open_together.enter_context(database.read()) for _ in range(50)]
            return {id(reader.connection.driver_connection) for reader in readers}

    first = asked_at_once()
    assert len(first) == 50
    assert asked_at_once() == first


def test_the_file_is_read_where_the_system_has_it(database: Database) -> None:
    with database.read() as reader:
        mapped = reader.execute(text("PRAGMA mmap_size")).scalar_one()
    assert mapped >= database.path.stat().st_size > 0


def test_a_reader_sees_one_state_while_somebody_writes(database: Database) -> None:
    with database.read() as reader:
        query = select(conversations.conversations.c.id)
        assert reader.execute(query).all() == []
        with database.write() as writer:
            add_conversation(writer, "c")
        assert reader.execute(query).all() == []
    assert keys(database) == ["c"]


# failures


def test_a_violated_constraint_is_a_conflict(database: Database) -> None:
    with database.write() as connection:
        add_conversation(connection, "c")
    with pytest.raises(Conflict), database.write() as connection:
        add_conversation(connection, "c")


def test_a_full_disk_is_reported_and_undone(database: Database) -> None:
    with database.write() as connection:
        add_conversation(connection, "small")
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # what SQLite says then is what it says on ENOSPC
    with pytest.raises(CatalogUnavailable, match=r"full.*free disk space"), database.write() as connection:
        add_conversation(connection, "large", person="x" * 1_000_000)
    assert keys(database) == ["small"]


def test_a_database_that_cannot_be_written_is_reported_and_still_read(database: Database) -> None:
    with database.write() as connection:
        add_conversation(connection, "c")
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with (
        pytest.raises(CatalogUnavailable, match=r"readonly.*rights of the data folder"),
        database.write() as connection,
    ):
        add_conversation(connection, "d")
    assert keys(database) == ["c"]


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_reported_with_its_name_and_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(content)
    database = Database(path)
    with pytest.raises(CatalogUnavailable, match=r"catalog\.db cannot be used"):
        database.migrate()
    with pytest.raises(CatalogUnavailable, match=r"catalog\.db cannot be used"):
        keys(database)
    with pytest.raises(CatalogUnavailable, match=r"catalog\.db cannot be used"):
        database.clear_side_files()
    assert path.read_bytes() == content
    database.close()


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CatalogUnavailable, match="unable to open database file"):
        Database(tmp_path / "missing" / "catalog.db").migrate()


def test_no_value_of_a_failed_statement_is_in_the_message(database: Database) -> None:
    with pytest.raises(CatalogUnavailable) as caught, database.write() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


@pytest.mark.parametrize("words", ["\ud800", "half of \udc80 a character"])
def test_half_a_character_cannot_be_stored_and_the_caller_is_told(database: Database, words: str) -> None:
    with pytest.raises(InvalidRequest, match="lone surrogate"), database.write() as connection:
        add_conversation(connection, "c", person=words)
    assert keys(database) == []


@pytest.mark.parametrize("words", ["a\0b", "\0", "\ufffe\uffff", "e\u0301", "😀", "\u202e"])
def test_any_other_text_comes_back_as_it_was(database: Database, words: str) -> None:
    with database.write() as connection:
        add_conversation(connection, "c", person=words)
    with database.read() as connection:
        assert connection.execute(select(conversations.conversations.c.person_id)).scalar_one() == words


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-11, minutes=-30))])
def test_a_moment_comes_back_aware_and_the_same_from_any_time_zone(database: Database, zone: timezone) -> None:
    with database.write() as connection:
        connection.execute(
            insert(conversations.conversations).values(id="c", person_id="p", updated_at=NOW.astimezone(zone))
        )
    with database.read() as connection:
        found = connection.execute(select(conversations.conversations.c.updated_at)).scalar_one()
    assert found == NOW
    assert found.utcoffset() == timedelta(0)


def test_closing_twice_is_no_error(database: Database) -> None:
    database.close()
    database.close()


def test_what_the_first_release_wrote_is_carried_over(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0001")
    at, document = "2026-01-01 12:00:00.000000", "d" * 36
    pages = '[{"page":1,"means":"text","characters":7,"reason":""}]'
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO sources VALUES ('s', 'Rules', '/srv/rules', '[\"staff\"]', '{at}')")
        for key, state, parser, version, modified in (
            (document, "indexed", "1", "'new'", 5),
            ("refused", "refused", "1 max_pages=9", "NULL", 5),
            ("moving", "indexed", "1", "NULL", -1),
        ):
            connection.exec_driver_sql(
                f"INSERT INTO documents VALUES ('{key}', 's', '{key}.txt', 'Title', 'text/plain', '{state}', '', 7,"
                f" {modified}, 'sha', '{parser}', '{at}', {version})"
            )
            connection.exec_driver_sql(f"INSERT INTO document_groups VALUES ('{key}', 'staff')")
        for version in ("old", "new"):
            connection.exec_driver_sql(
                f"INSERT INTO versions VALUES ('{version}', '{document}', 'sha', '1', '{at}', '{pages}', 1)"
            )
    database.migrate()
    known = catalog.Catalog(database).files("s")
    assert known["refused.txt"].judged == "1 max_pages=9"
    assert [facts.settled for _, facts in sorted(known.items())] == [True, False, True]
    (new,) = catalog.Catalog(database).history(document, STAFF)  # whom the one before was shown to nobody knows
    assert (new.title, new.version.superseded_at) == ("Title", None)
    assert catalog.Catalog(database).stored_version("old")[0].superseded_at is not None
    assert {facts.labels.file for facts in known.values()} == {frozenset({"staff"})}
    assert new.version.pages == (PageCoverage(1, TextMeans.TEXT_LAYER, 7),)
    assert catalog.Catalog(database).source("s").compare_every_s == 3600
    database.close()


def test_a_size_of_before_is_that_of_the_file_and_of_the_version(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0002")
    at = "2026-01-01 12:00:00.000000"
    with database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO sources (id, name, path, groups, created_at) VALUES ('s', 'Rules', '/srv', '[]', '{at}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO documents (id, source_id, path, title, media_type, state, reason, size_bytes, modified_ns,"
            f" sha256, parser, updated_at) VALUES ('d', 's', 'a.txt', 't', 'text/plain', 'indexed', '', 7, 5, 'sha',"
            f" '1', '{at}')"
        )
    database.migrate()
    found = catalog.Catalog(database)
    assert found.files("s")["a.txt"].size_bytes == 7
    assert found.inventory(source_id="s", state=None, text="", limit=1, offset=0).documents[0].size_bytes == 7
    database.close()


def test_what_a_version_was_read_with_is_kept_and_so_is_what_refers_to_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0005")
    at = "2026-01-01 12:00:00.000000"
    made_by = "3 200+32 de multilingual-e5-large-instruct-0123456789ab"
    with database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO sources (id, name, path, groups, created_at) VALUES ('s', 'Rules', '/srv', '[]', '{at}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO documents (id, source_id, path, title, media_type, state, reason, size_bytes, modified_ns,"
            f" sha256, parser, updated_at) VALUES ('d', 's', 'a.txt', 't', 'text/plain', 'indexed', '', 7, 5, 'sha',"
            f" '3', '{at}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO versions (id, document_id, sha256, parser, created_at, pages, chunk_count)"
            f" VALUES ('v', 'd', 'sha', '{made_by}', '{at}', '[]', 1)"
        )
        connection.exec_driver_sql("INSERT INTO version_bands (version_id, band, value) VALUES ('v', 0, 7)")
    database.migrate()
    assert catalog.Catalog(database).stored_version("v")[0].parser == made_by
    with database.read() as connection:
        assert connection.execute(text("SELECT value FROM version_bands WHERE version_id = 'v'")).scalar_one() == 7
    database.close()


def test_people_of_before_are_local_in_groups_given_here_and_their_tokens_keep_doing_what_they_did(
    tmp_path: Path,
) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0006")
    at = "2026-01-01 12:00:00.000000"
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO people VALUES ('p', 'anne', 'Anne', 'hash', '[\"admin\"]', 0, '{at}')")
        connection.exec_driver_sql("INSERT INTO memberships VALUES ('p', 'finance')")
        for kind in ("token", "session"):
            connection.exec_driver_sql(
                f"INSERT INTO sessions VALUES ('{kind}', 'p', '{kind}', '', '{at}', '{at}', '2999-01-01 00:00:00.000000')"
            )
    database.migrate()
    person = Accounts(database).person("p")
    assert (person.roles, person.memberships) == ({Role.ADMIN}, (Membership("finance", ""),))
    assert (person.directory, person.must_change_password, person.totp_on) == ("", False, False)
    [token] = Sessions(database, SignInSettings()).tokens("p")
    assert token.scopes == set(Scope)
    database.close()


def test_officers_of_before_count_as_officers_and_have_their_accounts_themselves(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0020")
    given = {"a": ("compliance", ""), "b": ("", "compliance"), "c": ("employee", "admin")}
    with database.write() as connection:
        for key, roles in given.items():
            here, told = (json.dumps([role] if role else []) for role in roles)
            connection.exec_driver_sql(
                "INSERT INTO people (id, name, display_name, password_hash, roles, disabled, created_at, directory_roles)"
                " VALUES (?, ?, ?, '', ?, 0, '2026-01-01 12:00:00.000000', ?)",
                (key, key, key, here, told),
            )
    database.migrate()
    found = Accounts(database).people()
    assert [person.was_officer for person in found] == [True, True, False]
    assert [person.handed_over_at for person in found] == [None, None, None]
    database.close()


def test_the_time_of_a_version_of_before_is_that_of_its_file_where_that_is_still_as_it_was_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0005")
    at = "2026-01-01 12:00:00.000000"
    with database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO sources (id, name, path, groups, created_at) VALUES ('s', 'Rules', '/srv', '[]', '{at}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO documents (id, source_id, path, title, media_type, state, reason, size_bytes, modified_ns,"
            f" sha256, parser, updated_at) VALUES ('d', 's', 'a.txt', 't', 'text/plain', 'indexed', '', 7, 5, 'new',"
            f" '3', '{at}')"
        )
        for version in ("old", "new"):
            connection.exec_driver_sql(
                "INSERT INTO versions (id, document_id, sha256, parser, created_at, pages, chunk_count)"
                f" VALUES ('{version}', 'd', '{version}', '3', '{at}', '[]', 1)"
            )
    database.migrate()
    with database.read() as connection:
        times = connection.execute(text("SELECT id, modified_ns FROM versions ORDER BY id")).all()
    assert times == [("new", 5), ("old", 0)]
    database.close()


def test_what_the_desk_kept_is_still_there_and_names_no_log_yet(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0012")
    with database.write() as connection:
        connection.execute(text("INSERT INTO cases VALUES ('c', 1, 'o', '2026-01-01 00:00:00.000000', '', NULL)"))
        connection.execute(text("INSERT INTO case_entries VALUES (7, 'c', ''), (8, 'c', 'q')"))
        connection.execute(text("INSERT INTO sampling_progress VALUES (9)"))
    database.migrate()
    with database.read() as connection:
        kept = connection.execute(text("SELECT log, seq, case_id, query_id FROM case_entries ORDER BY seq")).all()
        assert kept == [("", 7, "c", ""), ("", 8, "c", "q")]
        assert connection.execute(text("SELECT log, seen FROM sampling_progress")).all() == [("", 9)]
        assert connection.execute(text("SELECT id, log FROM cases")).all() == [("c", "")]
        assert not connection.execute(text("SELECT 1 FROM sqlite_master WHERE name LIKE 'former%'")).all()
    database.close()


def upgrade(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_waited_for_a_curator_before_labels_of_versions_is_for_those_of_its_document(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    upgrade(database, "0001")
    at = "2026-01-01 12:00:00.000000"
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO sources VALUES ('s', 'Rules', '/srv/rules', '[\"staff\"]', '{at}')")
        connection.exec_driver_sql(
            "INSERT INTO documents VALUES ('d', 's', 'a.txt', 'Title', 'text/plain', 'pending_review', '', 7, 5, 'sha',"
            f" '1', '{at}', NULL)"
        )
        connection.exec_driver_sql("INSERT INTO document_groups VALUES ('d', 'staff'), ('d', 'hr\x1fsecret')")
        connection.exec_driver_sql(f"INSERT INTO versions VALUES ('v', 'd', 'sha', '1', '{at}', '[]', 1)")
    upgrade(database, "0017")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE documents SET pending_version_id = 'v'")
    database.migrate()
    label = frozenset({"staff", "hr\x1fsecret"})
    assert catalog.Catalog(database).facts("d").labels == FileLabels.all(label)
    database.close()
