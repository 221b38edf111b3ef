"""What everybody tries first is no password, and a long one is not refused for holding a part of it."""

from __future__ import annotations

import secrets

import pytest

from appliance.auth.guessable import why_guessable
from appliance.auth.passwords import checked_password, generate_password
from appliance.errors import InvalidRequest


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("aaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("112211221122", "repeats"),
        ("        aaaa", "repeats"),
        ("Winter2026Winter2026", "repeats"),
        ("maple-maple-maple", "repeats"),
        ("abcdefghijkl", "in a row"),
        ("123456789012", "in a row"),
        ("210987654321", "in a row"),
        ("qwertyuiop12", "in a row"),
        ("asdfghjkl;'#", "in a row"),
        ("qwertzuiop98", "in a row"),
        ("zxcvbnm12345", "in a row"),
        ("hanna.weber1", "name of the account"),
        ("Weber-Hanna-2026", "name of the account"),
        ("hannaHANNA2026!", "name of the account"),
        ("Strongroom2026!", "name of this product"),
        ("password1234", "words that everybody"),
        ("Password2026!", "words that everybody"),
        ("Passwort-2026", "words that everybody"),
        ("letmein-2026", "words that everybody"),
        ("administrator1", "words that everybody"),
        ("iloveyou1234567", "words that everybody"),
        ("P@ssw0rd1234", "words that everybody"),
        ("Pa$$w0rd1234", "words that everybody"),
        ("P@ssword2026!", "words that everybody"),
        ("Password-2026!", "words that everybody"),
        ("Welcome-2026!", "words that everybody"),
        ("Adm1n1strat0r", "words that everybody"),
        ("Str0ngroom2026", "name of this product"),
        ("Strongroom-2026!", "name of this product"),
        ("Weber-2026!!", "name of the account"),
        ("112233445566", "in a row"),
        ("aabbccddeeff", "in a row"),
        ("1qaz@WSX3edc", "in a row"),
        ("!QAZ2wsx#EDC", "in a row"),
        ("correct horse battery staple", "everybody tries"),
        ("1q2w3e4r5t6y", "everybody tries"),
        ("ThisIsMyPassword1", "everybody tries"),
        ("ｐａｓｓｗｏｒｄ１２３４", "words that everybody"),
    ],
)
def test_what_everybody_tries_is_told_as_what_it_is(password: str, why: str) -> None:
    assert why in why_guessable(password, "hanna.weber")


@pytest.mark.parametrize(
    "password",
    [
        "seven brass keys on a ring",
        "a password of their own",
        "test the waters before you leap",
        "Hanna keeps bees behind the mill",
        "the 1234 steps to the lighthouse",
        "mississippi steamboat",
        "vier rote Eimer am Zaun",
        "пять медных ключей",
        "七つの真鍮の鍵と輪をひとつ持つ",
        "kH7#vQ2!pLx9",
        "?;*&%_77-+#!=",
        "#$%^&*()_+7{}7",
    ],
)
def test_what_is_good_beside_a_common_part_is_taken(password: str) -> None:
    assert why_guessable(password, "hanna.weber") == ""
    assert checked_password(password, "hanna.weber") == password


def test_a_password_that_the_appliance_makes_is_never_refused() -> None:
    for _ in range(500):
        assert why_guessable(generate_password(), "anne") == ""
        assert why_guessable(secrets.token_urlsafe(12), "anne") == ""


def test_a_refusal_says_why_and_what_to_do_and_never_repeats_the_password() -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_password("aaaaaaaaaaaa", "anne")
    assert str(refused.value) == (
        "The password is easy to guess: it repeats the same characters. Choose another one, such as four words that "
        "do not belong together."
    )


def test_the_longest_password_is_judged_too() -> None:
    assert "characters in a row" in why_guessable("qwertyuiop" * 102 + "abcd", "hanna.weber")
