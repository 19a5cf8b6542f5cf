"""ASGI entry point: HTTP to Django, WebSockets to the inbox and to the launch page of campaigns. The process uses the
database role `web`."""

import gc
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

# these modules import models, which need the app registry that setup fills
from campaigns.live.consumers import CampaignConsumer  # noqa: E402
from inbox.live.socket import inbox_socket  # noqa: E402
from notifier.api.direct.application import BULK_THREADS, DirectNotifications  # noqa: E402
from notifier.api.direct.known_keys import KnownKeys  # noqa: E402
from notifier.receipts.direct import DirectReceipts  # noqa: E402
from notifier.web.load_meter import LoadMeter  # noqa: E402
from notifier.web.metrics import Metered  # noqa: E402
from notifier.web.rate_door import RateDoor  # noqa: E402
from notifier.web.serving.disconnects import CancelOnDisconnect  # noqa: E402
from notifier.web.serving.handler import ThreadedHandler  # noqa: E402

#: of the process's database connections (at least 8, notifier.E011), those of the threads that store notifications. Two
#: more are for the threads that look keys up and store receipts
DIRECT_THREADS = max(BULK_THREADS + 1, settings.WEB_DATABASE_POOL * 2 // 5)
HANDLER_THREADS = settings.WEB_DATABASE_POOL - DIRECT_THREADS - 2

#: of the door and of the direct way: a key is looked up once a minute
keys = KnownKeys()
application = ProtocolTypeRouter(
    {
        "http": RateDoor(
            DirectNotifications(
                DirectReceipts(CancelOnDisconnect(ThreadedHandler(HANDLER_THREADS))),
                DIRECT_THREADS - BULK_THREADS,
                keys,
            ),
            keys,
        ),
        "websocket": URLRouter(
            [
                # a token is the only credential: the widget runs on the tenant's origin, so cookies are ignored
                path("v1/inbox/live", inbox_socket),  # type: ignore[arg-type]
                # the session's cookie is the only credential, so only pages of this site may connect
                path("admin/campaigns/campaign/<uuid:pk>/live/", CampaignConsumer.as_asgi()),
            ]
        ),
    }
)
application = Metered(LoadMeter(application))

# modules and registries live as long as the process: a full collection need not walk their 190,000 objects, for some
# 100 ms in which no request is answered
gc.collect()
gc.freeze()
