"""The bulk HTTP/2 client: it builds frames itself, encodes header blocks once, and attributes every answer.

`Http2Client` is the entry; notifier/transport/auto.py adds libcurl for servers that speak only HTTP/1.1. One reactor
thread a process drives all connections; callers' threads hand it batches and wait in notifier/transport/completions.py.

client.py            Http2Client and its pool of origins: what callers' threads and the reactor's thread share
grouping.py          requests of `exchange`, grouped into batches
batches.py           requests that wait for a connection
options.py           what all origins and connections of one client share
reactor.py           the one thread and event loop of a process
origin.py            one server: what waits for it, its connections
link.py              one TLS connection
protocol/            HTTP/2 without I/O
  connection.py      the protocol as a function: bytes in, answers out; requests in, bytes out
  outgoing.py        the client's half: windows, stream ids, uploads
  answers.py         the server's half: what its frames mean for the open streams
  incoming.py        decoded header blocks, and an answer while it arrives
  request_headers.py what many requests share, checked and encoded once
  encoded_rows.py    what each request of a batch has for itself, checked and encoded by columns
  literals.py        header fields as bytes
  header_table.py    the header table that the server keeps for a connection
  frames.py          HTTP/2 frames as bytes
"""
