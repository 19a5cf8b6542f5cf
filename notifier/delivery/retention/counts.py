"""The SQL that counts messages and requests which go. It runs in the transaction that deletes them, so each is counted
once, whatever is killed."""

from __future__ import annotations

_NO_CAMPAIGN = "00000000-0000-0000-0000-000000000000"
_KEY = "tenant_id, day, campaign_id, channel, category, template, status, reason, provider, locale, mode"

#: columns of the ledger that the counts need
COLUMNS = (
    "tenant_id", "accepted_at", "campaign_id", "channel", "category", "status", "reason", "mode", "account_id",
    "recipient_id", "notification_id",
)  # fmt: skip


def count_messages(source: str) -> str:
    """Add the rows of `source`, an SQL table with COLUMNS, to the counts. Sorted, so that two transactions wait for
    each other instead of deadlocking."""
    return f"""
INSERT INTO notifier_messagecount AS c ({_KEY}, messages)
SELECT g.tenant_id, (g.accepted_at AT TIME ZONE 'UTC')::date, coalesce(g.campaign_id, '{_NO_CAMPAIGN}'), g.channel,
  g.category, coalesce(t.key, ''), g.status, g.reason, coalesce(a.provider, ''), coalesce(r.locale, ''), g.mode,
  count(*)
FROM {source} g
LEFT JOIN notifier_provideraccount a ON a.id = g.account_id
LEFT JOIN tenants_recipient r ON r.id = g.recipient_id
LEFT JOIN notifier_notification n ON n.id = g.notification_id
LEFT JOIN notifier_templateversion v ON v.id = n.version_id
LEFT JOIN notifier_template t ON t.id = v.template_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
ON CONFLICT ({_KEY}) DO UPDATE SET messages = c.messages + EXCLUDED.messages
"""


#: the same of requests, from an SQL table `gone` with tenant_id and created_at
COUNT_REQUESTS = """
INSERT INTO notifier_requestcount AS c (tenant_id, at, requests)
SELECT tenant_id, date_bin('15 minutes', created_at, timestamptz 'epoch'), count(*) FROM gone
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (tenant_id, at) DO UPDATE SET requests = c.requests + EXCLUDED.requests
"""
