"""A small HTTP server that answers scrapes on a machine that has no web process: `manage.py metrics_exporter`."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from notifier.metrics.scraping.guard import refusal
from notifier.metrics.scraping.scrape import CONTENT_TYPE, scraper

PATH = "/metrics"


def server_at(host: str, port: int, *, installation: bool) -> ThreadingHTTPServer:
    """The server, bound and not started. `installation`: its scrapes have the facts of the installation."""
    handler = type("Handler", (_Handler,), {"installation": installation})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    installation = True
    server_version, sys_version = "notifier", ""
    #: seconds that a client may take
    timeout = 10

    def do_GET(self) -> None:
        headers = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in self.headers.items()}
        refused = 404 if self.path.partition("?")[0] != PATH else refusal(self.client_address[0], headers)
        text = b"" if refused else scraper.text(installation=self.installation)
        self.send_response(refused or 200)
        if refused == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        """A scrape every few seconds is no event."""
