"""The admin, for marketers and operators. Other apps build pages on TenantModelAdmin and register with admin_site."""

from tenants.admin.base import (
    ChannelFilter,
    OwnedChoices,
    ReadOnlyAdmin,
    TenantModelAdmin,
    TenantTabularInline,
    masked,
)
from tenants.admin.forms import TenantForm
from tenants.admin.roles import MARKETERS, NO_ROLE, OWNERS, is_operator, may, roles_of
from tenants.admin.site import NotifierAdminSite, admin_site

# the pages register themselves
from tenants.admin.pages import accounts, members, consent, people, records, uploads  # noqa: F401  # isort: skip

__all__ = [
    "MARKETERS",
    "NO_ROLE",
    "OWNERS",
    "ChannelFilter",
    "NotifierAdminSite",
    "OwnedChoices",
    "ReadOnlyAdmin",
    "TenantForm",
    "TenantModelAdmin",
    "TenantTabularInline",
    "admin_site",
    "is_operator",
    "masked",
    "may",
    "roles_of",
]
