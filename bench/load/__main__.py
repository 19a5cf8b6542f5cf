"""`python -m bench.load`: reads one spec (a line of JSON), sends until its count is reached or its standard input is
closed, and writes the result (a line of JSON)."""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop

from bench.load.generate import Generator
from bench.load.spec import LoadSpec


async def main() -> None:
    spec = LoadSpec.parse(sys.stdin.readline())
    generator = Generator(spec)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(sys.stdin)  # a closed pipe stays readable
        generator.stop()

    loop.add_reader(sys.stdin, stop)
    gc.disable()  # a collection delays requests by some milliseconds
    result = await generator.run()
    sys.stdout.write(result.as_json() + "\n")


uvloop.run(main())
