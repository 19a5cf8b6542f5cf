"""Logging in to the admin: the pieces that the settings name.

`backend` checks name and password, `stages` then asks for the second factor (`second_factor`), `lockout` limits guesses
(django-axes), `passwords` refuses simple ones, `sessions` stores sessions and `login_sessions` lists them. `oidc` logs
in by an organisation's identity provider, whose claims `claims` reads (pure). Django and axes call them; the admin's
pages call `stages`, `second_factor` and `login_sessions`. Below them is only `tenants.database`, whose signed settings
say which login and which session a request may see.
"""
