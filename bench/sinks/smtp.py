"""smtp-sink of Postfix: it takes every mail, keeps none, and counts. stunnel before it adds TLS, which it cannot."""

from __future__ import annotations

import os
import re
import subprocess

from bench.sinks.base import Sink, SinkAddress, find_program, first_line

_COUNT = re.compile(rb"mesg=(\d+)")


class SmtpSink(Sink):
    name = "smtp-sink"

    @classmethod
    def program(cls) -> str | None:
        return find_program("smtp-sink")

    @classmethod
    def version(cls) -> str:
        postconf = find_program("postconf")
        return f"Postfix {first_line(postconf, '-d', '-h', 'mail_version')}" if postconf else "smtp-sink"

    def command(self) -> list[str]:
        # Postfix' tools refuse to run as root
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [self.program() or self.name, *user, "-c", f"127.0.0.1:{self.address.port}", "1000"]

    def messages(self) -> int | None:
        """It rewrites its line of counters after each mail."""
        with self.folder.joinpath("output.log").open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - 300))
            counts = _COUNT.findall(output.read())
        return int(counts[-1]) if counts else 0


class Stunnel(Sink):
    """Takes TLS connections on its port, and hands what they carry to `behind` without TLS."""

    name = "stunnel"

    def __init__(self, address: SinkAddress, behind: Sink) -> None:
        super().__init__(address)
        self.behind = behind

    @classmethod
    def program(cls) -> str | None:
        return find_program("stunnel4") or find_program("stunnel")

    @classmethod
    def version(cls) -> str:
        shown = subprocess.run([cls.program() or cls.name, "-version"], capture_output=True, text=True)
        versions = [line for line in (shown.stdout + shown.stderr).splitlines() if line.startswith("stunnel ")]
        return " ".join(versions[0].split()[:2]) if versions else cls.name

    def command(self) -> list[str]:
        certificates = self.address.certificates
        lines = [
            *("foreground = yes", "pid =", "syslog = no", "debug = warning"),
            *("[smtps]", f"accept = 127.0.0.1:{self.address.port}", f"connect = 127.0.0.1:{self.behind.address.port}"),
            *(f"cert = {certificates / 'server.pem'}", f"key = {certificates / 'server.key'}"),
        ]
        config = self.folder / "stunnel.conf"
        config.write_text("\n".join(lines) + "\n")
        return [self.program() or self.name, str(config)]
