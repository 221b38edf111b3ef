"""A real Ray cluster of two nodes on this machine, each on a loopback address of its own.

Nothing of Ray is imported by the tests themselves but in two that examine `crew` alone. The cluster is started once; the
tests that take a part of it away come last.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

from appliance import __version__
from appliance.config import ClusterSettings, EmbeddingBackend, EmbeddingSettings
from appliance.errors import (
    ConfigurationError,
    DocumentNeedsPassword,
    DocumentRejected,
    FileUnavailable,
    ModelUnavailable,
    ParserBroken,
)
from appliance.inference.embedders import embedder_for
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from ingest.cluster import wire
from ingest.cluster.embedder import ClusterEmbedder
from ingest.cluster.link import Link
from ingest.cluster.node import EmbeddingWorker
from ingest.cluster.parsers import ClusterParsers, _check_same_file
from ingest.parse.elements import PARSER_VERSION, Parsed
from ingest.parse.sandbox import ParserPool
from tests.ingest.conftest import SETTINGS
from tests.ingest.parse import documents as made

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra [cluster])"),
]

_MARK = "RAY_CLUSTER_OF_TEST"
_HEAD, _SECOND, _THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"
_ROOT = Path(__file__).parents[2]
_NODE_PATH = f"{Path(__file__).parent / 'node_path'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
_CANARY = "Quagmirelantern"
_LIMITS = SETTINGS.model_copy(update={"timeout_s": 120.0})  # three machines share the cores of one here

NODE_SWITCHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",
    "RAY_enable_metrics_collection": "0",
}
"""What every node of a cluster must have in its environment; the guide for operators names them too."""

_IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "3",
}


class RealCluster:
    """Nodes started as an operator would, found again by a variable in their environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(32)
        with socket.create_server((_HEAD, 0)) as one, socket.create_server((_HEAD, 0)) as other:
            self._port, self._client_port = one.getsockname()[1], other.getsockname()[1]
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        (folder / "home" / "ray_bootstrap_config.yaml").write_text("provider: {type: none}\n", "utf-8")

    @property
    def address(self) -> str:
        return f"{_HEAD}:{self._port}"

    @property
    def for_drivers(self) -> dict[str, str]:
        return {**NODE_SWITCHES, **_IMPATIENT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def start(self, ip: str, **more: str) -> None:
        role = [f"--address={self.address}"]
        if ip == _HEAD:
            role = [
                *("--head", f"--port={self._port}", f"--temp-dir={self.folder / 'ray'}", "--include-dashboard=false"),
                f"--ray-client-server-port={self._client_port}",
            ]
        size = ["--num-cpus=1", "--object-store-memory=80000000", "--include-log-monitor=false"]
        ray = Path(sys.executable).with_name("ray")
        subprocess.run(
            [ray, "start", f"--node-ip-address={ip}", *role, *size, "--disable-usage-stats"],
            check=True,
            capture_output=True,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")},
                **self.for_drivers,
                _MARK: str(self.folder),
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder / "tmp"),
                "PYTHONPATH": _NODE_PATH,
                **more,
            },
        )

    def processes(self, having: str = "") -> list[int]:
        """The processes of the cluster, parsers and their documents included, whose command line has a text."""
        return [pid for pid in _pids() if self._is_mine(pid) and having in _command(pid)]

    def kill_node(self, ip: str) -> None:
        for pid in self.processes(f"node_ip_address={ip}"):
            if "/raylet/raylet" in _command(pid):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        renamed = [pid for pid in _pids() if self._is_mine(_parent(pid))]  # Ray's agents write over their environment
        for _ in range(50):
            for pid in (left := [*self.processes(), *(pid for pid in renamed if _command(pid))]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.1)
        raise AssertionError(f"processes of the cluster live on: {[_command(pid) for pid in left]}")

    def _is_mine(self, pid: int) -> bool:
        return f"{_MARK}={self.folder}\0".encode() in _environ(pid) or str(self.folder) in _command(pid)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()]


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> str:
    """Empty for a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


_TIDY_UP = """
read -r folder
cat
sleep 1
for attempt in 1 2 3 4 5 6 7 8; do
    for process in /proc/[0-9]*; do
        if grep -qzxF "$0=$folder" "$process/environ" 2>/dev/null; then
            kill -9 "${process#/proc/}" $(cat "$process"/task/*/children 2>/dev/null)
        fi
    done
    rm -rf "$folder"
    sleep 1 # what has just died may still have written to its log
    if [ ! -e "$folder" ]; then exit 0; fi
done
"""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@contextlib.contextmanager
def _tidied_up(folder: Path) -> Iterator[None]:
    """Nothing of the cluster outlives the tests, even if they are killed: somebody waits for their end."""
    waiting = subprocess.Popen(["sh", "-c", _TIDY_UP, _MARK], stdin=subprocess.PIPE, start_new_session=True)
    assert waiting.stdin is not None
    waiting.stdin.write(f"{folder}\n".encode())  # not as an argument: `stop` would take it for one of the cluster
    waiting.stdin.flush()
    try:
        yield
    finally:
        waiting.stdin.close()
        assert waiting.wait(30) == 0
        assert not folder.exists()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))  # Ray's sockets do not fit into pytest's long paths
    running = RealCluster(folder)
    with _tidied_up(folder), pytest.MonkeyPatch.context() as patch:
        for name, value in running.for_drivers.items():
            patch.setenv(name, value)
        try:
            running.start(_HEAD)
            running.start(_SECOND)
            yield running
        finally:
            running.stop()


def open_link(address: str, workers: int = 0) -> Link:
    return Link(ClusterSettings(address=address, workers=workers), limits=_LIMITS, embedding=EmbeddingSettings())


@pytest.fixture(scope="module")
def link(cluster: RealCluster) -> Iterator[Link]:
    with open_link(cluster.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def remote(link: Link) -> ClusterParsers:
    return ClusterParsers(link)


@pytest.fixture(scope="module")
def here() -> Iterator[ParserPool]:
    with ParserPool(_LIMITS, size=1) as pool:
        yield pool


def fill(folder: Path) -> list[str]:
    """Documents of several kinds, one of them so large that its result comes in pieces; their paths."""
    (folder / "deep" / "er").mkdir(parents=True)
    files = {
        "letter.pdf": made.pdf(made.text_page([made.LOREM]), made.text_page(["A second page."]), title="A letter"),
        "deep/figures.csv": b"Year,Days\n2024,24\n2025,25\n",
        "deep/er/mail.eml": made.mail(),
        "deep/er/notes.md": b"# Notes\n\n" + f"{_CANARY} rests in the {made.LOREM}\n\n".encode() * 250,
        "page.html": b"<h1>Leave</h1><p>Leave is 25 days.</p>",
    }
    for path, content in files.items():
        (folder / path).write_bytes(content)
    return list(files)


def parse_here(pool: ParserPool, root: Path, path: str) -> Parsed:
    return pool.parse(root / path, name=path)


def test_documents_read_on_the_nodes_equal_those_read_here(
    remote: ClusterParsers, here: ParserPool, tmp_path: Path
) -> None:
    paths = fill(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda path: remote.parse_in(tmp_path, path), paths))
    assert results == [parse_here(here, tmp_path, path) for path in paths]
    assert remote.size == 2


def test_the_protections_of_all_nodes_are_reported(remote: ClusterParsers, here: ParserPool) -> None:
    assert remote.report() == here.report()


def test_an_encrypted_document_asks_for_its_password_and_opens_with_it(remote: ClusterParsers, tmp_path: Path) -> None:
    (tmp_path / "closed.pdf").write_bytes(made.encrypted_pdf())
    with pytest.raises(DocumentNeedsPassword, match=r"^Document 'closed\.pdf' is encrypted"):
        remote.parse_in(tmp_path, "closed.pdf")
    opened = remote.parse_in(tmp_path, "closed.pdf", password="secret")
    assert "retention period" in opened.elements[0].text


def test_no_link_is_followed_on_a_node(remote: ClusterParsers, tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("Nobody is to read this here.")
    (source / "link.txt").symlink_to(elsewhere / "secret.txt")
    (source / "folder").symlink_to(elsewhere)
    for path in ("link.txt", "folder/secret.txt"):
        with pytest.raises(FileUnavailable, match="Links are not followed"):
            remote.parse_in(source, path)
    for path in ("../elsewhere/secret.txt", str(elsewhere / "secret.txt")):
        with pytest.raises(DocumentRejected, match="does not lie inside its source"):
            remote.parse_in(source, path)


def test_a_folder_that_a_node_does_not_have_is_named(remote: ClusterParsers, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^Node 127\.0\.0\.\d of the cluster has no folder .*/missing\. Mount"
    ):
        remote.parse_in(tmp_path / "missing", "a.txt")


