"""nghttpd, one thread: it serves files over HTTP/2. It answers a POST with the file, and does not count requests."""

from __future__ import annotations

from bench.sinks.base import FCM_ACCEPTED, SEND_PATH, TOKEN_GRANT, Sink, find_program, first_line


class Nghttpd(Sink):
    name = "nghttpd"
    http1 = False

    @classmethod
    def program(cls) -> str | None:
        return find_program("nghttpd")

    @classmethod
    def version(cls) -> str:
        return first_line(cls.program() or "nghttpd", "--version")

    def command(self) -> list[str]:
        for path, text in ((SEND_PATH, FCM_ACCEPTED), ("/token", TOKEN_GRANT)):
            file = self.folder / "pages" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        certificates = [str(self.address.certificates / name) for name in ("server.key", "server.pem")]
        options = ["-n", "1", "-d", str(self.folder / "pages"), "-a", "127.0.0.1"]
        return [self.program() or "nghttpd", *options, str(self.address.port), *certificates]
