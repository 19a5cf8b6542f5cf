"""Tenants, their API keys, and the users of the admin who are their members."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifier.errors import InvalidInput
from notifier.values import zones
from notifier.values.colors import text_color_on
from notifier.vocabulary.content import MOST_SMS_SEGMENTS, TenantRules, Tracking
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.rates import MOST_PER_SECOND
from notifier.vocabulary.retention import LEAST_DAYS
from notifier.vocabulary.status import Mode
from tenants.models.base import TenantOwned


def check_timezone(value: str) -> None:
    """Raise ValidationError unless `value` is a time zone in its stored form."""
    try:
        if value and zones.canonical(value) != value:
            raise ValidationError(f"Write it as IANA does: {zones.canonical(value)}.")
    except InvalidInput as error:
        raise ValidationError(error.message) from None


if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class PasswordField(_CharField):
    """The hash of a password. The web role may not read the column: the SQL function `password_of` returns the hash to
    the user themself and to operators, and an empty text to others."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        table = sql.removesuffix(compiler.quote_name_unless_alias(self.column))
        return f"password_of({table}{compiler.quote_name_unless_alias('id')})", params


class OptIn(models.TextChoices):
    """Whether a recipient gets messages of a category before the recipient asked for them."""

    OFF = "off", "No opt-in: everyone gets them who did not opt out"
    SINGLE = "single", "Opt-in: only recipients who asked for them"
    DOUBLE = "double", "Double opt-in: only recipients who asked for them and confirmed it"


class ApprovalRule(models.TextChoices):
    """Which campaigns need the approval of a second person before GO."""

    NEVER = "never", _("None: each campaign is launched without an approval")
    ABOVE = "above", _("Large ones: campaigns to more recipients than the number below, and to topics")
    ALWAYS = "always", _("All: every campaign needs an approval")


def _salt() -> bytes:
    return secrets.token_bytes(16)


class User(AbstractUser):
    """A user of the admin. A superuser is an operator and sees every tenant."""

    password = PasswordField("password", max_length=128)
    #: a digest of issuer and subject at the OIDC provider; null for a login that never came from there
    oidc_subject = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001
    #: whether the OIDC provider asked for a second factor at the last login
    provider_second_factor = models.BooleanField(default=False, editable=False)


