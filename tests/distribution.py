"""Which process of `make test` runs which tests: a file stays in one process, because its tests share fixtures, and all
flows stay in one, because they share one running site.

A scheduler of our own, because the marks of `--dist loadgroup` do nothing with pytest 9.2 (pytest-xdist 3.8 writes them
into ids that pytest no longer reads).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

FLOWS = "tests/flows/"


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return FLOWS if path.startswith(FLOWS) else path
