"""Provider accounts: which account carries a message, how fast, and whether its provider works.

Called by accept (the choice), send and dispatch (provider, rate limits, health), the admin (settings) and campaigns;
calls the providers, the transport and Redis. Read `registry` first, then `rate_limits` and `health`.
"""
