"""The HTTP client that leaves the protocol to libcurl: the fallback for servers that speak only HTTP/1.1, or the whole
transport when NOTIFIER_TRANSPORT=curl.

`CurlClient` is the entry; notifier/transport/__init__.py and auto.py use it.

client.py       CurlClient: what callers' threads use
loop.py         the one thread that drives libcurl
queues.py       requests that wait for a server
pool_handle.py  the connections of one pool
gate.py         how many requests libcurl may hold and write
transfer.py     one libcurl handle, reused
"""
