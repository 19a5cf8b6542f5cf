"""SES: the request that boto3 would send, what the answers mean, and what "test connection" shows."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from email import message_from_bytes, policy
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from notifier.errors import InvalidInput
from notifier.providers.ses.provider import Ses, SesConfig
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled
from tests.providers.emails import an_email
from tests.providers.ses.test_sns import an_account


def provider(**settings: str) -> Ses:
    return Ses(SesConfig.parse(an_account() | settings))


def boto3_request(parameters: dict[str, Any]) -> Any:
    """The HTTP request that boto3 makes of these parameters; nothing is sent."""
    client = boto3.client(
        "sesv2", region_name="eu-central-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="secret"
    )
    captured = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        captured.append(request)
        raw = type("Raw", (), {"stream": lambda self, **_: iter([b'{"MessageId": "1"}'])})()
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, raw)

    client.meta.events.register("before-send.sesv2.SendEmail", keep)
    client.send_email(**parameters)
    return captured[0]


def test_the_request_is_the_one_that_boto3_sends() -> None:
    request = provider(configuration_set="events").request(an_email(), "")
    document = json.loads(request.body)
    raw = b64decode(document["Content"]["Raw"]["Data"])
    theirs = boto3_request(document | {"Content": {"Raw": {"Data": raw}}})
    assert (request.method, request.url) == (theirs.method, theirs.url)
    assert json.loads(request.body) == json.loads(theirs.body)
    assert document["ConfigurationSetName"] == "events"
    ours, boto = (dict(headers)["authorization"].split(",")[0] for headers in (request.headers, lower(theirs.headers)))
    assert ours == boto, "the same algorithm, key and scope"


def lower(headers: Any) -> list[tuple[str, str]]:
    return [(name.lower(), v.decode() if isinstance(v, bytes) else v) for name, v in headers.items()]


def test_the_message_names_its_delivery_and_is_whole() -> None:
    email = an_email(unsubscribe_url="https://site/u/1")
    document = json.loads(provider().request(email, "").body)
    mail = message_from_bytes(b64decode(document["Content"]["Raw"]["Data"]), policy=policy.default)
    assert json.loads(mail["X-Metadata"]) == {"delivery_id": str(email.envelope.delivery_id)}
    assert document["EmailTags"] == [{"Name": "delivery_id", "Value": str(email.envelope.delivery_id)}]
    assert (mail["Subject"], mail["List-Unsubscribe"]) == ("Grüße & O'Neil", "<https://site/u/1>")
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}


def refused(status: int, name: str, text: str = "") -> Any:
    headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"}
    return provider().verdict_of(Response(status, headers, json.dumps({"message": text}).encode()))


@pytest.mark.parametrize(
    ("status", "name", "text", "verdict"),
    [
        (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Throttled),
        (400, "LimitExceededException", "Daily message quota exceeded.", Throttled),
        (400, "MessageRejected", "Email address is not verified. The following identities failed", Misconfigured),
        (400, "MessageRejected", "Message contains a virus", Permanent),
        (400, "BadRequestException", "Invalid email address", Permanent),
        (400, "AccountSuspendedException", "", Misconfigured),
        (400, "SendingPausedException", "", Misconfigured),
        (404, "NotFoundException", "Configuration set <x> does not exist.", Misconfigured),
        (403, "InvalidSignatureException", "", Misconfigured),
        (403, "AccessDeniedException", "", Misconfigured),
        (500, "InternalFailure", "", Temporary),
        (503, "ServiceUnavailable", "", Temporary),
    ],
)
def test_a_refusal_means(status: int, name: str, text: str, verdict: type) -> None:
    assert isinstance(refused(status, name, text), verdict)


def test_an_accepted_message_has_ses_s_id() -> None:
    assert provider().verdict_of(Response(200, {}, b'{"MessageId":"010701"}')) == Sent("010701")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", "mars"),
        ("region", "eu-central-1.evil.example/"),
        ("topic_arn", "arn:aws:sqs:eu-central-1:123456789012:x"),
        ("access_key_id", "a b"),
        ("configuration_set", "a/b"),
        ("from_address", "nobody"),
        ("secret_access_key", "grüße"),
    ],
)
def test_a_wrong_setting_is_named(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as error:
        SesConfig.parse(an_account() | {field: value})
    assert error.value.field == field


def test_without_the_package_the_account_is_refused_with_the_remedy() -> None:
    """In a process of its own, where botocore cannot be found."""
    code = (
        "import sys; sys.modules['botocore'] = None\n"
        "from notifier.errors import InvalidInput\n"
        "from notifier.providers.ses.provider import SesConfig\n"
        f"try: SesConfig.parse({an_account()!r})\n"
        "except InvalidInput as error: print(error.field, error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("access_key_id Amazon SES needs the package boto3")
    assert "notifier[aws]" in done.stdout


def test_the_test_shows_what_the_account_may_send() -> None:
    document = {
        "ProductionAccessEnabled": False,
        "SendingEnabled": True,
        "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 17.0},
    }
    client = InMemoryClient(lambda request: Response(200, {}, json.dumps(document).encode()))
    checks = {check.name: check for check in provider(topic_arn="").test(client)}
    assert checks["credentials"].passed
    assert checks["sending"].passed is None
    assert "1 messages a second and 200 a day" in checks["quota"].text
    assert checks["reports"].passed is None
    [request] = client.requests
    assert (request.method, request.url) == ("GET", "https://email.eu-central-1.amazonaws.com/v2/email/account")


def test_the_test_names_a_wrong_key() -> None:
    def answer(request: Request) -> Response:
        return Response(403, {"x-amzn-errortype": "InvalidClientTokenId"}, b'{"message":"The security token"}')

    [check] = provider().test(InMemoryClient(answer))
    assert (check.name, check.passed) == ("credentials", False)
    assert "InvalidClientTokenId" in check.text
