"""`python -m tests.ingest.changeover_process DATA MODEL`: a change of the embedding model, made to be killed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.catalog import Catalog
from appliance.config import Settings
from appliance.database import Database
from appliance.indexes import Indexes
from appliance.inference.port import Vectors
from ingest import changeover, embed
from ingest.changeover import Changeover
from ingest.twofold import Twofold
from ingest.whole_texts import WholeTexts
from tests.ingest.conftest import ToyEmbedder


class SlowEmbedder(ToyEmbedder):
    """Takes its time, so that it is killed in the middle."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        time.sleep(0.02)
        return super().embed_passages(texts)


class NobodySyncs:
    """This process is alone with the data folder."""

    @contextlib.contextmanager
    def alone(self, *, wait_s: float = 0) -> Iterator[None]:
        yield


def main() -> None:
    data, model = Path(sys.argv[1]), sys.argv[2]
    embed.AT_ONCE = 4
    changeover._GRACE_S = 0.05
    database = Database(data / "catalog.sqlite")
    indexes, embedder = Indexes(Settings(data_dir=data), owner=""), SlowEmbedder(model, max_tokens=16)
    print("ready", flush=True)
    found = indexes.open(embedder)
    if found.building is not None:
        Changeover(
            catalog=Catalog(database),
            both=Twofold(found.serving, found.building),
            building=found.building,
            embedder=WholeTexts(embedder),
            turns=NobodySyncs(),
            take_over=lambda: indexes.take_over(embedder),
            in_use=lambda: False,
            clear=indexes.clear,
        ).run()
    print("done", flush=True)


if __name__ == "__main__":
    main()
