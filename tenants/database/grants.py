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
KEEP = APPEND | {"UPDATE"}
EVERYTHING = KEEP | {"DELETE"}
NOTHING: Rights = frozenset()

#: all but the password's hash, which only the function `password_of` tells, and only to whom it may
_USER_COLUMNS = (
    "id", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active",
    "date_joined",
)  # fmt: skip

WEB_MAY: Mapping[str, Rights] = {
    # people at the admin
    "tenants_user": frozenset({"INSERT", "UPDATE", *(f"SELECT ({name})" for name in _USER_COLUMNS)}),
    "tenants_member": EVERYTHING,
    "django_session": EVERYTHING,
    # failed logins, by digests of the names that were typed; of axes' other tables none is used
    "axes_accessattempt": EVERYTHING,
    "axes_accessattemptexpiration": NOTHING,
    "axes_accessfailurelog": NOTHING,
    "axes_accesslog": NOTHING,
    # tenants and their people
    "tenants_tenant": KEEP,
    "tenants_apikey": KEEP,
    "tenants_recipient": EVERYTHING,
    "tenants_device": EVERYTHING,
    "tenants_category": EVERYTHING,
    "tenants_preference": EVERYTHING,
    "tenants_suppression": EVERYTHING,
    "tenants_import": EVERYTHING,
    "tenants_consentchange": APPEND,
    "tenants_idempotencykey": KEEP,
    "tenants_auditlog": APPEND,
    # content, accounts, the ledger
    "notifier_provideraccount": EVERYTHING,
    "notifier_template": EVERYTHING,
    "notifier_templateversion": EVERYTHING,
    # a person of whom nothing was sent may be deleted, and Django asks for theirs to go as well
    "notifier_notification": EVERYTHING,
    "notifier_orderingqueue": KEEP,
    # disarming a campaign takes its armed rows back
    "notifier_delivery": EVERYTHING,
    "notifier_deliveryevent": APPEND,
    "notifier_deadletter": EVERYTHING,
    "inbox_feed": KEEP,
    "inbox_inboxmessage": KEEP,
    # campaigns; workers cut and send the shards
    "campaigns_audience": EVERYTHING,
    "campaigns_audiencemember": EVERYTHING,
    "campaigns_campaign": EVERYTHING,
    "campaigns_audiencerange": EVERYTHING,
    "campaigns_shard": EVERYTHING,
    "campaigns_shardpayload": EVERYTHING,
    # for operators' pages only, by row-level security
    "django_admin_log": APPEND,
    "django_celery_beat_clockedschedule": EVERYTHING,
    "django_celery_beat_crontabschedule": EVERYTHING,
    "django_celery_beat_intervalschedule": EVERYTHING,
    "django_celery_beat_periodictask": EVERYTHING,
    "django_celery_beat_periodictasks": KEEP,
    "django_celery_beat_solarschedule": EVERYTHING,
    # the same for everybody; /readyz asks whether all migrations are in
    "django_content_type": READ,
    "django_migrations": READ,
    # Django's own permissions and groups are not used: a member's role decides, or being an operator
    "auth_group": NOTHING,
    "auth_group_permissions": NOTHING,
    "auth_permission": NOTHING,
    "tenants_user_groups": NOTHING,
    "tenants_user_user_permissions": NOTHING,
    # whoever reads a key can sign settings (tenants.database.signed_settings)
    "tenants_signingkey": NOTHING,
}

_HELD = """
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
    found = held()
    with connection.cursor() as cursor:
        # a temporary table would stand before the real one of its name in every later request of the connection
        cursor.execute(f"REVOKE TEMPORARY ON DATABASE {connection.ops.quote_name(_database())} FROM PUBLIC")
        for statement in differences(WEB_MAY, found, web_role()):
            cursor.execute(statement)


def held() -> dict[str, Rights]:
    """Table -> what the web role may do with it now, partitions included."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"web": web_role()})
        rows = cursor.fetchall()
    found: dict[str, set[str]] = {}
    for table, right in rows:
        found.setdefault(table, set()).update({right} if right else ())
    return {table: frozenset(rights) for table, rights in found.items()}


def differences(wanted: Mapping[str, Rights], found: Mapping[str, Rights], role: str) -> Iterator[str]:
    """The statements that turn what is found into what is wanted, for the tables that there are."""
    for table, rights in sorted(found.items()):
        asked = wanted.get(table, NOTHING)
        if asked == rights:
            continue
        yield f"REVOKE ALL ON {table} FROM {role}"
        if asked:
            yield f"GRANT {', '.join(sorted(asked))} ON {table} TO {role}"


def _database() -> str:
    return str(connection.settings_dict["NAME"])
