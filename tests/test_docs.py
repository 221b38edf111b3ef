"""What the documents promise: every setting, command and error code is in the reference as it is, and every named test exists."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, SecretStr

from appliance import errors
from appliance.cli import app
from appliance.config import Settings

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


def settings(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting with its default, as it is written in the reference."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from settings(value, f"{prefix}{name}.")
            continue
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        yield prefix + name, json.dumps(plain) if plain == "" or isinstance(plain, tuple) else str(plain)


def test_every_setting_is_in_the_reference_with_its_default_and_nothing_else() -> None:
    text = (REFERENCE / "settings.md").read_text("utf-8")
    described = re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", text, re.MULTILINE)
    assert described == list(settings(Settings()))


def test_every_error_code_is_in_the_reference() -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.ApplianceError):
            assert f"| `{kind.code}` | {kind.status} |" in text


def test_every_command_is_in_the_reference_with_its_options() -> None:
    text = (REFERENCE / "commands.md").read_text("utf-8")
    command = typer.main.get_command(app)
    told = [
        f"{name} {' '.join(re.findall('--[a-z-]+', options))}".strip()
        for name, options in re.findall(r"^\| `strongroom ([a-z-]+(?: [a-z-]+)?)(.*?)` \|", text, re.MULTILINE)
    ]
    assert told == sorted(commands(command))


def commands(command: Any, *above: str) -> Iterator[str]:
    """Every command with its options, in their order."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *above, name)
    if not hasattr(command, "commands"):
        options = [written for option in command.params for written in (*option.opts, *option.secondary_opts)]
        yield " ".join([*above, *(written for written in options if written.startswith("--"))])


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md", "docs/operations/for-auditors.md"])
def test_every_file_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    named = set(re.findall(r"`((?:tests|docs|deploy|appliance|ingest|ui|bench|samples)/[\w./-]+)`", text))
    linked = set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert named | linked
    for name in named:
        assert (ROOT / name).exists(), name
    for name in linked:
        assert ((ROOT / document).parent / name).exists(), name
