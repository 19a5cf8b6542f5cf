"""The admin, for members of tenants and platform operators.

`site` sets a request's scope and groups the pages by `navigation`; `base/` has the base class of pages,
TenantModelAdmin, and what it is built from; `roles` says who may, `audit_entries` and `person_reads` what is recorded;
`shown_once` shows a secret. `lists/` has the base class of pages about large tables, `pages/` this package's own pages,
`entry/` the login, `localization/` languages and time zones, `plots/` plots as SVG. `home` gathers the cards of the
home page (`load_shedding` is one), `search/` is the search box, `timeline/` all that happened with one person.

The engine, campaigns and the inbox build their pages on TenantModelAdmin and register them with `admin_site`. The admin
calls the rules in `tenants`, and of `notifier` the channels, the encryption, `notifier.tasks` and the downloads of
`notifier.web.serving`. Read `site`, `roles`, `base/`, then `pages/`.
"""

from tenants.admin.base.filters import ChannelFilter, OwnedChoices
from tenants.admin.base.forms import TenantForm
from tenants.admin.base.model_admin import ReadOnlyAdmin, TenantModelAdmin, TenantTabularInline
from tenants.admin.base.visibility import masked
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
