"""The page of a campaign (`page`): its list and what a row of it shows, its form and what the form shows while it is
written. The page gathers the views of the rooms beside it."""
