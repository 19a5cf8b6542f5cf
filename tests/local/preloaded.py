"""What the fork server of test_forking imports, in place of the product: `python -m tests.local.preloaded WORD`."""

from __future__ import annotations

import os
import sys
import time

PRELOADED_IN = 0


def preload() -> None:
    global PRELOADED_IN
    PRELOADED_IN = os.getpid()


def main(word: str) -> None:
    from tests.local import preloaded

    print(word, os.environ["GREETING"], preloaded.PRELOADED_IN, os.nice(0), os.getpgid(0) == os.getpid(), flush=True)
    if word.isdigit():
        sys.exit(int(word))
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
