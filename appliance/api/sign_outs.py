"""The provider's own way to sign somebody out here (OpenID Connect Back-Channel Logout 1.0), where there is a provider.

Rules this module keeps:

1. No session is needed, and none that comes along counts: the provider's signature is all that does.
2. No pause keeps the provider from being heard, whatever strangers said at its address before. They fill no record.
3. Sessions have ended before that is put on record: to take something away does not wait for the log.
4. What is answered does not tell whether there is anybody whom the provider named.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.api.opening import address_of
from appliance.auth.brake import Attempt
from appliance.auth.oidc.sign_on import SingleSignOn
from appliance.config.identity import OIDC_DIRECTORY
from appliance.errors import ApplianceError, InvalidRequest, NotSignedIn
from appliance.wiring import Appliance, put_on_record

SIGN_OUT_PATH = "/login/oidc/signed-out"
MAX_SIGN_OUT_BYTES = 16 * 1024
_FORM = "application/x-www-form-urlencoded"
_UNKEPT = {"Cache-Control": "no-store"}


def sign_out_routes(appliance: Appliance) -> list[Route]:
    """`/login/oidc/signed-out`, where single sign-on is configured."""
    sign_on = appliance.sign_on
    if sign_on is None:
        return []

    async def sign_out(request: Request) -> Response:
        try:
            logout_token = await _logout_token(request)
            await run_in_threadpool(_sign_out, appliance, sign_on, logout_token, address_of(request))
        except ApplianceError as error:
            return _not_signed_out(error)
        return Response(headers=_UNKEPT)

    return [Route(SIGN_OUT_PATH, sign_out, methods=["POST"])]


async def _logout_token(request: Request) -> str:
    """What was sent, before any of it is believed. Raises InvalidRequest."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_SIGN_OUT_BYTES:
            raise InvalidRequest(f"A sign-out may have {MAX_SIGN_OUT_BYTES:,} bytes.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        found = parse_qs(body.decode("ascii"), max_num_fields=8).get("logout_token", []) if kind == _FORM else []
    except ValueError:  # not ASCII, or too many fields
        found = []
    if len(found) != 1:
        raise InvalidRequest(f"A sign-out is one 'logout_token' in a form ({_FORM}).")
    return found[0]


def _sign_out(appliance: Appliance, sign_on: SingleSignOn, logout_token: str, address: str) -> None:
    """End what the provider says is over. Raises ApplianceError: nothing ended; or AuditUnavailable: it has."""
    try:
        ended = appliance.sessions.end_for(sign_on.signed_out(logout_token))
    except ApplianceError as error:
        _record_refusal(appliance, error, address)
        raise
    for person in ended:
        put_on_record.signed_out(appliance.log, OIDC_DIRECTORY, person)


def _record_refusal(appliance: Appliance, error: ApplianceError, address: str) -> None:
    """Put on record that nobody was signed out; a few from each address, and not many from all of them: strangers could
    fill the disk. What is refused at the same moment may be a few more."""
    brake, attempt = appliance.sessions.brake, Attempt.by_sign_out(address)
    if not brake.pause(attempt):
        brake.count(attempt)
        put_on_record.sign_out_refused(appliance.log, OIDC_DIRECTORY, f"from {address}: {error}")


def _not_signed_out(error: ApplianceError) -> Response:
    """What the provider is told. Section 2.8 asks for 400 whatever the reason is."""
    code = "invalid_request" if isinstance(error, NotSignedIn | InvalidRequest) else "temporarily_unavailable"
    return JSONResponse({"error": code, "error_description": str(error)}, 400, _UNKEPT)
