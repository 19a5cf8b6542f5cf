"""The REST API for tenants' servers: notifications, events of apps, templates, layouts and people.

`notifier.urls` routes to it; it calls `notifier.delivery` and `tenants`. `campaigns.api` and `inbox.http` build their
own endpoints from `framework`.

urls                      the addresses
notifications, templates  views; `shapes` has their serializers
events, layouts           views, too
people                    recipients, devices, preferences and categories
docs                      the OpenAPI document and its page
framework                 what every endpoint shares

A serializer is named `XInput` (`XPatch` where every field may be left out) or `XOutput`; a view `XsView` (collection),
`XView` (one item) or `XsBulkView`.
"""
