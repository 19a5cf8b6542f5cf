"""The engine's rows: templates, provider accounts, notifications, the ledger of deliveries, dead letters,
receipts of providers, engagement, digests, frequency caps, quotas, webhooks, status pages, and counts of what is
deleted."""

from notifier.models.accounts import ProviderAccount
from notifier.models.caps import CapCount, FrequencyCap
from notifier.models.content import Layout, Sender, StoredFile, Template, TemplateVersion
from notifier.models.counts import MessageCount, RequestCount, RetiredPartition
from notifier.models.digests import Digest, DigestItem, DigestSetting
from notifier.models.engagement import EngagementBatch, EngagementCount
from notifier.models.ledger import DeadLetter, Delivery, DeliveryEvent, Notification, OrderingQueue
from notifier.models.quotas import QuotaUse
from notifier.models.receipts import AwaitedReceipts, Receipt
from notifier.models.routes import Route
from notifier.models.status_pages import Incident, StatusHour
from notifier.models.webhooks import WebhookAttempt, WebhookEndpoint, WebhookMessage, WebhookSpool

__all__ = [
    "AwaitedReceipts",
    "CapCount",
    "DeadLetter",
    "Delivery",
    "DeliveryEvent",
    "Digest",
    "DigestItem",
    "DigestSetting",
    "EngagementBatch",
    "EngagementCount",
    "FrequencyCap",
    "Incident",
    "Layout",
    "MessageCount",
    "Notification",
    "OrderingQueue",
    "ProviderAccount",
    "QuotaUse",
    "Receipt",
    "RequestCount",
    "RetiredPartition",
    "Route",
    "Sender",
    "StatusHour",
    "StoredFile",
    "Template",
    "TemplateVersion",
    "WebhookAttempt",
    "WebhookEndpoint",
    "WebhookMessage",
    "WebhookSpool",
]
