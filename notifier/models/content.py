"""Templates: content by channel and locale. A version never changes; a notification names its version. Beside them
stands what a version is published with: layouts, senders, and the files that are attached."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifier.vocabulary.mail import ADDRESS, LONGEST_NAME
from tenants.models import Category, TenantOwned, User


class Layout(TenantOwned):
    """What stands around the content of a tenant's pages: `html` and `text` are Liquid with `{{ content }}` and
    `{{ postal_address }}`. It is applied when a template is published: a published version does not change with it."""

    key = models.SlugField(max_length=64)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    postal_address = models.CharField(max_length=500, blank=True)
    is_default = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="layout_key"),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(is_default=True),
                name="layout_one_default",
                violation_error_message="Another layout is the default; take the mark off that one first.",
            ),
        ]

    def __str__(self) -> str:
        return self.key


def check_sender_address(address: str) -> None:
    """Raise ValidationError unless a sender may have this address: one address, or `@` and a domain."""
    whole = f"a{address}" if address.startswith("@") else address
    if not ADDRESS.fullmatch(whole) or not whole.rpartition("@")[0].isascii():
        raise ValidationError("An address looks like news@acme.example; @acme.example stands for all of a domain.")


class Sender(TenantOwned):
    """An address that templates of the tenant may name in the part `from`. `name`: the only name that may stand beside
    it, and the one that stands there when a template gives none; empty: any."""

    address = models.CharField(
        max_length=320,
        validators=[check_sender_address],
        help_text=_("news@acme.example, or @acme.example for every address of the domain."),
    )
    name = models.CharField(
        max_length=LONGEST_NAME,
        blank=True,
        help_text=_("The name beside the address. Empty: templates may give any name."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "address", "name"], name="sender_once")]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


class Template(TenantOwned):
    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    # a category with opt-outs is not deleted (tenants.categories)
    category = models.ForeignKey(Category, null=True, blank=True, on_delete=models.RESTRICT, related_name="+")
    layout = models.ForeignKey(
        Layout,
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text=_("Without one, the tenant's default layout."),
    )
    without_layout = models.BooleanField(default=False, help_text=_("The pages are whole by themselves."))
    route = models.JSONField(
        null=True,
        blank=True,
        help_text=_(
            'The fallback route of notifications that bring none, such as [{"channel": "push"}, {"after": "10m", '
            '"unless": "seen", "channel": "sms"}]. Empty: all channels at once.'
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="template_key")]

    def __str__(self) -> str:
        return self.key


class TemplateVersion(TenantOwned):
    """`content` is {channel: {locale: {part: Liquid source}}} as it was written; `published` is what messages are
    rendered from, with layout, compiled MJML, inlined CSS and the derived text; null: `content` itself. `variables` are
    the paths that the sources read. `changed_in`: {channel: {locale: number of the version in which this content
    changed last}}."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    published = models.JSONField(null=True, editable=False)
    variables = models.JSONField(default=list)
    changed_in = models.JSONField(default=dict, editable=False)
    note = models.CharField(max_length=200, blank=True, help_text=_("Why this version was published."))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "template", "number"], name="template_version_number"),
        ]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"version {self.number}"


class StoredFile(TenantOwned):
    """A file that templates or requests attach, once for each content: the storage `attachments` has it under the
    tenant's id and the digest."""

    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    #: when a template or a request named the file last, to a day
    used_at = models.DateTimeField(default=timezone.now, editable=False)
    #: a picture with a public address, which may stand anywhere: it stays
    public = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="stored_file_once")]
        indexes = [models.Index(fields=["tenant", "-id"], name="stored_file_newest")]

    def __str__(self) -> str:
        return self.name
