"""A campaign that corrects another one: it goes to exactly the addresses that got the other's messages, with their
collapse keys, so that phones replace the message.

`planner` asks here who got it, and the engine asks for the keys (`AppConfig.ready` registers `replaced_keys`). A
correction of a correction carries the keys of the first campaign.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from campaigns.arming.ids import delivery_ids
from campaigns.models import Campaign
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger.campaigns import campaign_rows
from notifier.vocabulary.ids import id_floor

#: from an address to the delivery id of the message that it got, as 32 hexadecimal digits
IdFinder = Callable[[str], str]
#: corrections of corrections that are followed
_MOST_STEPS = 20
#: channels whose later message replaces an earlier one with the same key
REPLACING = frozenset({"push"})
#: campaign -> the arming time and the id of the first campaign of its chain (None: it corrects no other). It never
#: changes; a process forgets it all the same
_roots = TtlCache[uuid.UUID, tuple[tuple[int, uuid.UUID] | None]](seconds=600.0)


class Corrected:
    """Who got the messages of the campaign that is corrected."""

    def __init__(self, campaign: Campaign) -> None:
        assert campaign.first_armed_ms is not None
        self._campaign, self._ms = campaign, campaign.first_armed_ms
        self._ids: dict[str, IdFinder] = {
            name: delivery_ids(campaign.first_armed_ms, campaign.pk, name) for name in campaign.channels
        }
        self._got: set[str] = set()

    def load(self, recipient_ids: Sequence[uuid.UUID]) -> None:
        """Read which messages these recipients got: one query."""
        ids = (id_floor(self._ms), id_floor(self._ms + 1))
        self._got = campaign_rows.ids_that_arrived(self._campaign.pk, ids, recipient_ids)

    def got_it(self, channel: str, address: str) -> bool:
        """Whether this address got its message, as far as anybody knows."""
        find = self._ids.get(channel)
        return find is not None and find(address) in self._got


def corrected_by(campaign: Campaign) -> Corrected | None:
    """None for a campaign that corrects no other."""
    return Corrected(campaign.corrects) if campaign.corrects is not None else None


def replaced_keys(campaign_id: uuid.UUID, channel: str) -> IdFinder | None:
    """The collapse keys of a correction's messages; None for any other campaign, and on channels that replace nothing.
    A query for each campaign in a process, then a look into a dictionary."""
    if channel not in REPLACING:
        return None
    kept = _roots.get(campaign_id)
    if kept is None:
        kept = (_root_of(campaign_id),)
        _roots.keep(campaign_id, kept)
    (root,) = kept
    return None if root is None else delivery_ids(root[0], root[1], channel)


def _root_of(campaign_id: uuid.UUID) -> tuple[int, uuid.UUID] | None:
    """The first campaign of a chain of corrections: its arming time and its id."""
    root: tuple[int, uuid.UUID] | None = None
    at = campaign_id
    for _ in range(_MOST_STEPS):
        row = Campaign.objects.filter(pk=at).values_list("corrects", "corrects__first_armed_ms").first()
        if row is None or row[0] is None or row[1] is None:
            break
        at, root = row[0], (row[1], row[0])
    return root
