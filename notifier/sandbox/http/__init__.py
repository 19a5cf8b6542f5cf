"""The server's side of HTTP, without I/O: `notifier.sandbox.server` feeds bytes and gets bytes to write.

`http2.py` uses `frames.py` (bytes of frames) and `header_blocks.py` (HPACK); `http1.py` stands alone. `client.py` posts
the callbacks of fake services; `notifier.sandbox.callbacks` calls it.
"""
