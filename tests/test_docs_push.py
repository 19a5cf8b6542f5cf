"""The page about push lists the parts and keys that the code knows, each with the same words."""

from __future__ import annotations

import json
import re

import pytest

from notifier.channels import channel
from notifier.channels.push_keys import BLOCKS
from notifier.local.processes.programs import PROJECT
from notifier.vocabulary.content import TenantRules
from tests.pages import first_column, section

PAGE = (PROJECT / "docs/channels/push.md").read_text()


def test_the_page_lists_every_part() -> None:
    parts = section(PAGE, "## The parts").split("Every value is a text")[0]
    assert first_column(parts) == set(channel("push").parts)


@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_the_page_lists_every_key_with_what_it_must_be(block: str) -> None:
    rows = [line for line in section(PAGE, f"### {block}").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{block}.{key.name}` | {key.does} | {key.kind.must_be} |" for key in BLOCKS[block].values()
    ]  # fmt: skip


def test_the_examples_are_templates_that_can_be_published() -> None:
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    templates = [example["push"]["en"] for example in examples if "push" in example]
    assert len(templates) == 3
    push = channel("push")
    for parts in templates:
        push.check_parts(parts)
        constant = {
            part: {k: text for k, text in value.items() if "{" not in text} if isinstance(value, dict) else value
            for part, value in parts.items()
            if isinstance(value, dict) or "{" not in value
        }
        push.check_content(constant, TenantRules())
