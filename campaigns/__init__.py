"""Campaigns: one message to an audience, from the draft to the report.

* `models/`: the rows. `edit/`, `audience/`: drafts and audiences. `arming/`: freezes the audience, renders, packs
  `shard/`s.
* `preflight/`, `approval/`: what is shown before GO, and who must agree. `lifecycle/`: GO, pause, stop, the end.
  `states` lists the allowed moves.
* `sending/`, `report/`: a worker sends one shard; results, and the copy of the outcomes into the ledger. `live/`: a
  campaign while it leaves, for those who watch.
* `variants/`: A/B tests. `schedules/`: campaigns and notifications that go out again and again.
* `retention`, `final_report`: old messages go, their counts stay. `audit`, `category`, `wall_clock`, `storable_json`:
  small modules that several of these share.
* `admin/` (with `templatetags/`), `api/`, `management/`, `tasks`, `sweep`: the callers of all that. `operations/`: what
  operators see and do.

`notifier.urls`, the demo and Celery call this package. It calls the engine (`notifier.delivery`) and `tenants`; `apps`
registers what these must know of campaigns. docs/architecture.md names the files that one campaign and one shard pass.
"""
