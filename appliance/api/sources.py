"""Sources: folders that are kept in sync, and places for uploads. For admins."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response

from appliance.api.access import require_level
from appliance.api.gate import IngestAdmin, TheAppliance, record_act, require_known_spelling
from appliance.api.runs import request_sync, require_not_removed, run_out, start_sync
from appliance.api.schemas.runs import RunOut
from appliance.api.schemas.sources import (
    LabelRuleIn,
    LabelRuleOut,
    PreviewFileOut,
    PreviewOut,
    Reread,
    ShareIn,
    ShareOut,
    SourceIn,
    SourceOut,
    SourcePatch,
    SyncIn,
)
from appliance.api.source_folders import require_folder
from appliance.domain import Rule, Share, ShareKind, Source, SourceKind
from appliance.errors import ApplianceError, InvalidRequest
from appliance.labels import groups_in, level_in
from appliance.patterns import require_patterns
from appliance.wiring import Appliance
from ingest.pipeline import Again, Wish
from ingest.plan import Action, Plan, Step

router = APIRouter(prefix="/sources", tags=["sources"])
_PREVIEWED = 200
_WAIT_S = 1.0  # for what is small to be gone; behind a sync nobody is kept waiting
_AT_REST = frozenset({"name", "owner", "compare_every_s", "watched"})
"""What may change about a source without any document being looked at again."""
_WHY = {Action.READ: "It is new.", Action.READ_AGAIN: "It changed, or reading it may end differently now."}


@router.get("")
def sources(_admin: IngestAdmin, appliance: TheAppliance) -> list[SourceOut]:
    """Every source, and how its files stand."""
    return [_source_out(appliance, source) for source in appliance.catalog.sources()]


@router.post("", status_code=201)
def add_source(wanted: SourceIn, admin: IngestAdmin, appliance: TheAppliance) -> SourceOut:
    """Add a folder, or make a place for uploads. Nothing is read until it is synced."""
    source = _new_source(appliance, wanted)
    with record_act(appliance, admin, "source.added", source.name, _told(source)):
        if source.kind is SourceKind.UPLOADS:
            _add_uploads(appliance, source)
        else:
            appliance.catalog.add_source(source)
    return _source_out(appliance, source)


@router.post("/preview")
def preview_new(wanted: SourceIn, _admin: IngestAdmin, appliance: TheAppliance) -> PreviewOut:
    """What a sync of a folder would do that is not a source yet. Nothing is added, read or changed."""
    source = _new_source(appliance, wanted)
    if source.kind is SourceKind.UPLOADS:
        raise InvalidRequest("A place for uploads is empty at first: there is nothing to look at. Name a folder.")
    return _preview_out(appliance, appliance.pipeline.preview(source))


@router.patch("/{source_id}")
def change_source(source_id: str, wanted: SourcePatch, admin: IngestAdmin, appliance: TheAppliance) -> SourceOut:
    """Change a source; what follows for its documents, a sync does that starts at once, or once it is resumed.

    Who loses sight of documents by it loses it before this answers.
    """
    source = appliance.catalog.source(source_id)
    changes = {name: value for name, value in _changes(wanted).items() if value != getattr(source, name)}
    if not changes:
        return _source_out(appliance, source)
    changed = replace(source, **changes)
    _require_settings(appliance, changed, was=source)
    require_not_removed(source)
    acts = not changes.keys() <= _AT_REST
    told = "; ".join(f"{name}: {_value_told(value)}" for name, value in sorted(changes.items()))
    with record_act(appliance, admin, "source.changed", source.name, told):
        appliance.catalog.change_source(changed, was=source, levels=appliance.settings.access.scale)
    if acts:
        appliance.runs.cancel(source_id)  # what goes on was begun under the label and the patterns of before
        with contextlib.suppress(InvalidRequest):  # the folder is out of reach; the sync says so
            appliance.pipeline.withdraw(changed)
        if not changed.paused:
            request_sync(appliance, admin, changed)
    return _source_out(appliance, changed)


@router.delete("/{source_id}", status_code=204, responses={202: {"description": "Nobody sees it; it goes soon"}})
def remove_source(source_id: str, admin: IngestAdmin, appliance: TheAppliance) -> Response:
    """Forget a source: nobody sees its documents from now on, and they leave index and catalog, each with a receipt.

    The status is 202 when they have not left yet, because there are many or a sync has the index. The files of a folder
    stay where they are; what was uploaded is removed.
    """
    source = appliance.catalog.source(source_id)
    if not source.removing:
        with record_act(appliance, admin, "source.removed", source.name):
            appliance.removals.begin(source_id)
    return Response(status_code=204 if appliance.removals.wait(source_id, _WAIT_S) else 202)


@router.post("/{source_id}/sync", status_code=202)
def sync(source_id: str, admin: IngestAdmin, appliance: TheAppliance, wanted: SyncIn | None = None) -> RunOut:
    """Make the index agree with the folder, in the background."""
    wanted = wanted or SyncIn()
    told = [f"reading again: {wanted.again.value}"] if wanted.again is not Reread.NOTHING else []
    told += ["missing files may go"] if wanted.missing_ok else []
    wish = Wish(again=Again(wanted.again.value), missing_ok=wanted.missing_ok)
    return run_out(start_sync(appliance, admin, appliance.catalog.source(source_id), wish, "; ".join(told)))


@router.get("/{source_id}/preview")
def preview(source_id: str, _admin: IngestAdmin, appliance: TheAppliance, again: Reread = Reread.NOTHING) -> PreviewOut:
    """What a sync would do now. Nothing is read but the folder and its labels, and nothing is changed."""
    source = appliance.catalog.source(source_id)
    return _preview_out(appliance, appliance.pipeline.preview(source, again=Again(again.value)))


@router.post("/{source_id}/pause")
def pause(source_id: str, admin: IngestAdmin, appliance: TheAppliance) -> SourceOut:
    """Leave a source as it is until it is resumed; a sync that is running ends early."""
    source = appliance.catalog.source(source_id)
    paused = replace(source, paused=True)
    with record_act(appliance, admin, "source.paused", source.name):
        appliance.catalog.change_source(paused, was=source)  # first: from now on nothing starts by itself
    appliance.runs.cancel(source_id)
    return _source_out(appliance, paused)


@router.post("/{source_id}/resume")
def resume(source_id: str, admin: IngestAdmin, appliance: TheAppliance) -> SourceOut:
    """Keep a source in sync again, at once and from now on."""
    source = appliance.catalog.source(source_id)
    require_not_removed(source)
    resumed = replace(source, paused=False)
    with record_act(appliance, admin, "source.resumed", source.name):
        appliance.catalog.change_source(resumed, was=source)
    request_sync(appliance, admin, resumed)
    return _source_out(appliance, resumed)


def _new_source(appliance: Appliance, wanted: SourceIn) -> Source:
    """The source that was asked for. Nothing is made yet.

    Raises:
        InvalidRequest: The folder or a pattern is none, or the folder is the appliance's own.
        Conflict: The folder overlaps with that of another source.
    """
    source_id = str(uuid.uuid4())
    uploads = wanted.kind is SourceKind.UPLOADS
    if uploads and wanted.path:
        raise InvalidRequest("A place for uploads has no path: the appliance keeps the files. Leave the path out.")
    path = _uploads_folder(appliance, source_id) if uploads else require_folder(appliance, wanted.path)
    source = Source(
        id=source_id,
        name=wanted.name,
        path=str(path),
        groups=frozenset(wanted.groups),
        kind=wanted.kind,
        include=tuple(wanted.include),
        exclude=tuple(wanted.exclude),
        owner=wanted.owner,
        language=wanted.language,
        compare_every_s=60 * wanted.compare_every_minutes,
        watched=wanted.watched,
        curated=uploads if wanted.curated is None else wanted.curated,
        level=wanted.level,
        rules=tuple(_rule(rule) for rule in wanted.rules),
        share=_share(wanted.share),
    )
    _require_settings(appliance, source)
    return source


def _require_settings(appliance: Appliance, source: Source, was: Source | None = None) -> None:
    """Raises InvalidRequest when a pattern is none, a level is none, or a group is written otherwise than another."""
    known = _named_by(was) if was else frozenset()
    require_known_spelling(appliance, _named_by(source) - known)
    for patterns in (source.include, source.exclude, *(rule.paths for rule in source.rules)):
        require_patterns(patterns)
    for level in (source.level, *(rule.level for rule in source.rules)):
        require_level(appliance, level)
    if source.share.kind is not ShareKind.NONE and source.kind is SourceKind.UPLOADS:
        raise InvalidRequest("What is uploaded has no rights on a share. Give access by groups, rules and levels.")


def _named_by(source: Source) -> frozenset[str]:
    by_rules = (rule.groups or frozenset() for rule in source.rules)
    return source.groups.union(*by_rules, (group for _, group in source.share.groups))


def _rule(given: LabelRuleIn) -> Rule:
    return Rule(tuple(given.paths), None if given.groups is None else frozenset(given.groups), given.level)


def _share(given: ShareIn) -> Share:
    return Share(given.kind, tuple(sorted(given.groups.items())))


def _uploads_folder(appliance: Appliance, source_id: str) -> Path:
    return appliance.folder.uploads.resolve() / source_id


def _add_uploads(appliance: Appliance, source: Source) -> None:
    """Make the folder of a place for uploads, and record it; a name that is taken leaves no folder."""
    folder = Path(source.path)
    folder.mkdir(mode=0o700, parents=True)
    try:
        appliance.catalog.add_source(source)
    except ApplianceError:
        folder.rmdir()
        raise


def _changes(wanted: SourcePatch) -> dict[str, Any]:
    """What somebody wants to change, as the fields of a `Source`."""
    given: dict[str, Any] = {name: value for name, value in wanted.model_dump().items() if value is not None}
    if "groups" in given:
        given["groups"] = frozenset(given["groups"])
    if wanted.rules is not None:
        given["rules"] = tuple(_rule(rule) for rule in wanted.rules)
    if wanted.share is not None:
        given["share"] = _share(wanted.share)
    for name in {"include", "exclude"} & given.keys():
        given[name] = tuple(given[name])
    if "compare_every_minutes" in given:
        given["compare_every_s"] = 60 * given.pop("compare_every_minutes")
    return given


def _told(source: Source) -> str:
    """A new source on record."""
    told = [f"kind: {source.kind.value}", f"groups: {', '.join(sorted(source.groups))}"]
    told += [f"level: {source.level}"] if source.level else []
    told += [f"rules: {_value_told(source.rules)}"] if source.rules else []
    told += [f"share: {_value_told(source.share)}"] if source.share.kind is not ShareKind.NONE else []
    return "; ".join(told + (["curated"] if source.curated else []))


def _value_told(value: object) -> str:
    """A setting on record."""
    if isinstance(value, Share):
        return ", ".join([value.kind.value, *(f"{principal} = {group}" for principal, group in value.groups)])
    if isinstance(value, Rule):
        return str(rule_out(value))
    if isinstance(value, tuple):
        return ", ".join(map(_value_told, value))
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def rule_out(rule: Rule) -> LabelRuleOut:
    """A rule on the wire."""
    return LabelRuleOut(
        paths=list(rule.paths), groups=None if rule.groups is None else sorted(rule.groups), level=rule.level
    )


def _source_out(appliance: Appliance, source: Source) -> SourceOut:
    return SourceOut(
        id=source.id,
        name=source.name,
        path=source.path,
        groups=sorted(source.groups),
        states=appliance.catalog.states(source.id),
        kind=source.kind,
        include=list(source.include),
        exclude=list(source.exclude),
        owner=source.owner,
        language=source.language,
        compare_every_minutes=source.compare_every_s // 60,
        watched=source.watched,
        curated=source.curated,
        paused=source.paused,
        removing=source.removing,
        removal_problem=appliance.removals.problem(source.id),
        retry_at=appliance.catalog.next_retry(source.id),
        level=source.level,
        rules=[rule_out(rule) for rule in source.rules],
        share=ShareOut(kind=source.share.kind, groups=dict(source.share.groups)),
    )


def _preview_out(appliance: Appliance, plan: Plan) -> PreviewOut:
    counts = Counter(_action(step) for step in plan.steps)
    touched = [step for step in plan.steps if _action(step) != Action.LEAVE][:_PREVIEWED]
    return PreviewOut(
        counts=dict(counts) | {"left_out": plan.left_out},
        files=[PreviewFileOut(path=step.path, action=_action(step), reason=_why(step)) for step in touched],
        needs_confirmation=plan.unconfirmed(appliance.settings.ingest.max_missing_share) > 0,
    )


def _action(step: Step) -> str:
    return "relabel" if step.action is Action.LEAVE and step.relabels else step.action.value


def _why(step: Step) -> str:
    if _action(step) == "relabel":
        level = level_in(step.groups)
        seen_by = ", ".join(sorted(groups_in(step.groups))) or "nobody"
        return f"It will be seen by: {seen_by}{f', at level {level}' if level else ''}."
    return step.reason or _WHY.get(step.action, "")
