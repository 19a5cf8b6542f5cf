"""From draft to GO and while it runs: mixins of the page of a campaign (`campaigns.admin.campaign.page`).

`checklist` has two of the steps to GO, the copy to oneself and the silent run; `approval` asks for the approval and
gives it; `controls` has a button for each row of `lifecycle.controls`; `workflow` is GO with its confirmation, and a
copy of the campaign; `live` is the panel while it runs. They call `campaigns.preflight`, `approval`, `lifecycle` and
`live`. Read in this order.
"""
