from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "inbox"
    verbose_name = "Inbox"

    def ready(self) -> None:
        from inbox.models import InboxMessage
        from tenants.admin.deletion import Reference, register_references
        from tenants.models import Recipient

        register_references(Recipient, Reference(InboxMessage, "recipient_id"))
