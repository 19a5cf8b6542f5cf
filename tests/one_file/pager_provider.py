"""A provider of a new push platform, which test_one_file.py copies into the providers of a repository that knows no
pagers. A pager's token is ten hexadecimal digits; hyphens and capital letters are only another spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import orjson

from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.verdicts import Misconfigured, Sent, Temporary, Throttled, Verdict

_TOKEN = re.compile(r"[0-9a-f]{10}")


@dataclass(frozen=True)
class PagerConfig(base.Config):
    key: str = base.secret()

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(key="anybody")


class Pager(base.Provider[PushMessage]):
    name = "pager"
    channel = "push"
    platform = "pager"
    default_account = False
    Config = PagerConfig
    config: PagerConfig
    origin = "https://pagers.example"

    @classmethod
    def check_token(cls, token: str) -> str:
        digits = token.replace("-", "").lower()
        if not _TOKEN.fullmatch(digits):
            raise InvalidInput("A pager's token has ten hexadecimal digits.", field="token")
        return digits

    def request(self, message: PushMessage, token: str) -> Request:
        body = orjson.dumps({"to": message.envelope.address.value, "text": message.title})
        return Request("POST", f"{self.base}/pages", (("authorization", f"Bearer {self.config.key}"),), body)

    def verdict_of(self, response: Response) -> Verdict:
        status, detail = response.status, f"the pager service answered {response.status}"
        if 200 <= status < 300:
            return Sent()
        if status == 429:
            return Throttled(None, detail)
        return Misconfigured(detail) if status in (401, 403, 404, 410) else Temporary(detail)
