"""The second factor of a login: codes of an authenticator app (TOTP), and recovery codes that each work once.

The secret is stored encrypted, recovery codes as keyed digests. Each function runs as the user, whose rows alone
row-level security shows. `tenants.login.stages` asks for the factor; the admin's pages set it up.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection, transaction
from django_otp.oath import TOTP

from notifier.encryption import seal, signing_keys, unseal
from tenants import audit
from tenants.access import act_as, read_memberships, set_scope
from tenants.models import Authenticator, RecoveryCode, User

DIGITS, STEP = 6, 30
#: time steps before and after the present one whose codes are accepted: clocks of phones differ
TOLERANCE = 1
SECRET_BYTES = 20
RECOVERY_CODES = 10
#: without letters and digits that look alike; 12 of them are 59 bits
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 12


@dataclass(frozen=True)
class Answer:
    """Whether a code was accepted, and, when it was not, for how many seconds no further code is read."""

    accepted: bool
    wait: int = 0


def has_second_factor(user: User) -> bool:
    with _as_user(user):
        return Authenticator.objects.filter(user=user).exclude(confirmed_at=None).exists()


def is_required(user: User) -> bool:
    """Whether a tenant of the user asks for a second factor; in production every platform operator needs one."""
    if user.is_superuser and not settings.DEBUG:
        return True
    with _as_user(user), connection.cursor() as cursor:
        cursor.execute("SELECT second_factor_required()")
        return bool(cursor.fetchone()[0])


def begin_setup(user: User) -> str:
    """The secret (base32) that the app is to store. Until a code confirms it, it protects nothing and the same secret
    is returned again."""
    with _as_user(user):
        sealed = _seal(user, secrets.token_bytes(SECRET_BYTES))
        authenticator, _ = Authenticator.objects.get_or_create(user=user, defaults={"secret": sealed})
        return base64.b32encode(_unseal(user, authenticator)).decode()


def otpauth_url(user: User, secret: str) -> str:
    """What the QR code says (Key URI Format of authenticator apps)."""
    label = quote(f"Notifier:{user.get_username()}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': 'Notifier', 'digits': DIGITS})}"


def confirm_setup(user: User, code: str) -> list[str]:
    """Recovery codes, once the app has shown a right code; an empty list for a wrong one, or when the login has a
    confirmed authenticator already."""
    with _as_user(user):
        authenticator = Authenticator.objects.select_for_update().filter(user=user, confirmed_at=None).first()
        if authenticator is None or not _accept(user, authenticator, code):
            return []
        authenticator.confirmed_at = datetime.now(UTC)
        authenticator.save()
        codes = _new_recovery_codes(user)
        record(user, "second_factor_added")
    return codes


def verify(user: User, code: str) -> Answer:
    """Check a code of the app, or use up a recovery code. A code of the app is accepted once."""
    text = "".join(code.split()).replace("-", "").lower()
    with _as_user(user):
        if len(text) == _LENGTH:
            return Answer(_use_recovery_code(user, text))
        authenticator = Authenticator.objects.select_for_update().filter(user=user).exclude(confirmed_at=None).first()
        if authenticator is None:
            return Answer(False)
        if wait := seconds_to_wait(authenticator, datetime.now(UTC)):
            return Answer(False, wait)
        if _accept(user, authenticator, text):
            authenticator.throttle_reset()
            return Answer(True)
        authenticator.throttle_increment()
        return Answer(False)


def seconds_to_wait(authenticator: Authenticator, now: datetime) -> int:
    """Seconds until the next code of the app is read: 1, 2, 4, … after the last wrong one, never more than
    LONGEST_WAIT. Recovery codes never wait: nobody guesses 59 bits."""
    failures, last = authenticator.throttling_failure_count, authenticator.throttling_failure_timestamp
    if not failures or last is None:
        return 0
    delay = min(2 ** min(failures - 1, 20), Authenticator.LONGEST_WAIT)
    left = (last + timedelta(seconds=delay) - now).total_seconds()
    return max(0, -int(-left // 1))


def renew_recovery_codes(user: User) -> list[str]:
    """New codes; the earlier ones no longer work."""
    with _as_user(user):
        codes = _new_recovery_codes(user)
        record(user, "recovery_codes_renewed")
    return codes


def unused_recovery_codes(user: User) -> int:
    with _as_user(user):
        return RecoveryCode.objects.filter(user=user, used_at=None).count()


def remove(user: User) -> None:
    """Take the second factor away from the user's own login."""
    with _as_user(user):
        Authenticator.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        record(user, "second_factor_removed")


def reset(target_id: int) -> bool:
    """Take the second factor of a member away and end the member's sessions, as the logged-in user of this
    transaction. False when that user may not: see the SQL function."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reset_second_factor(%s)", [target_id])
        return bool(cursor.fetchone()[0])


def users_with_second_factor() -> frozenset[int]:
    """The members of the visible tenants who have one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM users_with_second_factor()")
        return frozenset(row[0] for row in cursor.fetchall())


def record(user: User, verb: str) -> None:
    """Write an entry into the audit log of every tenant of the user. Needs an open transaction; sets its scope."""
    tenants = read_memberships(user)
    set_scope(tenants)
    for tenant_id in tenants:
        audit.record(tenant_id, f"login.{verb}", user.pk, by=audit.Actor(user))


def _accept(user: User, authenticator: Authenticator, code: str) -> bool:
    """Whether the code is of an allowed time step later than the last accepted one; remembers the step."""
    if not (code.isascii() and code.isdigit() and len(code) == DIGITS):
        return False
    totp = TOTP(_unseal(user, authenticator), step=STEP, digits=DIGITS)
    totp.time = time.time()
    if not totp.verify(int(code), tolerance=TOLERANCE, min_t=authenticator.last_step + 1):
        return False
    authenticator.last_step = totp.t()
    return True


def _new_recovery_codes(user: User) -> list[str]:
    plain = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digests(user, code)[0]) for code in plain)
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in plain]


def _use_recovery_code(user: User, code: str) -> bool:
    unused = RecoveryCode.objects.filter(user=user, digest__in=_digests(user, code), used_at=None)
    if not unused.update(used_at=datetime.now(UTC)):
        return False
    record(user, "recovery_code_used")
    return True


def _digests(user: User, code: str) -> list[bytes]:
    """One digest for each configured encryption key, newest first."""
    keys = signing_keys(uuid.UUID(int=user.pk), "recovery code")
    return [hashlib.blake2b(code.encode(), key=key, digest_size=32).digest() for key in keys]


def _seal(user: User, secret: bytes) -> bytes:
    return seal(uuid.UUID(int=user.pk), "second factor", secret)


def _unseal(user: User, authenticator: Authenticator) -> bytes:
    return unseal(uuid.UUID(int=user.pk), "second factor", authenticator.secret)


@contextmanager
def _as_user(user: User) -> Iterator[None]:
    with transaction.atomic():
        act_as(user.pk)
        yield
