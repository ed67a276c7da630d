"""A wire between client and server that can lose the answer after the server has done its part."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class LossyWire:
    """Forwards connections to a port; the next `lose` answers never arrive."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.lose = 0
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
            while data := far.recv(1 << 16):
                if self.lose > 0:
                    self.lose -= 1
                    self.lost += 1
                    for end in (near, far):
                        # Closing alone would wait for the other thread's reading.
                        end.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(data)

    @staticmethod
    def _pump(near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)


@contextmanager
def lossy_wire(port: int) -> Iterator[LossyWire]:
    """A wire to that port of this machine."""
    wire = LossyWire(port)
    try:
        yield wire
    finally:
        wire.close()
