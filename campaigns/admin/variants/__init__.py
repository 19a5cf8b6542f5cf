"""The A/B test of a campaign: a mixin of the page of a campaign (`campaigns.admin.campaign.page`), and its card.

`page` has the settings, the results and the choice of a winner, and calls `campaigns.edit`, `campaigns.variants` and
`lifecycle.running.winner`; `plot` draws the results (pure). Read `page` first.
"""
