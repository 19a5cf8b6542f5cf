"""What became of a campaign: the report, and accounting, which copies outcomes into the ledger.

The API, the admin and preflight read `results`; the tasks and the sweep call `accounting`. Both read shards
(`campaigns.shard`) and call the engine's ledger (`campaign_counts`, `campaign_rows`). Read `results`,
`results_json`, `times`, `accounting`.
"""
