"""The rows of tenants: `accounts` (tenants, users, keys), `people`, `consent`, `erasure`, `imports`, `records` (audit
log, idempotency keys). All but User and Tenant are tenant-owned. Imported by every package above; imports none."""

from tenants.models.accounts import ApiKey, ApprovalRule, Member, OptIn, Tenant, User
from tenants.models.base import TenantOwned
from tenants.models.consent import Category, ConsentChange, OptInProof, OverCap, Preference, Suppression
from tenants.models.erasure import ErasedAddress, Erasure
from tenants.models.imports import Import
from tenants.models.people import Device, Recipient
from tenants.models.records import AuditLog, IdempotencyKey

__all__ = [
    "ApiKey",
    "ApprovalRule",
    "AuditLog",
    "Category",
    "ConsentChange",
    "Device",
    "ErasedAddress",
    "Erasure",
    "IdempotencyKey",
    "Import",
    "Member",
    "OptIn",
    "OptInProof",
    "OverCap",
    "Preference",
    "Recipient",
    "Suppression",
    "Tenant",
    "TenantOwned",
    "User",
]
