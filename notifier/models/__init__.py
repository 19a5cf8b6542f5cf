"""The engine's rows: templates, provider accounts, notifications, the ledger of deliveries, dead letters, digests,
receipts of providers, engagement."""

from notifier.models.accounts import ProviderAccount
from notifier.models.content import Layout, Sender, StoredFile, Template, TemplateVersion
from notifier.models.digests import Digest, DigestItem, DigestSetting
from notifier.models.engagement import EngagementBatch, EngagementCount
from notifier.models.ledger import DeadLetter, Delivery, DeliveryEvent, Notification, OrderingQueue
from notifier.models.receipts import AwaitedReceipts, Receipt
from notifier.models.routes import Route

__all__ = [
    "AwaitedReceipts",
    "DeadLetter",
    "Delivery",
    "DeliveryEvent",
    "Digest",
    "DigestItem",
    "DigestSetting",
    "EngagementBatch",
    "EngagementCount",
    "Layout",
    "Notification",
    "OrderingQueue",
    "ProviderAccount",
    "Receipt",
    "Route",
    "Sender",
    "StoredFile",
    "Template",
    "TemplateVersion",
]
