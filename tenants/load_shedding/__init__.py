"""Load shedding: while the installation is overloaded, work that is not urgent waits.

`level` reads the level, which a process believes for a second; `may_run` is what a task of low priority asks. `switch`
is the operator's: the admin's card and `manage.py shedding` call it. `notifier.delivery.load_shedding` decides from
measured facts. The truth is one row in PostgreSQL, so losing Redis changes nothing.
"""

from tenants.load_shedding.level import current_level, may_run, read_state, reset

__all__ = ["current_level", "may_run", "read_state", "reset"]
