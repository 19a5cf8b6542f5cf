"""The pipelined SMTP client. The provider `smtp` builds requests of the method MAIL; `notifier.transport.http_client`
returns this client for them. Its connections run in the reactor thread of the HTTP/2 client (h2/reactor.py).

client.py       SmtpClient and its pool of servers: what callers' threads and the reactor's thread share
settings.py     what the messages of one account share
server.py       one server and one account: the waiting messages and the connections
link.py         one TCP connection: asyncio's callbacks
connection.py   the protocol as a function: replies in, answers out; messages in, bytes out
  replies.py    parses the server's replies
  login.py      the AUTH command
"""
