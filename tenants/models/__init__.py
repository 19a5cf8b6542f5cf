"""Tenants, the people who administrate them, and the people they reach. Everything here is tenant-owned but User."""

from tenants.models.accounts import ApiKey, Member, Tenant, User
from tenants.models.base import TenantOwned
from tenants.models.consent import Category, ConsentChange, Preference, Suppression
from tenants.models.imports import Import
from tenants.models.people import Device, Recipient
from tenants.models.records import AuditLog, IdempotencyKey

__all__ = [
    "ApiKey",
    "AuditLog",
    "Category",
    "ConsentChange",
    "Device",
    "IdempotencyKey",
    "Import",
    "Member",
    "Preference",
    "Recipient",
    "Suppression",
    "Tenant",
    "TenantOwned",
    "User",
]
