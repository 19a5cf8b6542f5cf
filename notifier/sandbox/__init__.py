"""Stand-ins for the far ends, speaking the real wire protocols. `python -m notifier.sandbox --dir DIR` starts them.

One file an imitated provider (`fcm.py`); `far_end.py` is what such a file defines. Nothing in here knows the engine.
"""
