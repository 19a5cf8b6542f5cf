"""/v1/webhooks: the endpoints of a tenant, what was sent to them, and replays.

shapes.py has the bodies, payload.py what the endpoints get (for the OpenAPI document), views.py the addresses.
"""
