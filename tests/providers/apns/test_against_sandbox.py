"""APNs: the provider against the fake APNs of the sandbox."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from notifier.providers.apns.provider import Apns
from notifier.sandbox.push_checks import apns_tokens
from notifier.transport import http_client
from notifier.vocabulary.verdicts import Sent, Throttled, Verdict
from tests.providers.apns.accounts import ACTIVITY, TOKEN, pem, provider, push
from tests.providers.apns.reasons import APPLE, VERDICTS
from tests.sandbox.process import Sandbox


def send(sandbox: Sandbox, *tokens: str, apns: Apns | None = None) -> dict[str, Verdict]:
    messages = [push(token, urgent=True, link="app://x", data={"a": "1"}) for token in tokens]
    apns = apns or provider(sandbox.url)
    return {tokens[i]: verdict for answers in apns.send(messages, http_client(sandbox.ca)) for i, verdict in answers}


def test_every_reason_of_the_sandbox_gets_its_verdict(sandbox: Sandbox) -> None:
    tokens = {prefix + "0" * 56: reason for prefix, reason in apns_tokens.REFUSALS.items()}
    verdicts = send(sandbox, TOKEN, *tokens)
    assert isinstance(verdicts.pop(TOKEN), Sent)
    for token, verdict in verdicts.items():
        status, reason = tokens[token]
        expected = Throttled if status == 503 else VERDICTS[APPLE[status, reason]]
        assert type(verdict) is expected, reason
    assert sandbox.report()["accepted"] == 1


def test_the_sandbox_takes_a_push_of_every_kind(sandbox: Sandbox) -> None:
    kinds: list[dict[str, Any]] = [
        {}, {"title": "", "body": "", "data": {"a": "1"}}, {"apns": ACTIVITY}, {"image": "https://shop.test/1.png"},
        {"apns": {"push_type": "voip"}, "urgent": True}, {"expires_in": 0}, {"badge": "3", "sound": "default"},
        {"collapse_key": "k" * 200},
    ]  # fmt: skip
    messages = [push(**kind) for kind in kinds]
    answers = [pair for pairs in provider(sandbox.url).send(messages, http_client(sandbox.ca)) for pair in pairs]
    assert {i: type(verdict) for i, verdict in answers} == dict.fromkeys(range(len(kinds)), Sent)
    sent = {verdict.provider_ref for _, verdict in answers if isinstance(verdict, Sent)}
    assert sent == {str(message.envelope.delivery_id) for message in messages}
    assert sandbox.report()["counters"]["apns production"] == len(kinds)


def checks(sandbox: Sandbox, apns: Apns) -> list[tuple[str, bool | None]]:
    return [(check.name, check.passed) for check in apns.test(http_client(sandbox.ca))]


def test_the_connection_test_reaches_no_device_and_tells_a_wrong_key(sandbox: Sandbox) -> None:
    assert checks(sandbox, provider(sandbox.url)) == [("credentials", True), ("bundle ID", None)]
    wrong = provider(sandbox.url, private_key=pem(ec.generate_private_key(ec.SECP256R1())))
    (check,) = wrong.test(http_client(sandbox.ca))
    assert check.passed is False and "team ID, key ID and key" in check.text
    assert checks(sandbox, provider("https://127.0.0.1:1")) == [("connection", False)]
    assert sandbox.report()["accepted"] == 0
