"""Colours as #rrggbb."""

from __future__ import annotations

#: the relative luminance at which black and white have the same contrast (WCAG 2.2, "contrast ratio")
_EQUAL = 0.1791


def text_color_on(background: str) -> str:
    """#000000 or #ffffff, whichever has the greater contrast with the background."""
    red, green, blue = (_linear(int(background[at : at + 2], 16) / 255) for at in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if luminance > _EQUAL else "#ffffff"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
