"""`make bench`: the whole product against HTTP/2 servers that nobody here wrote, beside its peers, on one machine.

options.py     what to run, from the environment
sinks/         nginx, nghttpd, Caddy: the far ends, and how many requests they say they had
site.py        the stack, pointed at a sink                 people.py   a tenant with so many recipients
campaign.py    one campaign from arming to its account      meter.py    CPU and memory of the stack's processes
ceiling.py     h2load                                       peers/      other clients, each in a process of its own
uniqueness.py  a campaign to our own sandbox                latency.py  GO to the first request, stop to the last
api.py         one notification, and a thousand at a time
record.py      what a run found, and what of it is wrong    targets.py  what was wanted, and whether it was met
report.py      latest.json, the table of README.md          plot.py     the picture
"""
