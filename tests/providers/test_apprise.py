"""The providers of Apprise: which URLs an account may hold, and messages that reach the sandbox through Apprise."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from apprise import Apprise as Library

from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.channels.chat import ChatMessage
from notifier.channels.sms import SmsMessage
from notifier.errors import InvalidInput
from notifier.providers import provider_class
from notifier.providers.apprise import CHAT_SCHEMES, SMS_SCHEMES, Apprise, AppriseSms, _verdict
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Throttled, Verdict
from tests.sandbox.process import Sandbox

REFUSED = [
    "json://127.0.0.1/{to}", "jsons://internal/{to}", "xml://10.0.0.1/{to}", "form://localhost/{to}",
    "file:///etc/passwd{to}", "syslog://{to}", "dbus://{to}", "rsyslog://10.0.0.1/{to}", "mailto://a:b@host/{to}",
    "matrix://user:pass@internal/{to}", "mmost://internal/{to}", "http://127.0.0.1/{to}", "{to}", "sandbox ",
    "tgram://123456789:abcdefg_hijklmnop", "tgram://123456789:abc/{to}?verify=no", "tgram://1:a/{to}#x",
    "tgram://1:a/{to} json://127.0.0.1", "tgram://1:a/{to}\njson://127.0.0.1", "TGRAM,json://x/{to}",
    "tgram://1:a/{to},json://127.0.0.1/x", "tgram://1:a/{to},,jsons://127.0.0.1", "elks://u:p@1/{to};json://127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.parametrize("name", ["apprise", "apprise_sms"])
def test_a_url_that_could_reach_another_host_or_everybody_is_refused(name: str, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        provider_class(name).Config.parse({"url": url})
    assert refused.value.field == "url"
    assert "127.0.0.1" not in refused.value.message


@pytest.mark.parametrize("url", ["tgram://123456789:abcdefg_hijklmnop/{to}", "slack://xoxb-1-2-3/@{to}"])
def test_a_url_of_a_messenger_is_allowed(url: str) -> None:
    provider_class("apprise").Config.parse({"url": url})


def test_no_allowed_scheme_names_its_host() -> None:
    """Apprise's own templates say where a message goes."""
    services = {
        scheme: service
        for service in Library().details(show_disabled=True)["schemas"]
        for protocol in ("protocols", "secure_protocols")
        for scheme in service[protocol] or ()
    }
    for scheme in SMS_SCHEMES | CHAT_SCHEMES:
        assert scheme in services, scheme
        templates = services[scheme]["details"]["templates"]
        assert not any("{host}" in template for template in templates), scheme


def an_envelope(address: str) -> Envelope:
    return Envelope(new_id(), new_id(), new_id(), Address(address), "key")


def send(provider: Apprise | AppriseSms, sandbox: Sandbox, *addresses: str) -> list[Verdict]:
    kind = ChatMessage if provider.channel == "chat" else SmsMessage
    messages = [kind(an_envelope(address), "Hi <b>Ann</b> & co") for address in addresses]
    answers = [answer for answers in provider.send(messages, InMemoryClient()) for answer in answers]
    return [verdict for _, verdict in sorted(answers, key=lambda answer: answer[0])]


def test_messages_arrive_with_their_text_and_delivery(sandbox: Sandbox) -> None:
    for provider in (
        Apprise(Apprise.Config.sandbox(sandbox.url), sandbox.url),
        AppriseSms(AppriseSms.Config.sandbox(sandbox.url), sandbox.url),
    ):
        sandbox.reset()
        assert send(provider, sandbox, "4711", "a/../b?c=d&e", "+491701234567") == [Sent()] * 3
        messages = sandbox.report(detail=10)["messages"]
        assert {m["address"] for m in messages} == {"4711", "a/../b?c=d&e", "+491701234567"}
        assert {(m["title"], m["channel"]) for m in messages} == {("Hi <b>Ann</b> & co", provider.channel)}
        assert len({m["delivery"] for m in messages}) == 3


class OurLog(logging.Handler):
    """What reaches the root logger, as our own log does. `caplog` also hears loggers that do not propagate."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()


@pytest.fixture
def our_log(caplog: pytest.LogCaptureFixture) -> Iterator[OurLog]:
    handler, root = OurLog(), logging.getLogger()
    root.addHandler(handler)
    with caplog.at_level(logging.DEBUG):
        yield handler
    root.removeHandler(handler)


def test_the_status_of_the_service_decides_and_no_address_is_logged(sandbox: Sandbox, our_log: OurLog) -> None:
    provider = Apprise(Apprise.Config.sandbox(sandbox.url), sandbox.url)
    verdicts = send(provider, sandbox, "throttled-1", "refused-1", "unauthorized-1", "unavailable-1", "ann")
    assert verdicts == [
        Throttled(None, "the service answered 429"),
        Permanent("the service answered 400"),
        Misconfigured("the service answered 401"),
        InDoubt("the service answered 503"),
        Sent(),
    ]
    assert "refused-1" not in our_log.text
    nowhere = Apprise(Apprise.Config.sandbox(""), "https://127.0.0.1:1")
    assert [type(verdict) for verdict in send(nowhere, sandbox, "ann")] == [InDoubt]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Failed to send Telegram Rich Message to 1: Forbidden: bot was blocked by the user, error=403.", Permanent),
        ("Failed to send Whapi notification to 1: Sending to this recipient is forbidden., error=403.", Permanent),
        ("Failed to send Telegram Rich Message to 1: Not Found, error=404.", Misconfigured),
        ("Failed to send Whapi notification to 1: Trial limit exceeded., error=402.", Misconfigured),
        ("Failed to send Zalo notification: The request timed out., error=408.", InDoubt),
    ],
)
def test_a_recipient_that_refuses_is_no_fault_of_the_account(line: str, kind: type) -> None:
    assert isinstance(_verdict([line]), kind)


@pytest.mark.parametrize("address", ["4711,4712", "4711 4712", "not an id!"])
def test_an_address_of_several_recipients_or_of_none_reaches_none(sandbox: Sandbox, address: str) -> None:
    provider = Apprise(Apprise.Config.parse({"url": "tgram://123456789:abcdefg_hijklmnop/{to}"}))
    assert [type(verdict) for verdict in send(provider, sandbox, address)] == [Permanent]


def test_the_settings_of_the_sandbox_reach_nothing_else(sandbox: Sandbox) -> None:
    outside = Apprise(Apprise.Config.parse({"url": "sandbox"}))
    assert [type(verdict) for verdict in send(outside, sandbox, "ann")] == [Misconfigured]


def test_a_chat_id_is_a_text_or_a_whole_number() -> None:
    from tests.channels.test_addresses import ANN

    for chat_id, address in ((4711, "4711"), ("U1", "U1"), ("", None), (True, None), ([1], None)):
        person = ANN._replace(attributes={"chat_id": chat_id})
        assert [a.value for a in channel("chat").addresses(person)] == ([address] if address else [])
