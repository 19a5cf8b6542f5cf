"""HTTP/2 without I/O (RFC 9113): what a connection sends and what an answer means. `connection.py` is the entry."""
