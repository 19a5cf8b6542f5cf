"""How well the channels of a tenant work: for its status page, and for GET /v1/status.

`state` decides (pure), `read` gathers the facts of now, `history` keeps and reads past hours.
"""
