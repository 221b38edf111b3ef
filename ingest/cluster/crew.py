"""The workers of one kind that the appliance has on a cluster: hired on every node, replaced when they are lost.

Rules this module keeps:

1. Every node gets as many workers as the plan says (`places`), so that each of them is examined: one worker of another
   release is reason enough to use none.
2. A worker does one job at a time. While it does, it is asked whether it is there; one that stays silent is given up.
3. A job whose worker is lost is given to another one, three workers at most.
4. Ray neither restarts a worker nor repeats a call by itself: it would do so without our examination.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from appliance.errors import ConfigurationError
from ingest.cluster import wire
from ingest.cluster.node import Worker

CONNECTION_LOST = 3
"""Exit status: the connection to "ray://..." broke. The way back is a new one, in a new process."""

_ATTEMPTS = 3
_LOOK_ROUND_S = 10.0  # how often missing workers and new nodes are looked for
_TRY_AGAIN_S = 2.0  # the same, while something is wrong
_FAREWELL_S = 3.0  # for a worker to end what it has started


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    cores: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where workers go, how many, and with how much of a GPU each."""

    node: Node
    workers: int
    gpus: float = 0


class NoWorkers(ConfigurationError):
    """Nobody on the cluster can take a job."""


class _Lost(Exception):
    """The worker went away, or does not answer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    """A worker, and where it is."""

    actor: Any
    node: Node
    facts: wire.Facts


def nodes() -> list[Node]:
    """The machines of the cluster that are up and may be used."""
    found = []
    for entry in ray.nodes():  # type: ignore[no-untyped-call]
        has = entry["Resources"]
        node = Node(entry["NodeID"], entry["NodeManagerAddress"], int(has.get("CPU", 0)), int(has.get("GPU", 0)))
        if entry["Alive"] and node.cores:
            found.append(node)
    return sorted(found, key=lambda node: node.id)


def parser_places(found: Sequence[Node], workers: int) -> list[Place]:
    """One parser for each core; or `workers` of them in all, dealt out evenly."""
    return _dealt(found, workers) if workers else [Place(node, node.cores) for node in found]


def embedder_places(found: Sequence[Node], workers: int) -> list[Place]:
    """One embedder for each GPU if there is one anywhere, else as many as parsers."""
    if any(node.gpus for node in found):
        return [Place(node, node.gpus, gpus=1) for node in found if node.gpus]
    return parser_places(found, workers)


def _dealt(found: Sequence[Node], workers: int) -> list[Place]:
    counts = Counter(number % len(found) for number in range(workers)) if found else Counter[int]()
    return [Place(found[number], count) for number, count in sorted(counts.items())]


class Crew:
    """Workers of one kind, on all nodes. Safe to share between threads."""

    def __init__(
        self, kind: type[Worker], setup: wire.Setup, places: Callable[[Sequence[Node], int], Sequence[Place]]
    ) -> None:
        self._kind: Any = ray.remote(kind)
        self._setup = setup
        self._packed = setup.packed()
        self._places = places
        self._change = threading.Condition()
        self._idle: list[_Seat] = []
        self._seats: list[_Seat] = []
        self._trouble: ConfigurationError | None = None
        self._unfit = False
        self._dismissed = False
        self._closed = False
        threading.Thread(target=self._keep_hiring, name=f"hire-{kind.__name__}", daemon=True).start()

    def run(self, head: bytes, body: bytes) -> tuple[wire.Kind, bytes, bytes]:
        """Have a job done: kind, head and body of the answer.

        Raises:
            NoWorkers: There is nobody to do it, and why.
        """
        for _ in range(_ATTEMPTS):
            seat = self._take()
            try:
                answer = self._ask(seat, head, body)
            except _Lost:
                self._dismiss(seat)
                continue
            self._put_back(seat)
            return answer
        return wire.Kind.FAILURE, wire.Failure(code=wire.LOST, message="").packed(), b""

    def facts(self) -> list[wire.Facts]:
        """What the workers said of themselves. Waits for the first. Raises NoWorkers."""
        self._put_back(self._take())
        with self._change:
            return [seat.facts for seat in self._seats]

    def close(self) -> None:
        """Let go of every worker."""
        with self._change:
            self._closed = True
            seats = list(self._seats)
            self._change.notify_all()
        _let_go(seats)

    def _take(self) -> _Seat:
        with self._change:
            while True:
                if self._closed:
                    raise NoWorkers("The workers of the cluster were let go. Try again when the appliance is back.")
                if self._trouble is not None and (self._unfit or not self._seats):
                    raise type(self._trouble)(str(self._trouble))  # a new one: others raise theirs
                if self._idle:
                    return self._idle.pop()
                self._change.wait()

    def _put_back(self, seat: _Seat) -> None:
        with self._change:
            if seat in self._seats:
                self._idle.append(seat)
            self._change.notify_all()

    def _dismiss(self, seat: _Seat) -> None:
        """The worker is lost: have it replaced, and the idle ones beside it, for it may be the node that is gone.

        Jobs would find that out one by one, and a job is not tried often.
        """
        with self._change:
            lost = [seat, *(other for other in self._idle if other.node.id == seat.node.id)]
            self._idle = [other for other in self._idle if other not in lost]
            self._seats = [other for other in self._seats if other not in lost]
            self._dismissed = True
            if not self._seats:
                self._trouble = None  # wait for what hiring says now
            self._change.notify_all()
        _let_go(lost, farewell_s=0)

    def _ask(self, seat: _Seat, head: bytes, body: bytes) -> tuple[wire.Kind, bytes, bytes]:
        kind, answer, pieces = self._result(seat, seat.actor.run.remote(head, *wire.in_pieces(body)))
        fetched = [self._result(seat, seat.actor.piece.remote(number)) for number in range(pieces)]
        return wire.Kind(kind), answer, wire.joined(fetched)

    def _result(self, seat: _Seat, call: Any) -> Any:
        """What a call gave. Raises _Lost when its worker is no longer there."""
        try:
            while True:
                if ray.wait([call], timeout=self._setup.ping_s)[0]:
                    return ray.get(call)
                ray.get(seat.actor.ping.remote(), timeout=self._setup.ping_s)
        except (RayError, GetTimeoutError) as error:
            raise _Lost(type(error).__name__) from None

    def _keep_hiring(self) -> None:
        """In a thread of its own: look for workers that are missing, now and again."""
        while not self._closed:
            with self._change:
                self._dismissed = False
            try:
                self._hire()
            except ConnectionError:
                os._exit(CONNECTION_LOST)
            except Exception as error:  # noqa: BLE001 - who waits for a worker must not wait for ever
                self._report(NoWorkers(f"The cluster does not answer ({type(error).__name__}). See its head node."))
            with self._change:
                pause_s = _TRY_AGAIN_S if self._trouble else _LOOK_ROUND_S
                self._change.wait_for(lambda: self._closed or self._dismissed, timeout=pause_s)

    def _hire(self) -> None:
        """Fill the empty places, and note what stands in the way."""
        wanted = list(self._places(nodes(), self._setup.workers))
        with self._change:
            present = Counter(seat.node.id for seat in self._seats)
        empty = [place for place in wanted for _ in range(place.workers - present[place.node.id])]
        if not wanted:
            self._report(NoWorkers("No node of the cluster offers a core. Start Ray on one with --num-cpus above 0."))
            return
        problems: list[ConfigurationError] = []
        if empty:
            with ThreadPoolExecutor(len(empty)) as executor:
                problems = [problem for problem in executor.map(self._hire_one, empty) if problem]
        problems.sort(key=lambda problem: isinstance(problem, NoWorkers))
        self._report(problems[0] if problems else None, unfit=bool(problems) and not isinstance(problems[0], NoWorkers))

    def _report(self, trouble: ConfigurationError | None, *, unfit: bool = False) -> None:
        with self._change:
            self._trouble, self._unfit = trouble, unfit
            self._change.notify_all()

    def _hire_one(self, place: Place) -> ConfigurationError | None:
        """A new worker at a place; or why there is none."""
        actor = self._kind.options(
            num_cpus=0,
            num_gpus=place.gpus,
            max_concurrency=2,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node.id, soft=False),
        ).remote(self._packed, place.node.name)
        try:
            kind, head = ray.get(actor.hello.remote(), timeout=self._setup.start_timeout_s)
            seat = _Seat(actor, place.node, _checked(wire.Kind(kind), head, place.node, self._setup))
        except (RayError, ValueError) as error:
            _kill(actor)
            return NoWorkers(
                f"No worker can be started on node {place.node.name} of the cluster ({type(error).__name__}). Install "
                f"the same release of Strongroom there, with the extra [cluster]."
            )
        except ConfigurationError as error:
            _kill(actor)
            return error
        with self._change:
            if self._closed:
                _kill(actor)
                return None
            self._seats.append(seat)
            self._idle.append(seat)
            self._change.notify_all()
        return None


def _checked(kind: wire.Kind, head: bytes, node: Node, setup: wire.Setup) -> wire.Facts:
    """What a new worker says of itself, if it fits.

    Raises:
        NoWorkers: It cannot work now; others may.
        ConfigurationError: Its node does not fit, which is reason enough to use none.
    """
    if kind is wire.Kind.FAILURE:
        raise NoWorkers(f"Node {node.name} of the cluster: {wire.Failure.model_validate_json(head).message}")
    facts = wire.Facts.model_validate_json(head)
    theirs, ours = (facts.release, facts.parser_version), (setup.release, setup.parser_version)
    if theirs != ours:
        raise ConfigurationError(
            f"Node {node.name} of the cluster has release {theirs[0]} with parser version {theirs[1]}, but the "
            f"appliance has {ours[0]} with {ours[1]}. Install the same release on every node and restart Ray there."
        )
    if not facts.authenticated:
        raise ConfigurationError(
            f"Node {node.name} of the cluster takes anybody's word: whoever reaches it can run code on it. Set "
            "RAY_AUTH_MODE=token there and give every node the same token (docs/operations/cluster.md)."
        )
    return facts


def _let_go(seats: Sequence[_Seat], *, farewell_s: float = _FAREWELL_S) -> None:
    """End workers, after a word to let them tidy up."""
    if farewell_s and seats:
        with contextlib.suppress(RayError):  # who does not hear it is ended all the same
            ray.wait([seat.actor.close.remote() for seat in seats], num_returns=len(seats), timeout=farewell_s)
    for seat in seats:
        _kill(seat.actor)


def _kill(actor: Any) -> None:
    with contextlib.suppress(RayError):  # it is gone already
        ray.kill(actor, no_restart=True)
