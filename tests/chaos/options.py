"""What the environment asks for: `SHORT=1`, `SEED=7`, `ROWS=glob,glob`, `RECIPIENTS=20000`, `MINUTES=60` (a soak)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

FULL_RECIPIENTS, SHORT_RECIPIENTS = 20_000, 1_500


@dataclass(frozen=True)
class Options:
    short: bool
    seed: int
    rows: tuple[str, ...]
    recipients: int
    minutes: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Options:
        """Raises ValueError for a number that is none."""
        short = environ.get("SHORT", "") not in ("", "0")
        recipients = environ.get("RECIPIENTS") or (SHORT_RECIPIENTS if short else FULL_RECIPIENTS)
        return cls(
            short=short,
            seed=int(environ.get("SEED") or secrets.randbelow(1_000_000)),
            rows=tuple(part.strip() for part in environ.get("ROWS", "").split(",") if part.strip()),
            recipients=int(recipients),
            minutes=float(environ.get("MINUTES") or 0),
        )

    @property
    def shard_size(self) -> int:
        """Small enough that a campaign has some dozens of shards."""
        return 200 if self.short else 1_000

    def chooses(self, name: str) -> bool:
        """Whether this row runs."""
        return not self.rows or any(fnmatchcase(name, pattern) for pattern in self.rows)
