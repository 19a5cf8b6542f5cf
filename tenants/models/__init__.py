"""The rows of tenants: `accounts` (tenants, users, keys), `logins`, `invitations`, `people`, `consent`, `erasure`,
`imports`, `records` (audit log, idempotency keys), `load`. All but Tenant, User, LoadShedding and the rows of `logins`
are tenant-owned.
Imported by every package above; imports none."""

from tenants.models.accounts import ApiKey, ApprovalRule, Member, OptIn, Tenant, User
from tenants.models.base import TenantOwned
from tenants.models.consent import Category, ConsentChange, OptInProof, OverCap, Preference, Suppression
from tenants.models.erasure import ErasedAddress, Erasure
from tenants.models.imports import Import
from tenants.models.invitations import Invitation
from tenants.models.load import LoadShedding
from tenants.models.logins import Authenticator, LoginSession, RecoveryCode
from tenants.models.people import Device, Recipient
from tenants.models.records import AuditLog, IdempotencyKey

__all__ = [
    "ApiKey",
    "ApprovalRule",
    "AuditLog",
    "Authenticator",
    "Category",
    "ConsentChange",
    "Device",
    "ErasedAddress",
    "Erasure",
    "IdempotencyKey",
    "Import",
    "Invitation",
    "LoadShedding",
    "LoginSession",
    "Member",
    "OptIn",
    "OptInProof",
    "OverCap",
    "Preference",
    "Recipient",
    "RecoveryCode",
    "Suppression",
    "Tenant",
    "TenantOwned",
    "User",
]
