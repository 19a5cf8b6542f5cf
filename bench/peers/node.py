"""Google's firebase-admin for Node: whether it is installed, and how to run it."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "node"


def command() -> tuple[list[str], str]:
    """The command line, or why there is none."""
    node = shutil.which("node")
    if node is None:
        return [], "no node on PATH"
    if not (FOLDER / "node_modules" / "firebase-admin").exists():
        return [], "firebase-admin for Node is not installed (npm ci in bench/peers/node)"
    return [node, str(FOLDER / "send_each.js")], ""
