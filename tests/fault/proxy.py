# SPDX-License-Identifier: MIT
"""A TCP proxy on the loopback that breaks connections when it is told to."""

import asyncio
import socket
import struct
import threading

CHUNK = 64 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger


class Proxy:
    """Connections to `port` of this object go to the port it was made for."""

    def __init__(self, target):
        self.target = target
        self.pairs = set()  # writers to either side of a connection
        self.left = []  # bytes that still go to clients before all is reset, and then again
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = self._do(self._listen())

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def reset(self):
        """RST on all connections."""
        self._do(self._reset())

    def reset_after(self, *counts):
        """RST when that many more bytes have gone to clients: in the middle of something; and then
        when the next number of bytes has."""
        self._do(self._set(left=list(counts)))

    def freeze(self):
        """Nothing goes through any more, and nobody is told."""
        self._do(self._flow(False))

    def thaw(self):
        self._do(self._flow(True))

    def close(self):
        self._do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    # ---- on the thread of the loop

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def _listen(self):
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        return self.server.sockets[0].getsockname()[1]

    async def _set(self, left):
        self.left = left

    async def _flow(self, on):
        self.flowing.set() if on else self.flowing.clear()

    async def _reset(self):
        for pair in list(self.pairs):
            for writer in pair:
                end = writer.get_extra_info("socket")
                if end is not None and end.fileno() >= 0:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()

    async def _close(self):
        self.server.close()
        await self._reset()
        self.flowing.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, there[1])
        self.pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(reader, there[1], False), self._pump(there[0], writer, True)
            )
        except OSError:
            pass
        finally:
            self.pairs.discard(pair)
            for end in pair:
                end.transport.abort()

    async def _pump(self, reader, writer, to_client):
        while data := await reader.read(CHUNK):
            await self.flowing.wait()
            if to_client and self.left:
                data = data[: self.left[0]]
                self.left[0] -= len(data)
            writer.write(data)
            await writer.drain()
            if to_client and self.left and self.left[0] == 0:
                self.left.pop(0)
                await self._reset()
        raise ConnectionResetError  # one side has ended: so does the other
