"""HTTP/2 without I/O (RFC 9113): what a connection sends and what an answer means. `h2.link` calls `connection`, the
entry.

`connection` uses `outgoing` (the client's half: windows, uploads) and `answers` with `incoming` (the server's half).
`request_headers` and `encoded_rows` encode what requests share and what each has for itself, with `literals` and
`header_table`; `h2.client`, `h2.batches` and `transport.curl` call these two. `frames` is bytes. Read `connection`,
`outgoing`, `answers`, `incoming`, `request_headers`, `encoded_rows`, then the rest.
"""
