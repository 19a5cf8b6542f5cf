"""What several providers need, each written once. No provider lives here; no Django, no network.

Providers of email: `email_headers.py` (the headers of every email), `bounce_settings.py` (the settings by which bounces
come back). Providers of SMS: `sms_senders.py` (the sender by country, the price), `sms_replies.py` (STOP, START, HELP).
Providers over HTTP: `json_answers.py` (a body that may not be JSON), `json_texts.py` (the columns of a body template in
JSON), `retry_after.py` (the wait that a 429 names), `batches.py` (many messages in one request). Providers of push:
`aps.py` (what Apple's devices read), `short_pushes.py` (which need no exact size).
"""
