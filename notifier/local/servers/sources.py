"""A digest of everything that decides what the database looks like."""

from __future__ import annotations

import hashlib
from pathlib import Path

from notifier.local.servers.binaries import postgres_major

PACKAGES = ("notifier", "tenants", "campaigns", "inbox")


def digest(project: Path) -> str:
    """Of all our Python files, not only migrations: `post_migrate` and settings have a say too."""
    seen = hashlib.sha256(str(postgres_major()).encode())
    files = [path for package in PACKAGES for path in sorted(project.joinpath(package).rglob("*.py"))]
    for path in [project / "requirements.lock", *files]:
        seen.update(f"{path.relative_to(project)}\0".encode())
        seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()


def tables(project: Path) -> str:
    """Of the first migrations, which are written anew until the first release: a database that was made by others of
    them cannot be migrated, so the local one is named after them."""
    first = sorted(path for package in PACKAGES for path in project.glob(f"{package}/migrations/0001_*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in first)).hexdigest()[:8]
