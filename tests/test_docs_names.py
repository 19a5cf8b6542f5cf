"""What a document or a comment names exists: pages, headings, files, modules, tasks, decisions."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from notifier.celery import app
from notifier.local.processes.programs import PROJECT
from tests.pages import PACKAGES, PAGES, SOURCES, anchors, in_code_marks, relative

DECISIONS = sorted((PROJECT / "docs/decisions").glob("*.md"))
TESTS_AND_BENCH = [*sorted((PROJECT / "tests").rglob("*.py")), *sorted((PROJECT / "bench").rglob("*.py"))]
ALL_SOURCES = [*SOURCES, *TESTS_AND_BENCH]
#: a path that a page names begins with one of these
FOLDERS = {*PACKAGES, "tests", "bench", "docs", "deploy", "static", "templates", ".ci"}

#: a dotted name that begins with one of our packages
DOTTED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_][\w]*)+")
#: dotted names that are no modules, and what they are
OTHER_NAMES = {
    "notifier.inbox": "the subprotocol of the inbox socket",
    "notifier.tenants": "the database setting that names the visible tenants",
    "inbox.viewed": "an action of the audit log",
    "notifier.user": "the database setting that names the login",
    "notifier.session": "the database setting that names the session",
}
CHECK_ID = re.compile(r"notifier\.[EW]\d{3}")
#: pages of tests and of the benchmark's output, which no reader looks for in the repository
OUTPUT_PAGES = {"table.md"}


@cache
def comments(path: Path) -> str:
    """The comments and docstrings of a module."""
    source = path.read_text()
    texts = [t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            texts.append(ast.get_docstring(node) or "")
    return "\n".join(texts)


def exists(name: str) -> bool:
    return (PROJECT / name).exists()


def is_module_or_member(name: str) -> bool:
    """Whether a dotted name is a module, or is defined in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        path = "/".join(parts[:cut])
        if exists(f"{path}.py") or exists(f"{path}/__init__.py"):
            return cut == len(parts) or is_member(import_module(".".join(parts[:cut])), parts[cut:])
    return False


def is_member(inside: object, path: list[str]) -> bool:
    """Whether the attributes of this path exist; a field of a dataclass may be an annotation only."""
    for part in path:
        if not hasattr(inside, part) and part not in getattr(inside, "__annotations__", {}):
            return False
        inside = getattr(inside, part, None)
    return True


@cache
def tasks() -> frozenset[str]:
    app.loader.import_default_modules()
    return frozenset(app.tasks)


def unknown(names: set[str]) -> set[str]:
    """Dotted names that are no module, no member of one, no task and nothing else that we know."""
    files = {name for name in names if name.endswith((".js", ".py"))}
    known = {name for name in names if name in tasks() or name in OTHER_NAMES or CHECK_ID.fullmatch(name)}
    return {name for name in names - files - known if not is_module_or_member(name)}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=relative)
def test_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    """The changelog tells of names that were."""
    marked = in_code_marks(page.read_text())
    paths = {name for name in marked if "/" in name and not set(" <") & set(name) and name.split("/")[0] in FOLDERS}
    to_be_written = {name for name in paths if Path(name).stem in EXAMPLES}
    assert {name for name in paths - to_be_written if not exists(name)} == set()
    assert unknown({name for text in marked for name in DOTTED.findall(text) if "/" not in text}) == set()


#: what the pages on adding something tell the reader to write
EXAMPLES = {"messenger", "line"}


@pytest.mark.parametrize("page", [*DECISIONS, PROJECT / "docs/architecture.md"], ids=relative)
def test_classes_and_their_attributes_that_a_page_names_exist(page: Path) -> None:
    text = {path: path.read_text() for path in SOURCES}
    for name in in_code_marks(page.read_text()):
        if match := re.fullmatch(r"([A-Z][a-z]\w+)(?:\.(\w+))?", name):
            kind, attribute = match.groups()
            makers = [source for source in text.values() if re.search(rf"^class {kind}\b", source, re.MULTILINE)]
            makers = makers or [source for source in text.values() if re.search(rf"\b{kind}\b", source)]
            assert any(re.search(rf"\b{attribute or kind}\b", source) for source in makers), name


def test_modules_that_a_comment_names_exist() -> None:
    named = {path: set(DOTTED.findall(comments(path))) for path in ALL_SOURCES}
    missing = {relative(path): unknown(names) for path, names in named.items()}
    assert {path: names for path, names in missing.items() if names} == {}


def test_files_that_a_comment_names_exist() -> None:
    there = {path.name for folder in FOLDERS for path in (PROJECT / folder).rglob("*.*")} | {"manage.py"}
    for path in ALL_SOURCES:
        text = re.sub(r"https?://\S+", "", comments(path))  # a page of the web is no file
        named = re.findall(r"[\w.-]+\.(?:py|js|sql|html|css)\b", text)
        assert set(named) - there == set(), relative(path)


def test_the_map_of_a_package_names_its_modules() -> None:
    """A line `module   what it does` in the docstring of a package."""
    for path in (path for path in SOURCES if path.name == "__init__.py"):
        lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        named = [match[1] for line in lines if (match := re.match(r"\s*([a-z_0-9/.]+(?:, [a-z_0-9/.]+)*)  +\S", line))]
        inside = {part for below in path.parent.rglob("*") for part in (below.name, below.stem)}
        missing = {name for names in named for name in names.split(", ") if Path(name).name not in inside}
        assert missing == set(), relative(path)


def test_no_page_or_comment_cites_a_document_outside_of_the_repository() -> None:
    pages = {page.name for page in PAGES} | OUTPUT_PAGES
    strange: set[tuple[str, str]] = set()
    for path in [*PAGES, *ALL_SOURCES]:
        text = path.read_text() if path.suffix == ".md" else comments(path)
        strange |= {
            (relative(path), name) for name in re.findall(r"[\w./-]+\.md\b", text) if Path(name).name not in pages
        }
        strange |= {(relative(path), line) for line in re.findall(r"\b[A-Z]{4,}(?: |, section |\.md )§.*", text)}
        strange |= {(relative(path), place) for place in re.findall(r"(?<![\w.])/(?:work|home|root)/\S+", text)}
    assert strange == set()


def test_decisions_are_numbered_without_a_gap() -> None:
    for number, path in enumerate(DECISIONS, start=1):
        assert (path.name[:4], path.read_text()[:7]) == (f"{number:03}-", f"# {number:03}: ")


def test_decisions_that_are_cited_exist() -> None:
    numbers = {path.name[:3] for path in DECISIONS}
    for path in [*PAGES, *ALL_SOURCES]:
        text = re.sub(r"\s*\n\s*#?\s*", " ", path.read_text())
        assert set(re.findall(r"\bdecisions?[ /](\d{3})\b", text)) <= numbers, relative(path)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets, page


def test_every_command_that_is_named_exists() -> None:
    commands = {path.stem for package in PACKAGES for path in PROJECT.glob(f"{package}/management/commands/*.py")}
    theirs = {
        "axes_reset_username",
        "axes_reset_ip",
        "axes_reset",
        "changepassword",
        "check",
        "migrate",
        "shell",
        "spectacular",
    }
    for page in PAGES:
        named = set(re.findall(r"manage\.py\s+([a-z_]+)", page.read_text()))
        assert named - commands - theirs == set(), page
