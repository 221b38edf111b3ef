"""Labels: who may see a document, as the groups that may and the level a reader must be cleared for.

A label is a set of grants. A grant is a group alone, or a group with a level: the group's members see the document, if
they are cleared for that level. A reader carries the grants of all their groups at all the levels they are cleared for.
So one question, whether two sets have something in common, decides about groups and levels together: in the index, on
every leg, in its statistics, and in the catalog (`docs/decisions/0014-levels-are-part-of-the-label.md`).

Rules this module keeps:

1. A label without grants is nobody's. A level that is not among those set is one that nobody is cleared for.
2. A grant without a level is that of a document that was given none: it has the default level, whatever that is.
3. Nobody can write a grant with a level as the name of a group: no name holds the sign between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SIGN = "\x1f"

EVERYONE = "everyone"
"""The group every signed-in person belongs to."""

NO_LEVEL = ""
"""The level of documents that were given none."""


def label(groups: Iterable[str], level: str = NO_LEVEL) -> frozenset[str]:
    """The label of a document that these groups may see, as far as they are cleared for `level`."""
    return frozenset(_grant(group, level) for group in groups)


def groups_in(grants: Iterable[str]) -> frozenset[str]:
    """The groups that a label or a reader's grants name."""
    return frozenset(grant.partition(_SIGN)[0] for grant in grants)


def level_in(grants: Iterable[str]) -> str:
    """The level of a label; empty for a document that was given none, and for one that nobody may see."""
    return max((grant.partition(_SIGN)[2] for grant in grants), default=NO_LEVEL)


def is_name(text: str) -> bool:
    """Whether a text may be the name of a group: on one line, without signs that nobody sees."""
    return bool(text.strip()) and text.isprintable()


@dataclass(frozen=True, slots=True)
class FileLabels:
    """The label of a file, and those of what is held of it, which may be what the file said before.

    Attributes:
        file: Of the file, as the folder and the settings said when they were last looked at.
        in_force: Of the version in force (or that of the document it is a duplicate of).
        pending: Of the version that waits for a curator.
    """

    file: frozenset[str]
    in_force: frozenset[str]
    pending: frozenset[str] = frozenset()

    @classmethod
    def all(cls, label: frozenset[str]) -> FileLabels:
        """One label for all."""
        return cls(label, label, label)


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of classification, lowest first, and who is cleared for which.

    Attributes:
        names: Every level.
        of_documents: The level of documents that were given none.
        of_people: What people are cleared for who were given nothing else.
        of_groups: What the members of a group are cleared for at least.
        export_up_to: The highest level that leaves the screens; empty for any.
    """

    names: tuple[str, ...] = ("public", "internal", "confidential", "secret")
    of_documents: str = "internal"
    of_people: str = "internal"
    of_groups: Mapping[str, str] = field(default_factory=dict)
    export_up_to: str = ""

    def clearance(self, own: str, groups: Iterable[str]) -> str:
        """What a person is cleared for: their own clearance, else the highest that they have by their groups."""
        if own:
            return own
        given = (self.of_groups[group] for group in groups if group in self.of_groups)
        return max((self.of_people, *given), key=self._rank)

    def up_to(self, clearance: str) -> frozenset[str]:
        """The levels that a clearance reaches; none for a clearance that is not among the levels."""
        if clearance not in self.names:
            return frozenset()
        reached = frozenset(self.names[: self._rank(clearance) + 1])
        return reached | {NO_LEVEL} if self.of_documents in reached else reached

    def exported(self, reached: frozenset[str]) -> frozenset[str]:
        """Those of the levels that a reader reaches of which anything may leave the screens."""
        return reached & self.up_to(self.export_up_to) if self.export_up_to else reached

    def of(self, grants: Iterable[str]) -> str:
        """The level of a document with this label."""
        return max(
            (level_in([grant]) or self.of_documents for grant in grants), key=self._rank, default=self.of_documents
        )

    def common(self, held: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
        """The label of those whom both labels admit: the groups of both, each at the higher of its two levels.

        Where one of them is for everyone, that is the groups of the other. Nobody else is in both for certain.
        """
        there, here = _by_group(held), _by_group(wanted)
        pairs = {
            group: (there.get(group, there.get(EVERYONE)), here.get(group, here.get(EVERYONE)))
            for group in there.keys() | here.keys()
        }
        return frozenset(
            _grant(group, self._higher(one, other))
            for group, (one, other) in pairs.items()
            if one is not None and other is not None
        )

    def narrowed(self, labels: FileLabels, label: Iterable[str]) -> FileLabels:
        """The labels of a file, with nobody left whom `label` does not admit."""
        wanted = frozenset(label)
        return FileLabels(
            self.common(labels.file, wanted),
            self.common(labels.in_force, wanted),
            self.common(labels.pending, wanted),
        )

    def _higher(self, one: str, other: str) -> str:
        return one if self._rank(one) > self._rank(other) else other

    def _rank(self, level: str) -> int:
        """The place of a level; of one that is not set behind all others."""
        named = level or self.of_documents
        return self.names.index(named) if named in self.names else len(self.names)


LEVELS_AS_DELIVERED = Levels()
"""Those of an organisation that set up none of its own."""


def _by_group(grants: Iterable[str]) -> dict[str, str]:
    """The level of each group of a label."""
    parts = (grant.partition(_SIGN) for grant in grants)
    return {group: level for group, _, level in parts}


def _grant(group: str, level: str) -> str:
    return f"{group}{_SIGN}{level}" if level else group
