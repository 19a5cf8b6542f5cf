"""uvicorn's protocols within limits: HTTP/1.1 and WebSocket, their transport, and how many connections and sockets
there may be."""
