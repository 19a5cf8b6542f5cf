"""The SQL of a campaign's report: what became of its messages by channel, provider account, platform and language, and
over time.

Counting reads each row of the campaign twice: 500,000 messages took 4 to 11 s on two busy cores. Therefore the report
of a large campaign is counted by a task, and read from a row of its own (campaigns.report.stored).

The statements take the parameters of `campaign_counts`, and launched, category, channels, opt_out_days (an opt-out
counts for so many days after the message), until (no opt-out after it counts for any message), width (seconds of a step
of the curves).
"""

from __future__ import annotations

from notifier.vocabulary.receipts import EventKind
from notifier.vocabulary.status import TAKEN, ConsentSource, Status

_OF_CAMPAIGN = "d.tenant_id = %(tenant)s AND d.campaign_id = %(campaign)s AND d.id >= %(low)s AND d.id < %(high)s"


def _texts(*values: str) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _numbers(*values: int) -> str:
    return ", ".join(str(int(value)) for value in values)


# what was reported of each message. The ids of events are derived from their deliveries, with the same time part, so
# that the campaign's range finds them
_EVENTS = f"""
events AS (
  SELECT delivery_id,
    min(at) FILTER (WHERE what NOT IN ({_texts(EventKind.BOUNCED, EventKind.FAILED, EventKind.DEFERRED)})) AS delivered,
    min(at) FILTER (WHERE what IN ({_texts(EventKind.OPENED, EventKind.CLICKED)})) AS opened,
    min(at) FILTER (WHERE what = '{EventKind.CLICKED}') AS clicked,
    min(at) FILTER (WHERE what = '{EventKind.UNSUBSCRIBED}') AS unsubscribed
  FROM notifier_deliveryevent
  WHERE tenant_id = %(tenant)s AND id >= %(low)s AND id < %(high)s
    AND what IN ({_texts(*EventKind)}, 'machine_opened', 'machine_clicked')
  GROUP BY delivery_id
)
"""
# When a recipient opted out of the campaign's category, of its channel or of everything. The links in messages do not
# name the message, so that the time decides.
_OPT_OUTS = f"""
opt_outs AS (
  SELECT k.recipient_id, c.channel, array_agg(k.at) AS times
  FROM tenants_consentchange k CROSS JOIN unnest(%(channels)s::text[]) AS c (channel)
  WHERE k.tenant_id = %(tenant)s AND k.at >= %(launched)s AND k.at < %(until)s AND k.recipient_id IS NOT NULL
    AND k.changed = 'preference' AND k.source IN ({_texts(ConsentSource.PERSON, ConsentSource.RECEIPT)})
    AND (k.detail -> 'everything_off' = 'true' OR k.detail -> 'channels_off' ? c.channel
         OR k.detail -> 'categories_off' ?| ARRAY[%(category)s, %(category)s || ':' || c.channel])
  GROUP BY 1, 2
)
"""
_JOINED = f"""
FROM notifier_delivery d
LEFT JOIN events e ON e.delivery_id = d.id
LEFT JOIN opt_outs o ON o.recipient_id = d.recipient_id AND o.channel = d.channel AND d.status IN ({_numbers(*TAKEN)})
"""
# When the recipient of a message opted out, in the days after the message: the rest of an A/B test, a wave and a retry
# leave long after GO. Each message of the recipient counts.
_OPTED_OUT = """
CASE WHEN e.unsubscribed < d.settled_at + %(opt_out_days)s * interval '1 day' THEN e.unsubscribed
  WHEN o.times IS NOT NULL THEN (
    SELECT min(t.at) FROM unnest(o.times) AS t (at)
    WHERE t.at >= d.settled_at AND t.at < d.settled_at + %(opt_out_days)s * interval '1 day')
END
"""

#: channel, platform, account id, language, status, reason, how many, how many of them went to recipients who opted out;
#: without rows that are still in a shard
CELLS = f"""
WITH {_EVENTS}, {_OPT_OUTS}
SELECT d.channel, d.platform, d.account_id::text, COALESCE(r.locale, ''), d.status, d.reason, count(*),
  count({_OPTED_OUT})
{_JOINED}
LEFT JOIN tenants_recipient r ON r.id = d.recipient_id
WHERE {_OF_CAMPAIGN} AND d.status <> {Status.ARMED} GROUP BY 1, 2, 3, 4, 5, 6
"""

_DELIVERED = (Status.DELIVERED, Status.OPENED, Status.CLICKED, Status.COMPLAINED)
#: channel, step, number of the interval since GO, how many reached the step in it. A message counts in the steps that
#: its status includes, at the time of the first event that proves the step
OVER_TIME = f"""
WITH {_EVENTS}, {_OPT_OUTS}
SELECT d.channel, s.step, greatest(0, floor(extract(epoch FROM s.at - %(launched)s) / %(width)s))::int, count(*)
{_JOINED}
CROSS JOIN LATERAL (VALUES
  ('sent', CASE WHEN d.status IN ({_numbers(*TAKEN)}) THEN d.settled_at END),
  ('delivered', CASE WHEN d.status IN ({_numbers(*_DELIVERED)}) THEN COALESCE(e.delivered, d.settled_at) END),
  ('opened', CASE WHEN d.status IN ({_numbers(Status.OPENED, Status.CLICKED)})
             THEN COALESCE(e.opened, d.settled_at) END),
  ('clicked', CASE WHEN d.status = {Status.CLICKED} THEN COALESCE(e.clicked, d.settled_at) END),
  ('unsubscribed', {_OPTED_OUT})
) AS s (step, at)
WHERE {_OF_CAMPAIGN} AND s.at IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
