"""nginx, one worker: it counts (`stub_status`), and can log when each message came; of messages through APNs also which
one it was."""

from __future__ import annotations

import re
import time
import urllib.request
from itertools import takewhile

from bench.sinks.base import FCM_ACCEPTED, SEND_PATH, TOKEN_GRANT, Sink, SinkAddress, find_program, first_line
from notifier.local.servers.ports import free_port

# keepalive_requests: by default nginx sends GOAWAY after 1,000 requests; a Google front end would not
CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; log_format seen '$msec $request_time'; log_format apns '$msec $request_time $http_apns_id';
  keepalive_requests 1000000000; keepalive_timeout 1h; client_header_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;
    location = {send} {{ {log} return 200 '{accepted}'; }}
    location /3/device/ {{ {apns_log} return 200; }}
    location /webpush/ {{ return 201; }}
    location = /token {{ access_log {folder}/tokens.log seen; return 200 '{grant}'; }}
  }}
  server {{ listen 127.0.0.1:{status}; location = /status {{ stub_status; }} }}
}}
"""
#: seconds after which the log of a timed sink reaches the disk
FLUSH = 1.0
APNS_FLUSH = "100ms"


class Nginx(Sink):
    """`timed`: nginx logs the time of each message to FCM, which costs nginx some microseconds a message. `names_apns`:
    nginx logs the time of each message to APNs, and its `apns-id`, which is the id of the delivery."""

    name = "nginx"

    def __init__(self, address: SinkAddress, *, timed: bool = False, names_apns: bool = False) -> None:
        super().__init__(address)
        self._timed, self._names_apns = timed, names_apns
        self._status = free_port()
        self._status_requests = 0

    @classmethod
    def program(cls) -> str | None:
        return find_program("nginx")

    @classmethod
    def version(cls) -> str:
        return first_line(cls.program() or "nginx", "-v").removeprefix("nginx version: ")

    def command(self) -> list[str]:
        log = f"access_log {self.folder}/seen.log seen buffer=256k flush={FLUSH:g}s;" if self._timed else ""
        apns_log = f"access_log {self.folder}/apns.log apns buffer=64k flush={APNS_FLUSH};" if self._names_apns else ""
        for name in ("seen.log", "tokens.log", "apns.log"):
            (self.folder / name).unlink(missing_ok=True)
        config = self.folder / "nginx.conf"
        config.write_text(
            CONFIG.format(
                folder=self.folder, certificates=self.address.certificates, port=self.address.port, status=self._status,
                send=SEND_PATH, accepted=FCM_ACCEPTED, grant=TOKEN_GRANT, log=log,
                apns_log=apns_log,
            )
        )  # fmt: skip
        return [self.program() or "nginx", "-p", str(self.folder), "-c", str(config)]

    def messages(self) -> int | None:
        """All requests except those for a token and for the status page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._status}/status", timeout=5) as answer:
            shown = answer.read().decode()
        self._status_requests += 1
        match = re.search(r"requests\n\s*\d+\s+\d+\s+(\d+)", shown)
        assert match is not None, shown
        return int(match[1]) - self._status_requests - self._tokens()

    def _tokens(self) -> int:
        try:
            return (self.folder / "tokens.log").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def begun(self, skip: int = 0) -> list[float]:
        """Unix times at which messages began to arrive, without the first `skip`. Waits until the log is written."""
        time.sleep(2 * FLUSH)
        lines = (self.folder / "seen.log").read_text().splitlines()[skip:]
        return sorted(float(ended) - float(took) for ended, took in map(str.split, takewhile(bool, lines)))

    def arrived(self) -> dict[str, float]:
        """id of the delivery -> Unix time at which its message to APNs began to arrive; `APNS_FLUSH` late. A message
        that arrived twice keeps its first time."""
        arrived: dict[str, float] = {}
        for line in (self.folder / "apns.log").read_text().splitlines(keepends=True):
            ended, took, delivery = line.split(" ") if line.endswith("\n") else ("0", "0", "-\n")
            arrived.setdefault(delivery.rstrip("\n"), float(ended) - float(took))
        return arrived
