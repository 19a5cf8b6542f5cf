"""The only code that touches the wire. `wire()` is the door; `notifier.vocabulary.Wire` says what it does.

wire(trust)   pooled.py   one client a process and CA file; starts anew after a fork
  tokens.py               access tokens, one fetch at a time
  exchange.py             where a task's thread waits for its answers
  loop.py                 the one thread that drives libcurl
  transfer.py             one libcurl handle, reused
"""

from notifier.transport.pooled import wire

__all__ = ["wire"]
