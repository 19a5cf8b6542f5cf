"""What became of a campaign: mixins of the page of a campaign (`campaigns.admin.campaign.page`).

`page` is the report with its files, the comparison and what to do next, with the plots of `plots` (pure); `left_out`
lists who was left out and why; `explain` says why one person did not get it. They call `campaigns.report`,
`campaigns.edit` and `lifecycle.running.retrying`. Read `page` first.
"""
