"""The documentation is complete: what the code knows, it names; what it names, exists."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

from notifier import errors
from notifier.api.framework.errors import _CODE_OF
from notifier.celery import app
from notifier.channels import channels
from notifier.channels.queues import queues
from notifier.local.processes.programs import PROJECT
from notifier.providers import providers
from notifier.sandbox.faults import Faults
from notifier.vocabulary.status import Reason, Status
from tenants.api_keys import SCOPES

README = (PROJECT / "README.md").read_text()
API = (PROJECT / "docs/api.md").read_text()
CAMPAIGNS = (PROJECT / "docs/campaigns.md").read_text()
OPERATIONS = (PROJECT / "docs/operations.md").read_text()
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md", *PROJECT.glob("docs/**/*.md")]
SOURCES = [
    path
    for package in ("notifier", "tenants", "campaigns", "inbox")
    for path in sorted((PROJECT / package).rglob("*.py"))
    if "migrations" not in path.parts
]


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its rank or above."""
    rank = len(heading) - len(heading.lstrip("#"))
    after = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{rank}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    """What a table's first column names in code marks."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def in_code_marks(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def anchors(page: Path) -> set[str]:
    """The names under which a forge links a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def variables_read() -> set[str]:
    """Names that settings.py asks the environment for."""
    found = set()
    for node in ast.walk(ast.parse((PROJECT / "notifier/settings.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            asks = ast.unparse(node.func.value) in ("env", "os.environ")
            if asks and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def error_classes() -> list[type[errors.NotifierError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.NotifierError)]


def codes_raised() -> set[str]:
    """Every code that is written out beside the error that carries it."""
    found = set(_CODE_OF.values())
    for path in SOURCES:
        found |= set(re.findall(r'\bcode="([a-z_]+)"', _OF_A_FORM.sub("", path.read_text())))
    return found


#: a validator of Django's forms raises these; no answer of the API has their codes
_OF_A_FORM = re.compile(r"raise ValidationError\([^()]*\)")


def test_the_readme_has_every_variable_that_the_settings_read_and_no_other() -> None:
    assert first_column(section(README, "## Environment variables")) == variables_read()


def test_the_readme_has_every_dependency_and_no_other() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=~!; ]", line)[0] for line in project["dependencies"]}
    assert first_column(section(README, "## Dependencies")) == wanted


def test_the_readme_has_every_channel_and_provider() -> None:
    table = first_column(section(README, "## What it promises, and what it does not do yet"))
    named = in_code_marks(section(README, "## What it promises, and what it does not do yet"))
    assert set(channels()) == table
    assert set(providers()) <= named


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_is_explained(kind: type[errors.NotifierError]) -> None:
    assert kind.code in in_code_marks(section(API, "## Errors"))


def test_every_code_that_is_raised_is_explained() -> None:
    assert codes_raised() - in_code_marks(section(API, "## Errors")) == set()


def test_every_status_and_reason_is_explained_and_no_other() -> None:
    assert first_column(section(API, "## Statuses")) == {status.label for status in Status}
    assert first_column(section(API, "## Reasons")) == set(Reason)


def test_every_scope_is_explained() -> None:
    assert first_column(section(API, "## Keys and scopes")) == set(SCOPES)


def test_every_queue_tick_and_knob_is_explained() -> None:
    named = in_code_marks(OPERATIONS)
    assert set(queues()) <= named
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= named
    assert {knob.name for knob in dataclasses.fields(Faults)} <= first_column(section(OPERATIONS, "## The sandbox"))


def test_what_a_crash_may_repeat_is_what_the_code_allows() -> None:
    assert f"{100 * settings.PROVIDER_CONNECTIONS} messages" in section(CAMPAIGNS, "## What a crash may repeat")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets, page
