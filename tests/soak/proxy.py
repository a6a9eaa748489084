"""A TCP proxy that breaks connections: after a random number of octets it resets both sides, as a
network or a firewall does."""

import random
import selectors
import socket
import struct
import threading

PIECE = 256 * 1024


def reset(sock):
    """Closes with RST instead of FIN."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    except OSError:
        pass
    sock.close()


class Proxy(threading.Thread):
    """Listens on a port of the system's choice and passes on to (host, port). mean: octets after
    which a connection is cut on average; 0 never."""

    def __init__(self, target, seed, mean=0):
        super().__init__(daemon=True)
        self.target, self.mean = target, mean
        self.dice = random.Random(seed)
        self.connections = self.cuts = 0
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            limit = self.dice.expovariate(1 / self.mean) if self.mean else float('inf')
            threading.Thread(target=self.serve, args=(client, limit), daemon=True).start()

    def serve(self, client, limit):
        try:
            server = socket.create_connection(self.target, 10)
        except OSError:
            reset(client)
            return
        for s in (client, server):
            s.settimeout(60)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with selectors.DefaultSelector() as wait:
            wait.register(client, selectors.EVENT_READ, server)
            wait.register(server, selectors.EVENT_READ, client)
            limit = self.pump(wait, limit)
        if limit < 0:
            self.cuts += 1
            reset(client)
            reset(server)
        else:
            client.close()
            server.close()

    def pump(self, wait, limit):
        """Passes octets on until both sides have closed or the limit is passed (then negative)."""
        buffer = bytearray(PIECE)
        while wait.get_map() and not self.over.is_set():
            for key, _ in wait.select(1):
                try:
                    n = key.fileobj.recv_into(buffer)
                    if n == 0:
                        wait.unregister(key.fileobj)
                        key.data.shutdown(socket.SHUT_WR)
                        continue
                    limit -= n
                    if limit < 0:
                        return limit
                    key.data.sendall(memoryview(buffer)[:n])
                except OSError:
                    return limit
        return limit

    def stop(self):
        self.over.set()
        self.sock.close()
