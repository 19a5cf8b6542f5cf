"""`make bench`: the whole product sends to servers that we did not write, beside its peers, on one machine.

A *sink* is a server that takes every message: nginx, nghttpd, Caddy, smtp-sink. `python -m bench` (__main__.py) calls
run.py, which calls the others. The bench uses the product through its REST API and its processes; nothing imports the
bench.

options.py     what to run, from the environment
run.py         the parts of one run, in order
site.py        the stack, pointed at a sink                 tenants.py  a tenant with its recipients
sinks/         the sinks, and their counts of requests      meter.py    CPU and memory of the stack's processes
campaign.py    one campaign, armed, sent and counted        latency.py  GO to the first request, stop to the last
ceiling.py     h2load: how much a sink can take             peers/      other clients, each in its own process
uniqueness.py  a campaign to our own sandbox                mail.py     campaigns by email, and their peers
api/           single notifications, bulk, two tenants      load/       the load generator, a process of its own
platforms.py   campaigns through APNs and Web Push, beside FCM
record.py      the figures of a run, and its problems       targets.py  the targets, and whether they were met
report.py      latest.json, the tables of README.md         plot.py     the picture
sockets.py     open inboxes, one web process                inbox_clients.py  their clients, a process of its own
in_app.py      campaigns to inboxes
inbox_tables.py  the tables of the inbox                    acceptance.py     an acceptance below the HTTP layer
markdown.py    tables and figures in Markdown               profile.py  CPU by process and thread (BENCH_PROFILE)
"""
