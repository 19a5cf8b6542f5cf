"""Apprise: services of SMS and messengers that have no provider file of their own (https://github.com/caronc/apprise).

An account holds an Apprise URL with `{to}` in the place of the recipient's number or id. Apprise sends with blocking
requests, so each message of a batch has a thread. Apprise answers only yes or no; the verdict comes from the HTTP
status that its log names.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlsplit

from notifier.channels.base import Message
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.common.sms_senders import check_price
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Throttled, Verdict

TO = "{to}"
#: schemes whose messages go to a fixed host of the service. Every other scheme is refused: `json`, `mailto`, `matrix`
#: and their like would let a tenant reach any server, `syslog`, `dbus` and `file` this machine
SMS_SCHEMES = frozenset({
    "46elks", "elks", "atalk", "bulksms", "bulkvs", "burstsms", "kudosity", "clicksend", "clickatell", "cm", "d7sms",
    "httpsms", "mobilemessage", "msgbird", "octopush", "plivo", "seven", "serwersms", "smsmgr", "smsmanager", "smsc",
    "telnyx", "telesign", "voipms",
})  # fmt: skip
CHAT_SCHEMES = frozenset(
    {"tgram", "line", "slack", "threema", "viber", "webex", "wxteams", "whatsapp", "whapi", "zalo"}
)
#: stands for the sandbox's own address
SANDBOX = "sandbox"
_STATUS = re.compile(r"\berror=(\d{3})\b")
#: of a 403 or 404: Telegram's and Whapi's words for a recipient that takes nothing from this account. Each other
#: recipient can still be reached, so the account is not at fault: https://core.telegram.org/bots/api#making-requests
_REFUSED_BY_RECIPIENT = re.compile(
    r"blocked by the user|user is deactivated|initiate conversation|bot was kicked|not a member|chat not found"
    r"|to this recipient",
    re.IGNORECASE,
)
#: 402: no credit left
_ACCOUNT_STATUSES = frozenset({401, 402, 403, 404})


def _check_url(url: str, schemes: frozenset[str]) -> None:
    """Raise InvalidInput unless this is an Apprise URL of an allowed service. The error shows nothing of the URL."""
    scheme = url.partition("://")[0].lower()
    if scheme not in schemes:
        raise InvalidInput(f"url begins with one of: {', '.join(sorted(schemes))} and ://.", field="url")
    if TO not in url.partition("://")[2]:
        raise InvalidInput("url has {to} in the place of the recipient, such as tgram://bot-token/{to}.", field="url")
    if "?" in url or "#" in url or not url.isprintable() or " " in url:
        raise InvalidInput("url has no parameters (?…), fragment (#…) or blanks.", field="url")
    if url.count("://") > 1:
        raise InvalidInput("url is the URL of one service; add an account for each other service.", field="url")


@dataclass(frozen=True)
class ChatConfig(base.Config):
    url: str = base.secret()

    schemes: ClassVar[frozenset[str]] = CHAT_SCHEMES

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if config.url != SANDBOX:
            _check_url(config.url, cls.schemes)
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(url=SANDBOX)


@dataclass(frozen=True)
class SmsConfig(ChatConfig):
    price_per_segment: float = 0.0

    schemes: ClassVar[frozenset[str]] = SMS_SCHEMES

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        check_price(config.price_per_segment)
        return config


class _Apprise(base.Provider[Any]):
    config: ChatConfig

    def send(self, messages: Sequence[Message], client: HttpClient) -> Iterator[base.Answers]:
        with ThreadPoolExecutor(len(messages) or 1, thread_name_prefix="apprise") as pool:
            waiting = {pool.submit(self._send_one, message): i for i, message in enumerate(messages)}
            for done in as_completed(waiting):
                yield [(waiting[done], done.result())]

    def _send_one(self, message: Any) -> Verdict:
        if message.envelope.rehearsal:
            return Permanent("a rehearsal would be delivered")
        if (url := self._url(message)) is None:
            return Misconfigured("an account with the sandbox's settings sends to no service")
        return _notify(url, message.text)

    def _url(self, message: Message) -> str | None:
        """The URL for one recipient; None for settings of the sandbox outside of it."""
        to = quote(message.envelope.address.value, safe="")
        if self.config.url != SANDBOX:
            return self.config.url.replace(TO, to)
        if not (host := urlsplit(self.base).netloc):
            return None
        # the sandbox's certificate is of its own CA, which Apprise cannot be told
        return f"jsons://{host}/apprise/{self.channel}/{to}?verify=no&+X-Delivery={message.envelope.delivery_id}"

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        text = "Apprise cannot try an account without a message: send one to yourself."
        yield ConnectionCheck("credentials", None, text)


class Apprise(_Apprise):
    name = "apprise"
    channel = "chat"
    Config = ChatConfig


class AppriseSms(_Apprise):
    name = "apprise_sms"
    channel = "sms"
    default_account = False
    Config = SmsConfig


def _notify(url: str, text: str) -> Verdict:
    library = _load()
    lines: list[str] = []
    _lines.set(lines)
    # `Apprise.add` takes a text for a list of URLs: the second one could name any server
    service = library.Apprise.instantiate(url)
    if service is None:
        return Misconfigured("Apprise cannot read the account's URL, or the recipient's number or id")
    # Apprise takes `a,b` for two recipients, and leaves out what is no id of the service
    if len(service) != 1 or getattr(service, "targets", None) == []:
        return Permanent("the account's URL names no recipient with this number or id, or several")
    sent = library.Apprise(service).notify(body=text, body_format=library.NotifyFormat.TEXT)
    return Sent() if sent else _verdict(lines)


def _verdict(lines: Sequence[str]) -> Verdict:
    """The verdict of a message that Apprise could not deliver. Its log names the HTTP status of the service, if one
    answered; the detail holds no other word of the log, which quotes addresses."""
    statuses = [int(found[1]) for line in lines if (found := _STATUS.search(line))]
    if not statuses:
        return InDoubt("the service did not answer")
    status = statuses[-1]
    detail = f"the service answered {status}"
    if status in _ACCOUNT_STATUSES:
        refused = any(_REFUSED_BY_RECIPIENT.search(line) for line in lines)
        return Permanent(detail) if refused else Misconfigured(detail)
    if status == 429:
        return Throttled(None, detail)
    return Permanent(detail) if 400 <= status < 500 and status != 408 else InDoubt(detail)


#: the warnings of the message that this thread sends. Apprise copies the context to the threads of its own
_lines: ContextVar[list[str] | None] = ContextVar("lines", default=None)


class _MessageLog(logging.Handler):
    """Keeps warnings for the message that they concern. Nothing goes to our own log: the lines hold addresses."""

    def emit(self, record: logging.LogRecord) -> None:
        if (lines := _lines.get()) is not None:
            lines.append(record.getMessage())


@lru_cache(maxsize=1)
def _load() -> Any:
    """Apprise, imported by the first message: it takes 30 MB and half a second."""
    import warnings

    import apprise
    from urllib3.exceptions import InsecureRequestWarning

    warnings.filterwarnings("ignore", category=InsecureRequestWarning)  # of the sandbox's certificate
    logger = logging.getLogger("apprise")
    logger.addHandler(_MessageLog(logging.WARNING))
    logger.propagate = False
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its lines hold the paths of requests: tokens, addresses
    return apprise
