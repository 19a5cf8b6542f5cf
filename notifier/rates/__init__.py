"""Rate limits of the API and of public pages: token buckets that every web process shares.

A process holds the buckets of its callers and leases tokens for them in blocks from Redis, so a request asks nobody.
`notifier.web.rate_door` takes a token for each request, `notifier.api` takes one for each recipient. The numbers come
with the API key from PostgreSQL, else from the settings; a lost Redis loses only what was used in the last seconds.

bucket.py    one bucket of this process; arithmetic only
leasing.py   the thread that leases tokens for buckets, and its script
limits.py    the buckets of a caller, and taking from them
recent.py    the callers without an API key that a process remembers
fields.py    the answer's fields RateLimit and RateLimit-Policy
"""
