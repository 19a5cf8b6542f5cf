"""Templates that want too much, rendered in a process of their own: prints the time and memory that each took.

Run by test_liquid_limits.py as `python -m tests.delivery.content.hostile_templates`; reads [[source, data], …] as
JSON from standard input."""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")


def main() -> None:
    import django

    django.setup()
    from notifier.delivery.content.liquid import LiquidText
    from notifier.errors import InvalidInput

    # one that forgets its limits ends in a MemoryError here, and the test says so
    resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20))
    LiquidText("{{ a | upcase }}").render({"a": "b"})
    told: list[dict[str, Any]] = []
    for source, data in orjson.loads(sys.stdin.buffer.read()):
        before, peak = time_used(), peak_kib()
        try:
            said = f"{len(LiquidText(source).render(data))} characters"
        except InvalidInput as error:
            said = error.message
        told.append({"said": said, "seconds": time_used() - before, "kib": peak_kib() - peak})
    sys.stdout.buffer.write(orjson.dumps(told))


def time_used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
