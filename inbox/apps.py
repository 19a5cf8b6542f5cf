from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "inbox"
    verbose_name = "Inbox"

    def ready(self) -> None:
        from inbox.models import InboxMessage
        from inbox.store.hooks import attention, ending
        from inbox.store.hooks.erasing import erase
        from inbox.store.hooks.exporting import messages
        from inbox.store.hooks.unread import unread_of
        from notifier.delivery.content.unread_counts import register_unread_counter
        from notifier.delivery.digests.items import register_read_lookup
        from notifier.delivery.ledger.reports.inbox_seen import register_seen_lookup
        from notifier.delivery.retention import partitions
        from notifier.delivery.retention.rows import register_follower
        from tenants.admin.base.deletion import Reference, register_references
        from tenants.erasure import register_eraser
        from tenants.export import register_exporter
        from tenants.models import Recipient

        register_follower(ending.FOLLOWER)
        partitions.register_rule(ending.RULE)
        partitions.register_hold(partitions.LEDGER, ending.LEDGER_HOLD)
        register_unread_counter(unread_of)
        register_eraser("inbox_messages", erase)
        register_exporter("inbox", messages)
        register_read_lookup(attention.read)
        register_seen_lookup(attention.seen)
        register_references(Recipient, Reference(InboxMessage, "recipient_id"))
