"""Digests of the source files that decide how the database looks."""

from __future__ import annotations

import hashlib
from pathlib import Path

from notifier.local.servers.binaries import postgres_major

PACKAGES = ("notifier", "tenants", "campaigns", "inbox")


def sources_digest(project: Path) -> str:
    """A digest of all Python files of the product, not only of migrations, because `post_migrate` and settings also
    change the database."""
    digest = hashlib.sha256(str(postgres_major()).encode())
    files = [path for package in PACKAGES for path in sorted(project.joinpath(package).rglob("*.py"))]
    for path in [project / "requirements.lock", *files]:
        digest.update(f"{path.relative_to(project)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def migrations_digest(project: Path) -> str:
    """A digest of the first migrations, which change in place until the first release. A database that other first
    migrations made cannot be migrated, so the name of the local database has this digest."""
    first = sorted(path for package in PACKAGES for path in project.glob(f"{package}/migrations/0001_*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in first)).hexdigest()[:8]
