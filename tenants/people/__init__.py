"""What may be stored about a recipient, and how one is found.

`fields` checks single values, `attributes` checks the tenant's own JSON, `devices` registers push tokens, `search`
finds recipients by a part of their name, email, phone or id. The API, the admin and the imports call these, so that one
value is valid on every surface or on none.
"""
