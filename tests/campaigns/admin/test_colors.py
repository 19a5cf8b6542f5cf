"""States and statuses can be read in the light and the dark admin: a contrast of 4.5 at least (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib import admin
from django.utils.html import format_html_join
from playwright.sync_api import Browser, Page

from campaigns.states import State
from notifier.vocabulary.status import Status

ADMIN = Path(admin.__file__).parent / "static/admin/css"
STYLES = (ADMIN / "base.css", ADMIN / "dark_mode.css", Path("static/campaigns/campaign.css"))
READABLE = 4.5
# the colours as they are painted: of the text, and of the nearest ancestor that has a background
PAINTED = """
element => {
  const paint = (color) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  let at = element, behind;
  do { behind = paint(getComputedStyle(at).backgroundColor); at = at.parentElement; } while (behind[3] === 0 && at);
  return [paint(getComputedStyle(element).color), behind];
}
"""


@pytest.fixture
def page(chrome: Browser) -> Page:
    spans = [("state state", state) for state in State] + [("status status", status.label) for status in Status]
    shown = format_html_join("", '<p><span class="{}-{}">text</span></p>', spans)
    styles = "".join(f"<style>{path.read_text()}</style>" for path in STYLES)
    page = chrome.new_page()
    page.set_content(f'<html>{styles}<body><div class="campaign-panel">{shown}</div></body></html>')
    return page


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_states_and_statuses_can_be_read(page: Page, theme: str) -> None:
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    spans = page.locator("span").all()
    assert len(spans) == len(State) + len(Status)
    unreadable = {
        span.get_attribute("class"): round(contrast(*colors), 2)
        for span in spans
        if contrast(*(colors := span.evaluate(PAINTED))) < READABLE
    }
    assert unreadable == {}


def contrast(one: list[int], other: list[int]) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(color: list[int]) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in color[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
