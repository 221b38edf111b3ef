"""Writes the papers: the texts lie beside this module, and what was found goes into their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from string import Template

from appliance.domain import Role
from appliance.papers.facts import Facts
from appliance.wording import moment

NAMES = ("record-of-processing", "dpia-inputs", "ai-act")

_NO_ADVICE = (
    "The appliance wrote this paper from how it is set up. It is a beginning for those who are responsible, and no "
    "legal advice. What is marked **To be filled in** only the organisation knows."
)
_CHECKED = {
    "parser sandbox": "Reading of foreign files",
    "offline switches": "Switches against calling out",
    "data folder": "Data folder",
    "query log": "Query log, verified",
    "access": "Withheld at the last moment",
    "single sign-on": "Single sign-on",
    "trusted header": "Reverse proxy",
}
"""The checks of the doctor that tell of a measure, and what it is called here."""


@dataclass(frozen=True, slots=True)
class WrittenPaper:
    """A paper in Markdown."""

    name: str
    markdown: str


def written(facts: Facts) -> tuple[WrittenPaper, ...]:
    """Every paper."""
    values = _values(facts)
    return tuple(WrittenPaper(name, Template(_text(name)).substitute(values)) for name in NAMES)


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.md").read_text("utf-8")


def _values(facts: Facts) -> dict[str, str]:
    return {
        "no_advice": _NO_ADVICE,
        "as_of": f"Strongroom, release {facts.release}, as it stood on {moment(facts.made_at)}.",
        "employees": f"{facts.people[Role.EMPLOYEE]:,}",
        "admins": f"{facts.people[Role.ADMIN]:,}",
        "officers": f"{facts.people[Role.COMPLIANCE]:,}",
        "accounts": f"{facts.accounts:,}",
        "documents": f"{facts.documents:,}",
        "sources": f"{facts.sources:,}",
        "opening": cell(facts.opening),
        "neighbours": "".join(_row(f"{it.what} {it.where}", it.is_sent) for it in facts.neighbours),
        "elsewhere": _elsewhere(facts),
        "retention": cell(facts.retention),
        "sessions": cell(facts.sessions),
        "key_backups": facts.key_backups,
        "measures": "| measure | as found |\n|---|---|\n" + "".join(_row(*pair) for pair in _measures(facts)),
        "model": cell(facts.model),
        "model_runs": cell(facts.model_runs),
        "embedding": cell(facts.embedding),
        "log_size": f"{facts.log_size:,}",
        "signed_checkpoints": f"{facts.signed_checkpoints:,}",
        "signer": cell(facts.signer),
    }


def _elsewhere(facts: Facts) -> str:
    if all(it.is_here for it in facts.neighbours):
        return "All of them run on this machine." if facts.neighbours else "There are none."
    return "**To be filled in:** where the other machines stand, and who runs them."


def _measures(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Sign-in", "; ".join(facts.doors)
    yield "Second factor", facts.second_factor
    yield "Sessions", facts.sessions
    yield (
        "Access to documents",
        f"by group and level ({', '.join(facts.levels)}), inside every search and again after it",
    )
    yield "Programs with a token", facts.programs
    yield "Query log, what it holds", "AES-256-GCM, one key for each person and month; the keys lie apart, wrapped"
    yield "Query log, whether it is whole", f"Merkle tree, {facts.signed_checkpoints:,} signed checkpoints"
    yield "Signer of the log", facts.signer
    yield "Opening the log", facts.opening
    yield "Names in the log", "shown as pseudonyms; two officers agree before a name is told or entries are taken out"
    yield "Verification of the log", facts.verification
    yield "Transport", facts.encrypted_transport
    yield "Language model", f"{facts.model}; runs {facts.model_runs}"
    for name, title in _CHECKED.items():
        if check := facts.checks.get(name):
            state = "" if check.status.value == "ok" else f" **Not as it should be:** {check.remedy}"
            yield title, f"{check.detail}.{state}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(cell, cells))} |\n"


def cell(text: str) -> str:
    """A text that neither ends its cell nor the line."""
    return " ".join(text.split()).replace("|", "\\|")
