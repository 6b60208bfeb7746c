#!/usr/bin/env python3
"""A client that knows nothing but PROTOCOL.md, against a real server: it creates, routes, resolves and reads
tickets, reconnects, repeats requests and gets the first answers, over a restart and over a kill too."""
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client, Document, Refused, xxh64  # noqa: E402

ROOT = os.environ.get("ROOT", ".")
BIN = os.environ.get("BIN", "build/bin")
document = Document(os.path.join(ROOT, "include/ticketd/PROTOCOL.md"))
failed = 0


def check(name, good, *shown):
    global failed
    print("ok" if good else "not ok", name, *(() if good else shown), flush=True)
    failed += not good


class Server:
    """ticketd on a directory, reached over a Unix socket."""

    def __init__(self, directory):
        self.data = os.path.join(directory, "data")
        self.path = os.path.join(directory, "socket")
        self.process = None

    def start(self):
        arguments = [os.path.join(BIN, "ticketd"), "--data", self.data, "--unix", self.path]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        log, deadline = b"", time.monotonic() + 60
        while b"event=ready" not in log:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            if not more:
                sys.exit("not ok ticketd did not become ready: " + log.decode())
            log += more

    def end(self, how):
        self.process.send_signal(how)
        self.process.stderr.read()
        return self.process.wait(60)

    def connect(self, greet=True):
        client = Client(document, self.path)
        if greet:
            client.hello = client.call("hello", {"version_min": 1, "version_max": 1, "client": "test 1"})
        return client


class Session:
    """Commands done exactly once: keeps what was sent until it is answered."""

    def __init__(self, client, name):
        self.name, self.sent = name, {}
        registered = client.call("register", {"name": name, "window": 8})["records"][0]
        self.number, self.status = registered["id"], registered["status"]
        self.attach(client)
        self.seq = self.stands["next_seq"]

    def attach(self, client):
        self.client = client
        self.stands = client.call("attach", {"session": self.number})["records"][0]

    def post(self, op, *records, **header):
        seq, self.seq = self.seq, self.seq + 1
        self.sent[seq] = self.client.frame(op, records, session=self.number, seq=seq,
                                           ack_below=min(self.sent, default=seq), **header)
        self.client.send(self.sent[seq])
        return seq

    def command(self, op, *records, **header):
        seq = self.post(op, *records, **header)
        answer = self.client.receive()
        assert answer["seq"] == seq and answer["session"] == self.number, answer
        del self.sent[seq]
        if answer["status"] != "ok":
            raise Refused(answer["status"])
        return answer["records"]


def refusal(action, *arguments, **members):
    try:
        action(*arguments, **members)
    except Refused as refused:
        return refused.status
    return "ok"


def verb(name):
    return document.enum("Verbs", name)


def state(name):
    return document.enum("States", name)


def kind(name):
    return document.enum("Catalog kinds", name)


def statuses(results):
    return [result["status"] for result in results]


def catalog(client):
    entries = [
        {"kind": kind("channel"), "id": 1, "name": "mail"},
        {"kind": kind("skill"), "id": 1, "name": "english"},
        {"kind": kind("queue"), "id": 1, "name": "物流",
         "strategy": document.enum("Routing", "least_loaded")},
        {"kind": kind("queue"), "id": 2, "name": "desk", "strategy": document.enum("Routing", "claim")},
        {"kind": kind("agent"), "id": 1, "name": "ann", "capacity": 2, "skills": [1], "queues": [1, 2]},
        {"kind": kind("agent"), "id": 2, "name": "李雷", "capacity": 2, "queues": [1, 2]},
    ]
    version = client.call("catalog_read", {"kind": kind("desk"), "from": 0})
    entries[0]["expected_version"] = version["records"][0]["expected_version"] if version["records"] else 0
    check("a catalog is applied", set(statuses(client.call("catalog_apply", *entries)["records"])) == {"ok"})
    read = client.query("catalog_read", **{"kind": kind("agent"), "from": 0})
    check("and read back", [entry["name"] for entry in read] == ["ann", "李雷"] and read[0]["queues"] == [1, 2], read)


