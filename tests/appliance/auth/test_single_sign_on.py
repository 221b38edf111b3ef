"""Single sign-on, and sign-outs, against a provider that does wrong: a clear message each, and never anybody's identity."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import RSAKey

from appliance.auth.identity import Identity, SignOut
from appliance.auth.oidc.logout_token import EVENT, MAX_AGE_S
from appliance.auth.oidc.sign_on import _AT_ONCE, ATTEMPT_S, Begun, NotBegunHere, Returned, SingleSignOn
from appliance.config.identity import OidcSettings, SignatureAlgorithm
from appliance.domain import Role
from appliance.errors import AccessDenied, ApplianceError, ConfigurationError, DirectoryUnavailable, NotSignedIn
from tests.identity_provider.misbehaving import (
    CLIENT,
    DISCOVERY,
    Misbehaving,
    Reply,
    misbehaving_provider,
    reply,
    signed_by_nobody,
    signed_with_the_public_key,
)

pytestmark = pytest.mark.integration

Change = Callable[[Misbehaving], Any]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Iterator[Misbehaving]:
    with misbehaving_provider() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(provider: Misbehaving, clock: Clock) -> Iterator[Callable[..., SingleSignOn]]:
    """Makes the appliance's side, with settings of the test's own; it is patient, however busy the machine is."""
    made: list[SingleSignOn] = []

    def make(**changes: Any) -> SingleSignOn:
        terms = {"issuer": provider.issuer, "client_id": CLIENT, "public_url": "http://127.0.0.1:8600", "timeout_s": 60}
        made.append(SingleSignOn(OidcSettings.model_validate({**terms, **changes}), clock))
        return made[-1]

    yield make
    for sign_on in made:
        sign_on.close()


def sent(begun: Begun) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(begun.address).query).items()}


def come_back(sign_on: SingleSignOn, provider: Misbehaving, begun: Begun | None = None) -> Identity:
    begun = begun or sign_on.begin()
    provider.nonce = sent(begun)["nonce"]
    return sign_on.finish(begun.cookie, Returned(state=sent(begun)["state"], code="code"))


def test_a_good_answer_says_who_somebody_is(door: Any, provider: Misbehaving) -> None:
    found = come_back(door(), provider)
    assert found == Identity(
        "oidc", f"0815 at {provider.issuer}", "anna", "Anna Berg", frozenset({"staff"}), frozenset({Role.EMPLOYEE})
    )


def test_the_code_is_exchanged_with_the_secret_behind_the_challenge(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    begun = sign_on.begin()
    come_back(sign_on, provider, begun)
    asked, exchanged = sent(begun), provider.forms[-1]
    assert asked["code_challenge_method"] == "S256"
    assert create_s256_code_challenge(exchanged["code_verifier"][0]) == asked["code_challenge"]
    assert exchanged["code_verifier"][0] not in begun.address
    assert exchanged["redirect_uri"] == [asked["redirect_uri"]] == ["http://127.0.0.1:8600/login/oidc/return"]
    assert len({asked["state"], asked["nonce"], exchanged["code_verifier"][0]}) == 3


def published(*keys: Any) -> Change:
    return lambda provider: provider.published.extend(keys)


def changed(**values: Any) -> Change:
    return lambda provider: provider.claims.update(values)


def missing(*names: str) -> Change:
    return lambda provider: provider.without.update(names)


def headed(**values: Any) -> Change:
    return lambda provider: provider.header.update(values)


def signed(by: Any) -> Change:
    return lambda provider: setattr(provider, "sign", by)


_OTHER_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, auto_kid=False)
with warnings.catch_warnings(action="ignore"):  # joserfc warns of it, and we refuse it
    _WEAK_KEY = RSAKey.generate_key(1024, {"kid": "first", "use": "sig"}, auto_kid=False)

WRONG_TOKENS: dict[str, tuple[Change, str]] = {
    "of another issuer": (changed(iss="http://127.0.0.1:1"), "'iss' is wrong"),
    "for another client": (changed(aud="another"), "'aud' is wrong"),
    "for many clients, without saying which": (changed(aud=[CLIENT, "another"]), "'azp' is wrong"),
    "for many clients, and another presents it": (changed(aud=[CLIENT, "another"], azp="another"), "'azp' is wrong"),
    "of another sign-in": (changed(nonce="another"), "belongs to another sign-in"),
    "of no sign-in": (missing("nonce"), "belongs to another sign-in|'nonce'"),
    "expired": (changed(exp=int(time.time()) - 3600), "clocks of both machines"),
    "that never expires": (missing("exp"), "clocks of both machines|incomplete"),
    "with NaN as its expiry": (changed(exp=float("nan")), "clocks of both machines"),
    "from the future": (changed(iat=int(time.time()) + 3600), "clocks of both machines"),
    "not valid yet": (changed(nbf=int(time.time()) + 3600), "clocks of both machines"),
    "without a subject": (missing("sub"), "'sub' is"),
    "with an empty subject": (changed(sub="  "), "'sub' is"),
    "with a number as subject": (changed(sub=815), "'sub' is"),
    "without a name": (missing("preferred_username"), "oidc.name_claim"),
    "with a list as name": (changed(preferred_username=["anna"]), "oidc.name_claim"),
    "signed by nobody": (signed(signed_by_nobody), "oidc.algorithms"),
    "signed with the public key": (signed(signed_with_the_public_key), "oidc.algorithms"),
    "signed with a key of an unknown name": (headed(kid="unknown"), "does not publish"),
    "signed by somebody else": (lambda provider: setattr(provider, "key", _OTHER_KEY) or published(
        RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, auto_kid=False).as_dict(private=False))(provider), "not a token that it signed"),
    "signed with a weak key": (lambda provider: setattr(provider, "key", _WEAK_KEY), "does not publish"),
    "that brings its own key": (lambda provider: (
        headed(jwk=_OTHER_KEY.as_dict(private=False))(provider), published(provider.key.as_dict(private=False))(provider),
        setattr(provider, "key", _OTHER_KEY)), "not a token that it signed"),
    "that names where its key is": (headed(jku="http://127.0.0.1:1/keys", kid="unknown"), "does not publish"),
    "without a key's name among several keys": (lambda provider: (
        headed(kid=None)(provider), published(provider.key.as_dict(private=False), _OTHER_KEY.as_dict(private=False) | {"kid": "b"})(provider)), "does not publish"),
    "with a critical extension": (headed(crit=["unheard-of"], **{"unheard-of": True}), "not a token that it signed"),
    "that is an access token": (headed(typ="at+jwt"), "not a token that it signed"),
    "that is a sign-out": (headed(typ="logout+jwt"), "not a token that it signed"),
    "bound to another access token": (changed(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "'at_hash' is wrong"),
    "that is no token": (signed(lambda *_: "not.a.token"), "not a token that it signed"),
    "that is nested beyond reason": (signed(lambda header, _: Misbehaving("").signed(header, b"[" * 100_000)), "not a token that it signed"),
    "with groups of a wrong kind": (changed(groups={"admin": True}), "groups that cannot be read"),
    "with a group of a wrong kind": (changed(groups=["staff", 1]), "groups that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_TOKENS)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_nobody_is_signed_in_by_a_token(what: str, door: Any, provider: Misbehaving) -> None:
    change, message = WRONG_TOKENS[what]
    change(provider)
    with pytest.raises(NotSignedIn, match=message) as refused:
        come_back(door(), provider)
    for secret in ("0815", "anna", "Berg", "opaque"):
        assert secret not in str(refused.value)


def test_a_shared_secret_among_the_keys_is_no_key(door: Any, provider: Misbehaving) -> None:
    provider.published.append({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "first"})
    with pytest.raises(NotSignedIn, match="does not publish"):
        come_back(door(), provider)


def test_an_algorithm_that_is_not_configured_is_refused(door: Any, provider: Misbehaving) -> None:
    with pytest.raises(NotSignedIn, match=r"oidc\.algorithms"):
        come_back(door(algorithms=[SignatureAlgorithm.ES256]), provider)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "dir"])
def test_an_algorithm_with_a_shared_secret_cannot_be_configured(algorithm: str) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        OidcSettings.model_validate({"algorithms": [algorithm]})


def test_clocks_may_differ_by_what_is_set_and_no_more(door: Any, provider: Misbehaving) -> None:
    provider.claims["exp"] = int(time.time()) - 30
    assert come_back(door(clock_skew_s=60), provider).name == "anna"
    with pytest.raises(NotSignedIn, match="clocks"):
        come_back(door(clock_skew_s=10), provider)


def test_new_keys_are_fetched_when_a_token_names_one(door: Any, provider: Misbehaving, clock: Clock) -> None:
    sign_on = door()
    come_back(sign_on, provider)
    come_back(sign_on, provider)
    assert provider.asked.count("/keys") == 1
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"}, auto_kid=False)
    provider.header["kid"] = "second"
    with pytest.raises(NotSignedIn, match="exchanged its keys"):
        come_back(sign_on, provider)  # asked a moment ago: strangers must not make it ask all the time
    clock.now += 60
    assert come_back(sign_on, provider).name == "anna"
    provider.header["kid"] = "first"  # the old key is no key any more
    with pytest.raises(NotSignedIn):
        come_back(sign_on, provider)


def test_an_answer_is_good_for_the_browser_that_began_alone(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    mine, theirs = sign_on.begin(), sign_on.begin()
    for cookie in ("", "x", ".", "1000.x.y", theirs.cookie, mine.cookie[:-1], mine.cookie + "x", "\udcff.ü.é"):
        with pytest.raises(NotBegunHere):
            sign_on.finish(cookie, Returned(state=sent(mine)["state"], code="code"))
    for state in ("", "ü", sent(mine)["nonce"]):
        with pytest.raises(NotBegunHere):
            sign_on.finish(mine.cookie, Returned(state=state, code="code"))
    with pytest.raises(NotBegunHere):  # made by another process
        door().finish(mine.cookie, Returned(state=sent(mine)["state"], code="code"))
    assert "/token" not in provider.asked


def test_an_answer_is_good_once_even_where_the_provider_takes_a_code_twice(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    begun = sign_on.begin()
    come_back(sign_on, provider, begun)
    with pytest.raises(NotSignedIn, match="used already"):
        come_back(sign_on, provider, begun)


def test_a_sign_in_that_takes_too_long_has_to_begin_anew(door: Any, provider: Misbehaving, clock: Clock) -> None:
    sign_on = door()
    begun = sign_on.begin()
    clock.now += ATTEMPT_S + 1
    with pytest.raises(NotBegunHere, match="too long ago"):
        come_back(sign_on, provider, begun)


def test_an_answer_that_names_another_issuer_is_refused(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    begun = sign_on.begin()
    returned = Returned(state=sent(begun)["state"], code="code", issuer="http://127.0.0.1:1")
    with pytest.raises(NotSignedIn, match="is not from"):
        sign_on.finish(begun.cookie, returned)
    assert "/token" not in provider.asked


def test_an_answer_without_an_issuer_is_refused_where_the_provider_always_names_it(
    door: Any, provider: Misbehaving
) -> None:
    provider.discovery["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(NotSignedIn, match="is not from"):
        come_back(door(), provider)


@pytest.mark.parametrize("returned", [{"error": "access_denied"}, {"code": ""}, {"code": "c", "error": "<b>x</b>"}])
def test_an_answer_that_signs_nobody_in_says_so(door: Any, provider: Misbehaving, returned: dict[str, str]) -> None:
    sign_on = door()
    begun = sign_on.begin()
    with pytest.raises(NotSignedIn, match="did not sign you in") as refused:
        sign_on.finish(begun.cookie, Returned(state=sent(begun)["state"], **returned))
    assert "<b>" not in str(refused.value)
    assert "/token" not in provider.asked


def answering(path: str, content: Any, status: int = 200, **headers: str) -> Change:
    return lambda provider: provider.replies.update({path: lambda: reply(content, status, **headers)})


TROUBLES: dict[str, tuple[Change, str]] = {
    "another issuer": (lambda p: p.discovery.update(issuer="http://127.0.0.1:1"), "is not the issuer"),
    "an issuer with a slash more": (lambda p: p.discovery.update(issuer=f"{p.issuer}/"), "is not the issuer"),
    "keys elsewhere": (lambda p: p.discovery.update(jwks_uri="http://127.0.0.1:1/keys"), "'jwks_uri'"),
    "tokens elsewhere": (lambda p: p.discovery.update(token_endpoint="http://localhost.evil/t"), "'token_endpoint'"),
    "a sign-in page elsewhere": (lambda p: p.discovery.update(authorization_endpoint="javascript:1"), "'authorization"),
    "a sign-out elsewhere": (lambda p: p.discovery.update(end_session_endpoint="http://[x"), "'end_session_endpoint'"),
    "no token address": (lambda p: p.discovery.update(token_endpoint=None), "'token_endpoint'"),
    "a redirect": (answering(DISCOVERY, {}, 302, Location="http://127.0.0.1:1/"), "HTTP status 302"),
    "an error of its own": (answering(DISCOVERY, {}, 500), "HTTP status 500"),
    "nothing there": (answering(DISCOVERY, {}, 404), "is not the issuer"),
    "a list": (answering(DISCOVERY, []), "not the answer of an OpenID Connect provider"),
    "HTML": (lambda p: p.replies.update({DISCOVERY: lambda: (200, {}, b"<html>")}), "not the answer of an OpenID"),
    "a huge answer": (lambda p: p.replies.update({DISCOVERY: lambda: (200, {}, b" " * 2_000_000)}), "not the answer"),
    "a deep answer": (lambda p: p.replies.update({DISCOVERY: lambda: (200, {}, b"[" * 100_000)}), "not the answer"),
    "a packed answer": (answering(DISCOVERY, {}, Content_Encoding="gzip"), "not the answer"),
    "silence": (lambda p: p.delay_s.update({DISCOVERY: 1.5}), "took longer than 1 seconds"),
    "a trickle": (lambda p: p.trickle.add(DISCOVERY), "took longer than 1 seconds"),
}  # fmt: skip


@pytest.mark.parametrize("what", TROUBLES)
def test_a_provider_in_trouble_is_told_as_such(what: str, door: Any, provider: Misbehaving) -> None:
    change, message = TROUBLES[what]
    change(provider)
    impatient = {"timeout_s": 1} if "longer than 1 seconds" in message else {}
    with pytest.raises(DirectoryUnavailable, match=message):
        door(**impatient).begin()


def test_a_provider_that_is_down_is_told_as_such_and_not_asked_all_the_time(clock: Clock) -> None:
    with misbehaving_provider() as gone:
        terms = {"issuer": gone.issuer, "client_id": CLIENT, "public_url": "http://127.0.0.1:8600"}
    sign_on = SingleSignOn(OidcSettings.model_validate(terms), clock)
    for _ in range(2):
        with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
            sign_on.begin()
    sign_on.close()


def test_a_provider_in_trouble_is_asked_again_after_a_while(door: Any, provider: Misbehaving, clock: Clock) -> None:
    sign_on = door()
    answering(DISCOVERY, {}, 500)(provider)
    for _ in range(3):
        with pytest.raises(DirectoryUnavailable):
            sign_on.begin()
    assert len(provider.asked) == 1
    provider.replies.clear()
    clock.now += 10
    assert sign_on.begin().address.startswith(provider.issuer)


@pytest.mark.parametrize(
    ("path", "content", "status", "error", "message"),
    [
        ("/token", {"error": "invalid_grant"}, 400, NotSignedIn, "did not confirm"),
        ("/token", {"error": "invalid_client"}, 401, DirectoryUnavailable, "does not know this appliance"),
        ("/token", {"error": "access_denied", "error_description": "<i>"}, 403, NotSignedIn, "did not confirm"),
        ("/token", {"access_token": "only"}, 200, DirectoryUnavailable, "scope 'openid'"),
        ("/token", {"id_token": 5}, 200, DirectoryUnavailable, "scope 'openid'"),
        ("/token", {}, 307, DirectoryUnavailable, "HTTP status 307"),
        ("/keys", {"keys": "none"}, 200, DirectoryUnavailable, "no keys"),
        (
            "/keys",
            {"keys": [None, 1, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": []}]},
            200,
            NotSignedIn,
            "not publish",
        ),
        ("/keys", {}, 503, DirectoryUnavailable, "HTTP status 503"),
    ],
)
def test_what_goes_wrong_on_the_way_back_is_told(
    door: Any, provider: Misbehaving, path: str, content: Any, status: int, error: type[ApplianceError], message: str
) -> None:
    answering(path, content, status)(provider)
    with pytest.raises(error, match=message) as refused:
        come_back(door(), provider)
    assert "<i>" not in str(refused.value)


def test_userinfo_adds_claims_and_never_another_person(door: Any, provider: Misbehaving) -> None:
    provider.without.add("groups")
    answering("/userinfo", {"sub": "0815", "groups": ["finance"], "preferred_username": "mallory"})(provider)
    found = come_back(door(userinfo=True), provider)
    assert (found.name, found.groups) == ("anna", {"finance"})
    answering("/userinfo", {"sub": "4711", "groups": ["board"]})(provider)
    with pytest.raises(NotSignedIn, match="somebody else"):
        come_back(door(userinfo=True), provider)


def test_groups_may_stand_inside_another_claim_and_one_group_may_be_a_text(door: Any, provider: Misbehaving) -> None:
    provider.claims["realm_access"] = {"roles": ["board", " "]}
    assert come_back(door(groups_claim="realm_access.roles"), provider).groups == {"board"}
    provider.claims["realm_access"] = "board"
    with pytest.raises(NotSignedIn, match="cannot be read"):
        come_back(door(groups_claim="realm_access.roles"), provider)
    assert come_back(door(groups_claim="elsewhere.roles"), provider).groups == frozenset()
    provider.claims["group"] = "staff"  # as AD FS writes a single one
    assert come_back(door(groups_claim="group"), provider).groups == {"staff"}


def test_with_a_map_only_mapped_groups_count(door: Any, provider: Misbehaving) -> None:
    provider.claims["groups"] = ["/finance", "board"]
    assert come_back(door(groups={"/finance": "finance"}), provider).groups == {"finance"}


def test_roles_come_from_groups_that_are_named_for_them(door: Any, provider: Misbehaving) -> None:
    provider.claims["groups"] = ["admin", "compliance", "ops"]
    assert come_back(door(), provider).roles == {Role.EMPLOYEE}
    assert come_back(door(admin_groups=["ops"]), provider).roles == {Role.EMPLOYEE, Role.ADMIN}
    assert come_back(door(employee_groups=["staff"], compliance_groups=["ops"]), provider).roles == {Role.COMPLIANCE}
    with pytest.raises(AccessDenied, match="both admin and compliance"):
        come_back(door(admin_groups=["admin"], compliance_groups=["ops"]), provider)
    with pytest.raises(AccessDenied, match="no group of yours"):
        come_back(door(employee_groups=["staff"]), provider)


def test_a_subject_counts_together_with_its_issuer(door: Any, provider: Misbehaving) -> None:
    provider.claims["sub"] = "s" * 250
    long = come_back(door(), provider).subject
    provider.claims["sub"] = "s" * 249 + "t"
    assert long != come_back(door(), provider).subject
    assert len(long) == 64


def test_nothing_but_the_issuer_is_ever_called(door: Any, provider: Misbehaving, monkeypatch: Any) -> None:
    with misbehaving_provider() as elsewhere:
        monkeypatch.setenv("HTTP_PROXY", elsewhere.issuer)
        monkeypatch.setenv("ALL_PROXY", elsewhere.issuer)
        answering("/keys", {}, 302, Location=f"{elsewhere.issuer}/keys")(provider)
        with pytest.raises(DirectoryUnavailable):
            come_back(door(), provider)
        assert elsewhere.asked == []


def test_too_many_who_wait_for_a_slow_provider_are_sent_away(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    answers = threading.Event()

    def slow() -> Reply:
        answers.wait(60)
        return reply({"error": "invalid_grant"}, 400)

    provider.replies["/token"] = slow
    begun = [sign_on.begin() for _ in range(_AT_ONCE + 4)]

    def finish(one: Begun) -> str:
        try:
            sign_on.finish(one.cookie, Returned(state=sent(one)["state"], code="code"))
        except ApplianceError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(begun)) as pool:
        told = as_completed([pool.submit(finish, one) for one in begun])
        sent_away = [next(told).result() for _ in range(4)]
        answers.set()
        heard = [each.result() for each in told]
    assert all("Too many people" in message for message in sent_away)
    assert all("did not confirm" in message for message in heard)
    assert len(heard) == _AT_ONCE


def test_the_way_out_leads_to_the_provider_where_that_is_wanted(door: Any, provider: Misbehaving) -> None:
    assert door().sign_out_address() == ""
    address = door(sign_out=True).sign_out_address()
    assert address.startswith(f"{provider.issuer}/end?client_id=strongroom&post_logout_redirect_uri=http%3A%2F%2F")
    answering(DISCOVERY, {}, 500)(provider)
    assert door(sign_out=True).sign_out_address() == ""


def test_a_file_without_certificates_is_told_at_the_start(door: Any, tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_text("none here")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigurationError, match=r"oidc\.ca_file"):
            door(ca_file=str(tmp_path / name))


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": ""},
        {"public_url": ""},
        {"public_url": "http://strongroom.example"},
        {"public_url": "https://strongroom.example/path"},
        {"issuer": "http://idp.example"},
        {"issuer": "https://idp.example/?tenant=1"},
        {"issuer": "https://user@idp.example"},
        {"issuer": "idp.example"},
        {"scopes": ["profile"]},
        {"algorithms": []},
        {"clock_skew_s": 301},
    ],
)
def test_settings_that_would_not_be_safe_are_refused(wrong: dict[str, Any]) -> None:
    good = {"issuer": "https://idp.example/realm", "client_id": "c", "public_url": "https://strongroom.example"}
    OidcSettings.model_validate(good)
    with pytest.raises(ValueError, match=r"OidcSettings"):
        OidcSettings.model_validate({**good, **wrong})


# Sign-outs


def test_a_sign_out_says_whom_it_means_and_tells_itself_from_others(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    all_of_them, again = (sign_on.signed_out(provider.logout_token()) for _ in range(2))
    assert all_of_them == SignOut("oidc", all_of_them.message, f"0815 at {provider.issuer}")
    assert len({all_of_them.message, again.message, ""}) == 3
    provider.claims["sid"] = "one of them"
    named = sign_on.signed_out(provider.logout_token())
    assert (named.subject, len(named.session)) == (all_of_them.subject, 64)
    provider.without.add("sub")
    assert sign_on.signed_out(provider.logout_token()).session == named.session
    assert sign_on.signed_out(provider.logout_token()).subject == ""
    provider.without.clear()
    assert come_back(sign_on, provider).session == named.session


@pytest.mark.parametrize(
    "change",
    [
        lambda provider: provider.header.update(typ=None),
        lambda provider: provider.header.update(typ="JWT"),
        lambda provider: provider.claims.update(aud=["another", CLIENT]),
        lambda provider: provider.claims.update(events={EVENT: {}, "another": {}}),
        lambda provider: provider.claims.update(more="that nobody knows"),
        lambda provider: provider.claims.update(exp=int(time.time()) - 30, iat=int(time.time()) - MAX_AGE_S - 30),
    ],
)
def test_a_sign_out_may_be_written_in_other_ways(change: Change, door: Any, provider: Misbehaving) -> None:
    change(provider)
    assert door().signed_out(provider.logout_token()).subject == f"0815 at {provider.issuer}"


_OF_TOKENS = (
    "of another issuer", "for another client", "expired", "that never expires", "with NaN as its expiry", "from the future",
    "not valid yet", "with an empty subject", "with a number as subject", "signed by nobody", "signed with the public key",
    "signed with a key of an unknown name", "signed by somebody else", "signed with a weak key", "that brings its own key",
    "that names where its key is", "without a key's name among several keys", "with a critical extension",
    "that is an access token", "that is no token", "that is nested beyond reason",
)  # fmt: skip
WRONG_SIGN_OUTS: dict[str, tuple[Change, str]] = {
    **{what: WRONG_TOKENS[what] for what in _OF_TOKENS},
    "for nobody": (missing("aud"), "'aud' is wrong"),
    "of no issuer": (missing("iss"), "'iss' is wrong"),
    "of no time": (missing("iat"), "clocks of both machines"),
    "of long ago": (changed(iat=int(time.time()) - MAX_AGE_S - 200, exp=int(time.time()) + 9999), "clocks of both machines"),
    "without a name of its own": (missing("jti"), "'jti' is wrong"),
    "with an empty name of its own": (changed(jti=""), "'jti' is wrong"),
    "with a number as its own name": (changed(jti=7), "'jti' is wrong"),
    "with a nonce": (changed(nonce="n"), "'nonce' is wrong"),
    "with a nonce that is none": (changed(nonce=None), "'nonce' is wrong"),
    "of no event": (missing("events"), "'events' is wrong"),
    "of another event": (changed(events={"http://schemas.openid.net/event/other": {}}), "'events' is wrong"),
    "of a list of events": (changed(events=[EVENT]), "'events' is wrong"),
    "of an event that is none": (changed(events={EVENT: None}), "'events' is wrong"),
    "of nobody": (missing("sub"), "'sub' is wrong"),
    "of a session without a name": (changed(sid=""), "'sid' is wrong"),
    "of a session with a number": (changed(sid=5), "'sid' is wrong"),
    "of no session": (changed(sid=None), "'sid' is wrong"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_SIGN_OUTS)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_nobody_is_signed_out_by_a_token(what: str, door: Any, provider: Misbehaving) -> None:
    change, message = WRONG_SIGN_OUTS[what]
    change(provider)
    with pytest.raises(NotSignedIn, match=message) as refused:
        door().signed_out(provider.logout_token())
    assert "0815" not in str(refused.value)


def test_what_signs_somebody_in_signs_nobody_out(door: Any, provider: Misbehaving) -> None:
    sign_on = door()
    begun = sign_on.begin()
    provider.nonce = sent(begun)["nonce"]
    id_token = provider.id_token()
    with pytest.raises(NotSignedIn, match=r"'(events|jti)"):
        sign_on.signed_out(id_token)
    assert come_back(sign_on, provider, begun).name == "anna"


def test_a_provider_without_its_keys_is_not_asked_for_them_at_every_word_of_a_stranger(
    door: Any, provider: Misbehaving, clock: Clock
) -> None:
    answering("/keys", {}, 503)(provider)
    sign_on = door()
    for _ in range(5):
        with pytest.raises(DirectoryUnavailable, match="HTTP status 503"):
            sign_on.signed_out(provider.logout_token())
    assert provider.asked.count("/keys") == 1
    provider.replies.clear()
    clock.now += 6
    assert sign_on.signed_out(provider.logout_token()).subject
    provider.header["kid"] = "unknown"
    for _ in range(5):
        with pytest.raises(NotSignedIn, match="does not publish"):
            sign_on.signed_out(provider.logout_token())
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_is_slow_with_its_keys_holds_up_strangers_alone(
    door: Any, provider: Misbehaving, clock: Clock
) -> None:
    sign_on = door()
    token = provider.logout_token()
    assert sign_on.signed_out(provider.logout_token()).subject
    begun = sign_on.begin()
    provider.header["kid"] = "unknown"
    foreign = provider.logout_token()
    provider.header.clear()
    clock.now += 11  # by now keys are looked for again, if one of an unknown name comes along
    asked = threading.Event()
    answers = threading.Event()

    def slow() -> Reply:
        asked.set()
        answers.wait(60)
        return reply({"keys": provider.keys()})

    provider.replies["/keys"] = slow
    refusals: list[str] = []

    def say() -> None:
        with pytest.raises((DirectoryUnavailable, NotSignedIn)) as refused:
            sign_on.signed_out(foreign)
        refusals.append(str(refused.value))

    strangers = [threading.Thread(target=say) for _ in range(_AT_ONCE + 3)]
    for stranger in strangers:
        stranger.start()
    assert asked.wait(60)
    while len(refusals) < 3:  # more than may wait
        time.sleep(0.01)
    assert all("Too much is said" in refusal for refusal in refusals)
    assert sign_on.signed_out(token).subject
    assert sign_on.begin().address
    assert come_back(sign_on, provider, begun).name == "anna"
    answers.set()
    for stranger in strangers:
        stranger.join()
    assert provider.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("content", "status"), [({"error": "slow down"}, 429), ({"error": "slow down"}, 200), ({"keys": []}, 200)]
)
def test_keys_that_are_not_told_this_time_are_not_forgotten(
    door: Any, provider: Misbehaving, clock: Clock, content: object, status: int
) -> None:
    sign_on = door()
    assert sign_on.signed_out(provider.logout_token()).subject
    clock.now += 11
    answering("/keys", content, status)(provider)
    provider.header["kid"] = "unknown"
    with pytest.raises(DirectoryUnavailable, match="and no keys"):
        sign_on.signed_out(provider.logout_token())
    provider.header.clear()
    assert sign_on.signed_out(provider.logout_token()).subject
    assert come_back(sign_on, provider).name == "anna"


def test_a_key_that_the_provider_took_back_is_forgotten(door: Any, provider: Misbehaving, clock: Clock) -> None:
    sign_on = door()
    assert sign_on.signed_out(provider.logout_token()).subject
    clock.now += 11
    answering("/keys", {"keys": [_OTHER_KEY.as_dict(private=False)]})(provider)
    provider.header["kid"] = "unknown"
    with pytest.raises(NotSignedIn):
        sign_on.signed_out(provider.logout_token())
    provider.header.clear()
    with pytest.raises(NotSignedIn):
        sign_on.signed_out(provider.logout_token())


def test_what_failed_of_the_keys_is_not_told_of_the_addresses(door: Any, provider: Misbehaving, clock: Clock) -> None:
    sign_on = door()
    assert sign_on.begin().address
    clock.now += 3600.0 - 1
    answering("/keys", {}, 503)(provider)
    with pytest.raises(DirectoryUnavailable, match="HTTP status 503"):
        sign_on.signed_out(provider.logout_token())
    clock.now += 2  # the addresses are looked up again
    assert sign_on.begin().address
    with pytest.raises(DirectoryUnavailable, match="HTTP status 503"):
        sign_on.signed_out(provider.logout_token())
    assert provider.asked.count("/keys") == 1  # nor is it asked again so soon


def test_how_long_ago_a_sign_in_was_begun_is_told_of_our_own_alone(door: Any, clock: Clock) -> None:
    sign_on = door()
    begun = sign_on.begin()
    clock.now += 7.5
    assert sign_on.begun_before_s(begun.cookie) == pytest.approx(7.5, abs=0.01)
    with pytest.raises(NotBegunHere):
        sign_on.begun_before_s(f"9{begun.cookie}")
