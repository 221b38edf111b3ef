"""The indexes of a data folder: the one that answers, and while the embedding model is changed the one being built.

Rules this module keeps:

1. An index is only ever opened for the model it was built with: vectors of two models never meet.
2. Another model in the settings never touches the index that answers. It gets one of its own, which takes over when it
   is whole (`ingest.changeover`).
3. The model that an index was built with answers from it as long as its folder is there, unchanged. When it is not,
   nothing is searched until the new index is whole: half a search would look like an answer.
4. An index that is neither answering nor being built is removed, and so is one that an older release wrote in another
   form: everything in it follows from the catalog.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.config import EmbeddingBackend, EmbeddingSettings, Settings
from appliance.errors import IndexUnavailable, ModelUnavailable
from appliance.index.layout import BuiltByOlderRelease, BuiltForAnotherModel
from appliance.index.port import VectorIndex
from appliance.index.roster import FIRST, Roster, name_for, read_roster, write_roster
from appliance.inference.embedders import embedder_for
from appliance.inference.missing import MissingEmbedder
from appliance.inference.port import Embedder

_ROSTER = "indexes.json"


@dataclass(frozen=True, slots=True)
class OpenIndexes:
    """The index that answers, the model it was built with, and the index that is being built, if there is one.

    `languages` are those that the model that answers reads, none if it reads all.
    `is_anew` when the one that answers was made now, in place of one of an older release: the next sync fills it.
    """

    serving: VectorIndex
    embedder: Embedder
    languages: tuple[str, ...]
    building: VectorIndex | None = None
    is_anew: bool = False

    @property
    def indexes(self) -> tuple[VectorIndex, ...]:
        """All of them."""
        return (self.serving,) if self.building is None else (self.serving, self.building)


class Indexes:
    """Opens, exchanges and removes the indexes of one data folder."""

    def __init__(self, settings: Settings, *, owner: str) -> None:
        """Open nothing yet. `owner` is the id of the data folder."""
        self._settings = settings
        self._owner = owner
        self._path = settings.data_dir / _ROSTER

    def open(self, embedder: Embedder) -> OpenIndexes:
        """The index that answers, and one for `embedder` beside it if it was built with another model.

        Raises:
            IndexUnavailable, ModelUnavailable: One of them cannot be opened, or there is no such model.
        """
        roster, is_anew = read_roster(self._path), False
        try:
            serving = self._opened(roster.serving, embedder.model_id, embedder.dimension)
        except BuiltForAnotherModel as found:
            return self._open_beside(roster, embedder, found)
        except BuiltByOlderRelease:
            self._remove(roster.serving)
            serving, is_anew = self._opened(roster.serving, embedder.model_id, embedder.dimension), True
        self._write(replace(roster, model_path=self._model_path, languages=self._reads))
        self.clear()
        return OpenIndexes(serving, embedder, self._reads, is_anew=is_anew)

    def take_over(self, embedder: Embedder) -> None:
        """From now on the index that was built for `embedder` answers. Doing it twice is no error.

        Raises:
            IndexUnavailable: That cannot be written down; the other one goes on answering.
        """
        before, name = read_roster(self._path), name_for(embedder.model_id)
        if before.serving != name:
            self._write(Roster(name, self._model_path, (before.serving,), self._reads))

    def clear(self, *, but: str = "") -> None:
        """Remove every index that does not answer, `but` one. Raises IndexUnavailable."""
        roster = read_roster(self._path)
        for name in roster.spare:
            if name not in (but, roster.serving):
                self._remove(name)
        self._write(replace(roster, spare=tuple(name for name in roster.spare if name == but)))

    def _open_beside(self, roster: Roster, embedder: Embedder, found: BuiltForAnotherModel) -> OpenIndexes:
        name = name_for(embedder.model_id)
        serving = self._opened(roster.serving, found.model_id, found.dimension)
        try:
            self.clear(but=name)
            self._write(replace(roster, spare=(name,)))
            building = self._opened_or_anew(name, embedder)
            if serving.count():
                former = self._former_model(roster, found, embedder)
                return OpenIndexes(serving, former, _languages(roster), building)
            self.take_over(embedder)  # nothing was embedded yet
        except BaseException:
            serving.close()
            raise
        serving.close()
        self.clear()
        return OpenIndexes(building, embedder, self._reads)

    def _opened(self, name: str, model_id: str, dimension: int) -> VectorIndex:
        chosen = self._settings.index
        if chosen.url:
            from appliance.index.server import connect

            return connect(
                chosen.url,
                api_key=chosen.api_key.get_secret_value(),
                timeout_s=chosen.timeout_s,
                collection=self._collection(name),
                dimension=dimension,
                model_id=model_id,
                owner=self._owner,
            )
        from appliance.index.edge import EdgeIndex

        return EdgeIndex(self._folder(name), dimension=dimension, model_id=model_id, owner=self._owner)

    def _opened_or_anew(self, name: str, embedder: Embedder) -> VectorIndex:
        """An index that is not whole yet is worth nothing: if it cannot be opened, it is begun again."""
        try:
            return self._opened(name, embedder.model_id, embedder.dimension)
        except IndexUnavailable:
            self._remove(name)
            return self._opened(name, embedder.model_id, embedder.dimension)

    def _former_model(self, roster: Roster, found: BuiltForAnotherModel, successor: Embedder) -> Embedder:
        """The model that the index that answers was built with."""
        chosen = self._settings.embedding
        backend = EmbeddingBackend.TORCH if chosen.backend is EmbeddingBackend.TORCH else EmbeddingBackend.AUTO
        if roster.model_path is not None:
            path = Path(roster.model_path) if roster.model_path else None
            with contextlib.suppress(ModelUnavailable):
                for knows_other_names in (True, False):
                    former = embedder_for(path, backend=backend, batch_size=chosen.batch_size, threads=chosen.threads)
                    former.knows_other_names = knows_other_names
                    if (former.model_id, former.dimension) == (found.model_id, found.dimension):
                        return former
        return MissingEmbedder(
            found.model_id, found.dimension, folder=roster.model_path or "", successor=successor.model_id
        )

    def _remove(self, name: str) -> None:
        chosen = self._settings.index
        if chosen.url:
            from appliance.index.server import remove

            remove(
                chosen.url,
                api_key=chosen.api_key.get_secret_value(),
                timeout_s=chosen.timeout_s,
                collection=self._collection(name),
                owner=self._owner,
            )
            return
        try:
            shutil.rmtree(self._folder(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise IndexUnavailable(
                f"The index {self._folder(name)} is not used any more and cannot be removed ({error.strerror}): check "
                "the folder's permissions."
            ) from error

    def _write(self, roster: Roster) -> None:
        if roster != read_roster(self._path) or not self._path.exists():
            write_roster(self._path, roster)

    def _folder(self, name: str) -> Path:
        return self._settings.data_dir / name

    def _collection(self, name: str) -> str:
        return self._settings.index.collection + name.removeprefix(FIRST)

    @property
    def _reads(self) -> tuple[str, ...]:
        return self._settings.embedding.reads

    @property
    def _model_path(self) -> str:
        """As it is written down: absolute, empty for the model that is installed."""
        chosen = self._settings.embedding.model_path
        return str(Path(chosen).absolute()) if chosen else ""


def _languages(roster: Roster) -> tuple[str, ...]:
    """Those that the model of the index that answers reads; where they are not written down, as if none were set."""
    if roster.languages is not None:
        return roster.languages
    return EmbeddingSettings(model_path=roster.model_path or "").reads if roster.model_path is not None else ()
