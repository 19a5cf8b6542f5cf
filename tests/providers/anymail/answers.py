"""Answers of the email services, as their documentation shows them, and what each means."""

from __future__ import annotations

from typing import Any

from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

#: service, HTTP status, body, and the verdict or its class
Row = tuple[str, int, Any, type[Verdict] | Verdict]
DEAD = Permanent("", address_is_dead=True)
ROWS: list[Row] = [
    (
        "sendgrid",
        400,
        {"errors": [{"message": "Does not contain a valid address.", "field": "personalizations.0.to"}]},
        Permanent,
    ),
    (
        "sendgrid",
        400,
        {"errors": [{"message": "The from email does not contain a valid address.", "field": "from.email"}]},
        Misconfigured,
    ),
    (
        "sendgrid",
        403,
        {"errors": [{"message": "The from address does not match a verified Sender Identity"}]},
        Misconfigured,
    ),
    ("sendgrid", 413, {"errors": [{"message": "The request is too large", "field": None}]}, Permanent),
    ("postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'credit@b.example'."}, Permanent),
    ("sendgrid", 401, {"errors": [{"message": "Maximum credits exceeded"}]}, Misconfigured),
    ("mailgun", 200, {"id": "<1@mg>", "message": "Queued. Thank you."}, Sent("<1@mg>")),
    ("mailgun", 200, "Mailgun Magnificent API", Misconfigured),
    ("mailgun", 400, {"message": "to parameter is not a valid address. please check documentation"}, Permanent),
    ("mailgun", 404, {"message": "Domain not found: x"}, Misconfigured),
    ("brevo", 201, {"messageId": "<1@relay>"}, Sent("<1@relay>")),
    ("brevo", 400, {"code": "invalid_parameter", "message": "email is not valid in to"}, Permanent),
    (
        "brevo",
        400,
        {"code": "invalid_parameter", "message": "Sending has been rejected because the sender you used is not valid"},
        Misconfigured,
    ),
    ("brevo", 402, {"code": "not_enough_credits", "message": "x"}, Misconfigured),
    (
        "sparkpost",
        200,
        {"results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": "11"}},
        Sent("11"),
    ),
    (
        "sparkpost",
        200,
        {"results": {"total_rejected_recipients": 1, "total_accepted_recipients": 0, "id": "11"}},
        Permanent,
    ),
    (
        "sparkpost",
        400,
        {"errors": [{"message": "Invalid domain", "description": "Unconfigured Sending Domain", "code": "7001"}]},
        Misconfigured,
    ),
    ("sparkpost", 422, {"errors": [{"message": "invalid data format/type", "code": "1300"}]}, Permanent),
    ("sparkpost", 420, {"errors": [{"message": "Exceed Sending Limit (hourly)", "code": "2102"}]}, Throttled),
    ("mandrill", 200, [{"email": "a@b.example", "status": "sent", "_id": "abc"}], Sent("abc")),
    ("mandrill", 200, [{"email": "a@b.example", "status": "queued", "_id": "abc"}], Sent("abc")),
    (
        "mandrill",
        200,
        [{"email": "a@b.example", "status": "rejected", "reject_reason": "hard-bounce", "_id": "a"}],
        DEAD,
    ),
    ("mandrill", 200, [{"email": "a@b.example", "status": "rejected", "reject_reason": "spam", "_id": "a"}], Permanent),
    (
        "mandrill",
        200,
        [{"email": "a@b.example", "status": "rejected", "reject_reason": "unsigned", "_id": "a"}],
        Misconfigured,
    ),
    ("mandrill", 200, [{"email": "a@b.example", "status": "invalid", "_id": "a"}], Permanent),
    (
        "mandrill",
        500,
        {"status": "error", "code": -1, "name": "Invalid_Key", "message": "Invalid API key"},
        Misconfigured,
    ),
    ("mandrill", 500, {"status": "error", "code": -2, "name": "ValidationError", "message": "x"}, Permanent),
    ("mandrill", 500, {"status": "error", "code": -99, "name": "GeneralError", "message": "x"}, Temporary),
    ("mailtrap", 200, {"success": True, "message_ids": ["0c7fd939"]}, Sent("0c7fd939")),
    ("mailtrap", 400, {"success": False, "errors": ["'to' address is invalid"]}, Permanent),
    ("mailtrap", 401, {"success": False, "errors": ["Unauthorized"]}, Misconfigured),
    (
        "mailersend",
        422,
        {"message": "x", "errors": {"to.0.email": ["The to.0.email must be a valid email address."]}},
        Permanent,
    ),
    (
        "mailersend",
        422,
        {"message": "x", "errors": {"from.email": ["The from.email domain must be verified. #MS42207"]}},
        Misconfigured,
    ),
    (
        "mailersend",
        422,
        {"message": "You have reached the trial account unique recipients limit. #MS42225 daily quota"},
        Misconfigured,
    ),
    ("postmark", 200, {"To": "a@b.example", "MessageID": "b7bc", "ErrorCode": 0, "Message": "OK"}, Sent("b7bc")),
    ("postmark", 422, {"ErrorCode": 406, "Message": "Found inactive addresses: a@b.example."}, Permanent),
    ("postmark", 422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'x'."}, Permanent),
    ("postmark", 422, {"ErrorCode": 400, "Message": "The 'From' address is not a Sender Signature"}, Misconfigured),
    ("postmark", 401, {"ErrorCode": 10, "Message": "Bad or missing API token"}, Misconfigured),
    ("postal", 200, {"status": "success", "data": {"messages": {"a@b.example": {"id": 12}}}}, Sent("12")),
    ("postal", 200, {"status": "error", "data": {"code": "UnauthenticatedFromAddress"}}, Misconfigured),
    ("postal", 200, {"status": "error", "data": {"code": "AccessDenied"}}, Misconfigured),
    ("postal", 200, {"status": "error", "data": {"code": "NoRecipients"}}, Permanent),
    ("resend", 200, {"id": "49a3999c"}, Sent("49a3999c")),
    ("resend", 422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}, Permanent),
    (
        "resend",
        403,
        {"statusCode": 403, "name": "validation_error", "message": "The domain is not verified."},
        Misconfigured,
    ),
    (
        "resend",
        422,
        {"statusCode": 422, "name": "invalid_from_address", "message": "Invalid `from` field."},
        Misconfigured,
    ),
    ("resend", 409, {"statusCode": 409, "name": "concurrent_idempotent_requests", "message": "x"}, Temporary),
    ("scaleway", 200, {"emails": [{"id": "9", "mail_rcpt": "a@b.example", "status": "new"}]}, Sent("9")),
    (
        "scaleway",
        400,
        {
            "type": "invalid_arguments",
            "message": "invalid argument(s)",
            "details": [{"argument_name": "to", "reason": "constraint"}],
        },
        Permanent,
    ),
    (
        "scaleway",
        400,
        {
            "type": "invalid_arguments",
            "message": "invalid argument(s)",
            "details": [{"argument_name": "from.email", "reason": "constraint"}],
        },
        Misconfigured,
    ),
    ("scaleway", 403, {"type": "permissions_denied", "message": "insufficient permissions"}, Misconfigured),
    ("unisender_go", 200, {"status": "success", "job_id": "1Z", "emails": ["a@b.example"]}, Sent("1Z")),
    (
        "unisender_go",
        200,
        {"status": "success", "job_id": "1Z", "emails": [], "failed_emails": {"a@b.example": "invalid"}},
        Permanent,
    ),
    (
        "unisender_go",
        200,
        {"status": "success", "job_id": "1Z", "emails": [], "failed_emails": {"a@b.example": "permanent_unavailable"}},
        DEAD,
    ),
    ("unisender_go", 400, {"status": "error", "code": 204, "message": "No valid recipients"}, Permanent),
    (
        "mailjet",
        200,
        {"Messages": [{"Status": "success", "To": [{"Email": "a@b.example", "MessageID": 7}]}]},
        Sent("7"),
    ),
    (
        "mailjet",
        400,
        {
            "Messages": [
                {
                    "Status": "error",
                    "Errors": [
                        {
                            "ErrorCode": "mj-0013",
                            "StatusCode": 400,
                            "ErrorMessage": '"x" is an invalid email address.',
                            "ErrorRelatedTo": ["To[0].Email"],
                        }
                    ],
                }
            ]
        },
        Permanent,
    ),
    (
        "mailjet",
        400,
        {
            "Messages": [
                {
                    "Status": "error",
                    "Errors": [
                        {
                            "ErrorCode": "send-0008",
                            "StatusCode": 403,
                            "ErrorMessage": '"x" is not an authorized sender email',
                            "ErrorRelatedTo": ["From"],
                        }
                    ],
                }
            ]
        },
        Misconfigured,
    ),
    (
        "mailjet",
        401,
        {"ErrorIdentifier": "x", "StatusCode": 401, "ErrorMessage": "API key authentication failure."},
        Misconfigured,
    ),
]
