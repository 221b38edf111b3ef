"""Two appliances side by side: one on a whole corpus, one on the part of it that a reader may see.

Everything is the appliance's own: catalog, index, pipeline, embedding model, routes. But for three things, none of which
looks at access: documents are parsed in this process and not in a confined one, what was parsed or embedded before is
not parsed or embedded again, and the language model is one that repeats what it was shown.
"""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from starlette.testclient import TestClient

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.config import IngestSettings, ModelSettings, Provider, ServerSettings, Settings
from appliance.domain import EVERYONE, Principal, Role, Source
from appliance.errors import DocumentRejected
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.port import Vectors
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from ingest.holdings import Holdings
from ingest.parse import readers
from ingest.parse.elements import Parsed, from_json, to_json
from ingest.pipeline import Pipeline, Wish
from tests.access.corpora import REVIEWED, SOURCES, File

PASSWORD = "copper lantern under nine stairs"
_LIMITS = readers.Limits(
    max_pages=100, ocr_languages=("eng",), ocr_page_timeout_s=120
)  # a page that is given up on one side alone is a difference
_CURATOR = "curator"


class _Here:
    """`Parsers` in this process: the readers of the confined one, without its walls."""

    size = 1

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        """What the document says."""
        try:
            return _parsed((root / path).read_bytes(), Path(path).name)
        except DocumentRejected as error:
            raise type(error)(f"Document '{path}' {error}.") from error


@functools.lru_cache(maxsize=100_000)
def _parsed(data: bytes, name: str) -> Parsed:
    parsed = from_json(to_json(readers.read(data, name, _LIMITS, lambda *_: None)))
    return replace(parsed, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


@contextmanager
def embedded_once() -> Iterator[None]:
    """What the embedding model computes is kept: it depends on the text alone."""
    compute, known = OpenVinoEmbedder._embed, {}  # type: ignore[var-annotated]

    def embed(self: OpenVinoEmbedder, texts: list[str], prompt: str, *, urgent: bool) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if (prompt, text) not in known]
        if missing:
            known.update(
                zip(((prompt, text) for text in missing), compute(self, missing, prompt, urgent=urgent), strict=True)
            )
        return numpy.stack([known[prompt, text] for text in texts])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(OpenVinoEmbedder, "_embed", embed)
        yield


@dataclass(repr=False)
class Side:
    """One appliance with one reader."""

    appliance: Appliance
    pipeline: Pipeline
    folder: Path
    reader: Principal
    client: TestClient
    token: str

    def __repr__(self) -> str:
        return f"Side({self.folder.name})"

    def hold(self, files: Sequence[File]) -> None:
        """Hold these documents and nothing else."""
        self._clear()
        for number in sorted({file.source for file in files}):
            own = [file for file in files if file.source == number]
            source = self._source(number)
            self.appliance.catalog.add_source(source)
            self._write(source, [file.as_it_was() for file in own if not file.late])
            self.pipeline.sync(source, wish=Wish(missing_ok=True))
            self._release(source, own)
            self._write(source, [file for file in own if file.earlier or file.late])
            self.pipeline.sync(source, wish=Wish(missing_ok=True))
            self._release(source, [file for file in own if not (file.held and file.earlier)])
            self.pipeline.sync(source, wish=Wish(missing_ok=True))

    def be_in(self, groups: frozenset[str], clearance: str) -> None:
        """Let the reader be in these groups, and cleared for this level."""
        self.appliance.accounts.set_groups(self.reader.id, groups)
        self.appliance.accounts.set_clearance(self.reader.id, clearance)

    def ids(self) -> tuple[list[str], list[str], list[str]]:
        """The documents, versions and chunks there are, whoever may see them."""
        with self.appliance.catalog._database.read() as connection:
            found = [
                sorted(connection.exec_driver_sql(f"SELECT id FROM {table}").scalars())
                for table in ("documents", "versions", "chunks")
            ]
        return found[0], found[1], found[2]

    def _clear(self) -> None:
        holdings = Holdings(self.appliance.catalog, self.appliance.index, self.appliance.embedder)
        for source in self.appliance.catalog.sources():
            holdings.remove_source(source)
        for talk in self.appliance.conversations.recent(self.reader.id, limit=1000):
            self.appliance.conversations.delete(talk.id, self.reader.id)

    def _source(self, number: int) -> Source:
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        return Source(
            str(uuid.uuid5(uuid.NAMESPACE_URL, SOURCES[number])),
            SOURCES[number],
            str(folder),
            frozenset({EVERYONE}),
            curated=number == REVIEWED,
        )

    def _write(self, source: Source, files: Sequence[File]) -> None:
        for file in files:
            path = Path(source.path) / file.path
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file.content)
            names = ", ".join(f'"{group}"' for group in sorted(file.groups))
            level = f'level = "{file.level}"\n' if file.level else ""
            path.with_name(f"{path.name}.access.toml").write_text(f"groups = [{names}]\n{level}")

    def _release(self, source: Source, files: Sequence[File]) -> None:
        catalog = self.appliance.catalog
        released = {file.path for file in files if file.released}
        for known in catalog.every_file(source.id):
            if known.pending_version_id is not None and known.path in released:
                catalog.approve(known.document_id, _CURATOR)


@contextmanager
def side(folder: Path, model_url: str) -> Iterator[Side]:
    """An empty appliance in a folder of its own."""
    folder.mkdir()
    settings = Settings(
        data_dir=folder / "data",
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.OPENAI, base_url=model_url, name="echo", context_tokens=4096),
        ingest=IngestSettings(chunk_tokens=64, overlap_tokens=8),
    )
    with ExitStack() as stack:
        built = stack.enter_context(opened(settings))
        reader = built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        served = TestClient(create_headless_app(built), base_url="http://testserver", follow_redirects=False)
        client = stack.enter_context(served)  # one event loop for all requests
        token = built.sessions.sign_in("reader", PASSWORD, "127.0.0.1").token
        client.cookies.set(
            SESSION_COOKIE,
            token,
            domain="testserver.local",
            path="/",
        )
        pipeline = Pipeline(
            catalog=built.catalog,
            index=built.index,
            embedder=built.embedder,
            parsers=_Here(),
            settings=settings.ingest,
        )
        yield Side(built, pipeline, folder, reader, client, token)


_RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|chatcmpl-[0-9a-f]{32}")
_MOMENT = re.compile(
    r'(?<=")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)(?=")|(?<="created":)\d{6,}|(?<="created": )\d{6,}'
)


class Observer:
    """What a reader sees, as text. Random ids (UUID 4) and the moments of this run are numbered by first appearance;

    those of documents, versions and passages are derived (UUID 5), and stay as they are.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        self._named: dict[str, str] = {}

    def said(self, method: str, path: str, **given: Any) -> str:
        """Status, headers and body of an answer."""
        answer = self._side.client.request(method, path, **given)
        headers = sorted((name, value) for name, value in answer.headers.items())
        body = answer.content.hex() if answer.headers.get("content-type") == "image/png" else answer.text
        return self.normal(f"{method} {path} -> {answer.status_code} {headers}\n{body}")

    def normal(self, text: str) -> str:
        """The text, without what differs each time by construction."""
        numbered = _RANDOM_ID.sub(lambda match: self._named.setdefault(match[0], f"<id {len(self._named)}>"), text)
        return _MOMENT.sub("<moment>", numbered)
