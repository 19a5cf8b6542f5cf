"""uvicorn's protocols within the limits of `notifier.web.limits`. `python -m notifier.web` gives them to uvicorn.

`http` is HTTP/1.1 and `sockets` is WebSocket; `connections` counts both by address; `transport` closes a connection so
that the client can read the answer; `unverified_sockets` limits sockets that have not said who they are: the sockets of
the inbox and of the launch page call it. Read `connections`, `http`, `transport`, `sockets`, `unverified_sockets`.
"""
