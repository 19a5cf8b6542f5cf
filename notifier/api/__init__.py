"""The REST API for tenants' servers: notifications, events of apps, templates, layouts and people.

`notifier.urls` routes to it; it calls `notifier.delivery` and `tenants`. `campaigns.api` and `inbox.http` build their
own endpoints from `framework`.

urls                      the addresses
notifications, templates  views; `shapes` has their serializers, `notification_bodies` reads bodies of notifications
direct                    the same notifications without Django's handler, as `notifier.asgi` routes them
waiting                   notifications that have not left: cancel, reschedule
explain                   why a message leaves, waits or not
events, layouts           views, too
push, limits, status      views: the key of browsers, the caller's rates and quotas, how well the channels work
people                    recipients, devices, preferences and categories
webhooks                  endpoints of webhooks, what was sent, and sending it again
docs                      the OpenAPI document and its page
framework                 what every endpoint shares

A serializer is named `XInput` (`XPatch` where every field may be left out) or `XOutput`; a view `XsView` (collection),
`XView` (one item) or `XsBulkView`.
"""
