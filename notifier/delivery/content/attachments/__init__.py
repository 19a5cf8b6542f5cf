"""Files that emails carry: `listing.py` reads what a request or a template names, `storage.py` stores and reads the
contents (`s3.py`: in a bucket), `memory.py` limits how many of them a process builds into requests at once.

`content.templates` and `delivery.accept` store; `delivery.dispatch` gives messages their files, which are read in the
thread that builds the request. A message's content has the list as JSON: `[{"id": …, "name": …, "content_type": …,
"size": …}]`, where the id is the SHA-256 of the content.
"""
