"""The child process that speaks Ray: `python -m ingest.cluster.bridge`, started by `link.py`.

Rules this module keeps:

1. First the offline switches, then Ray.
2. Standard input is a socket to the appliance. When it closes, the workers are let go and the process ends.
3. What Ray prints goes nowhere: it may quote what it carries.
4. It holds no document longer than it takes to hand it on.
"""

from __future__ import annotations

from appliance.config import go_offline

go_offline()

import os  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import ray  # noqa: E402

from appliance.errors import ApplianceError, ConfigurationError, place_of  # noqa: E402
from ingest.cluster import wire  # noqa: E402
from ingest.cluster.crew import CONNECTION_LOST, Crew, embedder_places, nodes, parser_places  # noqa: E402
from ingest.cluster.node import EmbeddingWorker, ParsingWorker  # noqa: E402
from ingest.parse.confine import Confinement  # noqa: E402

_END_WITHIN_S = 15.0
_KNOCK_S = 5.0
_MOST_AT_ONCE = 512  # jobs; the appliance sends no more than the cluster has workers, so this is never reached


class Bridge:
    """Answers the appliance's messages with the help of the cluster."""

    def __init__(self, connection: socket.socket, setup: wire.Setup) -> None:
        self._connection = connection
        self._setup = setup
        self._writing = threading.Lock()
        self._hiring = threading.Lock()
        self._parsers: Crew | None = None
        self._embedders: Crew | None = None

    def serve(self) -> None:
        """Until the appliance closes."""
        found = nodes()
        roster = wire.Roster(
            parsers=sum(place.workers for place in parser_places(found, self._setup.workers)),
            embedders=sum(place.workers for place in embedder_places(found, self._setup.workers)),
            nodes=tuple(node.name for node in found),
        )
        self._send(wire.Message(0, wire.Kind.ANSWER, roster.packed()))
        with ThreadPoolExecutor(_MOST_AT_ONCE) as executor:
            while (message := wire.receive(self._connection)) is not None:
                executor.submit(self._answer, message)
            self._release()

    def _answer(self, message: wire.Message) -> None:
        try:
            kind, head, body = self._work(message)
        except ApplianceError as error:
            kind, head, body = wire.Kind.FAILURE, wire.Failure.of(error).packed(), b""
        except ConnectionError:
            os._exit(CONNECTION_LOST)
        except Exception as error:  # noqa: BLE001 - the edge of a job; what it says may quote what was carried
            message_text = f"The connection to the cluster failed ({type(error).__name__}, {place_of(error)})."
            failure = wire.Failure(code=ConfigurationError.code, message=message_text)
            kind, head, body = wire.Kind.FAILURE, failure.packed(), b""
        self._send(wire.Message(message.number, kind, head, body))

    def _work(self, message: wire.Message) -> tuple[wire.Kind, bytes, bytes]:
        match message.kind:
            case wire.Kind.PARSE:
                return self._parser_crew().run(message.head, message.body)
            case wire.Kind.EMBED:
                return self._embedder_crew().run(message.head, message.body)
            case wire.Kind.SURVEY:
                return wire.Kind.ANSWER, _survey(self._parser_crew()).packed(), b""
            case wire.Kind.RELEASE_PARSERS:
                self._parser_crew().close()
                return wire.Kind.ANSWER, b"", b""
            case _:
                raise ValueError("a message of an unknown kind")

    def _send(self, message: wire.Message) -> None:
        with self._writing:
            wire.send(self._connection, message)

    def _parser_crew(self) -> Crew:
        with self._hiring:
            self._parsers = self._parsers or Crew(ParsingWorker, self._setup, parser_places)
            return self._parsers

    def _embedder_crew(self) -> Crew:
        with self._hiring:
            self._embedders = self._embedders or Crew(EmbeddingWorker, self._setup, embedder_places)
            return self._embedders

    def _release(self) -> None:
        for crew in (self._parsers, self._embedders):
            if crew is not None:
                crew.close()


def _survey(crew: Crew) -> wire.Survey:
    """The protections that hold for every parser."""
    found = [facts.confinement for facts in crew.facts() if facts.confinement is not None]
    names = Confinement.__dataclass_fields__
    return wire.Survey(confinement=Confinement(**{name: all(getattr(one, name) for one in found) for name in names}))


def _connect(address: str) -> None:
    """Join the cluster. Raises ConfigurationError."""
    try:
        _knock(address)
        ray.init(address=address, namespace="strongroom", log_to_driver=False, configure_logging=False)
    except Exception as error:  # noqa: BLE001 - Ray raises whatever it met, of a dozen kinds
        raise ConfigurationError(_not_reached(address, error)) from None


def _not_reached(address: str, error: Exception) -> str:
    if isinstance(error, RuntimeError) and "ersion mismatch" in str(error):
        return (
            f"The cluster at {address} runs another version of Ray or Python than the appliance. Install the same "
            "release of Strongroom on every node, with the same Python."
        )
    return (
        f"The Ray cluster at {address} cannot be reached ({type(error).__name__}). Check cluster.address, that its "
        "head node is up, that this machine is one of its nodes (or the address begins with ray://), and the token; or "
        "clear cluster.address to work without a cluster."
    )


def _knock(address: str) -> None:
    """See whether anybody listens, which Ray takes half a minute to find out. Raises OSError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


def main() -> None:
    """Join the cluster the first message names, and serve."""
    connection = socket.socket(fileno=0)
    first = wire.receive(connection)
    if first is None:
        return
    setup = wire.Setup.model_validate_json(first.head)
    try:
        _connect(setup.address)
    except ConfigurationError as error:
        wire.send(connection, wire.Message(0, wire.Kind.FAILURE, wire.Failure.of(error).packed()))
        return
    Bridge(connection, setup).serve()
    threading.Timer(_END_WITHIN_S, os._exit, [0]).start()
    ray.shutdown()
    os._exit(0)  # not sys.exit: Ray's threads may hold it up


if __name__ == "__main__":
    main()
