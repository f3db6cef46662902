# SPDX-License-Identifier: MIT
"""Somebody between varve and a server, who may do anything to the bytes of the server."""

import asyncio
import socket
import threading


class Meddler:
    """Connections to `port` go to `target`. meddle(connection, offset, data) gets what the server
    sends, by number of the connection and offset, and returns what is sent in its place; None cuts
    the connection. `said` is what varve has sent, each connection by itself."""

    def __init__(self, target, meddle, piece=65536):
        self.target = target
        self.meddle = meddle
        self.piece = piece
        self.said = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            number = len(self.said)
            self.said.append(bytearray())
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for work in (self._up, self._down):
                threading.Thread(target=work, args=(number, client, server), daemon=True).start()

    def _up(self, number, client, server):
        self._pump(client, server, lambda _, data: self.said[number].extend(data) or data)

    def _down(self, number, client, server):
        self._pump(server, client, lambda at, data: self.meddle(number, at, data))

    def _pump(self, source, sink, change):
        offset = 0
        try:
            while data := source.recv(65536):
                changed = change(offset, data)
                offset += len(data)
                if changed is None:
                    break
                for at in range(0, len(changed), self.piece):
                    sink.sendall(changed[at : at + self.piece])
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Terminator:
    """Ends TLS, as `context` has it, before a server at `target` that has none."""

    def __init__(self, target, context):
        self.target = target
        self.context = context
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.server = asyncio.run_coroutine_threadsafe(start, self.loop).result(60)
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _serve(self, reader, writer):
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._pump(reader, their_writer), self._pump(their_reader, writer))

    async def _pump(self, source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.close()
