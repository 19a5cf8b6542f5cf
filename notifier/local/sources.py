"""A digest of everything that decides what the database looks like."""

from __future__ import annotations

import hashlib
from pathlib import Path

from notifier.local.binaries import postgres_major

PACKAGES = ("notifier", "tenants", "campaigns", "inbox")


def digest(project: Path) -> str:
    """Of all our Python files, not only migrations: `post_migrate` and settings have a say too."""
    seen = hashlib.sha256(str(postgres_major()).encode())
    files = [path for package in PACKAGES for path in sorted(project.joinpath(package).rglob("*.py"))]
    for path in [project / "requirements.lock", *files]:
        seen.update(f"{path.relative_to(project)}\0".encode())
        seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()
