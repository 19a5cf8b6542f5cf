"""Provider accounts: which account carries a message, how fast, and whether its provider works.

Called by accept (the choice), send and dispatch (provider, rate limits, health), receipts (receipts_address), the admin
(settings, connection_test) and campaigns; calls the providers, the transport and Redis. Read `registry` first, then
`rate_limits` and `health`, with `judging` and `recent_answers` (what batches say of an account); `receipts_address` is
where a provider reports; `connection_test` and `sender_dns` are the checks of "test connection"; `webpush_keys` are a
tenant's VAPID keys.
"""
