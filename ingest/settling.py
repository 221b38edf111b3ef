"""What a sync does about files that need no reading: labels, removals, refusals, releases, and those that stay.

Rules this module keeps:

1. Whoever may not see a document any more stops seeing it before anything else is done.
   Whoever may see it from now on sees what is held of it only if that is what the file says under its new label.
2. What is in a container has the container's label, and goes when it goes.
3. A run that is told to stop leaves what it has not dealt with to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.catalog import Catalog, FileFacts
from appliance.domain import DocumentState
from appliance.errors import DocumentRejected, NotFound
from ingest.discover import FoundFile, is_as_found
from ingest.holdings import Holdings
from ingest.plan import Action, Plan
from ingest.progress import OUTCOME_OF, Outcome
from ingest.sync import Place, Sync

_RELEASED = "Released by a curator."


class Settling:
    """Deals with the documents of one sync that are not read, and for those that are, with what follows their label."""

    def __init__(self, sync: Sync, catalog: Catalog, holdings: Holdings) -> None:
        self._sync = sync
        self._catalog = catalog
        self._holdings = holdings

    def withdraw(self, plan: Plan) -> None:
        """Let those who lose sight of a document lose it, in the catalog alone: neither index nor model is needed."""
        stays: dict[str, frozenset[str]] = {}
        for step in plan.steps:
            label = step.groups if step.action is not Action.REFUSE else frozenset[str]()
            if step.action is Action.REMOVE or step.known is None:
                continue
            if self._sync.levels.narrowed(step.known.labels, label) != step.known.labels:
                stays[step.path] = label
        self._catalog.narrow(self._sync.source.id, stays, self._sync.levels, bind=False)

    def relabel(self, plan: Plan) -> None:
        """Put documents under the labels of the plan."""
        steps = [step for step in plan.steps if step.relabels and step.action not in (Action.REMOVE, Action.REFUSE)]
        for step in sorted(steps, key=lambda step: _comes_late(step.known)):
            if self._sync.stop.is_set():
                return
            if step.known is not None:
                as_read = step.as_read and is_as_found(self._sync.root, step.file)  # by when its label was looked at
                self._relabel_whole(step.known, step.groups, as_read=as_read)

    def remove(self, plan: Plan, *, spare: int) -> None:
        """Remove documents whose files are gone; those that are missing are kept if `spare` says that too many are."""
        for step in sorted(plan.of(Action.REMOVE), key=lambda step: _comes_late(step.known)):
            if self._sync.stop.is_set():
                return
            if step.known is None:
                continue
            if spare and not step.left_out:
                self._sync.note(step.path, Outcome.MISSING, "The file is missing. Its document was kept: too many are.")
            else:
                self._remove_whole(step.known, DocumentState.GONE, step.reason)
                self._sync.note(step.path, Outcome.GONE, step.reason)

    def refuse(self, plan: Plan) -> None:
        """Refuse the files that are against the rules."""
        for step in plan.of(Action.REFUSE):
            if self._sync.stop.is_set():
                return
            self.refuse_file(step.file, step.known, step.reason)

    def refuse_file(self, file: FoundFile, known: FileFacts | None, reason: str) -> None:
        """The file is against the rules: nothing of it stays."""
        if known is not None:
            self._remove_whole(known, DocumentState.REFUSED, reason)
        place = Place(self._sync.source.id, file, known, frozenset())
        self._catalog.record(place.outcome(DocumentState.REFUSED, reason), keep_version=False)
        self._sync.note(file.path, Outcome.REFUSED, reason)

    def release(self) -> dict[str, FileFacts]:
        """Publish what curators have approved; returns what was known of the documents, by id."""
        released = {}
        for known in self._catalog.approved(self._sync.source.id):
            if self._sync.stop.is_set():
                break
            if self._release_one(known):
                released[known.document_id] = known
        return released

    def leave(self, plan: Plan, *, released: Mapping[str, FileFacts]) -> None:
        """Account for the files that are as they were, and for those that curators released."""
        members: dict[str | None, list[FileFacts]] = {}
        for known in released.values():
            members.setdefault(known.container_id, []).append(known)
        for step in plan.of(Action.LEAVE):
            if self._sync.stop.is_set():
                return
            if step.known is None:
                continue
            inner = members.get(step.known.document_id, [])
            for known in inner:
                self._sync.note_member(known.shown, Outcome.INDEXED, _RELEASED)
            self._sync.note_inside(step.known.document_id, relabelled=step.relabels, but=inner)
            if step.known.document_id in released:
                self._sync.note(step.path, Outcome.INDEXED, _RELEASED)
                continue
            outcome = OUTCOME_OF[step.known.state]
            if outcome is Outcome.UNCHANGED and step.relabels:
                outcome = Outcome.RELABELLED
            self._sync.note(step.path, outcome, step.known.reason)

    def remove_one(self, listed: FileFacts, state: DocumentState, reason: str) -> None:
        """Nothing stays of a document, with a receipt."""
        known = self.fresh(listed)
        if known is None:
            return
        file = FoundFile(known.path, 0, 0)
        place = Place(known.source_id, file, known, frozenset(), known.member, known.container_id)
        self._holdings.remove(self._sync.source, known, place.outcome(state, reason))
        if known.container_id is not None:
            self._sync.note_member(known.shown, Outcome.GONE, reason)

    def follow_label(self, known: FileFacts, groups: frozenset[str], *, as_read: bool = False) -> None:
        """Relabel a document whose label changed since the run began. `as_read`: its file says what was read last."""
        facts = self._catalog.facts(known.document_id)
        if not facts.settled or self._holdings.labels(facts, groups, as_read=as_read) != facts.labels:
            self._relabel_whole(facts, groups, as_read=as_read)

    def is_held_back(self, known: FileFacts) -> bool:
        """Whether the label of a file is not that of what is held of it, which the file may not say any more."""
        labels = self._catalog.facts(known.document_id).labels
        return labels.in_force != labels.file

    def fresh(self, known: FileFacts | None) -> FileFacts | None:
        """What is known of a file by now; None if it is gone."""
        return None if known is None else self.known(known.document_id)

    def known(self, document: str) -> FileFacts | None:
        """What is known of a document; None if nothing is."""
        try:
            return self._catalog.facts(document)
        except NotFound:
            return None

    def _relabel_whole(self, known: FileFacts, groups: frozenset[str], *, as_read: bool) -> None:
        """Relabel a document and, if it is a container, what is in it: first, so that a run cut short does it again."""
        for facts in self._whole(known):
            if self._sync.stop.is_set():
                return
            current = self.fresh(facts)  # relabelling one may have changed another: a duplicate that took over
            if current is None:
                continue
            labels = self._holdings.labels(current, groups, as_read=as_read)
            original = self.known(current.duplicate_of) if current.duplicate_of else None
            if original is not None and self._sync.planned.get(original.path) == groups != original.labels.file:
                # the original follows, and hands over what it keeps
                self._catalog.relabel(current.document_id, labels, source=self._sync.source)
            else:
                self._holdings.relabel(current, labels, self._sync.source)

    def _remove_whole(self, known: FileFacts, state: DocumentState, reason: str) -> None:
        """Nothing stays of a document and, if it is a container, of what was in it."""
        *members, _ = self._whole(known)
        for member in members:
            self.remove_one(member, DocumentState.GONE, reason)
        self.remove_one(known, state, reason)

    def _whole(self, known: FileFacts) -> list[FileFacts]:
        """A document and, if it is a container, before it what is in it, duplicates first."""
        is_container = known.document_id in self._sync.containers
        inner = self._catalog.members(known.document_id).values() if is_container else ()
        return [*sorted(inner, key=_comes_late), known]

    def _release_one(self, known: FileFacts) -> bool:
        """Publish one document under the label it has by now; False when it was turned down or hidden meanwhile."""
        try:
            self.follow_label(known, self._sync.labels().label(known.path))
            self._holdings.release(self._catalog.facts(known.document_id), self._sync.source)
        except (DocumentRejected, NotFound):
            return False
        return True


def _comes_late(known: FileFacts | None) -> bool:
    """Orders duplicates before the documents they are duplicates of, which would else be handed over to them."""
    return known is not None and known.duplicate_of is None
