"""pyfcm: `notify`, one message after the other, or `async_notify_multiple_devices`.

[sync|async] ORIGIN MESSAGE.json COUNT
"""

from __future__ import annotations

import sys
from typing import Any

from pyfcm import FCMNotification
from pyfcm.baseapi import BaseAPI

from bench.peers.protocol import PROJECT_ID, PeerInput, credentials, measure

#: pyfcm opens a connection for each message; more at once would exceed the limit of open files
AT_ONCE = 100


def main() -> None:
    peer_input = PeerInput.read()
    BaseAPI.FCM_END_POINT_BASE = f"{peer_input.origin}/v1/projects"
    # pyfcm renews the token itself; the bench's token needs no renewal
    BaseAPI._get_access_token = lambda self: self.credentials.token
    client = FCMNotification(project_id=PROJECT_ID, credentials=credentials())
    one = _parameters(peer_input.message)
    if sys.argv[1] == "sync":
        measure("pyfcm", lambda count: sum("name" in client.notify(**one) for _ in range(count)), peer_input.count)
    else:
        measure("pyfcm", lambda count: _many(client, one, count), peer_input.count)


def _many(client: Any, one: dict[str, Any], count: int) -> int:
    accepted = 0
    for start in range(0, count, AT_ONCE):
        answers = client.async_notify_multiple_devices([one] * min(AT_ONCE, count - start), timeout=30)
        accepted += sum("name" in answer for answer in answers)
    return accepted


def _parameters(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "fcm_token": message["token"],
        "notification_title": message["notification"]["title"],
        "notification_body": message["notification"]["body"],
        "data_payload": message["data"],
        "android_config": message["android"],
        "apns_config": message["apns"],
        "webpush_config": message["webpush"],
    }


main()
