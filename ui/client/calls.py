"""How the screens call the API: over HTTP, with its wire types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from appliance.api.schemas import calling
from appliance.api.schemas.people import HOST_COOKIE
from appliance.api.schemas.shapes import Problem
from appliance.invalid import named, told

Query = Mapping[str, str | int | tuple[str, ...] | None]
"""What stands behind the question mark of an address; what is empty is left out."""

_NO_QUERY: Query = {}
_Out = TypeVar("_Out", bound=BaseModel)
_SESSION = re.compile(r"[\w.~+/=-]{1,4096}", re.ASCII)  # anything else could not be a session and might end the header
_TIMEOUT = httpx.Timeout(30.0)
_UNREADABLE = Problem(code="unreadable", message="The appliance sent something this page cannot read. Reload the page.")
CUT_OFF = Problem(code="cut_off", message="The answer was cut off before its end. Ask again.")
_NOT_FOUND = Problem(code="not_found", message="Not found, or not yours to see.")
_UNREACHABLE = Problem(code="unreachable", message="The appliance does not answer. Try again in a moment.")


class ApiProblem(Exception):
    """The API said no, or could not be understood. `message` is for people."""

    def __init__(self, problem: Problem, status: int = 0) -> None:
        super().__init__(problem.message)
        self.code = problem.code
        self.message = problem.message
        self.status = status

    @property
    def signed_out(self) -> bool:
        """Whether the reader has to sign in again."""
        return self.status == httpx.codes.UNAUTHORIZED

    @property
    def not_found(self) -> bool:
        """Whether there is no such thing, or none for this reader; trying again does not help."""
        return self.status == httpx.codes.NOT_FOUND


class Calls:
    """Calls on behalf of one signed-in reader. Each raises ApiProblem."""

    def __init__(self, base_url: str, session: str) -> None:
        """Open a door.

        Args:
            base_url: Where the API listens, without `/api`.
            session: The value of the reader's session cookie; empty when there is none.
        """
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Cookie": f"{HOST_COOKIE}={session}"} if _SESSION.fullmatch(session) else {},
            timeout=_TIMEOUT,
            transport=_connections(),
            trust_env=False,
        )

    def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        query: Query = _NO_QUERY,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> httpx.Response:
        several = {name: value if isinstance(value, tuple) else (value,) for name, value in query.items()}
        given = [(name, str(one)) for name, values in several.items() for one in values if one not in (None, "")]
        sent = None if body is None else _json(body)
        return self._answered(method, path, params=given, json=sent, timeout=timeout)

    def _answered(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """What the API answered; `sent` is as httpx takes it."""
        with _http_errors_named():
            response = self._http.request(method, path, **sent)
        if response.is_error:
            raise _problem_of(response)
        return response

    @contextmanager
    def _streamed(self, path: str, body: BaseModel, *, timeout: httpx.Timeout) -> Iterator[Iterator[bytes]]:
        """What the API answers to a body, piece by piece."""
        with (
            _http_errors_named(),
            _invalid_data_named(),
            self._http.stream("POST", path, json=_json(body), timeout=timeout) as response,
        ):
            if response.is_error:
                response.read()
                raise _problem_of(response)
            yield response.iter_bytes()

    def _get(self, kind: type[_Out], path: str, query: Query = _NO_QUERY, timeout: httpx.Timeout = _TIMEOUT) -> _Out:
        return parsed(kind, self._send("GET", path, query=query, timeout=timeout).content)

    def _get_list(self, kind: type[_Out], path: str, query: Query = _NO_QUERY) -> list[_Out]:
        return parsed_list(kind, self._send("GET", path, query=query).content)

    def _post(
        self,
        kind: type[_Out],
        path: str,
        body: BaseModel | None = None,
        query: Query = _NO_QUERY,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> _Out:
        return parsed(kind, self._send("POST", path, body, query, timeout).content)

    def _patch(self, kind: type[_Out], path: str, body: BaseModel) -> _Out:
        return parsed(kind, self._send("PATCH", path, body).content)


@cache
def _connections() -> httpx.HTTPTransport:
    """The connections of this process, shared and never closed: a dialog calls long after the run that opened it."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=2.0)  # below the server's
    return httpx.HTTPTransport(limits=limits, trust_env=False)


def segment(identifier: str) -> str:
    """An identifier as one segment of a path.

    Raises:
        ApiProblem: It cannot be one, so there is nothing of that id: a server takes a quoted slash for a slash, and
            no identifier for another address.
    """
    if not identifier or "/" in identifier:
        raise ApiProblem(_NOT_FOUND, httpx.codes.NOT_FOUND)
    return calling.segment(identifier)


def _json(body: BaseModel) -> object:
    return body.model_dump(mode="json", exclude_unset=True)


def checked(kind: type[_Out], called: Mapping[str, str] = {}, /, **values: object) -> _Out:
    """The body of a request, or a sentence that says what is wrong with it.

    `called` are the labels of the form, where they are other words than the names of the API.
    """
    try:
        return kind.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        field = called.get(name) or named(first["loc"]).replace("_", " ").capitalize() or "What was given"
        message = f"{field} {told(first['type'], first.get('ctx'))}."
        raise ApiProblem(Problem(code="invalid_request", message=message)) from None


def parsed(kind: type[_Out], data: str | bytes) -> _Out:
    """What the API sent, as the type that it is. Raises ApiProblem."""
    with _invalid_data_named():
        return kind.model_validate_json(data)


def parsed_list(kind: type[_Out], data: bytes) -> list[_Out]:
    """Likewise, of a list."""
    with _invalid_data_named():
        return TypeAdapter(list[kind]).validate_json(data)  # type: ignore[valid-type]


@contextmanager
def _invalid_data_named() -> Iterator[None]:
    try:
        yield
    except ValidationError:
        raise ApiProblem(_UNREADABLE) from None  # the original would carry the data


@contextmanager
def _http_errors_named() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError:
        raise ApiProblem(_UNREACHABLE) from None


def _problem_of(response: httpx.Response) -> ApiProblem:
    try:
        return ApiProblem(Problem.model_validate_json(response.content), response.status_code)
    except ValidationError:
        return ApiProblem(_UNREADABLE, response.status_code)
