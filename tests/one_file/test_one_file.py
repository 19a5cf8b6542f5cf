"""The channel, the provider and the fake service of the how-to pages, and the provider of a new push platform, work in
a copy of the repository in which no other file changes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from notifier.local.processes.programs import PROJECT

PAGES = ("docs/how-to/adding-a-channel.md", "docs/how-to/adding-a-provider.md")
#: a paragraph's last line that names a file and ends with a colon, then the file's code
_FILE = re.compile(r"`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)```", re.DOTALL)
#: what a copy needs no part of: servers' data, caches, other people's copies
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "results")


def files_of_the_pages() -> dict[str, str]:
    """Path -> content, as the pages say."""
    return {path: code for page in PAGES for path, code in _FILE.findall((PROJECT / page).read_text())}


def copy_with(folder: Path, files: dict[str, str]) -> Path:
    """A copy of the repository with these files more, and no other change."""
    shutil.copytree(PROJECT, folder, ignore=_NOT_COPIED)
    for path, code in files.items():
        assert not (folder / path).exists(), f"{path} exists already"
        (folder / path).write_text(code)
    return folder


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the files of the pages."""
    return copy_with(tmp_path_factory.mktemp("one-file") / "notifier", files_of_the_pages())


def run(copy: Path, *arguments: str) -> str:
    """The output of Python with these arguments in the copy, on the servers of this test run."""
    server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "DATABASE_URL": f"{server}/one_file",  # the tests in the copy make a database of their own
        "REDIS_URL": f"{settings.REDIS_URL.rpartition('/')[0]}/15",
    }
    # those of pytest-xdist would make the tests in the copy a part of this run
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_the_pages_say_which_files_to_add() -> None:
    assert sorted(files_of_the_pages()) == [
        "notifier/channels/messenger.py",
        "notifier/providers/line.py",
        "notifier/sandbox/services/line.py",
    ]


def test_no_migration_is_missing_and_both_queues_get_a_worker(copy: Path) -> None:
    run(copy, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run")
    shown = run(copy, "manage.py", "queues").splitlines()
    assert {"messenger 2 1", "messenger.bulk 1 1"} <= set(shown)


def test_the_examples_pass_the_linter(copy: Path) -> None:
    files = sorted(files_of_the_pages())
    run(copy, "-m", "ruff", "check", *files)
    run(copy, "-m", "ruff", "format", "--check", *files)


def test_the_contract_tests_pass_and_a_message_and_a_campaign_arrive(copy: Path) -> None:
    shown = run(
        copy,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db"),
        "tests/channels",
        "tests/providers/test_contract.py",
        "tests/test_architecture.py",
        "tests/test_docs.py",
        "tests/test_not_yet.py",
        "tests/local/test_compose.py",
        "tests/one_file/send_messenger.py",
    )
    assert re.search(r"^\d+ passed in ", shown, re.MULTILINE), shown[-2000:]


def test_the_file_of_a_new_platform_makes_its_devices_known_everywhere(tmp_path: Path) -> None:
    provider = (PROJECT / "tests/one_file/pager_provider.py").read_text()
    copy = copy_with(tmp_path / "notifier", {"notifier/providers/pager.py": provider})
    run(copy, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run")
    tests = ("tests/providers/test_contract.py", "tests/one_file/register_pagers.py")
    shown = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db", *tests)
    assert re.search(r"^\d+ passed in ", shown, re.MULTILINE), shown[-2000:]
