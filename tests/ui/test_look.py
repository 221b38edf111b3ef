"""The palettes are legible (WCAG 2.2, 1.4.3: 4.5 to 1), the themes are ours, and Streamlit is locked down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit import config

from appliance.api.signin_pages import STATIC
from ui import streamlit_settings
from ui.fonts import font_files
from ui.streamlit_settings import DARK, LIGHT, LOCKED_DOWN, THEME

CSS = (Path(streamlit_settings.__file__).parent / "static" / "strongroom.css").read_text("utf-8")
SIGN_IN = STATIC.joinpath("login.css").read_text("utf-8")


def colours(sheet: str) -> dict[str, dict[str, str]]:
    """The colours of a style sheet by their names, where the system is light and where it is dark."""
    light, dark, *_ = sheet.split("prefers-color-scheme: dark")
    named = re.compile(r"--(?:sr-)?([\w-]+):\s*(#[0-9a-f]{6})")
    return {"light": dict(named.findall(light)), "dark": dict(named.findall(dark))}


COLOURS = colours(CSS)
PLAIN = colours(SIGN_IN)
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_standard_says() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)


@THEMES
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "page"),
        ("ink", "paper"),
        ("ink", "shade"),
        ("ink", "mark"),
        ("ink", "green-tint"),
        ("ink", "amber-tint"),
        ("ink", "red-tint"),
        ("muted", "page"),
        ("muted", "paper"),
        ("muted", "shade"),
        ("muted", "green-tint"),
        ("muted", "amber-tint"),
        ("muted", "red-tint"),
        ("green", "page"),
        ("green", "paper"),
        ("green", "green-tint"),
        ("on-green", "green"),
        ("amber", "page"),
        ("amber", "amber-tint"),
        ("red", "page"),
        ("red", "red-tint"),
    ],
)
def test_words_stand_out_from_what_is_behind_them(theme: str, ink: str, paper: str) -> None:
    assert contrast(COLOURS[theme][ink], COLOURS[theme][paper]) >= 4.5


@THEMES
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "page"),
        ("ink", "paper"),
        ("muted", "page"),
        ("green", "page"),
        ("green", "paper"),
        ("on-green", "green"),
        ("on-green", "green-pressed"),
        ("red", "red-tint"),
    ],
)
def test_words_of_the_sign_in_page_stand_out_too(theme: str, ink: str, paper: str) -> None:
    assert contrast(PLAIN[theme][ink], PLAIN[theme][paper]) >= 4.5


def test_both_themes_have_every_colour_and_no_other_stands_in_the_style_sheet() -> None:
    for sheet, found in ((CSS, COLOURS), (SIGN_IN, PLAIN)):
        assert found["light"].keys() == found["dark"].keys()
        rules = re.sub(r"--[\w-]+:.*", "", sheet)
        assert set(re.findall(r"#[0-9a-f]{3,8}\b", rules)) <= {"#fff"}  # behind a picture that is black
    assert "#fff" not in re.sub(r"--[\w-]+:.*", "", CSS)


@THEMES
def test_the_style_sheet_and_the_theme_agree(theme: str) -> None:
    for name, option in (
        ("ink", "textColor"),
        ("page", "backgroundColor"),
        ("paper", "secondaryBackgroundColor"),
        ("paper", "sidebar.backgroundColor"),
        ("green", "primaryColor"),
        ("line", "borderColor"),
    ):
        assert COLOURS[theme][name] == THEME[f"theme.{theme}.{option}"], option


@THEMES
def test_the_words_of_streamlits_own_controls_stand_out(theme: str) -> None:
    chosen = {name: str(THEME[f"theme.{theme}.{name}"]) for name in {**LIGHT, **DARK}}
    for paper in ("backgroundColor", "secondaryBackgroundColor", "sidebar.secondaryBackgroundColor"):
        for ink in ("textColor", "linkColor", "primaryColor", "redColor"):
            assert contrast(chosen[ink], chosen[paper]) >= 4.5, (ink, paper)
    assert contrast(chosen["codeTextColor"], chosen["codeBackgroundColor"]) >= 4.5


def test_the_style_sheet_loads_nothing() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_every_option_is_in_force_after_apply() -> None:
    streamlit_settings.apply(["strongroom.internal"])
    for name, value in {**LOCKED_DOWN, **THEME}.items():
        assert config.get_option(name) == value, name
    assert config.get_option("server.allowedHosts") == ["strongroom.internal"]


def test_the_plain_pages_have_the_fonts_of_the_screens_and_carry_them_along() -> None:
    for family in ("sans", "serif"):
        (stack,) = re.findall(rf"--sr-{family}: (.*);", CSS)
        for page in ("login.css", "checkpoint.html"):
            plain = STATIC.joinpath(page).read_text("utf-8")
            assert f" {stack}" in plain, page
            assert f'url("/fonts/{family}.woff2")' in plain, page
    assert set(font_files()) == {"sans.woff2", "serif.woff2"}
    assert all(path.read_bytes()[:4] == b"wOF2" for path in font_files().values())
