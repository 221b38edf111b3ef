"""`strongroom papers`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.acting import as_operator
from appliance.cli.terminal import out
from appliance.config import load_settings
from appliance.errors import InvalidRequest


def papers(folder: Annotated[Path, typer.Argument(help="The folder to write to; made if it is not there.")]) -> None:
    """Write the papers that data protection (GDPR) and the AI Act ask for, from how the appliance is set up."""
    with as_operator(load_settings()) as operator:
        found = operator.papers().papers
    for paper in found:
        path = folder / f"{paper.name}.md"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(paper.markdown)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written ({error.strerror}). Name a new folder.") from error
        out.print(f"Written to {path}: {paper.markdown.count('**To be filled in:**')} places are yours to fill in.")
