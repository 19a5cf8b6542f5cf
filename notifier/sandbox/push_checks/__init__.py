"""What the fake push services of Apple, Google, Expo and Huawei check in a request, beside their answers.

The files of `services/` call this folder, each the files that begin with its name: the schemas say which fields and
values a service takes, `apns_provider_token.py` checks Apple's JWT, `fcm_topics.py` reads topics and conditions,
`apns_tokens.py` says which answer a device token chooses. Nothing here is shared with the code that sends: two readings
of the same documentation check each other. `web_push/` is the same for browsers.
"""
