"""The endpoints for people: recipients, their devices, preferences and consents, export and erasure; categories with
their digests, and frequency caps.

`notifier.urls` routes to it. It calls `tenants`, and of the engine the settings of digests and caps, the links to
preferences and the double opt-in. `inbox.http` and `notifier.web` use `preferences` and its serializers, because a
recipient may change preferences in the inbox and on a page, too. `shapes` has the serializers.
"""
