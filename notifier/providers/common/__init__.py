"""What several providers need, each written once. No provider lives here; no Django, no network.

Providers of email: `email_headers.py` (the headers of every email), `bounce_settings.py` (the settings by which bounces
come back). Providers of SMS: `sms_senders.py` (the sender by country, the price), `sms_replies.py` (STOP, START, HELP).
Providers over HTTP: `json_answers.py` (a body that may not be JSON), `json_texts.py` (the columns of a body template in
JSON), `requests.py` (a form for a token; one request and its answer), `retry_after.py` (the wait that a 429 names),
`batches.py` (many messages in one request). Providers of push: `app_data.py` (what the app gets beside the texts),
`aps.py` (what Apple's devices read), `browser_options.py` (what browsers read), `collapse_keys.py` (by which a repeat
replaces the first message), `short_pushes.py` (which need no exact size), `es256.py` and `base64url.py` (signed tokens
and keys of P-256).
"""
