"""Postfix: takes a message, is refused by the next server, and sends its report to the return path, into a maildir."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("postfix") or shutil.which("postfix", path="/usr/sbin")
#: Postfix changes its user for each of its programs
CAN_RUN = PROGRAM is not None and os.getuid() == 0
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = bounces.example
virtual_mailbox_base = {maildirs}
virtual_mailbox_maps = texthash:{folder}/conf/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
transport_maps = texthash:{folder}/conf/transport
alias_maps =
alias_database =
smtp_tls_security_level = none
smtp_dns_support_level = disabled
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    folder: Path
    port: int

    def stop(self) -> None:
        _run(self.folder, "stop")

    @property
    def log(self) -> str:
        return (self.folder / "mail.log").read_text()


def start(folder: Path, port: int, maildirs: Path, next_server: int) -> Postfix:
    """A Postfix that hands mail for remote.example to the port `next_server`, and puts mail for bounces.example into
    the maildir of that user."""
    owner, postfix = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
    for name in ("conf", "queue", "data"):
        (folder / name).mkdir(parents=True)
    os.chown(folder / "data", postfix.pw_uid, 0)
    main = _MAIN.format(folder=folder, maildirs=maildirs, uid=owner.pw_uid, gid=owner.pw_gid)
    (folder / "conf/main.cf").write_text(main)
    (folder / "conf/master.cf").write_text(_MASTER.format(port=port))
    (folder / "conf/transport").write_text(f"remote.example smtp:[127.0.0.1]:{next_server}\n")
    (folder / "conf/boxes").write_text("returned@bounces.example returned/\n")
    _run(folder, "start")
    return Postfix(folder, port)


def _run(folder: Path, verb: str) -> None:
    assert PROGRAM is not None
    subprocess.run([PROGRAM, "-c", str(folder / "conf"), verb], check=True, capture_output=True)
