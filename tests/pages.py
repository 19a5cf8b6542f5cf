"""The project's documents and sources, and how the tests of the documents read them."""

from __future__ import annotations

import re
from pathlib import Path

from notifier.local.processes.programs import PROJECT

PACKAGES = ("notifier", "tenants", "campaigns", "inbox")
PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")]
PAGES += sorted(PROJECT.glob("docs/**/*.md"))
SOURCES = [
    path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py")) if "migrations" not in path.parts
]

README = (PROJECT / "README.md").read_text()
API = (PROJECT / "docs/api.md").read_text()
CAMPAIGNS = (PROJECT / "docs/campaigns.md").read_text()
OPERATIONS = (PROJECT / "docs/operations.md").read_text()
ARCHITECTURE = (PROJECT / "docs/architecture.md").read_text()
PROVIDERS = (PROJECT / "docs/channels/providers.md").read_text()
NOT_YET = (PROJECT / "docs/not-yet.md").read_text()
DEPENDENCIES = (PROJECT / "docs/dependencies.md").read_text()


def relative(path: Path) -> str:
    """The path as the project writes it; the name of a parametrized test."""
    return str(path.relative_to(PROJECT))


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next heading of its rank or above."""
    rank = len(heading) - len(heading.lstrip("#"))
    after = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{rank}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    """The words in code marks of a table's first column."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def in_code_marks(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def anchors(page: Path) -> set[str]:
    """The names under which a forge links a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
