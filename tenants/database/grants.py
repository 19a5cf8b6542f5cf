"""What the web role may do with each table, in one list. Row-level security says with which rows
(tenants.database.isolation).

`migrate` makes the database agree with the list, so a new table is closed to web until it has an entry here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db import connection

from tenants.database.isolation import web_role

Rights = frozenset[str]

READ: Rights = frozenset({"SELECT"})
APPEND = READ | {"INSERT"}
WRITE = APPEND | {"UPDATE"}
FULL = WRITE | {"DELETE"}
NONE: Rights = frozenset()

#: all but the password's hash, which only the function `password_of` tells, and only to whom it may
_USER_COLUMNS = (
    "id", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active",
    "date_joined",
)  # fmt: skip

WEB_MAY: Mapping[str, Rights] = {
    # people at the admin
    "tenants_user": frozenset({"INSERT", "UPDATE", *(f"SELECT ({name})" for name in _USER_COLUMNS)}),
    "tenants_member": FULL,
    "django_session": FULL,
    # failed logins, by digests of the names that were typed; of axes' other tables none is used
    "axes_accessattempt": FULL,
    "axes_accessattemptexpiration": NONE,
    "axes_accessfailurelog": NONE,
    "axes_accesslog": NONE,
    # tenants and their people
    "tenants_tenant": WRITE,
    "tenants_apikey": WRITE,
    "tenants_recipient": FULL,
    "tenants_device": FULL,
    "tenants_category": FULL,
    "tenants_preference": FULL,
    "tenants_suppression": FULL,
    "tenants_import": FULL,
    "tenants_consentchange": APPEND,
    "tenants_idempotencykey": WRITE,
    "tenants_auditlog": APPEND,
    # content, accounts, the ledger
    "notifier_provideraccount": FULL,
    "notifier_template": FULL,
    "notifier_templateversion": FULL,
    # a person of whom nothing was sent may be deleted, and Django asks for theirs to go as well
    "notifier_notification": FULL,
    "notifier_orderingqueue": WRITE,
    # disarming a campaign takes its armed rows back
    "notifier_delivery": FULL,
    "notifier_deliveryevent": APPEND,
    "notifier_deadletter": FULL,
    "inbox_feed": WRITE,
    "inbox_inboxmessage": WRITE,
    # campaigns; workers cut and send the shards
    "campaigns_audience": FULL,
    "campaigns_audiencemember": FULL,
    "campaigns_campaign": FULL,
    "campaigns_audiencerange": FULL,
    "campaigns_shard": FULL,
    "campaigns_shardpayload": FULL,
    # for operators' pages only, by row-level security
    "django_admin_log": APPEND,
    "django_celery_beat_clockedschedule": FULL,
    "django_celery_beat_crontabschedule": FULL,
    "django_celery_beat_intervalschedule": FULL,
    "django_celery_beat_periodictask": FULL,
    "django_celery_beat_periodictasks": WRITE,
    "django_celery_beat_solarschedule": FULL,
    # the same for everybody; /readyz asks whether all migrations are in
    "django_content_type": READ,
    "django_migrations": READ,
    # Django's own permissions and groups are not used: a member's role decides, or being an operator
    "auth_group": NONE,
    "auth_group_permissions": NONE,
    "auth_permission": NONE,
    "tenants_user_groups": NONE,
    "tenants_user_user_permissions": NONE,
    # whoever reads a key can sign settings (tenants.database.signed_settings)
    "tenants_signingkey": NONE,
}

_CURRENT_RIGHTS = """
SELECT c.relname, a.privilege_type
FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee = %(web)s::regrole
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT c.relname, a.privilege_type || ' (' || t.attname || ')'
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = %(web)s::regrole
"""


def apply() -> None:
    """Make the database agree with WEB_MAY. Engine role; changes nothing where it agrees already."""
    found = current_rights()
    with connection.cursor() as cursor:
        # a temporary table would stand before the real one of its name in every later request of the connection
        cursor.execute(f"REVOKE TEMPORARY ON DATABASE {connection.ops.quote_name(_database())} FROM PUBLIC")
        for statement in grant_statements(WEB_MAY, found, web_role()):
            cursor.execute(statement)


def current_rights() -> dict[str, Rights]:
    """Table -> what the web role may do with it now, partitions included."""
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT_RIGHTS, {"web": web_role()})
        rows = cursor.fetchall()
    found: dict[str, set[str]] = {}
    for table, right in rows:
        found.setdefault(table, set()).update({right} if right else ())
    return {table: frozenset(rights) for table, rights in found.items()}


def grant_statements(wanted: Mapping[str, Rights], found: Mapping[str, Rights], role: str) -> Iterator[str]:
    """The statements that turn what is found into what is wanted, for the tables that there are."""
    for table, rights in sorted(found.items()):
        asked = wanted.get(table, NONE)
        if asked == rights:
            continue
        yield f"REVOKE ALL ON {table} FROM {role}"
        if asked:
            yield f"GRANT {', '.join(sorted(asked))} ON {table} TO {role}"


def _database() -> str:
    return str(connection.settings_dict["NAME"])
