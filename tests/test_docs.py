"""What the documents promise: every setting, command and error code is in the reference, and every named test exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from appliance import errors
from appliance.cli import app
from appliance.config import Settings

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


def settings(section: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            names += settings(kind, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def test_every_setting_is_in_the_reference_and_nothing_else() -> None:
    described = re.findall(r"^\| `([\w.]+)` \|", (REFERENCE / "settings.md").read_text("utf-8"), re.MULTILINE)
    assert described == settings(Settings)


def test_every_error_code_is_in_the_reference() -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.ApplianceError):
            assert f"| `{kind.code}` | {kind.status} |" in text


def test_every_command_is_in_the_reference() -> None:
    text = (REFERENCE / "commands.md").read_text("utf-8")
    command = typer.main.get_command(app)
    for name, inner in command.commands.items():  # type: ignore[attr-defined]
        for whole in [f"{name} {part}" for part in getattr(inner, "commands", ())] or [name]:
            assert f"`strongroom {whole}" in text


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
