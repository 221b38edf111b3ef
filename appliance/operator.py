"""The command line's way to the appliance: HTTP, to the running one or to one started for the occasion.

One code path for both: with nobody serving, the API is served inside this process on a loopback port for as long as
the command takes, with the data folder locked. The operator is whoever can read the data folder; the secret that proves
it lies there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from appliance.api.gate import GROUPS_HEADER, groups_header
from appliance.api.schemas.calling import AskPart, ask_parts, segment
from appliance.api.schemas.directories import DirectoryDetail
from appliance.api.schemas.evaluations import ComparisonOut, EvaluationOut, EvaluationsOut, EvaluationState
from appliance.api.schemas.files import FilesOut
from appliance.api.schemas.papers import PapersOut
from appliance.api.schemas.replays import ReplayOut
from appliance.api.schemas.runs import RunOut
from appliance.api.schemas.shapes import Problem
from appliance.api.schemas.sources import PreviewOut, Reread, SourceOut
from appliance.api.schemas.upkeep import DifferenceOut, HealthOut, ModelChangeOut
from appliance.config import Settings
from appliance.data_folder import DataFolder, running_at
from appliance.errors import ApplianceError, ConfigurationError
from appliance.server import create_headless_app
from appliance.wiring import opened

_START_S = 30


class RemoteProblem(ApplianceError):
    """The appliance said no; its code and its sentence."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Operator:
    """What the command line asks of the appliance, as its operator or as whose token it was given.

    Raises RemoteProblem.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def sources(self) -> list[SourceOut]:
        """Every source."""
        return [SourceOut.model_validate(item) for item in self._json("GET", "/api/sources")]

    def add_source(self, name: str, path: str, groups: Iterable[str], **more: Any) -> SourceOut:
        """Add a folder; `more` are the other fields of `SourceIn`."""
        body = {"name": name, "path": path, "groups": list(groups), **more}
        return SourceOut.model_validate(self._json("POST", "/api/sources", body))

    def preview(self, source_id: str, again: Reread = Reread.NOTHING) -> PreviewOut:
        """What a sync of a source would do now."""
        params = {"again": again.value}
        return PreviewOut.model_validate(self._json("GET", f"/api/sources/{segment(source_id)}/preview", params=params))

    def preview_new(self, name: str, path: str, groups: Iterable[str], **more: Any) -> PreviewOut:
        """What a sync of a folder would do that is not a source yet."""
        body = {"name": name, "path": path, "groups": list(groups), **more}
        return PreviewOut.model_validate(self._json("POST", "/api/sources/preview", body))

    def sync(self, source_id: str, *, again: Reread = Reread.NOTHING, missing_ok: bool = False) -> Iterator[RunOut]:
        """Sync a source; how it stands, until it ended."""
        body = {"again": again.value, "missing_ok": missing_ok}
        run = RunOut.model_validate(self._json("POST", f"/api/sources/{segment(source_id)}/sync", body))
        while run.finished_at is None:
            yield run
            time.sleep(0.2)
            run = next(item for item in self.runs() if item.id == run.id)
        yield run

    def runs(self) -> list[RunOut]:
        """The latest syncs."""
        return [RunOut.model_validate(item) for item in self._json("GET", "/api/runs")]

    def report(self, run_id: str, kind: str) -> Iterator[str]:
        """What a sync did with each file, as CSV or JSON, piece by piece."""
        with self._client.stream("GET", f"/api/runs/{segment(run_id)}/report", params={"format": kind}) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _problem(response)
            yield from response.iter_text()

    def difference(self) -> DifferenceOut:
        """Where index and catalog differ."""
        return DifferenceOut.model_validate(self._json("GET", "/api/index/difference"))

    def model_change(self) -> ModelChangeOut | None:
        """How far the change to another embedding model is; None when there is none."""
        found = self._json("GET", "/api/index/model-change")
        return None if found is None else ModelChangeOut.model_validate(found)

    def reconcile(self) -> DifferenceOut:
        """Make the index agree with the catalog; what differed."""
        return DifferenceOut.model_validate(self._json("POST", "/api/index/reconcile"))

    def files(self, **wanted: str | int) -> FilesOut:
        """Files and how they stand."""
        return FilesOut.model_validate(self._json("GET", "/api/files", params=wanted))

    def health(self) -> HealthOut:
        """Every check of the doctor."""
        return HealthOut.model_validate(self._json("GET", "/api/health"))

    def directories(self) -> list[DirectoryDetail]:
        """Where people come from who have no account here, and how that stands."""
        names = [item["name"] for item in self._json("GET", "/api/directories")]
        return [
            DirectoryDetail.model_validate(self._json("GET", f"/api/directories/{segment(name)}")) for name in names
        ]

    def sync_directory(self, name: str, *, accept_missing: bool) -> DirectoryDetail:
        """Ask a directory now about everybody who is known here."""
        path = f"/api/directories/{segment(name)}/sync"
        return DirectoryDetail.model_validate(self._json("POST", path, {"accept_missing": accept_missing}))

    def ask(self, question: str) -> Iterator[AskPart]:
        """Ask; the events of the answer as they come."""
        with self._client.stream("POST", "/api/ask", json={"question": question}) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _problem(response)
            for part in ask_parts(response.iter_bytes()):
                if isinstance(part, Problem):
                    raise RemoteProblem(part.code, part.message)
                yield part

    def evaluations(self) -> EvaluationsOut:
        """The latest evaluations, and what every metric means."""
        return EvaluationsOut.model_validate(self._json("GET", "/api/evaluations"))

    def evaluate(self, name: str, golden: bytes, groups: Iterable[str], **more: Any) -> EvaluationOut:
        """Start an evaluation of a golden set, read as `groups`; `more` are `clearance`, `limit` and `answers`."""
        params = {"name": name, "group": list(groups), **more}
        return EvaluationOut.model_validate(self._json("POST", "/api/evaluations", golden, params))

    def evaluate_feedback(self, **more: Any) -> EvaluationOut:
        """Start an evaluation of what people found helpful; `more` are `limit` and `answers`."""
        return EvaluationOut.model_validate(self._json("POST", "/api/evaluations/feedback", params=more))

    def follow(self, run: EvaluationOut) -> Iterator[EvaluationOut]:
        """How an evaluation stands, until it ended."""
        while run.state is EvaluationState.RUNNING:
            yield run
            time.sleep(0.2)
            run = EvaluationOut.model_validate(
                self._json("GET", f"/api/evaluations/{segment(run.id)}", params={"limit": 1})
            )
        yield run

    def cancel_evaluation(self, run_id: str) -> None:
        """End an evaluation that is running."""
        response = self._client.post(f"/api/evaluations/{segment(run_id)}/cancel")
        if response.is_error:
            raise _problem(response)

    def comparison(self, run_id: str, before: str, max_drop: float) -> ComparisonOut:
        """An evaluation against an earlier one, or against the last that asked the same."""
        params = {"before": before, "max_drop": max_drop}
        return ComparisonOut.model_validate(
            self._json("GET", f"/api/evaluations/{segment(run_id)}/comparison", params=params)
        )

    def papers(self) -> PapersOut:
        """The papers that the law asks for, as the appliance stands now."""
        return PapersOut.model_validate(self._json("GET", "/api/papers"))

    def open_log(self, reason: str) -> None:
        """Write down why the query log is read; it is then open to this token for a while."""
        self._json("POST", "/api/log/openings", {"reason": reason})

    def replay(self, query_id: str) -> ReplayOut:
        """Run a question on record again."""
        return ReplayOut.model_validate(self._json("POST", f"/api/log/queries/{segment(query_id)}/replay"))

    def _json(self, method: str, path: str, body: object = None, params: dict[str, Any] | None = None) -> Any:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = self._client.request(method, path, params=params, **content)
        if response.is_error:
            raise _problem(response)
        return response.json()


@contextmanager
def connected(settings: Settings, groups: Iterable[str] = (), token: str = "") -> Iterator[Operator]:
    """The running appliance, or one of this command's own.

    Args:
        groups: The groups to read documents as, besides everyone's.
        token: The API token of a person, for what the operator may not do; without it, the operator's own.

    Raises:
        ApplianceError: Whatever keeps the appliance from being opened or reached.
    """
    address = running_at(settings)
    if address is not None:
        with _client(settings, address, groups, token) as operator:
            yield operator
        return
    with (
        opened(settings) as appliance,
        _served(create_headless_app(appliance)) as address,
        _client(settings, address, groups, token) as operator,
    ):
        yield operator


@contextmanager
def _client(settings: Settings, address: str, groups: Iterable[str], token: str) -> Iterator[Operator]:
    headers = {"Authorization": f"Bearer {token or _own_token(settings)}", GROUPS_HEADER: groups_header(groups)}
    timeout = httpx.Timeout(30, read=None)
    with httpx.Client(base_url=address, headers=headers, timeout=timeout, trust_env=False) as client:
        try:
            yield Operator(client)
        except httpx.HTTPError as error:
            raise ConfigurationError(
                f"The appliance at {address} does not answer ({type(error).__name__}). "
                "Wait until it is ready, or stop it and run this command again."
            ) from error


def _own_token(settings: Settings) -> str:
    try:
        return DataFolder(settings.data_dir).operator_token.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The operator's token in {settings.data_dir} cannot be read ({error.strerror}). "
            "Run this command as the account that runs the appliance."
        ) from error


@contextmanager
def _served(app: Any) -> Iterator[str]:
    """Serve `app` on a free loopback port in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, name="operator-server", daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise ConfigurationError(
                "A loopback port could not be opened for this command. Check the machine's limits."
            )
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _problem(response: httpx.Response) -> RemoteProblem:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return RemoteProblem(
            "http", f"The appliance answered with status {response.status_code}. See 'strongroom doctor'."
        )
    return RemoteProblem(problem.code, problem.message)
