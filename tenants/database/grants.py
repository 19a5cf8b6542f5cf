"""The rights of the web role on each table, in one list; row-level security (tenants.database.isolation) says on which
rows.

`migrate` makes the database agree with the list, so a new table is closed to the web role until it has an entry here.
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

#: all columns but the password's hash, which only the SQL function `password_of` returns
_USER_COLUMNS = (
    "id", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active",
    "date_joined", "oidc_subject", "provider_second_factor",
)  # fmt: skip

WEB_MAY: Mapping[str, Rights] = {
    # users of the admin
    "tenants_user": frozenset({"INSERT", "UPDATE", *(f"SELECT ({name})" for name in _USER_COLUMNS)}),
    "tenants_member": FULL,
    "django_session": FULL,
    # of the logged-in user; sessions also of members
    "tenants_authenticator": FULL,
    "tenants_recoverycode": FULL,
    "tenants_loginsession": FULL,
    # failed logins, by digests of usernames; the other tables of axes are not used
    "axes_accessattempt": FULL,
    "axes_accessattemptexpiration": NONE,
    "axes_accessfailurelog": NONE,
    "axes_accesslog": NONE,
    # tenants and their recipients
    "tenants_tenant": WRITE,
    "tenants_apikey": WRITE,
    "tenants_recipient": FULL,
    "tenants_device": FULL,
    "tenants_category": FULL,
    "tenants_preference": FULL,
    "tenants_suppression": FULL,
    "tenants_optinproof": FULL,
    "tenants_import": FULL,
    "tenants_invitation": FULL,
    # an erasure takes the address out of a row, and a trigger refuses every other change
    "tenants_consentchange": APPEND | {"UPDATE (address)"},
    "tenants_erasure": APPEND,
    "tenants_erasedaddress": FULL,
    # a request that is refused beside others of its group leaves its key free
    "tenants_idempotencykey": FULL,
    "tenants_auditlog": APPEND,
    # every process reads it; row-level security lets only operators write it
    "tenants_loadshedding": WRITE,
    # content, accounts, the ledger
    "notifier_provideraccount": FULL,
    "notifier_layout": FULL,
    "notifier_sender": FULL,
    # a request that names a file notes that the file is in use
    "notifier_storedfile": APPEND | {"UPDATE (used_at)", "UPDATE (public)"},
    "notifier_template": FULL,
    "notifier_templateversion": FULL,
    # a recipient who was sent nothing may be deleted, and Django then deletes the notifications as well
    "notifier_notification": FULL,
    "notifier_orderingqueue": WRITE,
    "notifier_digestsetting": FULL,
    # workers close digests and delete their items
    "notifier_digest": WRITE,
    "notifier_digestitem": APPEND,
    # deleted with its notification
    "notifier_route": FULL,
    # disarming a campaign deletes its armed rows
    "notifier_delivery": FULL,
    "notifier_deliveryevent": APPEND,
    "notifier_deadletter": FULL,
    # the admin deletes what no worker could read, or has it read again
    "notifier_receipt": FULL,
    # workers write, read and delete it
    "notifier_awaitedreceipts": NONE,
    "notifier_engagementbatch": frozenset({"INSERT"}),
    "notifier_engagementcount": READ,
    # workers count what they delete
    "notifier_messagecount": READ,
    "notifier_requestcount": READ,
    "notifier_retiredpartition": NONE,
    "notifier_frequencycap": FULL,
    "notifier_capcount": WRITE,
    # workers write it, too, and delete what is old
    "notifier_webhookendpoint": FULL,
    "notifier_webhookspool": APPEND,
    "notifier_webhookmessage": WRITE,
    "notifier_webhookattempt": READ,
    # workers write it
    "notifier_statushour": READ,
    "notifier_incident": FULL,
    "notifier_quotause": WRITE,
    "inbox_feed": WRITE,
    "inbox_inboxmessage": WRITE,
    # campaigns
    "campaigns_audience": FULL,
    "campaigns_audiencemember": FULL,
    "campaigns_campaign": FULL,
    # deleted with its draft
    "campaigns_campaignapproval": FULL,
    "campaigns_audiencerange": FULL,
    "campaigns_shard": FULL,
    "campaigns_shardpayload": FULL,
    "campaigns_campaignreport": FULL,
    "campaigns_schedule": FULL,
    "campaigns_scheduleslot": FULL,
    "campaigns_experiment": FULL,
    "campaigns_campaignvariant": FULL,
    # row-level security opens these to operators only
    "django_admin_log": APPEND,
    "django_celery_beat_clockedschedule": FULL,
    "django_celery_beat_crontabschedule": FULL,
    "django_celery_beat_intervalschedule": FULL,
    "django_celery_beat_periodictask": FULL,
    "django_celery_beat_periodictasks": WRITE,
    "django_celery_beat_solarschedule": FULL,
    # the same for every user; /readyz asks whether all migrations have run
    "django_content_type": READ,
    "django_migrations": READ,
    # Django's own permissions and groups are not used: the member's role decides, or being an operator
    "auth_group": NONE,
    "auth_group_permissions": NONE,
    "auth_permission": NONE,
    "tenants_user_groups": NONE,
    "tenants_user_user_permissions": NONE,
    # a reader of these keys could sign settings (tenants.database.signed_settings)
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
    rights = current_rights()
    with connection.cursor() as cursor:
        # a temporary table would hide the real one of its name from every later request of the connection
        cursor.execute(f"REVOKE TEMPORARY ON DATABASE {connection.ops.quote_name(_database())} FROM PUBLIC")
        for statement in grant_statements(WEB_MAY, rights, web_role()):
            cursor.execute(statement)


def current_rights() -> dict[str, Rights]:
    """Table -> the web role's present rights on it; partitions included."""
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT_RIGHTS, {"web": web_role()})
        rows = cursor.fetchall()
    rights_of: dict[str, set[str]] = {}
    for table, right in rows:
        rights_of.setdefault(table, set()).update({right} if right else ())
    return {table: frozenset(rights) for table, rights in rights_of.items()}


def grant_statements(target: Mapping[str, Rights], current: Mapping[str, Rights], role: str) -> Iterator[str]:
    """The statements that turn the current rights into the target, for the tables that exist."""
    for table, current_rights_on_table in sorted(current.items()):
        rights = target.get(table, NONE)
        if rights == current_rights_on_table:
            continue
        yield f"REVOKE ALL ON {table} FROM {role}"
        if rights:
            yield f"GRANT {', '.join(sorted(rights))} ON {table} TO {role}"


def _database() -> str:
    return str(connection.settings_dict["NAME"])
