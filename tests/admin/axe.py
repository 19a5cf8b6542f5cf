"""axe-core, the accessibility checker that we did not write, over a page that is open in a browser."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

SCRIPT = files("axe_playwright_python").joinpath("axe.min.js").read_text()
#: WCAG 2.1 and 2.2, levels A and AA
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOR_RULES = ("color-contrast", "link-in-text-block")
BLOCKING = ("serious", "critical")


#: until colours and panels have stopped moving, for two seconds at most; what moves for ever is not waited for
STILL = """() => Promise.race([
    Promise.all(document.getAnimations().filter(a => Number.isFinite(a.effect.getComputedTiming().endTime))
        .map(a => a.finished.catch(() => null))),
    new Promise(done => setTimeout(done, 2000))])"""


def wait_until_still(page: Page) -> None:
    """Wait for the transitions of the page: a colour half way between two themes has too little contrast."""
    page.evaluate(f"async () => {{ await ({STILL})() }}")


def violations(page: Page, rules: tuple[str, ...] = (), without: str = "") -> list[str]:
    """The serious and critical violations of the page as it is now, a line each: rule, selector, what is wrong.
    With `rules` only these are checked; `without` is the selector of a part that is left out."""
    wait_until_still(page)
    # page.evaluate is not bound by the page's Content-Security-Policy
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(f"() => {{ {SCRIPT} }}")
    context = f"{{ exclude: ['{without}'] }}" if without else "document"
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    if not _blocking(page, context, only):
        return []
    # a panel may have begun to fade while axe read it; what the page is a second later counts
    page.wait_for_timeout(1000)
    return _blocking(page, context, only)


def _blocking(page: Page, context: str, only: dict[str, Any]) -> list[str]:
    result = page.evaluate(
        f"runOnly => axe.run({context}, {{ runOnly, resultTypes: ['violations'] }})",
        only,
    )
    return [line for rule in result["violations"] if rule["impact"] in BLOCKING for line in _lines(rule)]


def in_both_themes(page: Page, without: str = "") -> list[str]:
    """The violations in light and in dark. The page is not loaded again; in dark only what depends on colours is
    checked again, which takes a third of the time."""
    found = []
    for theme, rules in (("light", ()), ("dark", COLOR_RULES)):
        page.evaluate("theme => window.notifierTheme?.set(theme)", theme)
        found += [f"{theme}: {line}" for line in violations(page, rules, without)]
    page.evaluate("() => window.notifierTheme?.set('auto')")
    return found


def sideways(page: Page, width: int = 375) -> int:
    """By how many pixels the page is wider than a small screen; 0 when nobody must scroll sideways."""
    size = page.viewport_size
    page.set_viewport_size({"width": width, "height": 800})
    beyond: int = page.evaluate("() => Math.max(0, document.documentElement.scrollWidth - innerWidth)")
    if size is not None:
        page.set_viewport_size(size)
    return beyond


def _lines(rule: dict[str, Any]) -> list[str]:
    start = f"{rule['id']} ({rule['impact']})"
    return [f"{start} {' '.join(map(str, node['target']))}: {node['failureSummary'][-200:]}" for node in rule["nodes"]]
