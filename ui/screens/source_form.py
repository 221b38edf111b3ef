"""The settings of a source as a form: to add one, and to change one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from appliance.api.schemas.sources import SourceIn, SourceOut, SourcePatch, rule_in
from appliance.domain import EVERYONE, ShareKind, SourceKind
from ui import fields, pieces
from ui.client import checked

_MINUTES = {
    5: "every 5 minutes",
    15: "every 15 minutes",
    60: "every hour",
    360: "every 6 hours",
    1440: "every day",
    10_080: "every week",
    0: "only when asked",
}
_SHARES = {
    ShareKind.NONE: "are not looked at",
    ShareKind.POSIX: "POSIX: owner, group, mode, access control list",
    ShareKind.NTFS: "NTFS, as the mount shows them",
    ShareKind.ICACLS: "NTFS, as exported by icacls into .access.icacls",
}
_PATTERNS_HELP = "Glob patterns over the paths in the folder, such as `**/*.pdf` or `drafts/**`, one a line."


def schedule(source: SourceOut) -> str:
    """When a source is compared, in words."""
    if source.paused:
        return "Neither compared nor watched while it is paused"
    watched = "watched for changes" if source.watched else "not watched"
    return f"Compared {_every(source.compare_every_minutes)}, {watched}"


def groups_input(words: str, known: Iterable[str], chosen: Iterable[str], key: str) -> list[str]:
    """Ask for groups: known ones, or new ones."""
    chosen = list(chosen)
    options = sorted({EVERYONE, *known, *chosen})
    return st.multiselect(
        words, options, chosen, accept_new_options=True, key=key, placeholder="Choose groups, or type a new one"
    )


@dataclass(frozen=True, slots=True)
class AskedFolder:
    """A folder somebody asked for: to be added, or first to be looked at."""

    source: SourceIn
    only_look: bool


def add_folder_form(known: Iterable[str], levels: Sequence[str]) -> AskedFolder | None:
    """Ask for a folder; gives what was asked for once it was sent."""
    with st.form("add-source", border=False):
        name = st.text_input("Name", placeholder=fields.example("Policies"))
        path = st.text_input("Folder on this machine", placeholder=fields.example("/srv/documents/policies"))
        groups = groups_input("Who may see its documents", known, [EVERYONE], "add-source-groups")
        with st.expander("More settings"):
            more = _settings("add", SourceOut(id="", name="", path="", groups=[], states={}), levels)
        pieces.show(pieces.line("Its files are read at once, and kept in sync from then on."))
        with st.container(horizontal=True, gap="small"):
            added = st.form_submit_button("Add folder", type="primary")
            look = st.form_submit_button("Preview first")
    if not added and not look:
        return None
    called = {"path": "Folder on this machine", "groups": "Who may see its documents"}
    return AskedFolder(checked(SourceIn, called, name=name, path=path, groups=groups, **more), only_look=not added)


def add_uploads_form(known: Iterable[str]) -> SourceIn | None:
    """Ask for a place for uploads; gives what was asked for once it was sent."""
    with st.form("add-uploads", border=False):
        pieces.show(
            pieces.line("Files that are uploaded here are kept by the appliance. Use it for what lies in no folder.")
        )
        name = st.text_input("Name of the place", placeholder=fields.example("Contracts"))
        groups = groups_input("Who may see what is uploaded", known, [EVERYONE], "add-uploads-groups")
        owner = st.text_input("Owner (optional)", key="add-uploads-owner")
        curated = st.checkbox(
            "A curator approves each document before anybody finds it", True, key="add-uploads-curated"
        )
        if st.form_submit_button("Add place for uploads", type="primary"):
            called = {"name": "Name of the place", "groups": "Who may see what is uploaded"}
            return checked(
                SourceIn, called, name=name, kind=SourceKind.UPLOADS, groups=groups, owner=owner, curated=curated
            )
    return None


def change_form(source: SourceOut, known: Iterable[str], levels: Sequence[str]) -> SourcePatch | None:
    """Ask for other settings; gives those that differ once they were sent, which may be none."""
    with st.form(f"settings-{source.id}", border=False):
        name = st.text_input("Name", source.name, key=f"settings-name-{source.id}")
        groups = groups_input("Who may see its documents", known, source.groups, f"settings-groups-{source.id}")
        wanted = _settings(source.id, source, levels)
        if not st.form_submit_button("Save settings", type="primary"):
            return None
        given = {"name": name, "groups": groups, **wanted}
        return checked(SourcePatch, **{what: value for what, value in given.items() if not _same(source, what, value)})


def _same(source: SourceOut, what: str, value: object) -> bool:
    now = getattr(source, what)
    if what == "rules":
        now = [rule.model_dump() for rule in now]
    if what == "share":
        now = now.model_dump()
    return set(now) == set(value) if what == "groups" and isinstance(value, list) else bool(now == value)


def _settings(key: str, source: SourceOut, levels: Sequence[str]) -> Mapping[str, object]:
    """What both forms ask for, under the names the API gives it."""
    settings: dict[str, object] = {}
    if source.kind is SourceKind.FOLDER:
        settings["include"] = _patterns("Take in only", source.include, f"include-{key}")
        settings["exclude"] = _patterns("Leave out", source.exclude, f"exclude-{key}")
    left, right = st.columns(2)
    settings["owner"] = left.text_input("Owner", source.owner, key=f"owner-{key}", help="Who answers for its content.")
    settings["language"] = right.text_input(
        "Language",
        source.language,
        key=f"language-{key}",
        placeholder="Found out by itself",
        help="Two letters, such as `de`. Only needed where it is found out wrongly.",
    ).lower()
    choices = list(dict.fromkeys(["", *levels, source.level]))
    settings["level"] = st.selectbox(
        "Level of its documents",
        choices,
        choices.index(source.level),
        format_func=lambda level: level or "As the settings have it",
        key=f"level-{key}",
        help="Readers must be cleared for it. Access files and rules may name another one.",
    )
    settings["rules"] = _rules(source, key)
    if source.kind is SourceKind.FOLDER:
        settings["share"] = _share(source, key)
        every = sorted({*_MINUTES, source.compare_every_minutes}, key=lambda minutes: minutes or 10**9)
        settings["compare_every_minutes"] = st.selectbox(
            "Compare the whole folder",
            every,
            every.index(source.compare_every_minutes),
            format_func=_every,
            key=f"every-{key}",
        )
        settings["watched"] = st.checkbox("Sync soon after something changes", source.watched, key=f"watched-{key}")
    settings["curated"] = st.checkbox(
        "A curator approves each document before anybody finds it", source.curated, key=f"curated-{key}"
    )
    return settings


def _patterns(words: str, chosen: Sequence[str], key: str) -> list[str]:
    lines = st.text_area(words, "\n".join(chosen), key=key, height=90, help=_PATTERNS_HELP)
    return [line.strip() for line in lines.splitlines() if line.strip()]


def _rules(source: SourceOut, key: str) -> list[object]:
    lines = st.text_area(
        "Rules",
        "\n".join(map(str, source.rules)),
        key=f"rules-{key}",
        height=90,
        placeholder=fields.example("hr/** => hr, works council @ confidential"),
        help="One a line: paths `=>` who may see them `@` level. The first that matches a file counts. Access files go "
        "before. `=> nobody` hides; `=> @ secret` says the level alone.",
    )
    return [_same_rule(source, line.strip()) for line in lines.splitlines() if line.strip()]


def _same_rule(source: SourceOut, line: str) -> object:
    """The rule that a line stands for; one that is there already as it is, whatever its names hold."""
    there = next((rule for rule in source.rules if str(rule) == line), None)
    return there.model_dump() if there else rule_in(line)


def _share(source: SourceOut, key: str) -> dict[str, object]:
    kind = st.selectbox(
        "Rights of the files on their share",
        list(_SHARES),
        list(_SHARES).index(source.share.kind),
        format_func=lambda kind: _SHARES[kind],
        key=f"share-{key}",
    )
    lines = st.text_area(
        "Who on the share is which group here",
        "\n".join(f"{principal} = {group}" for principal, group in source.share.groups.items()),
        key=f"share-groups-{key}",
        height=90,
        placeholder=fields.example("group:hr = hr"),
        help="One a line: `group:NAME`, `user:NAME` or `others` for POSIX rights, a security identifier `S-1-5-...` "
        "for those of NTFS. Whoever is not here counts for nothing.",
    )
    pairs = (line.rpartition("=") for line in lines.splitlines() if line.strip())
    return {"kind": kind, "groups": {principal.strip(): group.strip() for principal, _, group in pairs}}


def _every(minutes: int) -> str:
    return _MINUTES.get(minutes, f"every {pieces.duration(60 * minutes)}")
