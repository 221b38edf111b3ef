"""`strongroom init`, the help, and what every command says when something is wrong: never a traceback."""

from __future__ import annotations

import re
import sqlite3
import textwrap
from pathlib import Path

import pytest

from appliance import __version__
from appliance.cli import app
from appliance.config import load_settings
from tests.cli.room import PASSWORD, WHY, Room

pytestmark = pytest.mark.integration


def test_init_makes_an_account_per_role_once_and_then_changes_nothing(room: Room, tmp_path: Path) -> None:
    fresh = Room(tmp_path)
    first = fresh.run_apart("init")
    passwords = PASSWORD.findall(first)
    assert len(set(passwords)) == 3
    assert {"employee", "admin", "compliance"} <= set(first.split())
    size = (fresh.data / "log" / "queries.db").stat().st_size
    second = fresh.run("init")
    assert "nothing was changed" in second
    assert not any(password in second for password in passwords)
    assert (fresh.data / "log" / "queries.db").stat().st_size == size
    assert fresh.data.stat().st_mode & 0o077 == 0
    assert (fresh.data / "strongroom.db").stat().st_mode & 0o077 == 0


def test_init_prints_the_passwords_before_anything_can_go_wrong_with_the_samples(tmp_path: Path) -> None:
    fresh = Room(tmp_path)
    broken = {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model"}
    text = fresh.run("init", "--samples", str(fresh.documents), ok=False, **broken)
    assert len(set(PASSWORD.findall(text))) == 3
    again = fresh.run("init", "--samples", str(fresh.documents))  # the samples were never taken in
    assert "4 indexed" in again
    assert not PASSWORD.search(again)


def test_init_takes_up_samples_that_were_left_half_done_and_leaves_finished_ones_alone(
    room: Room, tmp_path: Path
) -> None:
    copy = room.copied(tmp_path)
    samples = str(room.documents)
    before = copy.digests()
    # a model that cannot be loaded and an index that nobody serves: neither is asked for
    idle = {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model", "QDRANT_URL": "http://127.0.0.1:9"}
    assert "nothing was changed" in copy.run("init", "--samples", samples, ok=True, **idle)
    assert copy.digests() == before
    with sqlite3.connect(copy.data / "strongroom.db") as database:
        database.execute("DELETE FROM documents WHERE path = 'travel.md'")  # as if it had ended before this file
    database.close()
    assert "1 read and indexed" in copy.run("init", "--samples", samples)
    assert "nothing was changed" in copy.run("init", "--samples", samples, ok=True, **idle)


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("ingest", "/no/such/folder"), {}, "is not a folder"),
        (("ask", "   "), {}, "question"),
        (("status",), {"STRONGROOM_NO_SUCH_SETTING": "1"}, "unknown setting 'no_such_setting'"),
        (("status",), {"STRONGROOM_SERVER__PORT": "many"}, "server.port"),
        (("status",), {"STRONGROOM_CONFIG": "/no/such/file.toml"}, "cannot be read"),
        (("status",), {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model"}, "/no/such/model"),
        (("status",), {"STRONGROOM_MODEL__PROVIDER": "llamacpp"}, "gguf_path"),
        (("status",), {"QDRANT_URL": "http://127.0.0.1:9"}, "Qdrant server"),
        (("log", "verify", "--checkpoint", "/no/such/file"), {}, "no readable file at /no/such/file"),
        (("log", "verify", "--export", "/no/such/file"), {}, "cannot be read"),
        (("status",), {"STRONGROOM_DATA_DIR": "/proc/nowhere"}, "data folder"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    room: Room, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    text = room.run(*arguments, ok=False, **environment)
    assert says in " ".join(text.split()), text
    assert "Error" in text or "not" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("doctor",), ("report",), ("reconcile", "--check"), ("ask", "Why?", "--group", "hr"), ("eval", "--list"),
        ("papers", "papers"), ("user", "list"), ("user", "password", "employee"), ("log", "show", *WHY), ("log", "checkpoint"),
        ("log", "export", "export.jsonl", *WHY), ("log", "subject", "erin", "erin.pdf", *WHY),
    ],
)  # fmt: skip
def test_what_reads_makes_no_data_folder_and_says_where_it_looked(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    elsewhere = Room(tmp_path)
    before = sorted(tmp_path.iterdir())
    told = " ".join(elsewhere.run(*arguments, ok=False).split())
    assert f"There is no data folder of Strongroom at {elsewhere.data}." in told
    assert "STRONGROOM_DATA_DIR" in told
    assert sorted(tmp_path.iterdir()) == before


def test_every_command_explains_itself(room: Room) -> None:
    import typer

    command = typer.main.get_command(app)
    names = [[name] for name in command.commands]  # type: ignore[attr-defined]
    for group in ("directory", "log", "user"):
        names += [[group, name] for name in command.commands[group].commands]  # type: ignore[attr-defined]
    assert len(names) > 15
    help_text = room.run_apart("--help")
    assert room.run_apart("--version") == f"strongroom {__version__}\n"
    for name, *rest in names:
        assert rest or name in help_text


def test_the_service_its_command_and_the_steps_to_deploy_them_agree(tmp_path: Path) -> None:
    deploy = Path(__file__).parents[2] / "deploy"
    steps = (deploy.parent / "docs" / "operations" / "deploy.md").read_text("utf-8")
    unit = (deploy / "systemd" / "strongroom.service").read_text("utf-8")
    command = (deploy / "strongroom.sh").read_text("utf-8")
    for text in (steps, unit, command):
        assert "/etc/strongroom/strongroom.toml" in text
        assert "/var/lib/strongroom" in text
    written = re.search(r"<<'END'\n(.*?)\n +END\n", steps, re.DOTALL)
    assert written
    file = tmp_path / "strongroom.toml"
    file.write_text(textwrap.dedent(written[1]), "utf-8")
    settings = load_settings(file, {})
    assert settings.data_dir == Path("/var/lib/strongroom/data")
    assert settings.server.trust_forwarded_for
    assert re.findall(r"STRONGROOM_\w+", unit) == re.findall(r"STRONGROOM_\w+", command) == ["STRONGROOM_CONFIG"]
