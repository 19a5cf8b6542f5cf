"""SQL over a campaign's suppressed messages: who was left out, and why. The index delivery_left_out serves each
statement; the parameters tenant, campaign, low and high are as in `campaign_counts`."""

from __future__ import annotations

from notifier.vocabulary.status import Status

_LEFT_OUT = (
    "d.tenant_id = %(tenant)s AND d.campaign_id = %(campaign)s AND d.id >= %(low)s AND d.id < %(high)s"
    f" AND d.status = {Status.SUPPRESSED}"
)

#: reason, channel, how many messages. A million rows take 0.2 s
COUNTS = f"SELECT reason, channel, count(*) FROM notifier_delivery d WHERE {_LEFT_OUT} GROUP BY 1, 2 ORDER BY 3 DESC"

_OF_REASON = f"{_LEFT_OUT} AND d.reason = %(reason)s AND d.channel = %(channel)s"

#: id, recipient, detail of the `size` messages after or before a key, in the order of reading
AFTER = f"""
SELECT d.id, d.recipient_id, d.detail FROM notifier_delivery d
WHERE {_OF_REASON} AND d.id > %(key)s ORDER BY d.id LIMIT %(size)s
"""
BEFORE = f"""
SELECT d.id, d.recipient_id, d.detail FROM notifier_delivery d
WHERE {_OF_REASON} AND d.id < %(key)s ORDER BY d.id DESC LIMIT %(size)s
"""

#: id, external id, name, email, phone, locale, platform, detail; a deleted recipient is missing
PEOPLE = f"""
SELECT d.id, r.external_id, r.name, r.email, r.phone, r.locale, d.platform, d.detail
FROM notifier_delivery d JOIN tenants_recipient r ON r.id = d.recipient_id AND r.tenant_id = d.tenant_id
WHERE {_OF_REASON} AND d.id > %(key)s ORDER BY d.id LIMIT %(size)s
"""

#: external ids, each once
EXTERNAL_IDS = f"""
SELECT DISTINCT r.external_id
FROM notifier_delivery d JOIN tenants_recipient r ON r.id = d.recipient_id AND r.tenant_id = d.tenant_id
WHERE {_OF_REASON} AND r.status = 'active'
"""
