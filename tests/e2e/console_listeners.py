#!/usr/bin/env python3
"""console_listeners: many who listen to a console's events, some of whom take nothing.

usage: console_listeners.py PORT PID QUICK SLOW

QUICK clients read, SLOW do not; one breaks off and comes back. Each that reads has to get the same
events, each once, in the order of their ids, and who comes back what it missed. The console goes on
answering, and its memory stays below a bound. Prints one line; exits 1 with what is wrong.
"""
import resource
import selectors
import socket
import sys
import time

REQUEST = (b"GET /api/v1/events?topics=anomalies%s HTTP/1.1\r\nHost: localhost\r\n\r\n")
PATIENCE_S = 200
WANTED = 4  # events that everybody has to see
MEMORY_MAX_KIB = 400 << 10  # also under a sanitizer


def connect(port, query=b"", receive=None):
    client = socket.socket()
    if receive:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    client.connect(("127.0.0.1", port))
    client.sendall(REQUEST % query)
    return client


def ids(data):
    """Of the events that have come whole."""
    whole = data[:data.rfind(b"\n\n") + 1]
    return [int(line[4:]) for line in whole.split(b"\n") if line.startswith(b"id: ")]


def read_until(clients, heard, done):
    """Read all of them until `done(heard)`."""
    watch = selectors.DefaultSelector()
    for number, client in enumerate(clients):
        client.setblocking(False)
        watch.register(client, selectors.EVENT_READ, number)
    end = time.time() + PATIENCE_S
    while not done(heard):
        if time.time() > end:
            short = sum(len(ids(data)) < WANTED for data in heard)
            sys.exit(f"{short} of {len(heard)} have not heard {WANTED} events")
        for key, _ in watch.select(1):
            data = key.fileobj.recv(65536)
            if not data:
                sys.exit("one who reads was cut off")
            heard[key.data] += data
    watch.close()


def healthy(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.settimeout(PATIENCE_S)
    began = time.time()
    client.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    data = b""
    while part := client.recv(65536):
        data += part
    if not data.startswith(b"HTTP/1.1 200"):
        sys.exit(f"the console does not answer: {data[:60]}")
    return time.time() - began


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


def main(port, pid, quick, slow):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    before_kib = memory_kib(pid)
    sleepers = [connect(port, receive=2048) for _ in range(slow)]
    clients = [connect(port) for _ in range(quick)]
    heard = [b""] * quick
    read_until(clients, heard, lambda all_: min(len(ids(one)) for one in all_) >= 1)
    # One breaks off. When the others have heard more, it comes back with the last that it saw.
    gone = clients.pop()
    last = ids(heard.pop())[-1]
    gone.close()
    first = max(ids(one)[0] for one in heard)
    read_until(clients, heard, lambda all_: min(ids(one)[-1] for one in all_) >= max(last, first) + WANTED)
    back = [connect(port, b"&last_id=%d" % last)]
    returned = [b""]
    target = ids(heard[0])[-1]
    read_until(back, returned, lambda all_: bool(ids(all_[0])) and ids(all_[0])[-1] >= target)
    reference = [one for one in ids(heard[0]) if one > last]
    got = [one for one in ids(returned[0]) if one <= target]
    if got != reference or b"event: reset" in returned[0]:
        sys.exit(f"who came back behind {last} got {got}, others {reference}")
    for one in heard:
        seen = ids(one)
        if seen != list(range(seen[0], seen[0] + len(seen))):
            sys.exit(f"not each event once, in order: {seen}")
    took_s = healthy(port)
    kib = memory_kib(pid)
    if kib > MEMORY_MAX_KIB:
        sys.exit(f"the console takes {kib} KiB")
    print(f"{quick} who listen and {slow} who take nothing: {len(ids(heard[0]))} events, "
          f"an answer beside them {took_s * 1000:.0f} ms, {before_kib} KiB, then {kib} KiB")
    for client in sleepers + clients + back:
        client.close()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
