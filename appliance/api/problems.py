"""Maps every error to one answer: a status, a stable code, and a sentence that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from appliance.api.schemas.shapes import Problem
from appliance.errors import ApplianceError, InvalidRequest, NotFound, TooManyAttempts, place_of
from appliance.invalid import named, told

_log = logging.getLogger(__name__)
_UNEXPECTED = "Something went wrong inside the appliance. Try again; if it happens again, tell the administrator."


def problem_of(error: ApplianceError) -> Problem:
    """The wire form of one of our errors."""
    return Problem(code=error.code, message=str(error))


def unexpected_problem(error: Exception) -> Problem:
    """What a reader is told of an error nobody foresaw; logs its type and place, and not its message."""
    _log.error("Unexpected %s at %s", type(error).__name__, place_of(error))
    return Problem(code=ApplianceError.code, message=_UNEXPECTED)


def map_errors(app: FastAPI) -> None:
    """Give `app` the handlers for every error there is."""
    app.add_exception_handler(ApplianceError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApplianceError):
        raise error
    headers = {"Retry-After": str(max(1, round(error.wait_s)))} if isinstance(error, TooManyAttempts) else None
    return JSONResponse(problem_of(error).model_dump(), error.status, headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Says which field is wrong and why, and never repeats what was sent."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [f"'{_named(item['loc'])}' {told(item['type'], item.get('ctx'))}" for item in details]
    return _problem(InvalidRequest.code, f"The request is not valid: {'; '.join(fields)}.", 422)


def _named(location: Sequence[int | str]) -> str:
    """The name of a field, without where in the request it stood."""
    return named(location[1:]) or "the body"


async def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if isinstance(error.__cause__, UnicodeDecodeError):
        return _problem(InvalidRequest.code, "The body of the request is not valid UTF-8.", 422)
    if isinstance(error.__cause__, RecursionError):
        return _problem(InvalidRequest.code, "The body of the request is nested too deeply.", 422)
    code, message = {
        404: (NotFound.code, "There is no such address in the API."),
        405: ("method_not_allowed", "This address does not take that method."),
    }.get(status, ("http", "The request cannot be answered."))
    return _problem(code, message, status)


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    problem = unexpected_problem(error)
    return _problem(problem.code, problem.message, 500)


def _problem(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse(Problem(code=code, message=message).model_dump(), status)
