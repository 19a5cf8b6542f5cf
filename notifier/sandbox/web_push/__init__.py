"""What the fake push service needs beside its answers: the keys of subscriptions, decryption, the check of VAPID.

`services/webpush.py` calls all of it, `control_api.py` makes subscriptions and reads what they received.
`subscriptions.py` derives a subscription's keys from its name, so nothing of it is stored; `browsers.py` counts and
keeps what arrived; `encryption.py` decrypts RFC 8291; `vapid.py` checks RFC 8292. Nothing here is shared with the code
that sends: two readings of the same standards check each other.
"""