def working(server):
    """Creates, routes, resolves and reads."""
    client = server.connect()
    reply = client.hello["records"][0]
    check("HELLO", reply["version"] == 1 and reply["clock"] == 1 and reply["server"].startswith("ticketd"), reply)
    check("PING", client.call("ping")["status"] == "ok")
    catalog(client)
    session = Session(client, "gateway")
    check("a new session begins with seq %d" % session.seq, session.status == "ok")
    online = document.enum("Presence", "online")
    session.command("agent_presence", {"agent": 1, "presence": online}, {"agent": 2, "presence": online})

    create = {"channel": 1, "queue": 1, "address": "bob@example.com", "key": "m1", "subject": "Wo ist es? 在哪里",
              "skills": [1]}
    created = session.command("ticket_create", create, create, dict(create, key="m2", queue=99))
    check("created; the same key gives the same ticket; one bad record does not stop the others",
          statuses(created) == ["ok", "exists", "unknown_queue"] and created[0]["id"] == created[1]["id"] > 0, created)
    ticket = created[0]["id"]
    row = client.query("ticket_get", ticket=ticket)[0]
    check("routed to the agent who has the skill", row["agent"] == 1 and row["queue"] == 1, row)
    check("texts come back", row["subject"] == create["subject"] and row["key"] == "m1", row)
    check("no such ticket", refusal(client.query, "ticket_get", ticket=1 << 40) == "not_found")

    done = session.command("ticket_update",
                           {"kind": verb("reply"), "ticket": ticket, "actor": 1, "text": "Tomorrow."},
                           {"kind": verb("resolve"), "channel": 1, "key": "m1", "actor": 1},
                           {"kind": verb("pend"), "ticket": ticket},
                           {"kind": verb("note"), "ticket": ticket, "text": "x"},
                           flags=document.flags["stop"])
    check("replied, resolved; an illegal move is refused and `stop` stops",
          statuses(done) == ["ok", "ok", "illegal_move", "not_run"], done)
    row = client.query("ticket_get", ticket=ticket)[0]
    check("resolved", row["state"] == state("resolved") and row["solved_ms"] > 0, row)
    stale = session.command("ticket_update", {"kind": verb("reopen"), "ticket": ticket, "version": 1})
    check("an old version conflicts", statuses(stale) == ["version_conflict"], stale)
    return client, session, ticket


def history(client, ticket):
    rows, cursor = [], 0
    while True:
        answer = client.call("history", {"ticket": ticket, "from": cursor})
        rows += answer["records"]
        cursor = answer["ack_below"]
        if cursor == 0:
            return rows


def reading(server, client, ticket):
    rows = history(client, ticket)
    kinds = {number: name for name, number in document.enums["Events"].items()}
    names = [kinds[row["kind"]] for row in rows][::-1]
    check("a history begins with created",
          names[0] == "created" and "routed" in names and "replied" in names, names)
    packed = rows[-1]["text"]
    lengths = struct.unpack_from("<6I", packed)
    check("created has the request's texts", packed[24:24 + lengths[0]] == b"bob@example.com" and
          len(packed) == 24 + sum(lengths), packed)
    check("and is a chain", all(a["previous"] == b["seq"] for a, b in zip(rows, rows[1:])))

    subscriber = server.connect()
    subscriber.call("subscribe", {"from": 1})
    pushed = []
    while not pushed or pushed[-1]["seq"] < rows[0]["seq"]:
        frame = subscriber.receive()
        check("pushed", frame["flags"] & document.flags["push"] and frame["op"] == "events") if not pushed else None
        pushed += frame["records"]
    check("the stream has every event once, in order",
          [row["seq"] for row in pushed] == list(range(1, len(pushed) + 1)))
    subscriber.close()


def repeating(server, session, ticket):
    """Unanswered requests are sent again over new connections; each is done once."""
    create = {"channel": 1, "queue": 2, "address": "eve@example.com", "subject": "no key"}
    seq = session.post("ticket_create", create, create)
    session.post("ticket_update", {"kind": verb("reopen"), "ticket": ticket})
    first = session.client.receive()
    session.client.receive()
    session.client.close()

    session.attach(server.connect())
    check("the session goes on", session.stands["next_seq"] == session.seq, session.stands)
    answers = []
    for again in sorted(session.sent):
        session.client.send(session.sent[again])
        answers.append(session.client.receive())
    check("a repeated request gets the first answer", answers[0]["seq"] == seq and
          answers[0]["records"] == first["records"], answers[0], first)
    check("a second connection gets the same", statuses(answers[1]["records"]) == ["ok"], answers[1])

    different = session.client.frame("ticket_create", [create], session=session.number, seq=seq, ack_below=seq)
    session.client.send(different)
    check("another request under the same seq", session.client.receive()["status"] == "sequence_reused")
    gap = session.client.frame("ticket_create", [create], session=session.number, seq=session.seq + 1,
                               ack_below=seq)
    session.client.send(gap)
    check("a gap", session.client.receive()["status"] == "sequence_gap")
    return first["records"], dict(session.sent)


