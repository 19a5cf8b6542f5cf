"""Renders templates that ask for too much in a process of its own; prints the time and memory that each used.

test_liquid_limits.py runs it as `python -m tests.delivery.content.hostile_templates`, with [[source,
data], …] as JSON on standard input."""

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
    from notifier.delivery.content.liquid.text import LiquidText
    from notifier.errors import InvalidInput

    # a rendering without limits ends in a MemoryError here, and the test fails
    resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20))
    LiquidText("{{ a | upcase }}").render({"a": "b"})
    measured: list[dict[str, Any]] = []
    for source, data in orjson.loads(sys.stdin.buffer.read()):
        before, peak = time_used(), peak_kib()
        try:
            outcome = f"{len(LiquidText(source).render(data))} characters"
        except InvalidInput as error:
            outcome = error.message
        measured.append({"outcome": outcome, "seconds": time_used() - before, "kib": peak_kib() - peak})
    sys.stdout.buffer.write(orjson.dumps(measured))


def time_used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
