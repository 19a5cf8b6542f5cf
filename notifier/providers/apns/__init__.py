"""APNs: Apple's push service, with one account for each app and environment.

`provider.py` builds requests and is what the registry finds; it calls `config.py` (the settings of an account),
`provider_token.py` (the JWT that all workers share without talking), `payload.py` (the body) and `verdicts.py` (Apple's
table of reasons). The dictionary `aps` is built in `notifier.providers.common.aps`, because FCM carries one, too. The
engine and campaigns call the provider through its base class.
"""
