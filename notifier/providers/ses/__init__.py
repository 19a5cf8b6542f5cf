"""Amazon SES, API v2, and what it reports by Amazon SNS.

`provider.py` composes the message as MIME and signs the request (`signing.py`, with botocore, which does no I/O); our
HTTP client sends it, so SES needs no threads of its own. `sns.py` proves that a report comes from the account's topic.
The package botocore is in the extra `aws` and is imported with the first message of an account.
"""
