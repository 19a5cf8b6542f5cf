"""AWS Signature Version 4 for our requests: botocore computes it, without I/O.

Measured: 200 µs a message of 5 kB, of which composing it takes 70.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from notifier.vocabulary.http import Request

MISSING = "Amazon SES needs the package boto3; an operator installs it with: pip install 'notifier[aws]'."
_OURS = frozenset({"host", "content-length"})


def is_installed() -> bool:
    return find_spec("botocore") is not None


@dataclass(frozen=True)
class Signer:
    """Signs requests of one account. Never with the credentials of the machine: an account is a tenant's."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str

    def signed(self, method: str, url: str, body: bytes, timeout: float) -> Request:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        headers = {"content-type": "application/json"} if body else {}
        unsigned: Any = AWSRequest(method, url, data=body, headers=headers)
        SigV4Auth(Credentials(self.access_key_id, self.secret_access_key), "ses", self.region).add_auth(unsigned)
        signed = tuple((name.lower(), str(value)) for name, value in unsigned.headers.items())
        return Request(method, url, tuple(header for header in signed if header[0] not in _OURS), body, timeout)
