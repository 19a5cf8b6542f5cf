"""Facts of campaigns for a scrape of Prometheus (`notifier.metrics.scraping`)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric

from campaigns.models import Campaign, Shard
from notifier.channels import channels
from notifier.metrics.scraping.readers import MOST_COUNTED, gauge, rows, single

_STATES = (
    Campaign.State.ARMING,
    Campaign.State.ARMED,
    Campaign.State.LAUNCHING,
    Campaign.State.RUNNING,
    Campaign.State.PAUSED,
)
# campaigns are few: the sweep reads them every second, too
_CAMPAIGNS = """
SELECT state, count(*), count(*) FILTER (WHERE halted <> ''), coalesce(sum(audience_size - processed)
  FILTER (WHERE state = 'arming'), 0)
FROM campaigns_campaign WHERE state = ANY(%s) GROUP BY 1
"""
# by the index of open shards
_SHARDS = f"""
SELECT s.channel, s.state, count(*), sum(s.size - s.begun) FROM (
  SELECT s.channel, s.state, s.size, s.begun, s.campaign_id FROM campaigns_shard s
  WHERE s.state IN ('armed', 'running') AND (s.not_before IS NULL OR s.not_before <= now()) LIMIT {MOST_COUNTED}) s
JOIN campaigns_campaign c ON c.id = s.campaign_id AND c.state = 'running'
GROUP BY 1, 2
"""


def read_campaigns() -> Iterator[Metric]:
    """Two statements."""
    found = {state: values for state, *values in rows(_CAMPAIGNS, [[str(state) for state in _STATES]])}
    nothing = (0, 0, 0)
    counts = [(state.value, found.get(state.value, nothing)[0]) for state in _STATES]
    yield gauge("campaigns", "Campaigns that have not ended, and are no drafts", ("state",), counts)
    halted = sum(values[1] for values in found.values())
    yield single("campaigns_halted", "Campaigns that paused themselves, or one of their channels", halted)
    to_arm = found.get(Campaign.State.ARMING.value, nothing)[2]
    yield single("arming_entries_left", "Entries of audiences that are being armed", to_arm)
    shards = {(channel, state): values for channel, state, *values in rows(_SHARDS)}
    names = sorted(channels())
    states = (Shard.State.ARMED.value, Shard.State.RUNNING.value)
    each = [(channel, state, *shards.get((channel, state), (0, 0))) for channel in names for state in states]
    meaning = "Shards of running campaigns that may leave now: armed, or with a worker"
    yield gauge("shards", meaning, ("channel", "state"), [(channel, state, count) for channel, state, count, _ in each])
    left = [(channel, sum(row[3] for row in each if row[0] == channel)) for channel in names]
    yield gauge("shard_messages_left", "Messages of these shards that have not begun", ("channel",), left)
