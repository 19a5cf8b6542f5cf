"""Logging in to the admin: the pieces that the settings name.

`backend` checks name and password, `lockout` limits guesses (django-axes), `passwords` refuses simple ones, `sessions`
stores sessions. Django and axes call them; the admin's site calls `lockout` after a login. Below them is only
`tenants.database`, whose signed settings say which login and which session a request may see.
"""
