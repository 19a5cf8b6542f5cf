"""Logging in, second factors, invitations, login by OIDC, secrets that are shown once, and expired logins."""
