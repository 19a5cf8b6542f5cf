"""The sandbox as FCM, used by clients that are not ours (urllib, curl, Google's own auth library)."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import google.auth.transport.requests
import googleapiclient
import pytest
import requests
from google.oauth2 import service_account

from notifier.sandbox.push_checks import fcm_schema
from notifier.sandbox.push_checks.fcm_schema import violation
from tests.sandbox.process import Sandbox

SCOPES = ["https://www.googleapis.com/auth/firebase.messaging"]


def google_token(sandbox: Sandbox) -> str:
    account = json.loads((sandbox.folder / "service-account.json").read_text())
    kind: Any = service_account.Credentials
    credentials = kind.from_service_account_info(account, scopes=SCOPES)
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
    session.verify = sandbox.ca
    credentials.refresh(google.auth.transport.requests.Request(session=session))
    return str(credentials.token)


def ask(sandbox: Sandbox, message: Any, token: str, *, project: str = "p", **more: Any) -> tuple[int, dict[str, Any]]:
    body = message if isinstance(message, bytes) else json.dumps({"message": message, **more}).encode()
    request = urllib.request.Request(
        f"{sandbox.url}/v1/projects/{project}/messages:send",
        data=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}") | {"retry-after": error.headers.get("retry-after")}


def a_message(address: str = "tok-1", delivery: str = "d1") -> dict[str, Any]:
    return {"token": address, "notification": {"title": "T", "body": "B"}, "data": {"delivery_id": delivery}}


@pytest.fixture(scope="module")
def token(running: Sandbox) -> str:
    return google_token(running)


def test_google_s_own_library_gets_a_token_and_the_token_sends(sandbox: Sandbox, token: str) -> None:
    status, body = ask(sandbox, a_message(), token, project="notifier-sandbox")
    assert status == 200
    assert body["name"].startswith("projects/notifier-sandbox/messages/")


def test_duplicates_are_counted_by_address_and_delivery(sandbox: Sandbox, token: str) -> None:
    for address, delivery in [("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"), ("a", "1")]:
        ask(sandbox, a_message(address, delivery), token)
    report = sandbox.report(detail=10)
    assert (report["received"], report["accepted"], report["unique"], report["duplicates"]) == (5, 5, 3, 2)
    assert [m["address"] for m in report["messages"]] == ["a", "a", "a", "b", "a"]
    assert report["messages"][0]["title"] == "T"


def test_without_a_delivery_id_the_android_tag_tells_messages_apart(sandbox: Sandbox, token: str) -> None:
    for tag in ("x", "x", "y"):
        ask(sandbox, {"token": "a", "android": {"notification": {"tag": tag}}}, token)
    assert sandbox.report()["unique"] == 2


def test_validate_only_delivers_nothing(sandbox: Sandbox, token: str) -> None:
    assert ask(sandbox, a_message(), token, validate_only=True)[0] == 200
    assert ask(sandbox, a_message(), token, validateOnly=True)[0] == 200
    assert sandbox.report()["accepted"] == 0


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("unregistered-1", 404, "UNREGISTERED"),
        ("cX:APA91b-unregistered", 404, "UNREGISTERED"),
        ("mismatch-1", 403, "SENDER_ID_MISMATCH"),
        ("throttled-1", 429, "QUOTA_EXCEEDED"),
        ("unavailable-1", 503, "UNAVAILABLE"),
        ("internal-1", 500, "INTERNAL"),
        ("thirdparty-1", 401, "THIRD_PARTY_AUTH_ERROR"),
        ("badarg-1", 400, "INVALID_ARGUMENT"),
    ],
)
def test_an_address_chooses_its_fate(sandbox: Sandbox, token: str, address: str, status: int, code: str) -> None:
    answered, body = ask(sandbox, a_message(address), token)
    assert answered == status
    assert body["error"]["code"] == status
    (detail,) = [d for d in body["error"]["details"] if d["@type"].endswith("fcm.v1.FcmError")]
    assert detail["errorCode"] == code
    assert sandbox.report()["accepted"] == 0
    assert sandbox.report()["by_status"] == {str(status): 1}


def test_retry_after_is_sent_as_the_knob_says(sandbox: Sandbox, token: str) -> None:
    sandbox.faults(retry_after=7)
    assert ask(sandbox, a_message("throttled-1"), token)[1]["retry-after"] == "7"
    sandbox.faults(retry_after=None)
    assert ask(sandbox, a_message("throttled-1"), token)[1]["retry-after"] is None


def test_a_flaky_address_works_the_second_time(sandbox: Sandbox, token: str) -> None:
    assert [ask(sandbox, a_message("flaky-77"), token)[0] for _ in range(3)] == [503, 200, 200]


def test_an_error_rate_of_one_refuses_everything(sandbox: Sandbox, token: str) -> None:
    sandbox.faults(error_rate=1)
    assert ask(sandbox, a_message(), token)[0] == 503


def test_tokens_that_were_not_issued_here_and_rejected_ones_are_401(sandbox: Sandbox, token: str) -> None:
    assert ask(sandbox, a_message(), "made-up")[0] == 401
    sandbox.faults(reject_auth=True)
    assert ask(sandbox, a_message(), token)[0] == 401


NOT_A_REQUEST = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"{}",
    b"\xff\xfe",
    b'{"message":{}}',
    b'{"message":[]}',
    b'{"message":{"token":1}}',
    b'{"message":{"token":"a","fid":"b"}}',
    b'{"message":{"token":"a","unknown":1}}',
    b'{"message":{"token":"a","data":{"n":1}}}',
    b'{"message":{"token":"a","data":{"from":"x"}}}',
    b'{"message":{"token":"a","android":{"ttl":"3"}}}',
    b'{"message":{"token":"a","data":{"x":"' + b"y" * 5000 + b'"}}}',
]


@pytest.mark.parametrize("body", NOT_A_REQUEST)
def test_what_fcm_refuses_is_refused_and_not_counted(sandbox: Sandbox, token: str, body: bytes) -> None:
    status, answer = ask(sandbox, body, token)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert sandbox.report()["accepted"] == 0


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ({"topic": "news"}, "/topics/news"),
        ({"condition": "'a' in topics"}, None),
        ({"condition": "'a' in topics && ('b' in topics||'c'in topics) || !('d' in topics)"}, None),
        ({"condition": "((('a' in topics)))"}, None),
    ],
)
def test_a_topic_and_a_condition_arrive_once(
    sandbox: Sandbox, token: str, target: dict[str, str], address: str | None
) -> None:
    assert ask(sandbox, {**target, "data": {"delivery_id": "d"}}, token)[0] == 200
    (arrived,) = sandbox.report(detail=10)["messages"]
    assert arrived["address"] == (address or target["condition"])


@pytest.mark.parametrize(
    "target",
    [
        {"topic": "/topics/news"},
        {"topic": "news de"},
        {"topic": "n" * 901},
        {"condition": "'a' in topics &&"},
        {"condition": "'a' in topics 'b' in topics"},
        {"condition": "'a' in topics & 'b' in topics"},
        {"condition": "('a' in topics"},
        {"condition": "!'a' in topics"},
        {"condition": "news"},
        {"condition": " && ".join(f"'{n}' in topics" for n in range(6))},
        {"topic": "news", "condition": "'a' in topics"},
        {"topic": "news", "token": "a"},
    ],
)
def test_a_malformed_topic_is_refused_and_not_counted(sandbox: Sandbox, token: str, target: dict[str, str]) -> None:
    status, answer = ask(sandbox, target, token)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert sandbox.report()["accepted"] == 0


@pytest.mark.parametrize(
    "form", [b"", b"grant_type=password", b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x.y.z"]
)
def test_the_token_endpoint_refuses_what_is_no_grant(sandbox: Sandbox, form: bytes) -> None:
    request = urllib.request.Request(sandbox.url + "/token", data=form)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca))


@pytest.mark.parametrize("knobs", [{"nonsense": 1}, {"latency_ms": "5"}, {"reject_auth": 1}, {"goaway_every": -1}, [1]])
def test_an_unknown_or_unfit_knob_is_refused_and_changes_nothing(sandbox: Sandbox, knobs: Any) -> None:
    before = sandbox.get("/_faults")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        sandbox.post("/_faults", knobs)
    assert sandbox.get("/_faults") == before


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_reads_the_report(sandbox: Sandbox, version: str) -> None:
    command = ["curl", "-sS", "--fail", version, "--cacert", sandbox.ca, sandbox.url + "/_report"]
    assert json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["received"] == 0


@pytest.mark.skipif(shutil.which("h2load") is None, reason="no h2load")
def test_h2load_s_messages_all_arrive(sandbox: Sandbox, token: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_text(json.dumps({"message": a_message()}))
    command = ["h2load", "-n2000", "-c4", "-m50", "-d", str(tmp_path / "body"), "-H", f"authorization: Bearer {token}"]
    done = subprocess.run(
        [*command, f"{sandbox.url}/v1/projects/p/messages:send"], check=True, capture_output=True, text=True
    )
    assert "2000 2xx, 0 3xx, 0 4xx, 0 5xx" in done.stdout
    report = sandbox.report()
    assert (report["accepted"], report["unique"], report["duplicates"]) == (2000, 1, 1999)


def test_the_schema_is_the_discovery_document_s() -> None:
    document = Path(googleapiclient.__file__).parent / "discovery_cache/documents/fcm.v1.json"
    schemas = json.loads(document.read_text())["schemas"]

    def compare(shape: Any, name: str) -> None:
        assert set(shape) == set(schemas[name]["properties"]), name
        for field, inner in shape.items():
            if not isinstance(inner, str):
                compare(inner, schemas[name]["properties"][field]["$ref"])

    compare(fcm_schema.REQUEST, "SendMessageRequest")


def test_both_spellings_of_proto_json_are_accepted() -> None:
    for name in ("fcmOptions", "fcm_options"):
        assert violation({"message": {"fid": "f", "webpush": {name: {"link": "https://x.test"}}}}) is None
