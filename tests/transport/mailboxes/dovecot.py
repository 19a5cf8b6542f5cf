"""Dovecot (Debian: dovecot-imapd, dovecot-pop3d): a mail server that we did not write, with one mailbox a user."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from notifier.local.servers.ports import free_port
from notifier.sandbox.identity import load_identity
from notifier.vocabulary.mail import BounceMailbox

PROGRAM = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
PASSWORD = 'wörd"1'
_LONG = 60.0
_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <{chain}
ssl_key = <{key}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%u
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
{users}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%u
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
"""


@dataclass
class Dovecot:
    folder: Path
    ca: Path
    ports: dict[tuple[str, str], int]
    process: subprocess.Popen[bytes]

    def mailbox(
        self, user: str, protocol: str = "imap", security: str = "tls", password: str = PASSWORD
    ) -> BounceMailbox:
        return BounceMailbox(protocol, "127.0.0.1", self.ports[protocol, security], security, user, password)

    def deliver(self, user: str, *messages: bytes) -> None:
        """Put messages into the user's INBOX, as a mail server does (maildir)."""
        box = self.folder / "mail" / user
        for name in ("tmp", "new", "cur"):
            (box / name).mkdir(parents=True, exist_ok=True)
            (box / name).chmod(0o777)
        box.chmod(0o777)
        first = sum(1 for _ in box.glob("*/*"))
        for number, message in enumerate(messages, start=first):
            name = f"{time.time_ns()}.{number:06d}.host"
            (box / "tmp" / name).write_bytes(message)
            (box / "tmp" / name).rename(box / "new" / name)

    def left(self, user: str) -> list[bytes]:
        """What the mailbox still holds."""
        files = [file for name in ("new", "cur") for file in (self.folder / "mail" / user / name).glob("*")]
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.name)]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def start(folder: Path, *, mechanisms: str = "plain login") -> Dovecot:
    assert PROGRAM is not None
    folder.mkdir(parents=True, exist_ok=True)
    identity = load_identity(folder / "tls", "https://127.0.0.1")
    ports = {(protocol, security): free_port() for protocol in ("imap", "pop3") for security in ("tls", "starttls")}
    # as root, Dovecot drops its rights to the users that its package made, and reads no mail of root
    owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    group = grp.getgrgid(owner.pw_gid).gr_name
    users = f"default_internal_user = {owner.pw_name}\ndefault_internal_group = {group}\n"
    config = _CONFIG.format(
        folder=folder, chain=identity.chain, key=identity.key, mechanisms=mechanisms,
        users="" if os.getuid() == 0 else f"{users}default_login_user = {owner.pw_name}",
        uid=owner.pw_uid, gid=owner.pw_gid, password=PASSWORD,
        imap=ports["imap", "starttls"], imaps=ports["imap", "tls"],
        pop3=ports["pop3", "starttls"], pop3s=ports["pop3", "tls"],
    )  # fmt: skip
    path = folder / "dovecot.conf"
    path.write_text(config)
    process = subprocess.Popen([PROGRAM, "-F", "-c", str(path)], stderr=subprocess.PIPE)
    for port in ports.values():
        _wait_for(port, process, folder / "log")
    return Dovecot(folder, identity.ca, ports, process)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _LONG
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text() if log.exists() else process.stderr and process.stderr.read())
