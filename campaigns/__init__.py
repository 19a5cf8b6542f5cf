"""Campaigns: one message to an audience, from the draft to the report.

* `edit/`, `audience/`: drafts and audiences. `arming/`: freezes the audience, renders, packs `shard/`s.
* `preflight/`, `lifecycle/`: what is shown before GO; GO, pause, stop, the end. `states` lists the allowed moves.
* `sending/`, `report/`: a worker sends one shard; results, and the copy of the outcomes into the ledger.
* `admin/`, `api/`, `management/`, `tasks`, `sweep`: the callers of all that. `operations/`: what operators see and do.

`notifier.urls`, the demo and Celery call this package. It calls the engine (`notifier.delivery`) and `tenants`; `apps`
registers what these must know of campaigns. docs/architecture.md names the files that one campaign and one shard pass.
"""
