"""The number of recipients that a page counted last of an audience, for lists of audiences."""

from __future__ import annotations

from django.utils import timezone

from campaigns.models import Audience


def keep(audience: Audience, people: int, *, exact: bool) -> None:
    """Remember the count, unless it is remembered already."""
    if (audience.people, audience.people_exact) != (people, exact):
        Audience.objects.filter(pk=audience.pk).update(people=people, people_exact=exact, counted_at=timezone.now())
