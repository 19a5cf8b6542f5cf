"""The limits and times of sockets. docs/channels/in-app.md names them."""

from __future__ import annotations

SUBPROTOCOL = "notifier.inbox"
#: bytes of a frame that a client sends
FRAME_LIMIT = 16 * 1024
FRAMES_PER_SECOND = 20
#: characters of the messages that one frame to a client carries, unless one message has more; at most four bytes each
FRAME_CHARACTERS = 200_000
#: requests of one socket that wait for the database
WAITING_REQUESTS = 20
#: sockets of one inbox in a process: open ones, and those whose hello waits
SOCKETS_PER_INBOX = 20
HELLO_SECONDS = 10.0
#: each socket is checked against the database so often, and then gets a heartbeat
HEARTBEAT_SECONDS = 25.0
#: a process looks so often which sockets are due: one statement answers for all of them
TICK_SECONDS = 0.5
#: a socket whose inbox could not be subscribed in time is checked so soon
FIRST_CHECK_SECONDS = 1.0
#: a frozen Redis holds a hello up for so long
SUBSCRIBE_SECONDS = 2.0
#: a client that reads nothing for so long is gone; its messages wait in the table
SEND_SECONDS = 30.0
#: hellos that one transaction answers
HELLOS = 100
#: characters of missed messages that one such transaction reads, and those of one hello more. Without this limit, 100
#: hellos that each missed 100 messages of 128 KB would hold 1.3 GB. The further sockets read their messages themselves
MISSED_SIZE = 4 * 1024 * 1024
#: messages that a socket reads at once: 2.6 MB at most
MESSAGES = 20
#: hellos that wait: 5 s at 400 a second. Further sockets close with 1013
WAITING_HELLOS = 2_000
#: sockets that one statement checks. 1,000 take 20 ms, during which an announcement waits for the interpreter
CHECKS = 500
#: tenants of one scope: a policy of row-level security compares each row with each of them
TENANTS = 50
#: new sockets a second on which a process tells its clients to spread their next connects
CONNECTS_PER_SECOND = 400
