"""What each email service reports, as its documentation shows it: the sources stand beside the services. `D` is our
delivery's id, where the service repeats it; `A` the recipient's address."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import EventKind

DELIVERY = new_id()
D, A = str(DELIVERY), "anna@example.org"
BOUNCED, DELIVERED, DEFERRED, FAILED = EventKind.BOUNCED, EventKind.DELIVERED, EventKind.DEFERRED, EventKind.FAILED
OPENED, CLICKED, COMPLAINED, UNSUBSCRIBED = (
    EventKind.OPENED, EventKind.CLICKED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED,
)  # fmt: skip
SENT = EventKind.SENT


@dataclass(frozen=True)
class Sample:
    """`kind` None: the report is no event of ours. `machine`: a scanner or a proxy did it."""

    service: str
    document: Any
    kind: EventKind | None
    permanent: bool = False
    machine: bool = False
    form: str = ""  #: the name of the form field that holds the document; empty: it is the body
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        text = json.dumps(self.document)
        return urlencode({self.form: text}).encode() if self.form else text.encode()

    @property
    def content_type(self) -> str:
        return "application/x-www-form-urlencoded" if self.form else "application/json"


# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
def sendgrid(kind: EventKind | None, permanent: bool = False, machine: bool = False, **event: Any) -> Sample:
    common = {"email": A, "timestamp": 1513299569, "smtp-id": "<14c5d75ce93@ismtpd-555>",
              "sg_event_id": "rbtnWrG1DVDGGGFHF", "sg_message_id": "14c5d75ce93.dfd", "delivery_id": D}  # fmt: skip
    return Sample("sendgrid", [common | event], kind, permanent, machine)


# https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
def mailgun(
    kind: EventKind | None, permanent: bool = False, machine: bool = False, more: Any = None, **event: Any
) -> Sample:
    data = {"id": "G9Bn5sl1TC6nu79C8C0bwg", "timestamp": 1521233195.375624, "recipient": A, "log-level": "error",
            "message": {"headers": {"message-id": "20130503192659.13651.20287@mg.example.com"}},
            "user-variables": {"delivery_id": D}, "tags": []}  # fmt: skip
    signature = {
        "timestamp": "1529006854",
        "token": "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0",
        "signature": "",
    }
    return Sample(
        "mailgun", {"signature": signature, "event-data": data | event | (more or {})}, kind, permanent, machine
    )


# https://developers.brevo.com/docs/transactional-webhooks
def brevo(event: str, kind: EventKind | None, permanent: bool = False, machine: bool = False, **more: Any) -> Sample:
    common = {"event": event, "email": A, "id": 1, "date": "2020-10-09 00:00:00", "ts_epoch": 1602230400000,
              "message-id": "<201798300811.5787683@relay.domain.com>", "subject": "Hello", "tag": "x",
              "X-Mailin-custom": json.dumps({"delivery_id": D})}  # fmt: skip
    return Sample("brevo", common | more, kind, permanent, machine)


# https://dev.mailjet.com/email/guides/webhooks/
def mailjet(event: str, kind: EventKind | None, permanent: bool = False, **more: Any) -> Sample:
    common = {"event": event, "time": 1433333949, "MessageID": 19421777835146490, "email": A, "mj_campaign_id": 7257,
              "customcampaign": "", "Payload": json.dumps({"delivery_id": D})}  # fmt: skip
    return Sample("mailjet", [common | more], kind, permanent)


# https://support.sparkpost.com/docs/tech-resources/webhook-event-reference
def sparkpost(kind: EventKind | None, permanent: bool = False, machine: bool = False, **event: Any) -> Sample:
    common = {"event_id": "92356927693813856", "raw_rcpt_to": A, "rcpt_to": A, "timestamp": "1454442600",
              "transmission_id": "65832150921904138", "rcpt_meta": {"delivery_id": D}}  # fmt: skip
    return Sample("sparkpost", [{"msys": {"message_event": common | event}}], kind, permanent, machine)


# https://mailchimp.com/developer/transactional/docs/webhooks/
def mandrill(event: str, kind: EventKind | None, permanent: bool = False, **message: Any) -> Sample:
    body = {"_id": "exampleaaaaaaaaaaaaaaaaaaaaaaaaa", "email": A, "metadata": {"delivery_id": D}, "tags": []}
    document = [{"event": event, "ts": 1384954004, "_id": "id2", "msg": body | message}]
    return Sample("mandrill", document, kind, permanent, form="mandrill_events")


# https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
def mailtrap(event: str, kind: EventKind | None, permanent: bool = False, **more: Any) -> Sample:
    common = {"event": event, "message_id": "1df37d17-0286-4d8b-8edf-bc4ec5be86e6", "email": A, "timestamp": 1726358034,
              "event_id": "bede7236-2284-43d6-a953-1fdcafd0fdbc", "custom_variables": {"delivery_id": D}}  # fmt: skip
    return Sample("mailtrap", {"events": [common | more]}, kind, permanent)


# https://developers.mailersend.com/api/v1/webhooks
def mailersend(event: str, kind: EventKind | None, permanent: bool = False, morph: Any = None) -> Sample:
    email = {"object": "email", "id": "62fb66be3b0aa5a2d8f", "tags": [f"delivery-{D}"], "status": "sent",
             "message": {"object": "message", "id": "62fb66bef54a112e920b5493"}, "recipient": {"email": A}}  # fmt: skip
    data = {"object": "activity", "id": "62f114f8165fe0d8db0288e3", "type": event, "created_at": "2022-08-08T13:52:50Z"}
    document = {"type": f"activity.{event}", "domain_id": "7z3m5jgrogdpyo6n", "created_at": "2022-08-08T13:52:50Z"}
    return Sample("mailersend", document | {"data": data | {"email": email, "morph": morph}}, kind, permanent)


# https://postmarkapp.com/developer/webhooks/webhooks-overview
def postmark(record: str, kind: EventKind | None, permanent: bool = False, **more: Any) -> Sample:
    common = {"RecordType": record, "MessageID": "00000000-0000-0000-0000-000000000000", "Recipient": A, "Email": A,
              "Tag": "welcome", "MessageStream": "outbound", "Metadata": {"delivery_id": D}}  # fmt: skip
    return Sample("postmark", common | more, kind, permanent)


# https://docs.postalserver.io/developer/webhooks
def postal(kind: EventKind | None, permanent: bool = False, **payload: Any) -> Sample:
    message = {"id": 12345, "token": "abcdef123", "direction": "outgoing", "to": A, "tag": f"delivery-{D}"}
    bounce = "bounce" in payload
    document = {"event": "MessageSent", "timestamp": 1477945177.12994, "uuid": "0fcc8bde-fd60-4bc1-bae8-8e3d2bd4c7b9"}
    named = {"original_message": message} if bounce else {"message": message}
    return Sample("postal", document | {"payload": named | payload}, kind, permanent)


# https://resend.com/docs/dashboard/webhooks/event-types
def resend(event: str, kind: EventKind | None, permanent: bool = False, **data: Any) -> Sample:
    headers = [{"name": "X-Metadata", "value": json.dumps({"delivery_id": D})}]
    common = {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "to": [A], "subject": "x", "headers": headers}
    document = {"type": f"email.{event}", "created_at": "2024-02-22T23:41:12.126Z", "data": common | data}
    return Sample("resend", document, kind, permanent, headers={"svix-id": "msg_1"})


# https://godocs.unisender.ru/web-api-ref#callback-format
def unisender(status: str, kind: EventKind | None, permanent: bool = False, **info: Any) -> Sample:
    data = {"job_id": "1a3Q2V-0000OZ-S0", "metadata": {"delivery_id": D}, "email": A, "status": status,
            "event_time": "2015-11-30 15:09:42", "delivery_info": info}  # fmt: skip
    events = [{"event_name": "transactional_email_status", "event_data": data}]
    return Sample(
        "unisender_go", {"auth": "x" * 32, "events_by_user": [{"user_id": 1, "events": events}]}, kind, permanent
    )


NO_MAILBOX = "550 5.1.1 The email account that you tried to reach does not exist"
SOFT = {"bounce-type": "soft"}
SAMPLES = [
    sendgrid(None, event="processed"),
    sendgrid(DELIVERED, event="delivered", response="250 OK"),
    sendgrid(DEFERRED, event="deferred", response="400 try again later", attempt="5"),
    sendgrid(BOUNCED, True, event="bounce", type="bounce", reason="500 unknown recipient", status="5.0.0"),
    sendgrid(BOUNCED, event="bounce", type="blocked", reason="550 5.7.1 policy", status="5.7.1"),
    sendgrid(FAILED, True, event="dropped", reason="Bounced Address", status="5.0.0"),
    sendgrid(FAILED, event="dropped", reason="Unsubscribed Address", status="5.0.0"),
    sendgrid(OPENED, event="open", useragent="Mozilla/4.0", ip="255.255.255.255"),
    sendgrid(OPENED, machine=True, event="open", sg_machine_open=True),
    sendgrid(CLICKED, event="click", url="https://example.com/"),
    sendgrid(COMPLAINED, event="spamreport"),
    sendgrid(UNSUBSCRIBED, event="unsubscribe"),
    sendgrid(UNSUBSCRIBED, event="group_unsubscribe", asm_group_id=10),
    mailgun(DELIVERED, event="delivered"),
    mailgun(DEFERRED, event="failed", severity="temporary", reason="generic"),
    mailgun(BOUNCED, True, event="failed", severity="permanent", reason="bounce"),
    mailgun(BOUNCED, True, event="failed", severity="permanent", reason="suppress-bounce"),
    mailgun(BOUNCED, event="failed", severity="permanent", reason="generic"),
    mailgun(
        BOUNCED, event="failed", severity="permanent", reason="bounce", more={"delivery-status": SOFT}
    ),
    mailgun(OPENED, event="opened", more={"client-info": {"user-agent": "Mozilla"}}),
    mailgun(OPENED, machine=True, event="opened", more={"client-info": {"bot": "apple"}}),
    mailgun(CLICKED, event="clicked", url="https://example.com/"),
    mailgun(COMPLAINED, event="complained"),
    mailgun(UNSUBSCRIBED, event="unsubscribed"),
    brevo("request", None),
    brevo("delivered", DELIVERED),
    brevo("deferred", DEFERRED, reason="greylisted"),
    brevo("soft_bounce", BOUNCED, reason="mailbox full"),
    brevo("hard_bounce", BOUNCED, True, reason="server is down"),
    brevo("invalid_email", BOUNCED, True),
    brevo("blocked", FAILED, reason="blocked: due to blacklist user"),
    brevo("unique_opened", OPENED),
    brevo("unique_proxy_open", OPENED, machine=True),
    brevo("click", CLICKED, link="https://example.com/"),
    brevo("spam", COMPLAINED),
    brevo("unsubscribe", UNSUBSCRIBED),
    brevo("error", FAILED),
    mailjet("sent", DELIVERED, smtp_reply="sent (250 2.0.0 OK)"),
    mailjet("bounce", BOUNCED, True, hard_bounce=True, error_related_to="recipient", error="user unknown"),
    mailjet("bounce", BOUNCED, hard_bounce=False, error_related_to="recipient", error="quota exceeded"),
    mailjet("bounce", DEFERRED, hard_bounce=False, error_related_to="domain", error="greylisted"),
    mailjet("blocked", FAILED, error_related_to="mailjet", error="preblocked"),
    mailjet("open", OPENED),
    mailjet("click", CLICKED, url="https://example.com/"),
    mailjet("spam", COMPLAINED, source="JMRPP"),
    mailjet("unsub", UNSUBSCRIBED, mj_list_id=1),
    sparkpost(None, type="injection"),
    sparkpost(DELIVERED, type="delivery"),
    sparkpost(DEFERRED, type="delay", bounce_class="21"),
    sparkpost(BOUNCED, True, type="bounce", bounce_class="10", raw_reason="MAIL REFUSED"),
    sparkpost(BOUNCED, True, type="bounce", bounce_class="30"),
    sparkpost(BOUNCED, type="bounce", bounce_class="22"),
    sparkpost(BOUNCED, True, type="out_of_band", bounce_class="1", raw_reason=NO_MAILBOX),
    sparkpost(FAILED, type="policy_rejection", bounce_class="25"),
    sparkpost(OPENED, type="open"),
    sparkpost(OPENED, machine=True, type="open", is_prefetched=True),
    sparkpost(CLICKED, type="click", target_link_url="https://example.com/"),
    sparkpost(COMPLAINED, type="spam_complaint"),
    sparkpost(UNSUBSCRIBED, type="list_unsubscribe"),
    mandrill("send", SENT),
    mandrill("deferral", DEFERRED, diag="451 4.3.5 Temporarily unavailable"),
    mandrill("hard_bounce", BOUNCED, True, bounce_description="bad_mailbox", diag=f"smtp;{NO_MAILBOX}"),
    mandrill("soft_bounce", BOUNCED, bounce_description="mailbox_full", diag="smtp;552 5.2.2 Over Quota"),
    mandrill("reject", FAILED, state="rejected"),
    mandrill("open", OPENED),
    mandrill("click", CLICKED),
    mandrill("spam", COMPLAINED),
    mandrill("unsub", UNSUBSCRIBED),
    mailtrap("delivery", DELIVERED),
    mailtrap("soft bounce", DEFERRED, response="452 4.2.2 full"),
    mailtrap("bounce", BOUNCED, True, response="550", response_code=550, bounce_category="badmailbox"),
    mailtrap("reject", FAILED, reason="policy"),
    mailtrap("suspension", DEFERRED),
    mailtrap("open", OPENED),
    mailtrap("click", CLICKED, url="https://example.com/"),
    mailtrap("spam", COMPLAINED),
    mailtrap("unsubscribe", UNSUBSCRIBED),
    mailersend("sent", SENT),
    mailersend("delivered", DELIVERED),
    mailersend("soft_bounced", BOUNCED, morph={"object": "recipient_bounce", "reason": "450 try again"}),
    mailersend("hard_bounced", BOUNCED, True, morph={"object": "recipient_bounce", "reason": "Domain not found"}),
    mailersend("opened", OPENED, morph={"object": "open", "ip": "127.0.0.1"}),
    mailersend("clicked", CLICKED, morph={"object": "click", "url": "https://example.com/"}),
    mailersend("unsubscribed", UNSUBSCRIBED, morph={"object": "recipient_unsubscribe"}),
    mailersend("spam_complaint", COMPLAINED, morph={"object": "spam_complaint"}),
    postmark("Delivery", DELIVERED, DeliveredAt="2019-11-05T16:33:54.9070259Z"),
    postmark("Bounce", BOUNCED, True, ID=42, Type="HardBounce", TypeCode=1, BouncedAt="2019-11-05T16:33:54Z"),
    postmark("Bounce", BOUNCED, ID=42, Type="SoftBounce", TypeCode=4096),
    postmark("Bounce", DEFERRED, ID=42, Type="Transient", TypeCode=2),
    postmark("Bounce", FAILED, ID=42, Type="Blocked", TypeCode=100006),
    postmark("Bounce", FAILED, True, ID=42, Type="BadEmailAddress", TypeCode=100000),
    postmark("Bounce", None, ID=42, Type="AutoResponder", TypeCode=32),
    postmark("SpamComplaint", COMPLAINED, ID=42, Type="SpamComplaint", TypeCode=100001),
    postmark("SubscriptionChange", UNSUBSCRIBED, SuppressSending=True, SuppressionReason="ManualSuppression"),
    postmark("SubscriptionChange", BOUNCED, True, SuppressSending=True, SuppressionReason="HardBounce"),
    postmark("SubscriptionChange", COMPLAINED, SuppressSending=True, SuppressionReason="SpamComplaint"),
    postmark("SubscriptionChange", None, SuppressSending=False, SuppressionReason=None),
    postmark("Open", OPENED, FirstOpen=True, UserAgent="Mozilla"),
    postmark("Click", CLICKED, OriginalLink="https://example.com/"),
    postal(DELIVERED, status="Sent", details="Message sent by SMTP", output="250 OK"),
    postal(DEFERRED, status="SoftFail", output="450 try again"),
    postal(FAILED, True, status="HardFail", output=NO_MAILBOX),
    postal(FAILED, status="HardFail", output="554 5.7.1 policy"),
    postal(None, status="Held"),
    postal(BOUNCED, bounce={"id": 12347, "direction": "incoming"}),
    postal(CLICKED, url="https://example.com/"),
    resend("sent", SENT),
    resend("delivered", DELIVERED),
    resend("delivery_delayed", DEFERRED),
    resend("bounced", BOUNCED, True, bounce={"message": "The recipient's email provider sent a hard bounce message.",
                                             "type": "Permanent", "subType": "General"}),
    resend("bounced", BOUNCED, bounce={"message": "Inbox full.", "type": "Transient", "subType": "MailboxFull"}),
    resend("opened", OPENED),
    resend("clicked", CLICKED, click={"link": "https://example.com/", "userAgent": "Mozilla"}),
    resend("complained", COMPLAINED),
    resend("scheduled", None),
    unisender("sent", SENT),
    unisender("delivered", DELIVERED),
    unisender("soft_bounced", DEFERRED, delivery_status="err_mailbox_full"),
    unisender("hard_bounced", BOUNCED, True, delivery_status="err_user_unknown", destination_response=NO_MAILBOX),
    unisender("hard_bounced", BOUNCED, delivery_status="err_spam_rejected"),
    unisender("opened", OPENED),
    unisender("clicked", CLICKED),
    unisender("spam", COMPLAINED),
    unisender("unsubscribed", UNSUBSCRIBED),
]  # fmt: skip
