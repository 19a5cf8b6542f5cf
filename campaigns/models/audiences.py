"""Audiences: a segment, a list or a topic; and the members of lists."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class Audience(TenantOwned):
    """A segment (a filter over recipients, evaluated when a campaign is armed), an uploaded list of external ids, all
    recipients, or a topic of Firebase, whose devices only Google knows. All recipients are a source of their own: a
    segment with an empty filter is refused."""

    class Source(models.TextChoices):
        SEGMENT = "segment", "Segment: the recipients that a filter finds"
        LIST = "list", "List: the external ids of a file"
        EVERYBODY = "everybody", "Everybody: all recipients"
        TOPIC = "topic", "Topic: the devices that Google has subscribed to a topic of Firebase"

    name = models.CharField(max_length=200)
    source = models.CharField(max_length=10, choices=Source)
    filter = models.JSONField(default=list, blank=True)
    #: the name of a topic or a condition over topics (campaigns.audience.topics); empty for other sources, as are the
    #: language that the topic's devices get and the app whose Firebase project has the topic
    topic = models.CharField(max_length=1024, blank=True)
    locale = models.CharField(max_length=16, blank=True, verbose_name=_("language"))
    app = models.CharField(max_length=100, blank=True)
    #: ids of a list
    size = models.IntegerField(default=0, editable=False)
    #: of a list: raised when its members are replaced; an approval is of one version (campaigns.approval.content)
    list_version = models.IntegerField(default=0, editable=False)
    #: recipients, as a page counted them last; null: not yet
    people = models.IntegerField(null=True, editable=False)
    people_exact = models.BooleanField(default=True, editable=False)
    counted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="audience_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_topic(self) -> bool:
        return self.source == self.Source.TOPIC


class AudienceMember(models.Model):
    """One external id of an uploaded list; the unique key merges duplicates of the file."""

    id = models.BigAutoField(primary_key=True)
    # the indexes below serve both foreign keys; two more indexes would make loading a million rows a third slower
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="members", db_index=False)
    external_id = models.CharField(max_length=128)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "audience", "external_id"], name="audience_member_once"),
        ]
        # for ranges by key; without the index each range sorted the whole list (120 ms a range of a million, measured)
        indexes = [models.Index(fields=["audience", "id"], name="audience_member_walk")]

    def __str__(self) -> str:
        return self.external_id
