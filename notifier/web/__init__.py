"""The web process: how it is started (`python -m notifier.web`), and what one client may take of it.

limits      the figures, and which addresses are counted
connections how many connections each address has, and which wait for a request
transport   closes so that the client can read the answer, and does not wait for a client that reads nothing
http        uvicorn's HTTP/1.1 protocol within the limits
sockets     uvicorn's WebSocket protocol within the limits
bodies      reads a request's body: small ones for anybody, large ones for callers who are known
"""
