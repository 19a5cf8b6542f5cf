"""The admin, for members of tenants and platform operators.

`site` sets a request's scope and groups the pages; `base` has the base class of pages, TenantModelAdmin, built from
`roles` (who may), `hardening` (malformed requests), `json_field`, `forms`, `deletion` and `audit_entries`. `lists/`
has the base class of pages about large tables, `pages/` this package's own pages. The engine, campaigns and the inbox
build their pages on TenantModelAdmin and register them with `admin_site`. The admin calls the rules in `tenants`, and
`notifier.channels`.
"""

from tenants.admin.base import (
    ChannelFilter,
    OwnedChoices,
    ReadOnlyAdmin,
    TenantModelAdmin,
    TenantTabularInline,
    masked,
)
from tenants.admin.forms import TenantForm
from tenants.admin.roles import (
    ALL_ROLES,
    APPROVERS,
    AUTHORS,
    LAUNCHERS,
    NO_ROLE,
    OPERATORS,
    OWNERS,
    is_platform_operator,
    may,
    roles_of,
)
from tenants.admin.site import NotifierAdminSite, admin_site

# the pages register themselves
from tenants.admin.pages import accounts, members, invitations, consent, people, records, uploads  # noqa: F401  # isort: skip

__all__ = [
    "ALL_ROLES",
    "APPROVERS",
    "AUTHORS",
    "LAUNCHERS",
    "NO_ROLE",
    "OPERATORS",
    "OWNERS",
    "ChannelFilter",
    "NotifierAdminSite",
    "OwnedChoices",
    "ReadOnlyAdmin",
    "TenantForm",
    "TenantModelAdmin",
    "TenantTabularInline",
    "admin_site",
    "is_platform_operator",
    "masked",
    "may",
    "roles_of",
]
