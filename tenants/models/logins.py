"""What belongs to a login rather than to a tenant: its second factor, its recovery codes, its sessions. Row-level
security shows a request the rows of its own user, and the sessions of the members of its tenants."""

from __future__ import annotations

from django.db import models
from django_otp.models import ThrottlingMixin

from notifier.vocabulary.ids import new_id
from tenants.models.accounts import User


class Authenticator(ThrottlingMixin, models.Model):  # type: ignore[misc]  # django_otp is not typed
    """The second factor of a login: an app that shows codes (TOTP, RFC 6238). Wrong codes make the next attempt wait
    1, 2, 4, … seconds, up to 15 minutes."""

    #: the longest wait, in seconds
    LONGEST_WAIT = 900

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="authenticator")
    secret = models.BinaryField(editable=False)  #: encrypted
    #: null until the user has typed a first code
    confirmed_at = models.DateTimeField(null=True, editable=False)
    #: the time step of the last accepted code; a code of this or an earlier step is refused
    last_step = models.BigIntegerField(default=-1, editable=False)

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"

    def get_throttle_factor(self) -> int:
        return 1


class RecoveryCode(models.Model):
    """A code that stands in for the authenticator once. Only a keyed digest is stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"recovery code of {self.user_id}"


class LoginSession(models.Model):
    """A session in which a user is logged in. A trigger ends the session when the row is deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_sessions")
    #: the key of the row in Django's table of sessions
    digest = models.CharField(max_length=40, unique=True, editable=False)
    browser = models.CharField(max_length=100, blank=True)  #: such as "Firefox on Windows"
    address = models.CharField(max_length=64, blank=True)  #: the network of the browser, without its last part
    begun_at = models.DateTimeField()
    last_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.browser} ({self.address})"
