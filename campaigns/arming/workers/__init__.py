"""Arming in the workers of the queue `batch`: the tasks in `campaigns.tasks` call `scheduler`.

`scheduler` chooses the campaign that is next, within the bound of `memory`; `run` arms it range by range; `ranges` are
the rows that workers lock, arm and delete; `rest` arms the rest of an A/B test once its winner is known. They call
`planning` and `storing`. Read `scheduler`, `run`, `ranges`, `rest`, `memory`.
"""
