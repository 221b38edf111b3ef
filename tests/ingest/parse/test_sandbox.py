from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from appliance.config import IngestSettings
from appliance.domain import Box
from appliance.errors import (
    ConfigurationError,
    DocumentEmpty,
    DocumentNeedsPassword,
    DocumentRejected,
    DocumentUnreadable,
    FileUnavailable,
    InvalidRequest,
    ParserBroken,
)
from ingest.parse import ocr, parser_process, sandbox
from ingest.parse.sandbox import ParserPool
from tests.ingest.parse import documents as made

pytestmark = pytest.mark.integration


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def letter(text: str = "A letter about the limits.") -> bytes:
    return made.pdf(made.text_page([text]))


def descendants(of: int = os.getpid()) -> dict[int, int]:
    """The processes under one, and the parent of each."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {of}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: parents[pid] for pid in found - {of}}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sessions_are_scheduled() -> bool:
    with contextlib.suppress(OSError):  # a kernel without
        return "autogroup" in Path("/proc/self/autogroup").read_text()
    return False


def all_ended(pids: Iterable[int], within_s: float = 5) -> bool:
    limit = time.monotonic() + within_s
    while any(map(is_running, pids)) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(map(is_running, pids))


def test_the_hash_is_of_the_bytes_that_were_parsed(pool: ParserPool, tmp_path: Path) -> None:
    data = letter()
    parsed = pool.parse(put(tmp_path, "a.pdf", data), name="a.pdf")
    assert parsed.sha256 == hashlib.sha256(data).hexdigest()
    assert parsed.size_bytes == len(data)


@pytest.mark.parametrize(
    ("name", "data", "error", "said"),
    [
        ("a.pdf", b"", DocumentEmpty, r"^Document 'a.pdf' is empty: there is nothing in it to read\.$"),
        ("a.pdf", made.encrypted_pdf(), DocumentNeedsPassword, r"^Document 'a.pdf' is encrypted; give"),
        ("a.pdf", letter()[:200], DocumentUnreadable, r"damaged"),
        ("a.pdf", made.pdf(lambda _: None), DocumentUnreadable, r"gave no text: the page is blank\.$"),
        ("a.docx", made.zip_bomb(), DocumentRejected, r"ZIP bomb"),
        ("a.bin", bytes(100), DocumentRejected, r"not supported"),
        ("a.txt", b" \n\n ", DocumentEmpty, r"is empty"),
        ("a.md", b"---\n", DocumentUnreadable, r"gave no text"),
        ("a.xml", b"<a><b></b></a>", DocumentUnreadable, r"gave no text"),
        (
            "a.gif",
            b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02",
            DocumentRejected,
            "pix",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_a_reason(
    pool: ParserPool, tmp_path: Path, name: str, data: bytes, error: type[DocumentRejected], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        pool.parse(put(tmp_path, name, data), name=name)
    assert type(caught.value) is error


def test_links_folders_and_pipes_are_not_opened(pool: ParserPool, tmp_path: Path) -> None:
    (tmp_path / "link.pdf").symlink_to(put(tmp_path, "a.pdf", letter()))
    os.mkfifo(tmp_path / "pipe.pdf")
    for path in (tmp_path / "link.pdf", tmp_path, tmp_path / "pipe.pdf", tmp_path / "missing.pdf"):
        with pytest.raises(DocumentRejected):
            pool.parse(path, name=path.name)


def test_a_file_over_the_limit_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    with (
        ParserPool(IngestSettings(max_file_bytes=1000), size=1) as small,
        pytest.raises(DocumentRejected, match=r"the limit is 1,000\. Split it, or raise ingest\.max_file_bytes"),
    ):
        small.parse(put(tmp_path, "a.txt", b"x" * 1001), name="a.txt")


@pytest.mark.parametrize(
    ("urgent", "why"),
    [  # beside much other work the clock is the first to stop a parser that leaves the cores to others, ten times later
        (True, "the parser was stopped after 2 s"),
        (False, "it took more processor time|the parser was stopped after 15 s"),
    ],
)
def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_is_read(
    tmp_path: Path, *, urgent: bool, why: str
) -> None:
    slow = put(tmp_path, "slow.csv", b"word;" * 12_000_000)
    with ParserPool(IngestSettings(timeout_s=1.5), size=1, urgent=urgent) as impatient:
        started = time.monotonic()
        with pytest.raises(DocumentUnreadable, match=f"was given up: {why}"):
            impatient.parse(slow, name="slow.csv")
        assert time.monotonic() - started < 60
        assert impatient.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements


def test_a_parser_that_leaves_the_cores_to_others_is_waited_for_longer() -> None:
    budget = parser_process._Budget(IngestSettings(timeout_s=60, ocr_page_timeout_s=90), 1_000)
    urgent, patient = (
        parser_process._Clock(budget, patience=1),
        parser_process._Clock(budget, patience=parser_process._PATIENCE),
    )
    assert 59 < urgent.left_s() <= 60
    assert 590 < patient.left_s() <= 600
    patient.progress(b'{"done": 0, "total": 1, "ocr": true}')
    assert patient.left_s() > 90 * ocr._PATIENCE  # a page that hangs is lost, not the document


def test_a_document_that_needs_too_much_memory_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    large = put(tmp_path, "large.txt", b"much text. " * 12_000_000)
    with ParserPool(IngestSettings(memory_bytes=400 * 1024**2), size=1) as small:
        with pytest.raises(DocumentUnreadable, match="memory"):
            small.parse(large, name="large.txt")
        assert small.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements


def test_a_worker_lives_on_where_there_is_no_memory_for_the_office_parsers(tmp_path: Path) -> None:
    notes = put(tmp_path, "notes.md", b"# Notes\n\nThe vault has four keys.\n")
    with ParserPool(IngestSettings(memory_bytes=400 * 1024**2), size=1) as small:
        assert small.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements
        (worker,) = small._idle
        for _ in range(2):
            with pytest.raises(
                DocumentUnreadable
            ):  # where there is no memory a library may fail with other errors, too
                small.parse(notes, name="notes.md")
        assert small.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements
        assert small._idle == [worker]


def test_a_worker_that_dies_under_a_document_is_replaced(tmp_path: Path) -> None:
    slow = put(tmp_path, "slow.csv", b"word;" * 12_000_000)
    before = descendants().keys()

    def strike() -> None:
        time.sleep(1)
        now = descendants()
        for pid in now.keys() - before - set(now.values()):  # the job's process, not the worker or its guard
            os.kill(pid, signal.SIGKILL)

    with ParserPool(IngestSettings(), size=1) as pool:
        pool.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf")
        striker = threading.Thread(target=strike)
        striker.start()
        with pytest.raises(DocumentUnreadable, match=r"made the parser crash \(signal 9\)"):
            pool.parse(slow, name="slow.csv")
        striker.join()
        assert pool.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements


def test_nothing_is_left_running_or_lying_about_after_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = descendants().keys()
    pool = ParserPool(IngestSettings(), size=2)
    with ThreadPoolExecutor(2) as threads:
        paths = [put(tmp_path, f"{number}.pdf", letter()) for number in range(4)]
        assert all(threads.map(lambda path: pool.parse(path, name=path.name).elements, paths))
    started = descendants().keys() - before  # once the last job's process is gone
    assert 2 <= len(started) <= 4  # a worker and its guard, once or twice
    pool.close()
    pool.close()
    assert all_ended(started)
    assert list(temporary.iterdir()) == []
    with pytest.raises(ConfigurationError):
        pool.parse(paths[0], name="0.pdf")


def test_closing_ends_a_parser_that_is_busy_and_says_nothing_against_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    slow = put(tmp_path, "slow.csv", b"word;" * 12_000_000)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = descendants().keys()
    pool = ParserPool(IngestSettings(), size=1)
    pool.report()  # starts the worker
    with ThreadPoolExecutor(2) as threads:
        reading, waiting = (threads.submit(pool.parse, slow, name="slow.csv") for _ in range(2))
        time.sleep(0.5)
        started = descendants().keys() - before
        began = time.monotonic()
        pool.close()
        for parsing in (reading, waiting):
            with pytest.raises(ConfigurationError, match="were closed"):
                parsing.result()
        assert time.monotonic() - began < 15
    assert len(started) == 3  # a worker, its guard, and the job
    assert all_ended(started)
    assert list(temporary.iterdir()) == []


def test_closing_ends_a_parser_that_is_still_starting(tmp_path: Path) -> None:
    pool = ParserPool(IngestSettings(), size=1)
    with ThreadPoolExecutor(1) as threads:
        parsing = threads.submit(pool.parse, put(tmp_path, "a.pdf", letter()), name="a.pdf")
        time.sleep(0.1)
        began = time.monotonic()
        pool.close()
        with pytest.raises(ConfigurationError, match="were closed"):
            parsing.result()
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(("urgent", "niceness"), [(True, 0), (False, 10)])
def test_parsers_leave_the_cores_to_others_unless_somebody_waits(
    nothing_steps_back: int, monkeypatch: pytest.MonkeyPatch, *, urgent: bool, niceness: int
) -> None:
    monkeypatch.setattr(parser_process, "_NICENESS", nothing_steps_back)
    own, before = os.getpriority(os.PRIO_PROCESS, 0), descendants().keys()
    with ParserPool(IngestSettings(), size=1, urgent=urgent) as pool:
        pool.report()
        parser = descendants().keys() - before
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in parser} == {min(19, own + niceness)}
        if sessions_are_scheduled():
            said = {Path(f"/proc/{pid}/autogroup").read_text().split(" nice ")[1].strip() for pid in parser}
            assert said == {str(niceness)}


def test_a_parser_does_not_outlive_the_appliance(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\n"
        "from appliance.config import IngestSettings\n"
        "from ingest.parse.sandbox import ParserPool\n"
        "pool = ParserPool(IngestSettings(), size=1, urgent=True)\n"
        "pool.report()\n"
        "guard = pool._idle[0]._process.pid\n"
        "parser = pathlib.Path(f'/proc/{guard}/task/{guard}/children').read_text()\n"
        "print(guard, parser, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=env, check=False)
    guard, parser = (int(pid) for pid in done.stdout.split())
    assert all_ended([guard, parser])
    assert list(tmp_path.glob("strongroom-parse-*")) == []


def test_the_worker_is_kept_but_every_document_has_a_process_of_its_own(tmp_path: Path) -> None:
    slow = put(tmp_path, "slow.csv", b"word;" * 600_000)
    before = descendants().keys()
    with ParserPool(IngestSettings(), size=1) as pool, ThreadPoolExecutor(1) as threads:
        pool.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf")
        kept = descendants().keys() - before
        readers = set()
        for _ in range(2):
            parsing = threads.submit(pool.parse, slow, name="slow.csv")
            while not parsing.done():
                readers |= descendants().keys() - before - kept
                time.sleep(0.05)
            parsing.result()
            assert descendants().keys() - before == kept
    assert len(kept) == 2  # the worker and its guard
    assert len(readers) == 2


NOTES = b"# Keys\n\nEvery key has a number and an owner."


def test_no_parser_loads_torch(tmp_path: Path) -> None:
    before = descendants().keys()
    with ParserPool(IngestSettings(), size=1) as pool:
        pool.parse(put(tmp_path, "a.md", NOTES), name="a.md")
        maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in descendants().keys() - before)
    assert "/spacy/" in maps
    assert "/torch/" not in maps


@pytest.mark.parametrize(
    ("name", "data", "loaded_by_a_job"),
    [("a.md", NOTES, False), ("a.zip", made.archive(("a.md", NOTES)), True), ("a.txt", NOTES, False)],
)
def test_the_office_parsers_are_loaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, *, loaded_by_a_job: bool
) -> None:
    """By the worker, for a document that is called one of theirs; by a job, for one in which such a document lies."""
    statuses: list[int] = []

    class Noting(parser_process.ParserProcess):
        def _status(self, clock: parser_process._Clock) -> int:
            statuses.append(super()._status(clock))
            return statuses[-1]

    monkeypatch.setattr(sandbox, "ParserProcess", Noting)
    with ParserPool(IngestSettings(), size=1) as pool:
        for _ in range(2):
            pool.parse(put(tmp_path, name, data), name=name)
    assert statuses == [3 if loaded_by_a_job else 0, 0]


def test_a_worker_that_sends_no_valid_result_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = b'{"title": "x", "elements": []}'
    monkeypatch.setattr(parser_process.ParserProcess, "run", lambda *_: (forged, "", 0))
    with ParserPool(IngestSettings(), size=1) as pool:
        pool.report()
        before = descendants().keys()
        with pytest.raises(DocumentUnreadable, match="invalid result"):
            pool.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf")
        assert all_ended(before - descendants().keys())
        assert before - descendants().keys()  # it was ended, too


def test_a_page_is_rendered_with_the_passage_marked(pool: ParserPool, tmp_path: Path) -> None:
    path = put(tmp_path, "a.pdf", letter())
    (element,) = pool.parse(path, name="a.pdf").elements
    with Image.open(io.BytesIO(pool.render(path, 1, 72, element.boxes))) as picture:
        assert picture.size == (600, 800)
        (box,) = element.boxes
        inside = picture.crop(
            (round(box.left * 600), round(box.top * 800), round(box.right * 600), round(box.bottom * 800))
        )
        assert inside.getpixel((0, 0)) == (255, 236, 110)
        assert min(inside.convert("L").getdata()) < 100  # the letters are still dark
        assert picture.getpixel((5, 5)) == (255, 255, 255)


def test_pages_that_do_not_exist_or_cannot_be_shown_are_refused(pool: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no page 2"):
        pool.render(put(tmp_path, "a.pdf", letter()), 2, 100)
    with pytest.raises(DocumentRejected, match="no pages that can be shown"):
        pool.render(put(tmp_path, "a.txt", b"hello"), 1, 100)


def test_an_image_is_rendered_no_larger_than_asked(pool: ParserPool, tmp_path: Path) -> None:
    path = put(tmp_path, "scan.png", made.image_file(made.picture(["hi"], size=(3000, 2000)), "PNG"))
    with Image.open(io.BytesIO(pool.render(path, 1, 72, [Box(1, 0, 0, 0.5, 0.5)]))) as picture:
        assert max(picture.size) <= 842
        assert picture.getpixel((2, 2)) == (255, 236, 110)


def test_scratch_folders_of_killed_appliances_are_removed_and_those_in_use_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone, new, other = tmp_path / "strongroom-parse-gone", tmp_path / "strongroom-parse-new", tmp_path / "other"
    elsewhere = tmp_path / "elsewhere"
    for folder in (gone / "deep", new, other, elsewhere):
        folder.mkdir(parents=True)
    (elsewhere / "file").write_text("kept")
    (gone / "link").symlink_to(elsewhere)
    (tmp_path / "strongroom-parse-link").symlink_to(elsewhere)
    with ParserPool(IngestSettings(), size=1) as pool:
        pool.report()
        (used,) = set(tmp_path.glob("strongroom-parse-*")) - {
            gone,
            new,
            tmp_path / "strongroom-parse-link",
        }
        for folder in (gone, used, other):
            os.utime(folder, (0, 0))
        with ParserPool(IngestSettings(), size=1):
            assert not gone.exists()
            assert used.exists()
        assert pool.parse(put(tmp_path, "a.pdf", letter()), name="a.pdf").elements
    assert not used.exists()
    assert new.exists()  # somebody may be about to lock it
    assert other.exists()
    assert (elsewhere / "file").read_text() == "kept"


def test_a_parser_that_broke_is_told_from_a_document_that_is_damaged(pool: ParserPool, tmp_path: Path) -> None:
    slow = put(tmp_path, "slow.csv", b"word;" * 12_000_000)
    with ParserPool(IngestSettings(timeout_s=0.5), size=1) as impatient, pytest.raises(ParserBroken):
        impatient.parse(slow, name="slow.csv")
    with ParserPool(IngestSettings(memory_bytes=400 * 1024**2), size=1) as small, pytest.raises(ParserBroken):
        small.parse(put(tmp_path, "large.txt", b"much text. " * 12_000_000), name="large.txt")
    with pytest.raises(DocumentUnreadable) as damaged:
        pool.parse(put(tmp_path, "a.pdf", letter()[:200]), name="a.pdf")
    assert type(damaged.value) is DocumentUnreadable


def test_a_file_that_cannot_be_opened_is_told_from_one_that_is_damaged(pool: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(FileUnavailable, match="cannot be opened"):
        pool.parse(tmp_path / "missing.pdf", name="missing.pdf")
