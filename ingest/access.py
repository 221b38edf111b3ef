"""Who may see a file, at which level, and why: sidecar files, rules of the source, its share, its default.

Rules this module keeps:

1. The groups come from the first that names any: the nearest sidecar (`NAME.access.toml` beside the file, then
   `.access.toml` in its folder or the closest folder above), the first rule of the source that stands for the file,
   the rights of the file on its share where the source has them read, the default of the source.
2. The level comes, by itself, from the first of sidecars, rules and default that names one.
3. What cannot be read or understood refuses the files it covers. A mistake never opens a document.
4. What is explained is what the label was made of: there is one way to come to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.domain import ShareKind, Source
from appliance.errors import DocumentRejected
from appliance.labels import LEVELS_AS_DELIVERED, NO_LEVEL, label
from appliance.letter_case import in_one_case
from ingest.folders import folders_above
from ingest.share import Rights, rights_on
from ingest.sidecar import Sidecar, read_sidecar, sidecar_of


@dataclass(frozen=True, slots=True)
class Ground:
    """That a group may see a file, and what says so."""

    group: str
    by: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Who may see a file, at which level, and why. `remark` says why nobody may, where nobody may."""

    grounds: tuple[Ground, ...]
    level: str = NO_LEVEL
    level_by: str = ""
    remark: str = ""

    @property
    def label(self) -> frozenset[str]:
        """The label that follows."""
        return label((ground.group for ground in self.grounds), self.level)


@dataclass(frozen=True, slots=True)
class _Statement:
    """What one of those says that may: the groups (None for nothing), the level (empty for nothing)."""

    by: str
    grounds: tuple[Ground, ...] | None
    level: str = NO_LEVEL
    remark: str = ""


@dataclass(slots=True)
class AccessLabels:
    """The labels of the files of a source; reads each sidecar, and the rights of each folder, once."""

    source: Source
    levels: Collection[str] = LEVELS_AS_DELIVERED.names
    _folders: dict[str, Sidecar | DocumentRejected | None] = field(default_factory=dict)
    _rights: Rights | None = None
    _root: Path = field(init=False)

    def __post_init__(self) -> None:
        """The root is made once, not for each file."""
        self._root = Path(self.source.path)

    def label(self, path: str) -> frozenset[str]:
        """The label of the file at `path` (relative to the folder of the source).

        Raises:
            DocumentRejected: What covers the file is wrong; the message says what and how.
        """
        return self.finding(path).label

    def finding(self, path: str) -> Finding:
        """The label of a file, and why it is that. Raises DocumentRejected."""
        names_groups, names_level = _Statement("", None), _Statement("", None)
        for statement in self._statements(path):
            if names_groups.grounds is None:
                names_groups = statement if statement.grounds is not None else names_groups
            if not names_level.level:
                names_level = statement if statement.level else names_level
            if names_groups.grounds is not None and names_level.level:
                break
        return Finding(names_groups.grounds or (), names_level.level, names_level.by, names_groups.remark)

    def _statements(self, path: str) -> Iterator[_Statement]:
        """What is said of a file, from the nearest on."""
        for sidecar in self._sidecars(path):
            yield _said(f"the access file '{sidecar.path}'", sidecar.groups, sidecar.level)
        for rule in self.source.ruling(path):
            yield _said(f"rule {self.source.rules.index(rule) + 1} of the source", rule.groups, rule.level)
        if self.source.share.kind is ShareKind.NONE:
            yield _said("the default of the source", self.source.groups, self.source.level)
        else:
            yield self._on_its_share(path)
            yield _said("the default of the source", None, self.source.level)

    def _sidecars(self, path: str) -> Iterator[Sidecar]:
        """The access files that cover a file, the nearest first."""
        own = read_sidecar(self._root, sidecar_of(path), self.levels)
        if own is not None:
            yield own
        for folder in folders_above(path):
            found = self._folder(folder)
            if isinstance(found, DocumentRejected):
                raise found
            if found is not None:
                yield found

    def _folder(self, folder: str) -> Sidecar | DocumentRejected | None:
        if folder not in self._folders:
            where = sidecar_of("" if folder == "." else f"{folder}/")
            try:
                self._folders[folder] = read_sidecar(self._root, where, self.levels)
            except DocumentRejected as error:
                self._folders[folder] = error
        return self._folders[folder]

    def _on_its_share(self, path: str) -> _Statement:
        """Whom the rights of a file on its share let see it, as far as they have a group here."""
        if self._rights is None:
            self._rights = rights_on(self.source)
        found = self._rights.of(path)
        as_there = str if self.source.share.kind is ShareKind.POSIX else in_one_case  # S-1-5-11 or s-1-5-11
        given = {as_there(principal): group for principal, group in self.source.share.groups}
        grounds = [
            Ground(given[as_there(reader)], f"the share, where {reader} may read it")
            for reader in sorted(found.readers)
            if as_there(reader) in given
        ]
        remark = found.remark or ("" if grounds else "On the share, nobody who has a group here may read it.")
        return _Statement("the share", tuple(grounds), remark=remark)


def _said(by: str, groups: Iterable[str] | None, level: str) -> _Statement:
    grounds = None if groups is None else tuple(Ground(group, by) for group in sorted(groups))
    return _Statement(by, grounds, level, "" if grounds else f"Nobody is named by {by}.")