def fencing(server, session):
    old = session.client
    session.attach(server.connect())
    old.send(old.frame("ticket_create", [{"channel": 1, "queue": 2, "address": "x"}], session=session.number,
                       seq=session.seq, ack_below=min(session.sent)))
    check("the old connection is fenced", old.receive()["status"] == "fenced")
    old.close()


def restarting(server, session, first, sent, how):
    code = server.end(how)
    check("exit code after %s" % how.name, code == (0 if how == signal.SIGTERM else -how), code)
    server.start()
    session.attach(server.connect())
    seq = min(sent)
    session.client.send(sent[seq])
    answer = session.client.receive()
    check("after %s a repeated request gets the first answer" % how.name, answer["records"] == first, answer)


def forgetting(session, sent):
    session.sent.clear()
    session.command("ticket_create", {"channel": 1, "queue": 2, "address": "x"})
    session.client.send(sent[min(sent)])
    check("what was acknowledged is forgotten", session.client.receive()["status"] == "sequence_forgotten")
    again = Session(session.client, session.name)
    check("a session is found by its name", again.number == session.number and again.status == "exists")
    check("unregister", statuses(session.client.call("unregister", {"session": session.number})["records"]) == ["ok"])
    check("then it has expired",
          refusal(session.client.query, "attach", session=session.number) == "session_expired")


def refusing(server):
    """Frames that break a rule, each with its own status."""
    client = server.connect(greet=False)
    check("HELLO comes first", refusal(client.call, "ping") == "hello_first")
    client.close()
    client = server.connect()
    good = client.frame("ping", [{}], seq=7)

    def changed(at, value):
        data = bytearray(good)
        data[at:at + len(value)] = value
        data[4:8] = (xxh64(bytes(data[8:64])) & 0xFFFFFFFF).to_bytes(4, "little")
        return bytes(data)

    for name, data, status in (
            ("version", changed(8, b"\x09\x00"), "bad_version"),
            ("body", changed(64, b"\x09"), "bad_body_checksum"),
            ("op", changed(10, b"\xff\x7f"), "unknown_op"),
            ("flags", changed(12, b"\x00\x40"), "bad_flags"),
            ("count", client.frame("ping", [{}, {}], seq=7), "bad_count"),
            ("record", client.frame("ping", [{"kind": 3}], seq=7), "bad_record"),
            ("nothing", good, "ok")):
        client.send(data)
        answer = client.receive()
        check("wrong %s: %s" % (name, status), answer["status"] == status and answer["seq"] == 7, answer)
    client.close()

    for name, data, status, seq in (
            ("magic", b"GET / HTTP/1.1\r\n\r\n", "bad_magic", 0),
            ("header checksum", good[:30] + b"\xff" + good[31:], "bad_header_checksum", 0),
            ("size", changed(16, b"\xff\xff\xff\x7f"), "bad_size", 7)):
        client = server.connect()
        client.send(data)
        answer = client.receive()
        check("wrong %s: %s" % (name, status), answer["status"] == status and answer["seq"] == seq, answer)
        try:
            ended = client.socket.recv(1) == b""
        except ConnectionResetError:
            ended = True
        check("and the connection is closed", ended)
        client.close()


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = Server(directory)
        server.start()
        try:
            client, session, ticket = working(server)
            reading(server, client, ticket)
            first, sent = repeating(server, session, ticket)
            fencing(server, session)
            refusing(server)
            restarting(server, session, first, sent, signal.SIGTERM)
            restarting(server, session, first, sent, signal.SIGKILL)
            forgetting(session, sent)
            check("it stops when told to", server.end(signal.SIGTERM) == 0)
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
