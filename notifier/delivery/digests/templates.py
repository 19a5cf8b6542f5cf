"""What a digest template must be, and the channels that it serves."""

from __future__ import annotations

import uuid
from functools import lru_cache

from notifier.delivery.content.templates import compiled
from notifier.errors import InvalidInput
from notifier.vocabulary.digests import VARIABLES


@lru_cache(maxsize=1000)
def unknown_variables(version_id: uuid.UUID) -> tuple[str, ...]:
    """The variables that the version reads and no digest has. A version never changes."""
    roots = {path.partition(".")[0].partition("[")[0] for path in compiled(version_id).variables}
    return tuple(sorted(roots - VARIABLES))


def check_variables(version_id: uuid.UUID, field: str) -> None:
    """Raise InvalidInput for a template that could not be rendered as a digest."""
    if unknown := unknown_variables(version_id):
        raise InvalidInput(
            f"The template reads {', '.join(unknown[:5])}; a digest has {', '.join(sorted(VARIABLES))}.",
            field=field,
            code="no_digest_template",
        )


def digest_channels(version_id: uuid.UUID, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The channels on which a digest gathers: those of its template, or those of them that are chosen."""
    return tuple(name for name in compiled(version_id).channels if not chosen or name in chosen)
