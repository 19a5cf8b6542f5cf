"""The bulk HTTP/2 client: frames made by hand, header blocks encoded once, every answer attributed.

either.py       EitherWire, the door; leaves far ends that speak HTTP/1.1 only to libcurl
client.py       H2Wire: what its callers and its loop's thread share
  reactor.py    the one thread and event loop of a process
  origin.py     one far end: what waits for it, its connections
  runs.py       requests that wait for a connection
  link.py       one TLS connection
  connection.py the protocol as a function: bytes in, answers out; requests in, bytes out
    outgoing.py   our half: windows, stream ids, uploads
    incoming.py   their half: header blocks, bodies
  table.py      the header table that a connection keeps for us
  heads.py      what many requests share, checked and encoded once
  frames.py     HTTP/2 frames as bytes
"""