class Tenant(models.Model):
    """A client application, which owns its recipients, content and messages."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=64, unique=True)
    default_locale = models.CharField(max_length=16, default="en")
    timezone = models.CharField(max_length=64, default="UTC", validators=[check_timezone])
    sandbox = models.BooleanField(
        default=True,
        help_text=_(
            "All messages go to the built-in sandbox; no recipient is reached. Only an operator switches it off."
        ),
    )
    link_schemes = ArrayField(
        models.CharField(max_length=32),
        default=list,
        blank=True,
        help_text=_(
            "URL schemes of your apps that links in messages may have besides https and http: myapp, myapp-beta."
        ),
    )
    sms_segments = models.PositiveSmallIntegerField(
        "SMS segments",
        default=TenantRules().sms_segments,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_SMS_SEGMENTS)],
        help_text=_("The most segments of one SMS: providers bill each. A longer text is refused."),
    )
    sms_transliterate = models.BooleanField(
        "SMS in plain letters",
        default=False,
        help_text=_("Letters outside of GSM-7 become similar ones (ş: s) where that keeps an SMS short."),
    )
    tracking = models.CharField(
        "opens and clicks of emails",
        max_length=9,
        choices=[
            (Tracking.OFF.value, "Off: links are sent as they are"),
            (Tracking.ANONYMOUS.value, "Anonymous: counted for each campaign, for no person"),
            (Tracking.ON.value, "On: recorded for each recipient; most laws ask for the recipient's consent"),
        ],
        default=Tracking.OFF.value,
        help_text=_("Of mail that leaves through a mail server. Email services track by their own settings."),
    )
    opt_in = models.CharField(
        "opt-in to marketing",
        max_length=6,
        choices=OptIn,
        default=OptIn.OFF,
        help_text=_("For marketing categories that do not say otherwise."),
    )
    send_windows = models.TextField(
        blank=True,
        max_length=4000,
        help_text=_(
            "When marketing may leave, in the recipient's local time: a line for each channel and country, such "
            "as sms DE mon-sat 09:00-20:00 or sms US off; * stands for all other countries. A line replaces the "
            "built-in window of that country; the line built-in off removes all of them. Built in: no SMS between "
            "21:00 and 08:00."
        ),
    )
    brand_color = models.CharField(
        "brand colour",
        max_length=7,
        blank=True,
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}\Z", "Must be a colour such as #1d4ed8.")],
        help_text=_("Of the buttons on your recipients' preferences page: #1d4ed8."),
    )
    logo_url = models.CharField(
        "logo",
        max_length=500,
        blank=True,
        validators=[URLValidator(["https"])],
        help_text=_("The https address of a picture, shown on your recipients' preferences page."),
    )
    # -- what GO asks for: campaigns.approval --
    approval = models.CharField(
        _("campaigns that need an approval"),
        max_length=6,
        choices=ApprovalRule,
        default=ApprovalRule.NEVER,
        help_text=_("A second person, who did not write it, looks at the campaign before GO."),
    )
    approval_above = models.PositiveIntegerField(
        _("approval above (recipients)"),
        default=1000,
        help_text=_("For large campaigns: up to so many recipients, no approval is needed."),
    )
    require_test_copy = models.BooleanField(
        _("test send before GO"),
        default=False,
        help_text=_("GO needs a test send since the last edit of the message."),
    )
    confirm_above = models.PositiveIntegerField(
        _("type the number above (recipients)"),
        default=1000,
        help_text=_("Above so many recipients the page of GO asks a person to type their number."),
    )
    # -- how long data is kept: tenants.retention --
    keep_messages_days = models.PositiveSmallIntegerField(
        _("messages are kept for (days)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_DAYS)],
        help_text=_("Requests, messages with their content and history, and the inbox. Empty: as the operator says."),
    )
    keep_counts_days = models.PositiveSmallIntegerField(
        _("counts are kept for (days)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_DAYS)],
        help_text=_("Reports and counts by day of messages that are deleted. Empty: as the operator says."),
    )
    page_texts = models.JSONField(default=dict, blank=True, editable=False)  #: language -> title, intro, footer
    require_two_factor = models.BooleanField(
        _("two-factor login"),
        default=False,
        help_text=_("Members log in with a second factor; those who have none set one up first."),
    )
    status_page = models.BooleanField(
        _("public status page"),
        default=False,
        help_text=_("Anybody may see at /status/ and the slug whether your channels work, and your incidents."),
    )
    # -- limits: notifier.rates and notifier.delivery.quotas --
    requests_per_second = models.PositiveIntegerField(
        _("requests a second"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)],
        help_text=_("Of all API keys together. Empty: the limit of the installation."),
    )
    recipients_per_second = models.PositiveIntegerField(
        _("recipients a second"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)],
        help_text=_("A bulk request of 1,000 counts 1,000. Empty: the limit of the installation."),
    )
    #: channel -> {"day": most, "month": most}; null: no quota, and nothing is counted
    quotas = models.JSONField(null=True, blank=True, editable=False)
    active = models.BooleanField(default=True, help_text=_("The API refuses the keys of an inactive tenant."))
    inbox_secret = models.BinaryField(default=bytes, editable=False)  #: encrypted; signs recipient tokens
    #: of the digests of erased people's addresses
    erasure_salt = models.BinaryField(default=_salt, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def text_on_brand(self) -> str:
        """Black or white, whichever is easier to read on the brand colour (WCAG 2.2, relative luminance)."""
        return text_color_on(self.brand_color or "#1d4ed8")

    @property
    def content_rules(self) -> TenantRules:
        return TenantRules(self.link_schemes, self.sms_segments, self.sms_transliterate)


class Member(TenantOwned):
    """A user's role in a tenant."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner: everything, including members, keys and provider accounts")
        AUTHOR = "author", _("Author: writes people, templates, audiences and campaigns, and launches them")
        APPROVER = "approver", _("Approver: approves campaigns, changes nothing else")
        OPERATOR = "operator", _("Operator: launches, pauses and stops campaigns, retries messages, tests accounts")
        VIEWER = "viewer", _("Viewer: sees the pages, changes nothing")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.AUTHOR)
    #: granted by a claim of the OIDC provider, and taken away with it
    by_claim = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="member_once_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiKey(TenantOwned):
    """`nk_live_<secret>` or `nk_test_<secret>`. The key is shown once; only its SHA-256 is stored."""

    name = models.CharField(max_length=100)
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE)
    prefix = models.CharField(max_length=20, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = models.JSONField(
        default=list, help_text=_('["*"] or some of: send, recipients, campaigns, approvals, inbox, events.')
    )
    requests_per_second = models.PositiveIntegerField(
        _("requests a second"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)],
        help_text=_("Of this key, within the limit of the tenant. Empty: that limit alone."),
    )
    recipients_per_second = models.PositiveIntegerField(
        _("recipients a second"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)],
        help_text=_("Of this key, within the limit of the tenant. Empty: that limit alone."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
