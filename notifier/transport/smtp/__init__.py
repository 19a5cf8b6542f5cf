"""The pipelined SMTP client. The provider `smtp` builds requests of the method MAIL; `notifier.transport.http_client`
returns this client for them.

client.py       what callers' threads use; one pool of servers a process
server.py       one server as one account reaches it: waiting messages and connections
link.py         one TCP connection: asyncio's callbacks
connection.py   the conversation as a function of bytes; login.py and replies.py are parts of it
settings.py     what the messages of one account share
"""
