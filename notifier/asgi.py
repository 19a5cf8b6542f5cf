"""ASGI entry point: HTTP to Django, WebSockets to the inbox. The web process is the `web` database role."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
os.environ.setdefault("NOTIFIER_DATABASE_ROLE", "web")

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from notifier.checks import refuse_insecure_boot

django.setup(set_prefix=False)
refuse_insecure_boot()

# models need the registry that setup fills
from inbox.consumers import InboxConsumer  # noqa: E402
from notifier.web.leaving import StopWhenLeft  # noqa: E402
from notifier.web.serving import ThreadedHandler  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": StopWhenLeft(ThreadedHandler(settings.WEB_DATABASE_POOL)),
        # token-only: the widget runs on the tenant's origin, so cookies are not looked at
        "websocket": URLRouter([path("v1/inbox/live", InboxConsumer.as_asgi())]),
    }
)
