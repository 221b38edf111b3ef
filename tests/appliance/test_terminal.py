"""What commands print: folded below its heading on a terminal, a line of its own for each thing where it is piped."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from appliance.cli import terminal

PATH = "Contracts: " + "/".join(["leases and other agreements"] * 6) + "/renewal-2026.pdf"
REASON = "The file is damaged\nand [bold]cannot[/bold] be opened;\x1b[31m restore it from a backup."


def _printed(monkeypatch: pytest.MonkeyPatch, *, on_terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=on_terminal, width=80, highlight=False, soft_wrap=True)
    monkeypatch.setattr(terminal, "out", console)
    terminal.print_entry(PATH, "failed", "", REASON)
    return file.getvalue()


def test_an_entry_is_folded_to_the_terminal_and_nothing_of_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _printed(monkeypatch, on_terminal=True).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()).startswith(f"{PATH} failed The file is damaged and [bold]cannot[/bold]")
    assert [line for line in lines if not line.startswith("    ")] == lines[
        :3
    ]  # what it is; what is said of it stands in
    assert "\x1b" not in "".join(lines)


def test_an_entry_that_is_piped_is_one_line_with_tabs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = _printed(monkeypatch, on_terminal=False)
    assert text.count("\n") == 1
    told = text.rstrip("\n").split("\t")
    assert told[:3] == [PATH, "failed", ""]
    assert told[3].startswith("The file is damaged and [bold]cannot[/bold] be opened;")
