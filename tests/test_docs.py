"""The documents are complete: they name what the code knows, and nothing else."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib

import pytest
from django.conf import settings

from notifier import errors
from notifier.api.framework.errors import CODE_OF_STATUS
from notifier.celery import app
from notifier.channels import channels
from notifier.channels.queues import queues
from notifier.local.processes.programs import PROJECT
from notifier.providers import providers
from notifier.sandbox.faults import Faults
from notifier.vocabulary.status import Reason, Status
from tenants.api_keys import SCOPES
from tests.pages import (
    API,
    ARCHITECTURE,
    CAMPAIGNS,
    DEPENDENCIES,
    OPERATIONS,
    PROVIDERS,
    README,
    SOURCES,
    first_column,
    in_code_marks,
    section,
)

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
COMPOSE = (PROJECT / "docker-compose.yml").read_text()


def variables_read() -> set[str]:
    """Names that settings.py asks the environment for."""
    names = set()
    for node in ast.walk(ast.parse((PROJECT / "notifier/settings.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            reads_environment = ast.unparse(node.func.value) in ("env", "os.environ")
            if reads_environment and isinstance(node.args[0], ast.Constant):
                names.add(str(node.args[0].value))
    return names


def error_classes() -> list[type[errors.NotifierError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.NotifierError)]


def codes_raised() -> set[str]:
    """Every code that is written out beside the error that carries it."""
    codes = set(CODE_OF_STATUS.values())
    for path in SOURCES:
        codes |= set(re.findall(r'\bcode="([a-z_]+)"', _OF_A_FORM.sub("", path.read_text())))
    return codes


#: a validator of Django's forms raises these; no answer of the API has their codes
_OF_A_FORM = re.compile(r"raise ValidationError\([^()]*\)")


def layers(contract: str) -> list[set[str]]:
    """The layers of a contract of import-linter, from the top, without those in parentheses: they may be missing."""
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    named = next(c for c in contracts if c["name"] == contract)
    return [{name.strip() for name in line.split("|") if "(" not in name} for line in named["layers"]]


def layers_shown(contract: str) -> list[set[str]]:
    """The same, as the page of the architecture shows them."""
    block = ARCHITECTURE.split(f"```layers {contract}\n", 1)[1].split("\n```", 1)[0]
    return [{name.strip() for name in line.split("|")} for line in block.splitlines()]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_operations_has_every_variable_that_the_settings_read_and_no_other() -> None:
    assert first_column(section(OPERATIONS, "## Settings")) == variables_read()


def test_the_dependencies_are_those_of_the_project() -> None:
    required = {re.split(r"[\[<>=~!; ]", line)[0] for line in PYPROJECT["project"]["dependencies"]}
    assert first_column(DEPENDENCIES) == required


def test_the_readme_has_every_channel_that_ships_and_a_page_has_each_of_its_providers() -> None:
    """A channel ships when docker-compose.yml has workers for it; a channel of another installation is one file."""
    table = section(README, "## Channels and providers")
    shipped = {name for name in channels() if f"worker -Q {name} " in COMPOSE}
    assert {"push", "in_app"} <= shipped == first_column(table)
    described = in_code_marks(table) | first_column(section(PROVIDERS, "## All providers"))
    assert {name for name, kind in providers().items() if kind.channel in shipped} <= described


def test_the_architecture_shows_the_layers_that_are_checked() -> None:
    shown = re.findall(r"^```layers (.+)$", ARCHITECTURE, re.MULTILINE)
    assert {"Imports point down", "The rooms of the engine", "The rooms of campaigns"} <= set(shown)
    for contract in shown:
        assert layers_shown(contract) == layers(contract), contract


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
    # a channel's queues are explained once for all channels
    kinds = {re.sub(rf"^({'|'.join(channels())})(?=\.|$)", "<channel>", queue) for queue in queues()}
    assert kinds <= named
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= named
    assert {knob.name for knob in dataclasses.fields(Faults)} <= first_column(section(OPERATIONS, "## The sandbox"))


def test_what_a_crash_may_repeat_is_what_the_code_allows() -> None:
    assert f"{100 * settings.PROVIDER_CONNECTIONS} messages" in section(CAMPAIGNS, "## What a crash may repeat")
