"""Messages of SNS, signed with keys of our own: which ones pass, and every way to forge one."""

from __future__ import annotations

import datetime
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from notifier.errors import Forged
from notifier.providers.ses import sns
from notifier.providers.ses.provider import Ses, SesConfig
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import EventKind, ReceiptRequest

TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail-events"
CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=y"
DELIVERY = new_id()


class Amazon:
    """Signs messages, and answers requests for the certificate."""

    def __init__(self, days: int = 1) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .sign(self.key, hashes.SHA256())
        ).public_bytes(serialization.Encoding.PEM)
        self.client = InMemoryClient(self.answer)

    def answer(self, request: Request) -> Response:
        return Response(200, {}, self.certificate if request.url.endswith(".pem") else b"<ok/>")

    def signed(self, message: dict[str, Any]) -> dict[str, Any]:
        kind: Any = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
        # the order of the documentation, written out here again: the judge must not be the code that is judged
        fields = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in fields if name in message)
        return message | {"Signature": b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), kind)).decode()}


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture(autouse=True)
def no_certificates() -> Iterator[None]:
    sns.forget_certificates()
    yield
    sns.forget_certificates()


def an_event(kind: str = "Bounce", **details: Any) -> dict[str, Any]:
    bounce: dict[str, Any] = {"bounceType": "Permanent", "bounceSubType": "General"}
    bounce |= {"bouncedRecipients": [{"emailAddress": "anna@example.org", "diagnosticCode": "smtp; 550 5.1.1 unknown"}]}
    headers = [{"name": "X-Metadata", "value": json.dumps({"delivery_id": str(DELIVERY)})}]
    mail = {"messageId": "0102", "destination": ["anna@example.org"], "headers": headers}
    return {"eventType": kind, "mail": mail, kind.lower(): bounce | details}


def a_message(version: str = "2", **changes: Any) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": json.dumps(an_event()),
        "Timestamp": "2026-05-02T00:54:06.655Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **changes,
    }


def read(message: dict[str, Any], amazon: Amazon, topic: str = TOPIC) -> Any:
    provider = Ses(SesConfig.parse(an_account(topic)))
    request = ReceiptRequest("POST", "https://site/v1/receipts/ses/a/s", {}, json.dumps(message).encode())
    provider.verify(request)
    return provider.receipts(request, amazon.client)


def an_account(topic: str = TOPIC) -> dict[str, str]:
    return {
        "from_address": "news@example.com",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "secret",
        "region": "eu-central-1",
        "topic_arn": topic,
    }


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_a_signed_message_gives_its_events(amazon: Amazon, version: str, more: dict[str, str]) -> None:
    [event] = read(amazon.signed(a_message(version, **more)), amazon)
    assert (event.kind, event.delivery_id, event.permanent) == (EventKind.BOUNCED, DELIVERY, True)
    assert (event.address, event.provider_ref) == ("anna@example.org", "0102")


@pytest.mark.parametrize(
    ("kind", "sub_kind", "permanent"),
    [
        ("Permanent", "General", True),
        ("Permanent", "NoEmail", True),
        ("Permanent", "OnAccountSuppressionList", True),
        ("Transient", "General", False),
        ("Transient", "MailboxFull", False),
        ("Undetermined", "Undetermined", False),
    ],
)
def test_only_a_permanent_bounce_ends_an_address(amazon: Amazon, kind: str, sub_kind: str, permanent: bool) -> None:
    recipient = {"emailAddress": "anna@example.org"}
    event = an_event(bounceType=kind, bounceSubType=sub_kind, bouncedRecipients=[recipient])
    [read_event] = read(amazon.signed(a_message(Message=json.dumps(event))), amazon)
    assert (read_event.kind, read_event.permanent) == (EventKind.BOUNCED, permanent)


FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another text": lambda m: m | {"Message": json.dumps(an_event("Complaint"))},
    "another time": lambda m: m | {"Timestamp": "2026-05-03T00:00:00Z"},
    "a subject that was not signed": lambda m: m | {"Subject": "x"},
    "no signature": lambda m: {name: value for name, value in m.items() if name != "Signature"},
    "a signature that is no base64": lambda m: m | {"Signature": "!!"},
    "the other version": lambda m: m | {"SignatureVersion": "1"},
    "an unknown version": lambda m: m | {"SignatureVersion": "3"},
    "another kind": lambda m: m | {"Type": "SubscriptionConfirmation", "SubscribeURL": CONFIRM, "Token": "t"},
    "an unknown kind": lambda m: m | {"Type": "Other"},
    "another topic": lambda m: m | {"TopicArn": TOPIC + "2"},
    "a list": lambda m: [m],
    "a kind that is a list": lambda m: m | {"Type": []},
    "a version that is an object": lambda m: m | {"SignatureVersion": {}},
    "a certificate URL that is a number": lambda m: m | {"SigningCertURL": 7},
    "a certificate URL with a header in it": lambda m: m | {"SigningCertURL": f"{CERTIFICATE}?x\r\nHost: y"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_message_is_refused(amazon: Amazon, how: str) -> None:
    with pytest.raises(Forged):
        read(FORGED[how](amazon.signed(a_message())), amazon)


def test_a_message_signed_by_another_key_is_refused(amazon: Amazon) -> None:
    with pytest.raises(Forged):
        read(Amazon().signed(a_message()), amazon)


PEM = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-central-1.amazonaws.com{PEM}",
        f"https://evil.example{PEM}",
        f"https://sns.eu-central-1.amazonaws.com.evil.example{PEM}",
        f"https://evilsns.eu-central-1.amazonaws.com{PEM}",
        f"https://sns.eu-central-1.amazonaws.com@evil.example{PEM}",
        f"https://sns.eu-central-1.amazonaws.com:8443{PEM}",
        f"https://sns.eu.central.amazonaws.com{PEM}",
        f"https://bucket.s3.amazonaws.com{PEM}",
        f"https://SNS.eu-central-1.amazonaws.com{PEM}\n",
        f"https://sns.eu-central-1.amazonaws.com/other{PEM}",
        "https://sns.eu-central-1.amazonaws.com/",
        "https://[::1",
    ],
)
def test_a_certificate_is_fetched_from_amazon_s_host_only(amazon: Amazon, url: str) -> None:
    asked = len(amazon.client.requests)
    with pytest.raises(Forged):
        read(amazon.signed(a_message(SigningCertURL=url)), amazon)
    assert len(amazon.client.requests) == asked, "the message must be refused before a request leaves"


def test_the_certificate_is_fetched_once(amazon: Amazon) -> None:
    asked = len(amazon.client.requests)
    for _ in range(3):
        read(amazon.signed(a_message()), amazon)
    assert [request.url for request in amazon.client.requests[asked:]] == [CERTIFICATE]


def test_a_certificate_that_has_ended_is_refused() -> None:
    ended = Amazon(days=-1)
    with pytest.raises(Forged):
        read(ended.signed(a_message()), ended)


def test_a_certificate_that_cannot_be_fetched_lets_the_report_be_read_again(amazon: Amazon) -> None:
    away = Amazon()
    away.client = InMemoryClient(lambda request: Response(503, {}, b""))
    with pytest.raises(ConnectionError):
        read(amazon.signed(a_message()), away)


def test_a_subscription_of_the_account_s_topic_is_confirmed(amazon: Amazon) -> None:
    message = amazon.signed(
        a_message(Type="SubscriptionConfirmation", SubscribeURL=CONFIRM, Token="t", Message="You …")
    )
    assert read(message, amazon) == []
    assert (amazon.client.requests[-1].method, amazon.client.requests[-1].url) == ("GET", CONFIRM)


@pytest.mark.parametrize("url", ["https://evil.example/", "https://sns.eu-central-1.amazonaws.com/other?x", "", None])
def test_a_subscription_is_confirmed_at_amazon_s_host_only(amazon: Amazon, url: str | None) -> None:
    changes = {} if url is None else {"SubscribeURL": url}
    message = amazon.signed(a_message(Type="SubscriptionConfirmation", Token="t", **changes))
    with pytest.raises(Forged):
        read(message, amazon)
    assert url not in [request.url for request in amazon.client.requests]


def test_an_account_without_a_topic_takes_no_report(amazon: Amazon) -> None:
    with pytest.raises(Forged):
        read(amazon.signed(a_message()), amazon, topic="")


def test_the_greeting_of_a_topic_gives_no_event(amazon: Amazon) -> None:
    text = "Successfully validated SNS topic for Amazon SES event publishing."
    assert read(amazon.signed(a_message(Message=text)), amazon) == []


def test_a_signed_message_that_is_not_of_ses_cannot_be_read(amazon: Amazon) -> None:
    for text in ("not json", "[]", '{"eventType": "Bounce"}'):
        with pytest.raises(ValueError):
            read(amazon.signed(a_message(Message=text)), amazon)
