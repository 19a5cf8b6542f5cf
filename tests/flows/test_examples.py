"""The examples of the README and the tutorial run as they stand, and get the answers that the pages show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from notifier.local.processes.programs import PROJECT
from tests.flows import examples
from tests.flows.examples import Block, blocks, differences, documents
from tests.flows.site import Site
from tests.flows.wait import TIMEOUT

#: heartbeats and second counts may come before a frame that the page shows
FRAMES = 4
NAMES = ("README.md", "docs/tutorial.md")


@dataclass(frozen=True)
class Ran:
    """A page whose examples have run. `token`: the recipient token that it made, if it made one."""

    blocks: list[Block]
    outputs: dict[int, str]
    token: str


@pytest.fixture(scope="module", params=NAMES)
def page(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    path, printed = PROJECT / request.param, tmp_path_factory.mktemp("examples") / "printed"
    outputs = examples.run(path, site, printed)
    return Ran(blocks(path), outputs, printed.read_text())


def test_each_example_gets_the_answer_that_the_page_shows(page: Ran) -> None:
    for number, output in page.outputs.items():
        answer = page.blocks[number + 1] if number + 1 < len(page.blocks) else None
        if answer and answer.language == "json":
            assert differences(json.loads(answer.text), documents(output)[-1]) == [], answer.text
        elif answer and not answer.language:
            assert output.strip() == answer.text.strip()


def test_no_example_gets_a_problem_that_the_page_does_not_show(page: Ran) -> None:
    for number, output in page.outputs.items():
        shown = "urn:notifier:problem" in "".join(block.text for block in page.blocks[number + 1 : number + 2])
        problems = [document for document in documents(output) if "request_id" in document]
        assert len(problems) == int(shown), problems


def test_the_conversation_with_the_socket_goes_as_the_page_shows(page: Ran, site: Site) -> None:
    lines = [line for block in page.blocks for line in block.text.splitlines() if line.startswith((">  {", "<  {"))]
    if not lines:
        return
    address, protocols = f"ws://{urlsplit(site.url).netloc}/v1/inbox/live", ["notifier.inbox", page.token]
    with connect(address, subprotocols=protocols, open_timeout=TIMEOUT) as socket:  # type: ignore[arg-type]
        for line in lines:
            if line.startswith(">"):
                socket.send(line[1:].strip())
            else:
                shown = json.loads(line[1:])
                assert any(not differences(shown, json.loads(socket.recv(timeout=TIMEOUT))) for _ in range(FRAMES)), (
                    line
                )


@pytest.mark.parametrize("name", NAMES)
def test_an_example_that_is_not_run_says_why(name: str) -> None:
    """Only what starts servers of its own, or needs another machine, is not run."""
    reasons = [block.not_run for block in blocks(PROJECT / name) if block.not_run]
    assert len(reasons) <= 2 and all(reason.startswith("it ") for reason in reasons), reasons


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_site_that_an_example_names_exist(name: str) -> None:
    for block in blocks(PROJECT / name):
        for part in block.text.split('"'):
            if "/static/" in part:
                assert (PROJECT / "static" / Path(part.split("/static/")[1])).exists(), part
