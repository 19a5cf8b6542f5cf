"""What the answers of the push services mean."""

from __future__ import annotations

import pytest

from notifier.providers.webpush.verdicts import verdict_of
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

GONE = Permanent("410", address_is_dead=True)
NOT_FOUND = Permanent("404", address_is_dead=True)
#: verdicts that say nothing about the account, by their details
OF_ENDPOINT = {d: Temporary(d, one_address=True) for d in ("302", "401", "403", "404", "404 errno 999", "410", "413")}
OTHER_KEY = "the subscription was made with another VAPID key"
VAPID = ": the push service refuses the account's VAPID authorization"
MOZILLA = '{"code":%d,"errno":%d,"error":"x","message":"y","more_info":"z"}'

#: of fcm.googleapis.com/v1/projects/…/messages:send, to a request with a VAPID authorization
GOOGLE_API = (
    '{"error":{"code":401,"message":"Request is missing required authentication credential. Expected OAuth 2 access'
    ' token, login cookie or other valid authentication credential.","status":"UNAUTHENTICATED"}}'
)


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict"),
    [
        (201, {"location": "https://fcm.googleapis.com/0:17"}, "", Sent("https://fcm.googleapis.com/0:17")),
        (200, {}, "", Sent()),
        (202, {}, "", Sent()),
        # the subscription ended
        (410, {}, "push subscription has unsubscribed or expired.\n", GONE),
        (404, {}, "A valid push subscription endpoint should be specified in the URL as such: https://x/y", NOT_FOUND),
        (410, {}, MOZILLA % (410, 106), Permanent("410 errno 106", address_is_dead=True)),
        (404, {}, MOZILLA % (404, 102), Permanent("404 errno 102", address_is_dead=True)),
        (410, {}, '{"reason":"Unregistered"}', Permanent("410 Unregistered", address_is_dead=True)),
        (410, {"x-wns-status": "dropped"}, "", GONE),
        (404, {"x-wns-error-description": "The channel URI is not valid."}, "", NOT_FOUND),
        (410, {}, '{"reason":"Push subscription has unsubscribed or expired."}', GONE),
        # a gateway's page says nothing about it
        (410, {}, "", OF_ENDPOINT["410"]),
        (404, {}, "<html>404 Not Found</html>", OF_ENDPOINT["404"]),
        (404, {}, MOZILLA % (404, 999), OF_ENDPOINT["404 errno 999"]),
        # another VAPID key
        (
            403,
            {},
            "the VAPID credentials in the authorization header do not correspond to the credentials used to create the"
            " subscriptions.\n",
            Permanent(f"403 {OTHER_KEY}", address_is_dead=True),
        ),
        (400, {}, '{"reason":"VapidPkHashMismatch"}', Permanent(f"400 {OTHER_KEY}", address_is_dead=True)),
        (400, {}, "UnauthorizedRegistration", Permanent(f"400 {OTHER_KEY}", address_is_dead=True)),
        # the account
        (403, {}, '{"reason":"BadJwtToken"}', Misconfigured(f"403 BadJwtToken{VAPID}")),
        (401, {}, MOZILLA % (401, 109), Misconfigured(f"401 errno 109{VAPID}")),
        (403, {}, "crypto-key header had invalid format", Misconfigured(f"403{VAPID}")),
        # a stranger's endpoint may answer so, which says nothing about the account
        (403, {}, "", OF_ENDPOINT["403"]),
        (401, {}, "<html>Unauthorized</html>", OF_ENDPOINT["401"]),
        (401, {}, GOOGLE_API, OF_ENDPOINT["401"]),
        # the message
        (413, {}, MOZILLA % (413, 104), Permanent("413 errno 104: the push service takes no message of this size")),
        (413, {}, "<html>", OF_ENDPOINT["413"]),
        (400, {}, '{"reason":"BadTtl"}', Permanent("400 BadTtl")),
        # later
        (429, {"retry-after": "30"}, "", Throttled(30.0, "429")),
        (429, {}, '{"reason":"TooManyRequests"}', Throttled(None, "429 TooManyRequests")),
        (503, {"retry-after": "5"}, "", Throttled(5.0, "503")),
        (503, {}, "", Temporary("503")),
        (500, {}, MOZILLA % (500, 999), Temporary("500 errno 999")),
        (302, {"location": "https://169.254.169.254/"}, "", OF_ENDPOINT["302"]),
    ],
    ids=range(32),
)
def test_the_verdict_of_an_answer(status: int, headers: dict[str, str], body: str, verdict: Verdict) -> None:
    assert verdict_of(Response(status, headers, body.encode())) == verdict


def test_no_free_text_of_an_answer_gets_into_the_ledger() -> None:
    body = b'{"reason":"https://fcm.googleapis.com/secret expired","errno":"secret"}'
    for status in range(300, 600):
        assert "secret" not in str(verdict_of(Response(status, {}, body)))
