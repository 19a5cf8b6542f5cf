"""Let this process use the stack's database and broker as a worker does."""

from __future__ import annotations

import os
from functools import cache

from tests.chaos.stack.site import ChaosSite


def use_django(site: ChaosSite) -> None:
    """Settings are read once; connections are made anew, because PostgreSQL may have been restarted since."""
    _set_up(site)
    from django.db import connection

    connection.close()


@cache
def _set_up(site: ChaosSite) -> None:
    os.environ.update(site.env)
    import django

    django.setup()
