"""Firebase Cloud Messaging, HTTP v1: Android, iOS and web apps that carry the Firebase SDK, and Firebase's topics.

    https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send

`provider.py` gets the access token, checks contents and makes requests; `config.py` reads the service account,
`payload.py` writes the JSON body with `platforms.py` (the blocks `android`, `apns` and `webpush`), and `verdicts.py`
says what an error means. The engine (`notifier.delivery.dispatch`) and the campaign sender call the provider, which
calls `notifier.providers.common`.
"""

from notifier.providers.fcm.config import FcmConfig
from notifier.providers.fcm.provider import Fcm

__all__ = ["Fcm", "FcmConfig"]
