"""Our own HTTP client alone, in one process, without campaign and ledger; NOTIFIER_TRANSPORT chooses which.

ORIGIN MESSAGE.json COUNT
"""

from __future__ import annotations

import os
from dataclasses import replace

from bench import ceiling
from bench.peers.protocol import PeerInput, measure
from notifier.transport import http_client
from notifier.vocabulary.http import Response

#: requests of one exchange, as many as a shard has
AT_ONCE = 1_000


def main() -> None:
    peer_input = PeerInput.read()
    sample = ceiling.fcm_request(peer_input.origin)
    client = http_client(os.environ["BENCH_CA"])

    def send(count: int) -> int:
        accepted = 0
        for start in range(0, count, AT_ONCE):
            # different bodies, as different messages have
            part = [replace(sample, body=sample.body + b" " * (i % 2)) for i in range(min(AT_ONCE, count - start))]
            for batch in client.exchange(part):
                accepted += sum(isinstance(answer, Response) and answer.status == 200 for _, answer in batch)
        return accepted

    measure(f"notifier ({os.environ['NOTIFIER_TRANSPORT']})", send, peer_input.count)


main()
