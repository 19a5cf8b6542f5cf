"""A connection whose settings end with each transaction, because the next transaction may run in another session."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import sql


class DatabaseWrapper(base.DatabaseWrapper):
    """Sets `transaction_settings` at the beginning of each transaction: one round trip more, if there are any."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: name -> value, of PostgreSQL's settings
        self.transaction_settings: dict[str, str] = dict(self.settings_dict.get("TRANSACTION_SETTINGS", {}))

    def _set_autocommit(self, autocommit: bool) -> None:
        """Django's way to begin a transaction, and to end one."""
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit or not self.transaction_settings:
            return
        try:
            with self.wrap_database_errors:
                # PREPARE-free, and one statement: psycopg sends BEGIN before it
                self.connection.execute(_set_local(self.transaction_settings))
        except Exception:
            self.close()  # else the next block would believe that no transaction is open
            raise


def _set_local(settings: dict[str, str]) -> sql.Composed:
    calls = (
        sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        for name, value in settings.items()
    )
    return sql.SQL("SELECT ") + sql.SQL(", ").join(calls)
