"""The examples of a page as a program: its blocks in order, and what each of them prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifier.local.processes.programs import PROJECT
from tests.flows.site import Site

#: longer than all examples of a page take on a busy machine
TIMEOUT = 300.0
_FENCE = re.compile(r"(?:<!-- not run: (.+?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "@@@ {} @@@"
_RUN = ("sh", "python")
#: values that differ from run to run
_CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT\S+")


@dataclass(frozen=True)
class Block:
    """One fenced block. `not_run`: the page's reason why it cannot be run."""

    language: str
    text: str
    not_run: str

    @property
    def runs(self) -> bool:
        return self.language in _RUN and not self.not_run


def blocks(page: Path) -> list[Block]:
    return [Block(language, text, why) for why, language, text in _FENCE.findall(page.read_text())]


def run(page: Path, site: Site, printed: Path) -> dict[int, str]:
    """Run the page's examples in one shell; the output of each block by its number. `printed`: a file for what
    `create_tenant` prints, from which a reader copies the key."""
    script = ["set -euo pipefail"]
    for number, block in enumerate(blocks(page)):
        if block.runs:
            script += [f"echo; echo '{_MARK.format(number)}'", _command(block, site, printed)]
    # what a page made that its later blocks need
    script.append(f"echo; echo '{_MARK.format('TOKEN')}'; echo ${{TOKEN:-}}")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=PROJECT, env=_environment(site),
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    parts = re.split(r"\n@@@ (\w+) @@@\n", done.stdout)
    outputs = dict(zip(parts[1::2], parts[2::2], strict=True))
    printed.write_text(outputs.pop("TOKEN").strip())
    return {int(number): output for number, output in outputs.items()}


def _environment(site: Site) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **site.env, "PATH": path}


def _command(block: Block, site: Site, printed: Path) -> str:
    if block.language == "python":
        return f"python3 - <<'EXAMPLE'\n{block.text}EXAMPLE"
    text = block.text.replace(".venv/bin/python", sys.executable).replace("http://127.0.0.1:8000", site.url)
    text = re.sub(r"(manage\.py create_tenant.*)", rf"\1 | tee {printed}", text)
    return text.replace("nk_live_…", f"$(awk '/^live key/ {{print $3}}' {printed})")


def documents(output: str) -> list[Any]:
    """The JSON documents of an output, in their order; what is no JSON is passed over."""
    return list(_documents(output))


def _documents(output: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while (at := output.find("{", at)) >= 0:
        try:
            document, at = decoder.raw_decode(output, at)
            yield document
        except ValueError:
            at += 1


def differences(shown: Any, actual: Any, path: str = "") -> list[str]:
    """Where an answer is not what the page shows. The page may leave fields out; ids and times may differ."""
    if isinstance(shown, dict) and isinstance(actual, dict):
        missing = [f"{path}.{key} is missing" for key in shown if key not in actual]
        both = [key for key in shown if key in actual]
        return missing + [line for key in both for line in differences(shown[key], actual[key], f"{path}.{key}")]
    if isinstance(shown, list) and isinstance(actual, list) and len(shown) == len(actual):
        pairs = enumerate(zip(shown, actual, strict=True))
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{path}[{n}]")]
    changing = all(isinstance(value, str) and _CHANGING.fullmatch(value) for value in (shown, actual))
    return [] if changing or shown == actual else [f"{path}: the page shows {shown!r}, the answer is {actual!r}"]
