"""Text on the colour of a tenant."""

from __future__ import annotations

import pytest

from notifier.values.colors import text_color_on


@pytest.mark.parametrize(
    ("background", "text"),
    [("#ffffff", "#000000"), ("#000000", "#ffffff"), ("#1d4ed8", "#ffffff"), ("#ffcc00", "#000000")],
)
def test_text_on_a_colour_is_readable(background: str, text: str) -> None:
    assert text_color_on(background) == text
