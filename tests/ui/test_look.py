"""The palette is legible (WCAG 2.2, 1.4.3: 4.5 to 1), the theme is ours, and Streamlit is locked down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit import config

from appliance.api.signin_pages import STATIC
from ui import streamlit_settings
from ui.fonts import font_files
from ui.streamlit_settings import LOCKED_DOWN, THEME

CSS = (Path(streamlit_settings.__file__).parent / "static" / "strongroom.css").read_text("utf-8")
COLOURS = dict(re.findall(r"--sr-([\w-]+):\s*(#[0-9a-f]{6})", CSS))


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


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "paper"),
        ("muted", "paper"),
        ("green", "paper"),
        ("green", "green-tint"),
        ("amber", "amber-tint"),
        ("red", "red-tint"),
        ("ink", "mark"),
        ("muted", "green-tint"),
        ("muted", "amber-tint"),
        ("ink", "green-tint"),
        ("ink", "red-tint"),
        ("muted", "red-tint"),
    ],
)
def test_words_stand_out_from_what_is_behind_them(ink: str, paper: str) -> None:
    assert contrast(COLOURS[ink], COLOURS[paper]) >= 4.5
    assert contrast(COLOURS[ink], "#ffffff") >= 4.5


def test_the_style_sheet_and_the_theme_agree() -> None:
    assert COLOURS["ink"] == THEME["theme.textColor"]
    assert COLOURS["green"] == THEME["theme.primaryColor"]
    assert COLOURS["paper"] == THEME["theme.secondaryBackgroundColor"]


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
