"""firebase-admin for Python: `send_each` or `send_each_async`, 500 messages a call.

[sync|async] ORIGIN MESSAGE.json COUNT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import firebase_admin
from firebase_admin import credentials as firebase_credentials
from firebase_admin import messaging

from bench.peers.protocol import PROJECT_ID, PeerInput, credentials, measure

#: messages that one call takes at most
AT_ONCE = 500


class StaticCredential(firebase_credentials.Base):  # type: ignore[misc]  # the package carries no types
    def get_credential(self) -> Any:
        return credentials()


def main() -> None:
    peer_input = PeerInput.read()
    messaging._MessagingService.FCM_URL = peer_input.origin + "/v1/projects/{0}/messages:send"
    firebase_admin.initialize_app(StaticCredential(), {"projectId": PROJECT_ID})
    service = messaging._get_messaging_service(None)
    # the pool of a hundred connections that the package keeps for Google's own address
    service._client.session.mount(peer_input.origin, service._client.session.get_adapter("https://fcm.googleapis.com"))
    one = _message(peer_input.message)
    if sys.argv[1] == "sync":
        measure("firebase-admin", lambda count: _each(one, count), peer_input.count)
    else:
        with asyncio.Runner() as runner:  # one event loop, because the client keeps connections
            measure("firebase-admin", lambda count: runner.run(_each_async(one, count)), peer_input.count)


def _each(one: Any, count: int) -> int:
    return sum(messaging.send_each(batch).success_count for batch in _batches(one, count))


async def _each_async(one: Any, count: int) -> int:
    accepted = 0
    for batch in _batches(one, count):
        accepted += (await messaging.send_each_async(batch, dry_run=False)).success_count
    return accepted


def _batches(one: Any, count: int) -> list[list[Any]]:
    return [[one] * min(AT_ONCE, count - start) for start in range(0, count, AT_ONCE)]


def _message(message: dict[str, Any]) -> Any:
    android = message["android"]
    return messaging.Message(
        token=message["token"],
        notification=messaging.Notification(**message["notification"]),
        data=message["data"],
        android=messaging.AndroidConfig(
            priority=android["priority"].lower(), notification=messaging.AndroidNotification(**android["notification"])
        ),
        apns=messaging.APNSConfig(headers=message["apns"]["headers"]),
        webpush=messaging.WebpushConfig(headers=message["webpush"]["headers"]),
    )


main()
