"""A campaign through a provider whose requests have paths and headers of their own, in a pool of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from campaigns.sending.bodies import BodyBuilder
from campaigns.shard.payload import NO_DEVICE, Payload
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.models import Delivery
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import Request
from tests.campaigns.fake_client import Post, post, reported, retried, send
from tests.campaigns.sending.test_bodies import common_envelope

__all__ = ["post"]
pytestmark = pytest.mark.django_db(transaction=True)


class OwnHeaders(Fcm):
    """FCM with a path and headers for each message. Addresses that begin with `odd` fit no body template."""

    name = ""  # in no registry
    own_paths = True
    own_headers = ("x-id", "x-key", "x-constant")
    team = "team-a"

    @property
    def pool(self) -> str:
        return self.team

    def request(self, message: PushMessage, token: str) -> Request:
        request, envelope = super().request(message, token), message.envelope
        host = "two" if envelope.address.value.startswith("odd-2") else "one"
        headers = (("x-id", str(envelope.delivery_id)), ("x-constant", "c"), ("x-key", envelope.collapse_key))
        return Request("POST", f"https://{host}.test/to/{envelope.address.value}", headers, request.body)

    def untemplatable(self, addresses: Sequence[str]) -> list[int]:
        return [i for i, address in enumerate(addresses) if address.startswith("odd")]


def provider() -> OwnHeaders:
    return OwnHeaders(FcmConfig.sandbox("https://fcm.test"))


def sent_to(request: Request) -> str:
    return request.url.rpartition("/")[2]


def check_requests(requests: Sequence[Request]) -> None:
    """Each message has its own path, id and key, all of the same message."""
    id_of = {row.address: row.id for row in Delivery.objects.all()}
    for request in requests:
        headers, own = dict(request.headers), id_of[sent_to(request)]
        assert (headers["x-id"], headers["x-key"], headers["x-constant"]) == (str(own), own.hex, "c")
        assert str(own).encode() in request.body
        assert request.pool == "team-a"


def test_each_message_leaves_with_its_own_path_and_headers(post: Post) -> None:
    templates.publish(post.template, {"push": {"en": {"title": "Hi {{ recipient.name }}", "body": "b"}}})
    tokens = [*post.people(50), *post.people(20, "odd-1-"), *post.people(20, "odd-2-")]
    campaign = post.running()
    registry.override_provider(post.account.pk, provider())
    send(campaign)
    registry.reset()
    assert sorted(map(sent_to, post.client.requests)) == sorted(tokens)
    assert post.client.exchanged == []  # all in batches, those that no body template fits as well
    check_requests(post.client.requests)
    assert reported(campaign) == {("sent", ""): 90}


def test_a_message_that_comes_again_has_the_same_path_and_headers(post: Post) -> None:
    tokens = post.people(10)
    campaign = post.running()
    registry.override_provider(post.account.pk, provider())
    post.client.fate = lambda address: 503 if post.client.counted[address] == 1 else 200
    send(campaign)
    retried(campaign)
    registry.reset()
    assert sorted(map(sent_to, post.client.exchanged)) == sorted(tokens)
    assert len(post.client.requests) == 20
    check_requests(post.client.requests)


def test_messages_built_singly_share_a_batch_for_each_origin() -> None:
    payload = Payload(
        "fcm", "".join(f"{i:032x}" for i in range(6)), "1" * 192, NO_DEVICE * 6,
        ["odd-1a", "odd-1b", "odd-2a", "odd-2b", "odd-1c", "a"], [{"title": "a", "body": "b"}], [0] * 6,
    )  # fmt: skip
    builder = BodyBuilder(provider(), payload, common_envelope(payload))
    assert builder.untemplatable == {0, 1, 2, 3, 4}
    messages = {i: PushMessage(_envelope(payload, i), title="a", body="b") for i in range(6)}
    batches, failed = builder.build_singly(messages, "T")
    assert failed == []
    assert [(batch.head.origin, batch.rows, batch.head.pool) for batch in batches] == [
        ("https://one.test", [0, 1, 4, 5], "team-a"),
        ("https://two.test", [2, 3], "team-a"),
    ]
    for batch in batches:
        assert batch.head.own_headers == ("x-id", "x-constant", "x-key")
        assert batch.requests.paths == [f"/to/{payload.addresses[i]}".encode() for i in batch.rows]
        ids, constants, keys = batch.requests.headers
        assert list(ids) == [str(payload.id(i)).encode() for i in batch.rows]
        assert (list(keys), set(constants)) == ([payload.key(i).encode() for i in batch.rows], {b"c"})


def _envelope(payload: Payload, i: int) -> Envelope:
    return replace(
        common_envelope(payload),
        delivery_id=payload.id(i),
        address=payload.address(i),
        collapse_key=payload.key(i),
    )


def test_prepared_bodies_leave_as_they_were_made() -> None:
    class Prepares(OwnHeaders):
        name = ""
        prepares = True

        def request(self, message: PushMessage, token: str) -> Request:
            return Request("POST", "https://one.test/x", (), message.prepared or b"made now")

    payload = Payload(
        "fcm", "0" * 64, "1" * 64, NO_DEVICE * 2, ["a", "b"], [{"title": "a", "body": "b"}], [0, 0],
        prepared=["AAEC", ""],
    )  # fmt: skip
    messages = {i: PushMessage(_envelope(payload, i), title="a", body="b") for i in range(2)}
    for prepared, bodies in ((["AAEC", ""], [b"\0\1\2", b"made now"]), ([], [b"made now"] * 2)):
        payload.prepared = prepared
        builder = BodyBuilder(Prepares(FcmConfig.sandbox("https://x")), payload, common_envelope(payload))
        [batch], _ = builder.build_singly(messages, "T")
        assert batch.requests.bodies == bodies
