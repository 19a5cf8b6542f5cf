"""The backend's DatabaseWrapper, which Django looks for in this module."""

from __future__ import annotations

from typing import Any

from notifier.web.postgresql.quick_pool import RECONNECT_SECONDS, QuickPool
from tenants.database.pooled import base


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        """The pool of this process; made as Django makes its own, and opened by the first caller."""
        options = self.settings_dict["OPTIONS"].get("pool")
        pools: dict[str, Any] = self._connection_pools  # type: ignore[attr-defined]
        if options and self.alias not in pools:
            # setdefault: of two threads that make a pool, one has made it in vain
            pools.setdefault(
                self.alias,
                QuickPool(
                    kwargs={**self.get_connection_params(), "autocommit": True},
                    open=False,
                    configure=self._configure_connection,  # type: ignore[attr-defined]
                    reconnect_timeout=RECONNECT_SECONDS,
                    **options,
                ),
            )
        return super().pool
