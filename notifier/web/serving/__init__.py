"""How a request over HTTP is answered: its body is read within limits, threads that owners share run it, and what it
asks of the database ends when the client leaves."""
