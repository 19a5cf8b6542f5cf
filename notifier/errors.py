"""Every error Notifier raises on purpose.

NotifierError                   code, message, field
├── InvalidInput                the caller can correct it; nothing was stored (HTTP 400)
│   ├── MissingVariables        a template variable has no value
│   └── TemplateFailed          a template cannot be rendered with these values, or would take too much
├── NotFound                    does not exist *for this tenant* (HTTP 404, also for another tenant's id)
├── Conflict                    not possible in the present state: GO on a draft, edit after GO (HTTP 409)
├── IdempotencyMismatch         the same Idempotency-Key came with another body (HTTP 422)
├── QueueFull                   too many unfinished messages wait for this recipient (HTTP 429)
├── RateLimited                 a limit of requests or recipients a second is used up (HTTP 429)
├── QuotaExceeded               a tenant's messages of a day or month are used up (HTTP 429)
├── Forged                      a receipt or token that does not verify (HTTP 401)
├── ReadOnly                    the token may read, and change nothing (HTTP 403)
├── Unavailable                 what the request needs does not answer at the moment (HTTP 503)
└── Unconfigured                no provider account can carry this channel (HTTP 409)

The HTTP statuses are given here only for the reader; `notifier.api.framework.errors` alone maps them.
"""

from __future__ import annotations


class NotifierError(Exception):
    """Base of all deliberate errors. `code` is stable and documented; `field` names the offending input; `at` is the
    index of the offending character in a template's source, where it is known."""

    code = "error"

    def __init__(
        self, message: str, *, field: str | None = None, code: str | None = None, at: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.at = at
        if code is not None:
            self.code = code


class InvalidInput(NotifierError):
    code = "invalid"


class MissingVariables(InvalidInput):
    code = "missing_variables"


class TemplateFailed(InvalidInput):
    code = "template_error"


class NotFound(NotifierError):
    code = "not_found"


class Conflict(NotifierError):
    code = "conflict"


class IdempotencyMismatch(NotifierError):
    code = "idempotency_mismatch"


class QueueFull(NotifierError):
    code = "queue_full"


class RateLimited(NotifierError):
    """`retry_after`: seconds until the caller may try again."""

    code = "rate_limited"

    def __init__(self, message: str, *, field: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, field=field)
        self.retry_after = retry_after


class QuotaExceeded(NotifierError):
    """`retry_after`: seconds until the quota renews."""

    code = "quota_exceeded"

    def __init__(self, message: str, *, field: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, field=field)
        self.retry_after = retry_after


class Forged(NotifierError):
    code = "forged"


class ReadOnly(NotifierError):
    code = "token_read_only"


class Unconfigured(NotifierError):
    code = "unconfigured"


class Unavailable(NotifierError):
    code = "unavailable"
