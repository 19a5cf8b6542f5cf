"""What a message costs on its way through the platform: measured figures, each with its source.

Measured on two shared cores that carried everything at once. µs are of CPU time, so they hold on other machines of the
kind; rates on the clock would not. `site_capacity` computes with them, and `make bench` measures them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class MessageCost:
    """µs of CPU that one message costs each part."""

    worker: float
    postgres: float
    valkey: float
    control: float
    source: str
    web: float = 0.0


_PUSH = "bench/README.md: a million to nghttpd, 2026-11-21"
_MAIL = "bench/README.md: 100,000 mails of 5 kB, 2026-11-28"
_IN_APP = "docs/performance.md: 40,000 new inboxes; Valkey with beat, web and batch"
_ONE_BY_ONE = "as Web Push, whose requests are built one by one, too (docs/performance.md); not measured"

#: a message of a campaign, from GO to its durable outcome, by channel
CAMPAIGN: Mapping[str, MessageCost] = {
    "push": MessageCost(15.7, 5.4, 0.4, 1.1, _PUSH),
    "email": MessageCost(108.0, 11.0, 18.0, 5.0, _MAIL),
    "in_app": MessageCost(12.3, 46.3, 12.8, 18.3, _IN_APP),
    "sms": MessageCost(78.0, 5.4, 0.4, 1.1, _ONE_BY_ONE),
    "chat": MessageCost(78.0, 5.4, 0.4, 1.1, _ONE_BY_ONE),
}
#: a message of its own: one request to the API
SINGLE = MessageCost(2897.0, 5426.0, 432.0, 316.0, "bench/results/latest.json: 100 a second, 2026-11-21", web=6974.0)
#: a message of a bulk request to the API
BULK = MessageCost(121.0, 278.0, 3.0, 8.0, "bench/results/latest.json: 100,000 recipients, 2026-11-21", web=172.0)


@dataclass(frozen=True)
class SiteFigures:
    """Everything else. µs are of CPU."""

    #: arming a message of a campaign: 31,792 a second on two cores (bench/README.md)
    arming_us: float = 63.0
    #: copying an outcome into the ledger afterwards (bench/README.md, nghttpd and nginx: 49.7 and 62.3)
    rows_us: float = 62.3
    #: the part of both that PostgreSQL does, the rest being workers of `batch`. Assumed
    postgres_share: float = 0.5
    #: bytes of a message in the ledger, indexes included: 20,000 messages of a campaign and 5,000 single ones with push
    #: tokens of 101 characters, after VACUUM
    campaign_bytes: int = 780
    single_bytes: int = 1_500
    #: bytes of WAL a message: 690 for a whole campaign (campaigns.preflight.capacity). A single message is assumed to
    #: write its bytes three times, because its row is written three times
    campaign_wal: int = 690
    #: MB of a process: a bulk worker after a million (bench/README.md: 178); other workers and web as containers
    #: (docs/operations.md: 80 to 130)
    bulk_worker_mb: int = 180
    process_mb: int = 130
    #: the share of a core, and of a disk, that is planned with. The rest is for peaks within the second, failures of
    #: machines and vacuum. Assumed
    busy: float = 0.6
    #: the largest database machine, in cores and GB of its disk; and memory for each core of any database. Assumed
    database_cores: int = 64
    database_disk_gb: int = 16_000
    database_gb_per_core: int = 4


FIGURES = SiteFigures()
