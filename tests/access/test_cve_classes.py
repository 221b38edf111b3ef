"""At least one test for each class of fault that others had to publish CVEs for: fifteen classes, a to o.

`CLASSES` says which tests those are. What had none elsewhere is tested here.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.api.app import create_api, create_openai_api
from appliance.domain import AccessFilter
from appliance.errors import ApplianceError
from appliance.headers import MAX_BODY_BYTES
from appliance.wiring import Appliance
from ingest.parse import readers
from tests.api.conftest import Desk
from tests.api.conftest import _workshop as _workshop
from tests.api.conftest import desk as desk
from tests.ingest.parse import documents
from ui.streamlit_settings import LOCKED_DOWN

ROOT = Path(__file__).parents[2]
HERE = "tests/access/test_cve_classes.py"

CLASSES = {
    "a. A digest or a file name is used as a path": (
        "tests/ingest/test_containment.py::test_no_spelling_of_a_folder_leads_out",
        "tests/ingest/test_containment.py::test_a_link_that_is_swapped_in_leads_nowhere",
        "tests/api/test_uploads.py::test_of_a_name_with_a_path_the_last_part_is_kept",
        "tests/api/test_foreign_ids.py::test_an_id_that_is_none_is_refused_without_being_repeated",
    ),
    "b. Archives and attachments slip out, links": (
        "tests/ingest/parse/test_archives.py::test_a_path_from_a_container_leads_nowhere",
        "tests/ingest/parse/test_archives.py::test_links_and_devices_in_a_tar_are_refused_one_by_one",
        "tests/ingest/parse/test_sandbox.py::test_links_folders_and_pipes_are_not_opened",
    ),
    "c. Unsafe deserialisation": (
        f"{HERE}::test_nothing_of_ours_reads_a_format_that_runs_code",
        f"{HERE}::test_a_pdf_that_names_a_file_as_its_character_map_gets_nothing_of_it",
    ),
    "d. External entities and include directives": (
        f"{HERE}::test_a_document_that_includes_a_file_gets_nothing_of_it",
        "tests/ingest/parse/test_plain.py::test_entities_a_book_defines_are_not_read",
    ),
    "e. Fetching what a request or a document names": (
        f"{HERE}::test_no_request_names_an_address_to_fetch",
        "tests/ingest/parse/test_confine.py::test_a_parser_that_was_taken_over_cannot",
        "tests/offline/test_trap.py::test_a_planted_leak_is_caught_although_it_is_blocked",
    ),
    "f. Object-level authorisation": (
        "tests/api/test_foreign_ids.py::test_a_foreign_thing_and_an_unknown_one_get_the_same_answer_to_the_byte",
        "tests/access/test_non_interference.py::test_a_reader_observes_nothing_of_what_they_may_not_see",
    ),
    "g. Stale grants and caches": (
        "tests/access/test_revocation.py::test_what_was_closed_is_out_of_every_door_at_the_very_next_request",
        "tests/access/test_revocation.py::test_an_answer_that_is_being_written_ends_when_what_it_draws_on_is_closed",
    ),
    "h. One token for another; work before the check": (
        "tests/api/test_session_attacks.py::test_no_token_is_good_for_another_purpose",
        "tests/api/test_roles.py::test_a_refused_request_is_refused_before_its_body_is_looked_at",
    ),
    "i. Text of models and documents that becomes markup": (
        "tests/ui/test_inert.py::test_a_hostile_text_stays_letters_wherever_streaming_cuts_it",
        "tests/journeys/test_hostile_texts.py::test_a_hostile_answer_stays_letters_while_it_streams_and_in_the_history",
    ),
    "j. Template injection": (
        f"{HERE}::test_no_text_is_ever_a_template_of_ours",
        "tests/appliance/inference/test_llamacpp_process.py::test_a_file_that_breaks_native_code_harms_nobody_else",
    ),
    "k. SQL and filter injection": (
        f"{HERE}::test_no_statement_is_put_together_from_text",
        f"{HERE}::test_a_search_in_the_library_takes_every_sign_literally",
        "tests/contracts/test_vector_index.py::test_a_group_name_is_taken_literally",
    ),
    "l. Exhausting a resource": (
        f"{HERE}::test_requests_made_to_be_costly_are_refused_or_cheap",
        "tests/appliance/test_headers.py::test_a_body_is_bounded",
        "tests/ingest/parse/test_archives.py::test_archives_made_to_burst_are_refused",
        "tests/ingest/parse/test_plain.py::test_json_that_is_nested_too_deep_is_refused",
    ),
    "m. Memory of the model loader": (
        "tests/appliance/inference/test_gguf_header.py::test_any_damage_to_the_header_is_read_or_refused",
        "tests/appliance/inference/test_llamacpp.py::test_a_damaged_file_is_refused_and_the_process_lives",
        "tests/appliance/inference/test_llamacpp_process.py::test_a_file_that_breaks_native_code_harms_nobody_else",
    ),
    "n. Shared temporary files, error texts, updates": (
        f"{HERE}::test_the_screens_tell_no_traceback_and_nothing_updates_itself",
        "tests/appliance/test_scratch.py::test_a_folder_is_its_accounts_alone_until_it_is_removed",
        "tests/api/test_faults.py::test_an_unexpected_error_gives_a_sentence_and_logs_no_content",
    ),
    "o. Getting past a scanner of models": (
        f"{HERE}::test_weights_in_a_format_that_runs_code_are_not_read",
        "tests/appliance/inference/test_sentence_transformers.py::test_code_in_a_model_folder_is_never_run",
    ),
}


def test_there_are_fifteen_classes_and_each_has_a_test_that_is_there() -> None:
    assert [name[0] for name in CLASSES] == list("abcdefghijklmno")
    for tests in CLASSES.values():
        for named in tests:
            file, _, function = named.partition("::")
            assert f"def {function}(" in (ROOT / file).read_text("utf-8"), named


# c, j, k, o: what our code is made of


@functools.cache
def _trees() -> list[tuple[Path, ast.AST]]:
    packages = (ROOT / package for package in ("appliance", "ingest", "ui"))
    return [(path, ast.parse(path.read_text("utf-8"))) for package in packages for path in package.rglob("*.py")]


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def _called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            yield name, node


def test_nothing_of_ours_reads_a_format_that_runs_code() -> None:
    for path, tree in _trees():
        runs_code = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "joblib", "jsonpickle"}
        assert runs_code.isdisjoint(_imported(tree)), path
        for name, call in _called(tree):
            plain = isinstance(call.func, ast.Name)
            assert not (plain and name in {"eval", "exec"}), path
            allows = [word.value for word in call.keywords if word.arg in ("allow_pickle", "trust_remote_code")]
            assert not any(isinstance(value, ast.Constant) and value.value for value in allows), path


def test_no_text_is_ever_a_template_of_ours() -> None:
    for path, tree in _trees():
        assert {"jinja2", "mako", "chevron"}.isdisjoint(_imported(tree)), path


def test_no_statement_is_put_together_from_text() -> None:
    for path, tree in _trees():
        if "migrations" in path.parts or path.name == "embedding_cache.py":
            continue  # made of names of their own: no text of anybody else is near
        for name, call in _called(tree):
            if name in {"text", "exec_driver_sql", "execute", "executescript", "scalar", "scalars"} and call.args:
                first = call.args[0]
                joined = isinstance(first, ast.JoinedStr) and any(
                    isinstance(part, ast.FormattedValue) for part in first.values
                )
                assert not (joined and _is_sql(first)), f"{path}:{call.lineno}"


def _is_sql(text: ast.expr) -> bool:
    whole = "".join(part.value for part in getattr(text, "values", []) if isinstance(part, ast.Constant))
    return bool(re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER)\b", whole, re.IGNORECASE))


def test_weights_in_a_format_that_runs_code_are_not_read(tmp_path: Path) -> None:
    from appliance.inference.model_folder import weights_of

    for name in ("pytorch_model.bin", "model.pt", "model.pkl", "model.ckpt", "model.onnx", "model.h5"):
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(ApplianceError, match=r"no \.safetensors file"):
        weights_of(tmp_path)


# d: what a document may not bring in

CANARY = "CANARY-7f3d9a51"
_LIMITS = readers.Limits(max_pages=10, ocr_languages=("eng",), ocr_page_timeout_s=5)
_ENTITY = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM "file://{path}">]>\n'
INCLUDING = {
    "entity.xml": _ENTITY + "<a>Text before. &x; Text after.</a>",
    "parameter.xml": '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY % x SYSTEM "file://{path}"> %x;]>\n<a>Text of ours.</a>',
    "include.xml": '<a xmlns:xi="http://www.w3.org/2001/XInclude">Text. <xi:include href="file://{path}" parse="text"/></a>',
    "style.xml": '<?xml version="1.0"?>\n<?xml-stylesheet href="file://{path}"?>\n<a>Text of ours, and no more.</a>',
    "include.rst": "Title\n=====\n\nText of ours.\n\n.. include:: {path}\n\n.. literalinclude:: {path}\n\n.. raw:: html\n   :file: {path}\n",
    "table.rst": "Title\n=====\n\nText of ours.\n\n.. csv-table:: T\n   :file: {path}\n",
    "include.org": "* Title\n\nText of ours.\n\n#+INCLUDE: \"{path}\"\n#+SETUPFILE: {path}\n",
    "include.md": "# Title\n\nText of ours.\n\n!INCLUDE {path}\n\n--8<-- \"{path}\"\n\n![x](file://{path})\n",
    "frame.html": '<html><body><p>Text of ours.</p><iframe src="file://{path}"></iframe><object data="{path}"></object>'
    '<link rel="import" href="{path}"><!--#include virtual="{path}" --></body></html>',
}  # fmt: skip


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary.txt"
    path.write_text(f"{CANARY}\n")
    return path


@pytest.mark.parametrize("name", INCLUDING)
def test_a_document_that_includes_a_file_gets_nothing_of_it(name: str, canary: Path) -> None:
    assert CANARY not in _read(INCLUDING[name].replace("{path}", str(canary)).encode(), name)


def test_an_office_file_that_names_an_entity_gets_nothing_of_it(canary: Path) -> None:
    declared = f'<!DOCTYPE w [<!ENTITY x SYSTEM "file://{canary}">]>'.encode()
    part = documents.part_of(documents.word(), "word/document.xml")
    head, _, rest = part.partition(b"?>")
    planted = head + b"?>" + declared + rest.replace(b"Records are kept", b"&x; Records are kept")
    assert CANARY not in _read(documents.with_part(documents.word(), "word/document.xml", planted), "entity.docx")


def _read(data: bytes, name: str) -> str:
    """Everything the reader makes of a document, or why it makes nothing of it. Without the walls of the sandbox."""
    try:
        return repr(readers.read(data, name, _LIMITS, lambda *_: None))
    except ApplianceError as error:
        return str(error)


def test_a_pdf_that_names_a_file_as_its_character_map_gets_nothing_of_it(canary: Path) -> None:
    text = "BT /F1 12 Tf 72 720 Td (A sentence of ours.) Tj ET"
    encoding = "/" + str(canary.with_suffix("")).replace("/", "#2F")
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
        f"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding {encoding} /DescendantFonts [6 0 R] >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo "
        f"<< /Registry ({canary}) /Ordering ({canary.stem}) /Supplement 0 >> >>",
    ]
    body = "%PDF-1.7\n" + "".join(f"{number} 0 obj\n{item}\nendobj\n" for number, item in enumerate(objects, 1))
    whole = f"{body}trailer << /Root 1 0 R /Size {len(objects) + 1} >>\n%%EOF\n".encode()
    found = _read(whole, "map.pdf")
    assert CANARY not in found
    assert list(canary.parent.iterdir()) == [canary]


# e: what a request may not name


def test_no_request_names_an_address_to_fetch(desk: Desk) -> None:
    found = {name.lower() for name in _names(desk.appliance)}
    assert {"question", "text", "group"} <= found  # so that the walk finds what there is
    fetching = re.compile(r"(^|_)(url|uri|href|link|endpoint|host|webhook|callback|fetch|remote|proxy)($|_)")
    assert not sorted(name for name in found if fetching.search(name))


def _names(appliance: Appliance) -> Iterator[str]:
    """Every name that a request may carry: of parameters and of fields of bodies."""
    for app in (create_api(appliance), create_openai_api(appliance)):
        schema = app.openapi()
        for operations in schema["paths"].values():
            for operation in operations.values():
                yield from (parameter["name"] for parameter in operation.get("parameters", ()))
                yield from _fields(operation.get("requestBody", {}), schema)


def _fields(node: Any, schema: dict[str, Any], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _fields(item, schema, seen)
    elif isinstance(node, dict):
        reference = node.get("$ref")
        if reference and reference not in seen:
            target = schema["components"]["schemas"][reference.rsplit("/", 1)[1]]
            yield from _fields(target, schema, seen | {reference})
        yield from node.get("properties", {})
        for value in node.values():
            yield from _fields(value, schema, seen)


# k: what is typed is not a pattern


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "_",
        "%%",
        "' OR '1'='1",
        "\\",
        "\\%",
        '"; DROP TABLE documents; --',
        "*",
        "a' UNION SELECT",
        "\x00",
        "plain\x00zzz",
    ],
)
def test_a_search_in_the_library_takes_every_sign_literally(desk: Desk, text: str) -> None:
    if not desk.appliance.catalog.sources():
        desk.sync(desk.add(desk.folder(plain__md="# Plain\n\nA text without any odd sign.\n")))
    reader = desk.client("employee")
    assert reader.get("/api/documents").json()["total"] == 1
    found = reader.get("/api/documents", params={"text": text})
    assert found.status_code == 200
    assert found.json()["total"] == 0
    assert (
        desk.appliance.catalog.library(
            AccessFilter(frozenset({text})), text="", source_id=None, limit=5, offset=0
        ).total
        == 0
    )


# l: what is made to cost


def _deep(levels: int) -> bytes:
    return b'{"question": ' + b"[" * levels + b"]" * levels + b"}"


COSTLY: dict[str, tuple[str, dict[str, Any]]] = {
    "many ranges": ("GET", {"url": "/login.css", "headers": {"range": "bytes=" + ",".join(["0-"] * 20_000)}}),
    "a deep body": ("POST", {"url": "/api/ask", "content": _deep(100_000), "headers": {"content-type": "application/json"}}),
    "a huge number": ("POST", {"url": "/api/ask", "content": b'{"question": 1' + b"0" * 100_000 + b"}", "headers": {"content-type": "application/json"}}),
    "many fields of a form": ("POST", {"url": "/login", "content": b"&".join([b"a=b"] * 100_000), "headers": {"content-type": "application/x-www-form-urlencoded"}}),
    "many parts of a form": ("POST", {"url": "/login", "files": [("f", (f"{n}.txt", b"x")) for n in range(2_000)]}),
    "a content type without an end": ("POST", {"url": "/login", "content": b"a=b", "headers": {"content-type": "multipart/form-data; boundary=" + ";" * 20_000}}),
    "a body over the limit": ("POST", {"url": "/api/ask", "content": b"x" * (MAX_BODY_BYTES + 1)}),
    "many parameters": ("GET", {"url": "/api/documents?" + "&".join(["text=a"] * 5_000)}),
    "a large page": ("GET", {"url": "/api/documents?limit=1000000000"}),
    "a far page": ("GET", {"url": f"/api/documents?offset={10**30}"}),
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", COSTLY)
def test_requests_made_to_be_costly_are_refused_or_cheap(desk: Desk, name: str) -> None:
    method, given = COSTLY[name]
    client: TestClient = desk.client("employee")
    answer = client.request(method, **given)
    assert answer.status_code < 500, (name, answer.status_code)
    assert len(answer.content) < 100_000


# n: what the screens may not tell


def test_the_screens_tell_no_traceback_and_nothing_updates_itself() -> None:
    assert LOCKED_DOWN["client.showErrorDetails"] == "none"
    assert LOCKED_DOWN["server.fileWatcherType"] == "none"
    for path, tree in _trees():
        assert {"pip", "ensurepip"}.isdisjoint(_imported(tree)), path
