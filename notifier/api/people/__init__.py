"""The endpoints for people: recipients, their devices and preferences, and the categories that recipients choose from.

`notifier.urls` routes to it; it calls `tenants` only, never the delivery engine. `inbox.http` uses `preferences` and
its serializers, because a recipient may change preferences in the inbox too. `shapes` has the serializers.
"""
