"""The outermost layer, around a real application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from appliance.headers import CONTENT_SECURITY_POLICY, MAX_BODY_BYTES, SECURITY_HEADERS, OuterLayer, UploadDoor

COOKIE = {"cookie": "strongroom_session=x"}
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


async def _echo(request: Request) -> Response:
    try:
        body = await request.body()
    except ClientDisconnect:
        return PlainTextResponse("cut off", 400)
    return PlainTextResponse(f"{len(body)} bytes", headers={"X-Frame-Options": "ALLOWALL", "X-Own": "kept"})


async def _refuse(request: Request) -> Response:
    return PlainTextResponse("no", 418)


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


APP = Starlette(
    routes=[
        WebSocketRoute("/_stcore/stream", _socket),
        Route("/refused", _refuse),
        Mount("/only-read", routes=[Route("/", _echo)]),
        Route("/{path:path}", _echo, methods=METHODS),
    ],
    middleware=[
        Middleware(OuterLayer, allowed_hosts=("localhost", "Room.example.org", "::1")),
        Middleware(UploadDoor, may_upload=lambda _: False),
    ],
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(APP, base_url="http://localhost:8600", follow_redirects=False) as client:
        yield client


# hosts


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8600", "LOCALHOST:1", "room.example.org", "ROOM.EXAMPLE.ORG:443", "[::1]:8600"]
)
def test_our_own_names_are_let_in_on_any_port(client: TestClient, host: str) -> None:
    assert client.get("/page", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "localhost.",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/evil",
        "localhost, evil.example",
        "127.0.0.1",
        "[",
        "[::1",
        "[localhost]",
        "::1]",
        "l\xf6calhost",
        "\xbd",
        ":8600",
    ],
)
def test_any_other_name_is_refused_with_a_sentence(client: TestClient, host: str) -> None:
    response = client.get("/page", headers=[(b"host", host.encode("latin-1"))])
    assert (response.status_code, response.json()["code"]) == (421, "wrong_host")
    assert "server.allowed_hosts" in response.json()["message"]


def test_a_request_without_a_host_is_refused() -> None:
    status, _ = asyncio.run(_raw("GET", "/page", []))
    assert status == 421


# origins


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost",
        "http://localhost:8601",
        "http://localhost:8600.evil.example",
        "http://evil.example/localhost:8600",
        "null",
        "",
        "localhost:8600",
        "http://[",
        "http://user@localhost:8600",
        "//",
    ],
)
def test_a_page_of_another_origin_may_change_nothing(client: TestClient, method: str, origin: str) -> None:
    response = client.request(method, "/page", headers={"origin": origin})
    if method in ("GET", "HEAD", "OPTIONS"):
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json()["code"]) == (403, "wrong_origin")


@pytest.mark.parametrize("origin", ["http://localhost:8600", "https://LOCALHOST:8600", None])
def test_our_own_pages_and_programs_may(client: TestClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert client.post("/page", headers=headers, content=b"ab").text == "2 bytes"


def test_our_own_page_behind_a_proxy_with_the_usual_port_may(client: TestClient) -> None:
    headers = {"host": "room.example.org", "origin": "https://room.example.org"}
    assert client.post("/page", headers=headers).status_code == 200


def test_a_name_of_ours_is_not_an_origin_of_ours_when_the_page_came_from_another(client: TestClient) -> None:
    headers = {"host": "localhost:8600", "origin": "https://room.example.org"}
    assert client.post("/page", headers=headers).status_code == 403


# web sockets


@pytest.mark.parametrize("origin", ["http://localhost:8600", None])
def test_our_own_page_may_open_a_web_socket(client: TestClient, origin: str | None) -> None:
    headers = {"host": "localhost:8600"} | ({} if origin is None else {"origin": origin})
    with client.websocket_connect("/_stcore/stream", headers=headers) as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8600", "origin": "http://evil.example"},
        {"host": "localhost:8600", "origin": "null"},
        {"host": "localhost:8600", "origin": "http://["},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"host": "[", "origin": "http://localhost:8600"},
    ],
)
def test_no_other_page_may_open_a_web_socket(client: TestClient, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect("/_stcore/stream", headers=headers) as socket,
    ):
        socket.receive_text()
    assert caught.value.code == 1008


# headers and doors


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/page", {}, 200),
        ("GET", "/", {}, 303),
        ("GET", "/refused", {}, 418),
        ("DELETE", "/only-read/", {}, 405),
        ("GET", "/page", {"host": "evil.example"}, 421),
        ("POST", "/page", {"origin": "null"}, 403),
        ("GET", "/_stcore/metrics", {}, 404),
        ("POST", "/page", {"content-length": "9" * 12}, 413),
    ],
)
def test_every_response_carries_every_header_once_whatever_the_page_says(
    client: TestClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.request(method, path, headers=headers)
    assert response.status_code == status
    for name, value in SECURITY_HEADERS.items():
        assert response.headers.get_list(name) == [value]


def test_other_headers_of_a_page_are_left_alone(client: TestClient) -> None:
    assert client.get("/page").headers["X-Own"] == "kept"


def test_the_policy_lets_a_page_load_nothing_from_elsewhere_and_be_framed_by_nobody() -> None:
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == "'self'"
    allowed = {source for part in policy.values() for source in part.split()}
    assert allowed == {"'none'", "'self'", "'unsafe-inline'", "data:", "blob:"}
    assert "'unsafe-inline'" in policy["style-src"]


@pytest.fixture(scope="module")
def uploads() -> Iterator[TestClient]:
    routes = [Route("/{path:path}", _echo, methods=METHODS)]
    layers = [
        Middleware(OuterLayer, allowed_hosts=("localhost",), max_upload_bytes=3 * MAX_BODY_BYTES),
        Middleware(UploadDoor, may_upload=lambda session: session == "admin"),
    ]
    with TestClient(Starlette(routes=routes, middleware=layers), base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("cookie", ["", "strongroom_session=", "strongroom_session=employee", "other=admin"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "GET"])
def test_the_door_of_uploads_is_closed_to_all_who_may_not_upload(uploads: TestClient, cookie: str, method: str) -> None:
    assert uploads.request(method, "/_stcore/upload_file/a/b", headers={"cookie": cookie}).status_code == 404


def test_who_may_upload_sends_a_document_and_not_more(uploads: TestClient) -> None:
    admin = {"cookie": "strongroom_session=admin"}
    for path in ("/_stcore/upload_file/a/b", "/api/sources/s/uploads"):
        assert uploads.put(path, content=b"x" * 3 * MAX_BODY_BYTES, headers=admin).status_code == 200
        assert uploads.put(path, content=b"x" * (4 * MAX_BODY_BYTES), headers=admin).status_code == 413


@pytest.mark.parametrize("path", ["/api/sources", "/api/sources/s/sync", "/api/sources/s/uploads/x", "/page"])
def test_nothing_else_takes_a_body_as_large_as_a_document(uploads: TestClient, path: str) -> None:
    admin = {"cookie": "strongroom_session=admin"}
    assert uploads.post(path, content=b"x" * (MAX_BODY_BYTES + 1), headers=admin).status_code == 413


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/x", "/_stcore/upload_file/a/b"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_doors_of_the_screens_that_nobody_needs_are_closed(client: TestClient, method: str, path: str) -> None:
    for form in (path, path.replace("m", "%6d").replace("u", "%75")):
        assert client.request(method, form, headers=COOKIE).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_sign_in_from_the_first_page_only(client: TestClient) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert client.get("/", headers=COOKIE).status_code == 200
    assert client.get("/login").status_code == 200


# bodies


@pytest.mark.parametrize(("size", "status"), [(0, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_is_bounded(client: TestClient, size: int, status: int) -> None:
    response = client.post("/page", content=b"x" * size)
    assert response.status_code == status
    if status == 200:
        assert response.text == f"{size} bytes"
    else:
        assert "1,048,576 bytes" in response.json()["message"]


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "", "\xb2", "9" * 5000, "0x10", " "])
def test_a_length_that_is_no_length_is_refused(length: str) -> None:
    headers = [(b"host", b"localhost"), (b"content-length", length.encode("latin-1"))]
    assert asyncio.run(_raw("POST", "/page", headers))[0] == 413


def test_a_body_that_is_longer_than_it_says_is_cut_off() -> None:
    headers = [(b"host", b"localhost"), (b"content-length", b"10")]
    pieces = [b"x" * 65536] * (MAX_BODY_BYTES // 65536 + 1)
    assert asyncio.run(_raw("POST", "/page", headers, pieces)) == (400, b"cut off")
    assert asyncio.run(_raw("POST", "/page", headers, pieces[:-1])) == (200, b"1048576 bytes")


async def _raw(
    method: str, path: str, headers: list[tuple[bytes, bytes]], body: list[bytes] | None = None
) -> tuple[int, bytes]:
    """Status and body for a request that no client would send."""
    pieces = list(body or [b""])
    sent: list[Message] = []

    async def receive() -> Message:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": headers,
    }
    await APP(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_startup_and_shutdown_pass_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        seen.append(message["type"])

    asyncio.run(OuterLayer(app, allowed_hosts=())({"type": "lifespan"}, receive, send))
    assert seen == ["lifespan"]
