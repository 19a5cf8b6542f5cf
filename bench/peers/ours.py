"""Our own wire alone, in one process, without campaign and ledger; NOTIFIER_TRANSPORT chooses. ORIGIN MESSAGE COUNT"""

from __future__ import annotations

import os
from dataclasses import replace

from bench import ceiling
from bench.peers.say import Asked, answer
from notifier.transport import http_client
from notifier.vocabulary.http import Response

#: requests of one exchange, a shard's worth
AT_ONCE = 1_000


def main() -> None:
    asked = Asked.read()
    sample = ceiling.request(asked.origin)
    wired = http_client(os.environ["BENCH_CA"])

    def send(count: int) -> int:
        taken = 0
        for start in range(0, count, AT_ONCE):
            # bodies of their own, as different messages have
            part = [replace(sample, body=sample.body + b" " * (i % 2)) for i in range(min(AT_ONCE, count - start))]
            for batch in wired.exchange(part):
                taken += sum(isinstance(said, Response) and said.status == 200 for _, said in batch)
        return taken

    answer(f"notifier ({os.environ['NOTIFIER_TRANSPORT']})", send, asked.count)


main()