def test_a_result_counts_only_for_the_file_that_is_here(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("25 days")
    status = file.stat()
    seen = wire.Reading(node="n", sha256="0" * 64, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
    _check_same_file(tmp_path, "a.txt", seen)
    for change in ({"size_bytes": 6}, {"modified_ns": status.st_mtime_ns - 5_000_000_000}):
        with pytest.raises(FileUnavailable, match="is another file on node n than here"):
            _check_same_file(tmp_path, "a.txt", seen.model_copy(update=change))
    (tmp_path / "link.txt").symlink_to(file)
    with pytest.raises(FileUnavailable, match="is another file on node n than here"):
        _check_same_file(tmp_path, "link.txt", seen)


@pytest.mark.parametrize(
    ("backend", "kind"),
    [(EmbeddingBackend.TORCH, SentenceTransformersEmbedder), (EmbeddingBackend.OPENVINO, OpenVinoEmbedder)],
)
def test_a_node_embeds_with_the_engine_of_the_settings(backend: EmbeddingBackend, kind: type) -> None:
    setup = wire.Setup(
        address="",
        workers=1,
        release=__version__,
        parser_version=PARSER_VERSION,
        ingest=_LIMITS,
        embedding=EmbeddingSettings(backend=backend),
    )
    worker = EmbeddingWorker(setup.packed(), "n")
    assert worker.hello()[0] == wire.Kind.ANSWER
    assert isinstance(worker._embedder, kind)


def test_vectors_come_back_in_order_and_equal_to_those_computed_here(link: Link) -> None:
    local = embedder_for(None, batch_size=32, threads=1)
    embedder = ClusterEmbedder(local, link)
    texts = [f"Rule {number}: leave is {number * 3 % 41} days. {made.LOREM * (number % 3)}" for number in range(40)]
    vectors = embedder.embed_passages(texts)
    numpy.testing.assert_allclose(vectors, local.embed_passages(texts), atol=1e-5)
    assert vectors.dtype == numpy.float32
    assert embedder.embed_passages([]).shape == (0, local.dimension)
    assert (embedder.model_id, embedder.dimension, embedder.max_tokens) == (
        *(local.model_id, local.dimension, local.max_tokens),
    )


def test_a_node_with_another_model_is_refused(link: Link) -> None:
    class Renamed(SentenceTransformersEmbedder):
        model_id = "another-model-0123456789ab"

    embedder = ClusterEmbedder(Renamed(None, batch_size=32, threads=1), link)
    with pytest.raises(
        ModelUnavailable, match=r"^Node 127\.0\.0\.\d of the cluster has the embedding model all-MiniLM"
    ):
        embedder.embed_passages(["one text"])


def test_nothing_of_a_document_stays_in_logs_or_in_the_object_store(
    cluster: RealCluster, remote: ClusterParsers, tmp_path: Path
) -> None:
    fill(tmp_path)
    assert _CANARY in remote.parse_in(tmp_path, "deep/er/notes.md").elements[1].text
    canary = _CANARY.encode()
    written = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert [path.name for path in written if "raylet.out" in path.name]  # this is where Ray writes
    assert not [path for path in written if canary in path.read_bytes()]
    stores = [store for pid in cluster.processes("/raylet/raylet") for store in _object_stores(pid)]
    assert len(stores) >= 2
    assert not [store for store in stores if _holds(store, canary)]


def _object_stores(raylet: int) -> list[Path]:
    """The memory files of a node's object store; they have no name any more."""
    return [
        path
        for path in Path(f"/proc/{raylet}/fd").iterdir()
        if "plasma" in str(path.readlink()) and path.stat().st_size
    ]


def _holds(store: Path, text: bytes) -> bool:
    with store.open("rb") as file:
        before = b""
        while piece := file.read(2**22):
            if text in before + piece:
                return True
            before = piece[-len(text) :]
    return False


def test_a_document_that_takes_three_workers_with_it_may_be_tried_again(
    cluster: RealCluster, remote: ClusterParsers, tmp_path: Path
) -> None:
    (tmp_path / "book.pdf").write_bytes(made.pdf(*[made.text_page([made.LOREM] * 10)] * 40))
    done = threading.Event()
    killed: list[int] = []

    def kill_whoever_is_busy() -> None:
        while not done.wait(0.02):
            for pid in cluster.processes("ParsingWorker.run"):
                if pid not in killed:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_whoever_is_busy)
    killer.start()
    try:
        with pytest.raises(ParserBroken, match="was given to several workers of the cluster, and each was lost"):
            remote.parse_in(tmp_path, "book.pdf")
    finally:
        done.set()
        killer.join()
    assert len(killed) == 3
    assert len(remote.parse_in(tmp_path, "book.pdf").pages) == 40


def test_a_cluster_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    local = SentenceTransformersEmbedder(None, batch_size=32, threads=1)
    wanted = r"^The Ray cluster at 127\.0\.0\.2:9 cannot be reached \(ConnectionRefusedError\)\. Check cluster\.address"
    with open_link("127.0.0.2:9") as link:
        with pytest.raises(ConfigurationError, match=wanted):
            ClusterParsers(link).parse_in(tmp_path, "a.txt")
        with pytest.raises(ModelUnavailable, match=wanted):
            ClusterEmbedder(local, link).embed_passages(["one text"])
        assert ClusterEmbedder(local, link).count_tokens("two words") == 2


def test_the_appliance_itself_never_imports_ray() -> None:
    code = (
        "import sys, appliance.wiring, ingest.cluster.parsers, ingest.cluster.embedder;"
        "sys.exit('ray' in sys.modules or 'ingest.cluster.crew' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)


def test_the_guide_names_every_switch_of_a_node() -> None:
    guide = (_ROOT / "docs" / "operations" / "cluster.md").read_text("utf-8")
    assert [switch for switch, value in NODE_SWITCHES.items() if f"{switch}={value}" not in guide] == []


def test_workers_are_placed_by_core_by_number_and_by_gpu() -> None:
    from ingest.cluster.crew import Node, Place, embedder_places, parser_places

    small, large = Node("a", "a", cores=1, gpus=0), Node("b", "b", cores=4, gpus=2)
    assert parser_places([small, large], 0) == [Place(small, 1), Place(large, 4)]
    assert parser_places([small, large], 3) == [Place(small, 2), Place(large, 1)]
    assert parser_places([], 3) == []
    assert embedder_places([small], 0) == [Place(small, 1)]
    assert embedder_places([small, large], 0) == [Place(large, 2, gpus=1)]


def test_a_node_without_a_token_is_refused() -> None:
    from ingest.cluster.crew import Node, _checked

    setup = wire.Setup(
        address="a:1",
        workers=0,
        release=__version__,
        parser_version=PARSER_VERSION,
        ingest=SETTINGS,
        embedding=EmbeddingSettings(),
    )
    facts = wire.Facts(release=__version__, parser_version=PARSER_VERSION, authenticated=False)
    with pytest.raises(ConfigurationError, match=r"takes anybody's word.*RAY_AUTH_MODE=token"):
        _checked(wire.Kind.ANSWER, facts.packed(), Node("a", "a", 1, 0), setup)


def test_a_node_killed_in_mid_run_loses_nothing(
    cluster: RealCluster, remote: ClusterParsers, here: ParserPool, tmp_path: Path
) -> None:
    paths = [f"book-{number}.pdf" for number in range(8)]
    for number, path in enumerate(paths):
        (tmp_path / path).write_bytes(made.pdf(*[made.text_page([f"{number}. {made.LOREM}"] * 10)] * 20))
    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(remote.parse_in, tmp_path, path) for path in paths]
        running[0].result()
        cluster.kill_node(_SECOND)
        results = [future.result() for future in running]
    assert results == [parse_here(here, tmp_path, path) for path in paths]


def test_a_node_of_another_release_is_refused_until_it_is_gone(
    cluster: RealCluster, remote: ClusterParsers, tmp_path: Path
) -> None:
    for package in ("appliance", "ingest"):
        shutil.copytree(_ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    elements = tmp_path / "ingest" / "parse" / "elements.py"
    text = elements.read_text("utf-8")
    assert f'PARSER_VERSION = "{PARSER_VERSION}"' in text
    elements.write_text(text.replace(f'PARSER_VERSION = "{PARSER_VERSION}"', 'PARSER_VERSION = "0.9"'), "utf-8")
    cluster.start(_THIRD, PYTHONPATH=str(tmp_path))
    (tmp_path / "a.txt").write_text("Leave is 25 days.")
    wanted = rf"^Node {_THIRD} of the cluster has release {__version__} with parser version 0\.9, but the appliance has"
    try:
        with pytest.raises(ConfigurationError, match=wanted):
            for _ in range(300):  # until the new node is noticed
                assert remote.parse_in(tmp_path, "a.txt").elements
                time.sleep(0.1)
    finally:
        cluster.kill_node(_THIRD)
    _eventually(lambda: _reads(remote, tmp_path))


def _reads(pool: ClusterParsers, root: Path) -> bool:
    try:
        return bool(pool.parse_in(root, "a.txt").elements)
    except ConfigurationError:
        return False


def test_closing_lets_go_of_every_worker(cluster: RealCluster, link: Link, remote: ClusterParsers) -> None:
    ClusterEmbedder(SentenceTransformersEmbedder(None, batch_size=32, threads=1), link).embed_passages(["one text"])
    assert remote.report() and cluster.processes("ParsingWorker") and cluster.processes("ingest.parse.worker")
    remote.close()
    remote.close()
    _eventually(lambda: not cluster.processes("ParsingWorker") and not cluster.processes("ingest.parse.worker"))
    with pytest.raises(ConfigurationError, match="were let go"):
        remote.parse_in(Path("/"), "a.txt")
    assert cluster.processes("EmbeddingWorker")
    link.close()
    link.close()
    _eventually(lambda: not cluster.processes("EmbeddingWorker"))
    with pytest.raises(ConfigurationError, match="was closed"):
        link.roster()


def _eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    limit = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < limit, "it does not come true"
        time.sleep(0.05)


def test_a_cluster_that_goes_away_altogether_is_named(cluster: RealCluster, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Leave is 25 days.")
    with open_link(cluster.address, workers=1) as link:
        pool = ClusterParsers(link)
        assert pool.parse_in(tmp_path, "a.txt").elements
        cluster.stop()
        with pytest.raises(ConfigurationError, match=r"cannot be reached|can be started|does not answer"):
            pool.parse_in(tmp_path, "a.txt")
