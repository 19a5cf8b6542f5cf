"""What became of a campaign: the report, and accounting, which copies outcomes into the ledger.

The API, the admin and preflight read `results`; the tasks and the sweep call `accounting`. Both read shards
(`campaigns.shard`) and call the engine's ledger (`campaign_counts`, `campaign_rows`). Read `results`, `results_json`,
`times`, `accounting`; then `funnel` (pure), `stored` (with `report_json`: the report of a large campaign, kept in a
row), `files`, `reasons` (in words), `explain` (one recipient) and `left_out` (told to webhooks).
"""
