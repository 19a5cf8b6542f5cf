"""nginx, one worker: it counts (`stub_status`), and it can write down when each message came."""

from __future__ import annotations

import re
import time
import urllib.request
from itertools import takewhile

from bench.sinks.base import GRANT, SEND, TAKEN, Place, Sink, find, first_line
from notifier.local.servers.ports import free_port

# keepalive_requests: 1,000 by default, and a GOAWAY after them, as a Google front end would not
CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; log_format seen '$msec $request_time';
  keepalive_requests 1000000000; keepalive_timeout 1h; client_header_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {papers}/server.pem; ssl_certificate_key {papers}/server.key;
    location = {send} {{ {log} return 200 '{taken}'; }}
    location = /token {{ access_log {folder}/tokens.log seen; return 200 '{grant}'; }}
  }}
  server {{ listen 127.0.0.1:{status}; location = /status {{ stub_status; }} }}
}}
"""
#: how often the log of a timed sink reaches the disk
FLUSH = 1.0


class Nginx(Sink):
    """`timed`: each message's time is logged, which costs it some microseconds a message."""

    name = "nginx"

    def __init__(self, place: Place, *, timed: bool = False) -> None:
        super().__init__(place)
        self._timed = timed
        self._status = free_port()
        self._asked = 0

    @classmethod
    def program(cls) -> str | None:
        return find("nginx")

    @classmethod
    def version(cls) -> str:
        return first_line(cls.program() or "nginx", "-v").removeprefix("nginx version: ")

    def command(self) -> list[str]:
        log = f"access_log {self.folder}/seen.log seen buffer=256k flush={FLUSH:g}s;" if self._timed else ""
        for name in ("seen.log", "tokens.log"):
            (self.folder / name).unlink(missing_ok=True)
        config = self.folder / "nginx.conf"
        config.write_text(
            CONFIG.format(
                folder=self.folder, papers=self.place.papers, port=self.place.port, status=self._status,
                send=SEND, taken=TAKEN, grant=GRANT, log=log,
            )
        )  # fmt: skip
        return [self.program() or "nginx", "-p", str(self.folder), "-c", str(config)]

    def messages(self) -> int | None:
        """All requests but those for a token and for the status."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._status}/status", timeout=5) as answer:
            shown = answer.read().decode()
        self._asked += 1
        found = re.search(r"requests\n\s*\d+\s+\d+\s+(\d+)", shown)
        assert found is not None, shown
        return int(found[1]) - self._asked - self._tokens()

    def _tokens(self) -> int:
        try:
            return (self.folder / "tokens.log").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def begun(self, skip: int = 0) -> list[float]:
        """Unix times at which the messages after the first `skip` began to arrive; waits until the log is written."""
        time.sleep(2 * FLUSH)
        lines = (self.folder / "seen.log").read_text().splitlines()[skip:]
        return sorted(float(ended) - float(took) for ended, took in map(str.split, takewhile(bool, lines)))
