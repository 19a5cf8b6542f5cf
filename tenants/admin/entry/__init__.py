"""The doors of the admin: logging in by password and second factor or by OIDC, joining by an invitation, and the page
of a user's own login.

`login` is the first stage, `code` the second one, `setup` sets up a second factor, `account` is the page of one's own
login, `join` that of an invitation, `oidc` talks to the identity provider, `expired_login` keeps a form that was sent
after the login expired. The admin's site names their addresses; the pages call `tenants.login` and `tenants.members`.
"""
