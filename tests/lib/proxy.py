"""A network that fails between a gateway and a partner: a proxy on 127.0.0.1 that passes octets on
until the fault that the next connection is to meet.

    with Proxy(port) as p:
        p.next(Fault('reset', at=1234, up=True))
        ... connect to p.port ...
        p.heal()

Kinds of fault, each once `at` octets have gone that way (up: to the target):
  reset    both ends get RST                  close    both ends get FIN
  vanish   nothing passes any more, and neither end is told until heal()
  mute     the same for this way only         stall    nothing passes this way for a while
  drip     the next octets come one by one    delay    each piece comes later
  copy     (at the start, up) all of it goes to the target on a second connection too, as a
           network that repeats would; what that one is answered is dropped"""

import collections
import socket
import struct
import threading
import time

Fault = collections.namedtuple('Fault', 'kind at up', defaults=(0, True))
KINDS = ('reset', 'close', 'vanish', 'mute', 'stall', 'drip', 'delay', 'copy')
STALL, PAUSE, DRIPS = 0.3, 0.005, 200


def _end(sock, reset=False):
    try:
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, near, far, fault):
        self.proxy, self.near, self.far, self.fault = proxy, near, far, fault
        self.count = {True: 0, False: 0}
        self.met = self.ended = self.gone = False
        self.copies = None
        if fault and fault.kind == 'copy':
            self.copies, self.met = socket.create_connection(('127.0.0.1', proxy.target)), True
            threading.Thread(target=self._drop, daemon=True).start()
        for up in (True, False):
            threading.Thread(target=self._pump, args=(up,), daemon=True).start()

    def _drop(self):
        try:
            while self.copies.recv(65536):
                pass
        except OSError:
            pass

    def end(self, reset=False):
        if not self.ended:
            self.ended = True
            for s in (self.near, self.far, self.copies):
                if s is not None:
                    # close() alone does not wake the thread that reads from it
                    if reset:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                        try:
                            s.shutdown(socket.SHUT_RD)
                        except OSError:
                            pass
                    _end(s, reset)

    def _pump(self, up):
        source, sink = (self.near, self.far) if up else (self.far, self.near)
        try:
            while True:
                octets = source.recv(65536)
                if not octets:
                    break
                self._pass(octets, sink, up)
            if not self.gone:
                sink.shutdown(socket.SHUT_WR)
            if self.copies is not None and up:
                self.copies.shutdown(socket.SHUT_WR)
        except OSError:
            if not self.gone:
                self.end(True)

    def _pass(self, octets, sink, up):
        f = self.fault
        if self.gone or (f and f.kind == 'mute' and self.met and f.up == up):
            return
        if f is None or f.up != up or f.kind == 'copy' or \
                self.count[up] + len(octets) <= f.at and not self.met:
            self._send(octets, sink, up)
            return
        if not self.met:
            head = f.at - self.count[up]
            self._send(octets[:head], sink, up)
            octets, self.met, self.drips = octets[head:], True, DRIPS
            self.proxy.met += 1
            if f.kind in ('reset', 'close'):
                self.end(f.kind == 'reset')
                return
            if f.kind == 'vanish':
                self.gone = True
            if f.kind == 'stall':
                time.sleep(STALL)
        if f.kind in ('vanish', 'mute'):
            return
        if f.kind == 'delay':
            time.sleep(PAUSE)
        while f.kind == 'drip' and self.drips and octets:
            self._send(octets[:1], sink, up)
            octets, self.drips = octets[1:], self.drips - 1
            time.sleep(PAUSE / 10)
        self._send(octets, sink, up)

    def _send(self, octets, sink, up):
        if octets:
            sink.sendall(octets)
            self.count[up] += len(octets)
            if up and self.copies is not None:
                try:
                    self.copies.sendall(octets)
                except OSError:
                    pass


class Proxy:
    """target: a port on 127.0.0.1. links: all connections so far."""

    def __init__(self, target):
        self.target = target
        self.faults, self.links, self.met = collections.deque(), [], 0
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.stopping = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def next(self, *faults):
        """What the next connections meet, one each."""
        self.faults.extend(faults)

    def heal(self):
        """No more faults; what hangs is ended."""
        self.faults.clear()
        for link in self.links:
            if link.fault is not None:
                link.end(True)

    def forget(self):
        self.heal()
        for link in self.links:
            link.end()
        self.links, self.met = [], 0

    def stop(self):
        self.stopping = True
        self.forget()
        self.sock.close()
        self.thread.join(10)

    def _accept(self):
        self.sock.settimeout(0.2)
        while not self.stopping:
            try:
                near, _ = self.sock.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            try:
                far = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                _end(near, True)
                continue
            for s in (near, far):
                s.settimeout(None)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fault = self.faults.popleft() if self.faults else None
            self.links.append(Link(self, near, far, fault))
