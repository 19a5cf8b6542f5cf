"""Python imports this module before a program when its folder is on PYTHONPATH: the clock of that process is then wrong
by CHAOS_CLOCK_SECONDS. It shifts `time.time`, `time.time_ns` and what `datetime` calls now and today; the monotonic
clock goes on as it was, as on a machine whose date was set."""

from __future__ import annotations

import datetime as module
import os
import time
from typing import Any

SHIFT = float(os.environ.get("CHAOS_CLOCK_SECONDS", "0"))
_real_time, _real_time_ns, _real = time.time, time.time_ns, module.datetime


class _Kind(type):
    """`isinstance` and `issubclass` take datetimes that C code made for datetimes of the shifted class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _real)


class datetime(module.datetime, metaclass=_Kind):
    """Makes datetimes of the real class, and shifts those of now."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _real(*arguments, **named)

    @classmethod
    def now(cls, tz: module.tzinfo | None = None) -> Any:
        return _real.now(tz) + module.timedelta(seconds=SHIFT)

    @classmethod
    def utcnow(cls) -> Any:
        return _real.fromtimestamp(_real_time() + SHIFT, module.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return _real.today() + module.timedelta(seconds=SHIFT)


for name in ("fromtimestamp", "fromisoformat", "strptime", "combine", "min", "max"):
    setattr(datetime, name, getattr(_real, name))
if SHIFT:
    time.time = lambda: _real_time() + SHIFT
    time.time_ns = lambda: _real_time_ns() + int(SHIFT * 1e9)
    module.datetime = datetime  # type: ignore[misc]
