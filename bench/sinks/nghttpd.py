"""nghttpd, one thread: files served over HTTP/2. It takes a POST for a GET of the file, and does not count."""

from __future__ import annotations

from bench.sinks.base import GRANT, SEND, TAKEN, Sink, find, first_line


class Nghttpd(Sink):
    name = "nghttpd"
    http1 = False

    @classmethod
    def program(cls) -> str | None:
        return find("nghttpd")

    @classmethod
    def version(cls) -> str:
        return first_line(cls.program() or "nghttpd", "--version")

    def command(self) -> list[str]:
        for path, text in ((SEND, TAKEN), ("/token", GRANT)):
            file = self.folder / "pages" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        papers = [str(self.place.papers / name) for name in ("server.key", "server.pem")]
        options = ["-n", "1", "-d", str(self.folder / "pages"), "-a", "127.0.0.1"]
        return [self.program() or "nghttpd", *options, str(self.place.port), *papers]
