"""Templates: content by channel and locale. A version never changes; a notification names its version."""

from __future__ import annotations

from django.db import models

from tenants.models import Category, TenantOwned, User


class Template(TenantOwned):
    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    # a category with opt-outs is not deleted (tenants.categories)
    category = models.ForeignKey(Category, null=True, blank=True, on_delete=models.RESTRICT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="template_key")]

    def __str__(self) -> str:
        return self.key


class TemplateVersion(TenantOwned):
    """`content` is {channel: {locale: {part: Liquid source}}}; `variables` are the paths that the sources read."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    variables = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "template", "number"], name="template_version_number"),
        ]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"version {self.number}"
