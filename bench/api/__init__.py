"""The small things: single notifications, bulk requests, and what one tenant's load does to another tenant.

single.py     100 notifications a second, to the sandbox
sustained.py  the highest rate at which nothing queues, to nginx
floor.py      the same load on a server in Go that only answers 202
bulk.py       bulk requests, from the first request until everything is sent
fairness.py   one tenant's single notifications, alone, beside another tenant's bulk, and beside a campaign
small_things.py the parts of a run
arrivals.py   waits until the sink has all messages
tables.py     the tables of these parts

run.py calls small_things.py, and that the `measure_…` functions. They call bench/load, which sends the requests, and
the sinks.
"""
