"""Audiences: segments (a filter over recipients), uploaded lists of external ids, all recipients, and topics.

Called by the editing of campaigns, preflight, the API and the admin, and by arming, which walks an audience in key
ranges. Calls `tenants` (recipients, imports) and the engine's recipient query.

segments: a filter is checked and compiled to SQL. references: what a filter names. topics: a topic of Firebase is
checked. lists: a file of ids is read into members. loading: how far a file is read. queries: the SQL over an audience
of any kind (key ranges, one range's recipients, count, sample). reach: count and sample within a budget of time.
reachable: on which channels the sampled recipients can be reached. kept_messages: whether a segment asks for messages
that are deleted. catalogue: which attributes, languages and apps a tenant's recipients have, for editors. sizes: counts
that lists show. left_out: who was left out of a campaign.
"""

from campaigns.audience.kept_messages import check_kept, is_kept
from campaigns.audience.lists import ListReport, load_file, load_ids, load_staged, stage_ids
from campaigns.audience.queries import (
    contains,
    count_recipients,
    key_ranges,
    recipient_query,
    sample_recipients,
    segment,
    topic_of,
)
from campaigns.audience.reach import Reach, people_of, reach_of, some_of
from campaigns.audience.segments import check_filter

__all__ = [
    "ListReport",
    "Reach",
    "check_filter",
    "check_kept",
    "contains",
    "count_recipients",
    "is_kept",
    "key_ranges",
    "load_file",
    "load_ids",
    "load_staged",
    "people_of",
    "reach_of",
    "recipient_query",
    "sample_recipients",
    "segment",
    "some_of",
    "stage_ids",
    "topic_of",
]
