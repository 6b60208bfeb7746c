"""A client of ticketd in another language, written from PROTOCOL.md alone.

It takes even the layouts, numbers and names from the tables of that document, so what is missing or wrong
there is missing or wrong here. Python's standard library only.
"""
import re
import socket
import struct

MASK = (1 << 64) - 1
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def rotl(value, by):
    return ((value << by) | (value >> (64 - by))) & MASK


def xxh64(data):
    def round_(acc, lane):
        return rotl((acc + lane * P2) & MASK, 31) * P1 & MASK

    at, length = 0, len(data)
    if length >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while at + 32 <= length:
            words = struct.unpack_from("<4Q", data, at)
            lanes = [round_(lane, word) for lane, word in zip(lanes, words)]
            at += 32
        value = sum(rotl(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            value = ((value ^ round_(0, lane)) * P1 + P4) & MASK
    else:
        value = P5
    value = (value + length) & MASK
    while at + 8 <= length:
        value = (rotl(value ^ round_(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= length:
        value = (rotl(value ^ (struct.unpack_from("<I", data, at)[0] * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    while at < length:
        value = rotl(value ^ (data[at] * P5 & MASK), 11) * P1 & MASK
        at += 1
    value = (value ^ (value >> 33)) * P2 & MASK
    value = (value ^ (value >> 29)) * P3 & MASK
    return value ^ (value >> 32)


class Document:
    """The tables of PROTOCOL.md."""

    def __init__(self, path):
        self.ops, self.statuses, self.flags, self.records, self.enums = {}, {}, {}, {}, {}
        self.checksums = []
        section, title = "", ""
        with open(path, encoding="utf-8") as file:
            for line in file:
                heading = re.match(r"(##+) (.*)", line)
                if heading:
                    title = heading.group(2)
                    section = title if heading.group(1) == "##" else section
                    if section == "Record layouts" and heading.group(1) == "###":
                        self.records[title] = {"head": 8, "numbers": [], "texts": []}
                elif line.startswith("|"):
                    self.row(section, title, [cell.strip() for cell in line.strip().strip("|").split(" | ")])
                else:
                    head = re.search(r"Fixed head: (\d+) bytes", line)
                    if section == "Record layouts" and head:
                        self.records[title]["head"] = int(head.group(1))

    def row(self, section, title, cells):
        if section == "Checksums" and re.search(r"\d bytes", cells[0]):
            self.checksums.append((cells[0], int(cells[1].strip("`"), 16)))
        if not cells[0].isdigit():
            return
        number, name = int(cells[0]), cells[1].strip("`")
        if section == "Frames" and title == "Frames" and not name.startswith("u"):
            self.flags[name] = number
        elif section == "Ops":
            self.ops[name] = {"number": number, "request": cells[3].strip("`"), "answer": cells[5].strip("`")}
        elif section == "Statuses":
            self.statuses[number] = name
        elif section in ("Enumerations", "Events"):
            self.enums.setdefault(title, {})[name] = number
        elif section == "Record layouts":
            self.member(self.records[title], number, cells)

    @staticmethod
    def member(record, offset, cells):
        code = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}[cells[1]]
        name = cells[2].strip("`")
        text = re.match(r"(text|ids) `(\w+)`, at most (\d+)", cells[3])
        if text:
            assert name == text.group(2) + "_bytes"
            record["texts"].append((text.group(2), offset, text.group(1) == "ids"))
        else:
            record["numbers"].append((name, offset, code))

    def enum(self, title, name):
        return next(members[name] for key, members in self.enums.items() if key.startswith(title))


HEADER = struct.Struct("<IIHHHHIIQQQQQ")
MAGIC = 0x31444B54


class Refused(Exception):
    """The server refused a frame as a whole."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Client:
    def __init__(self, document, address):
        self.document = document
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.buffer = b""
        self.seq = 0

    def close(self):
        self.socket.close()

    def record(self, name, members):
        """Encodes one record from a dict of its members."""
        layout = self.document.records[name]
        prefix = 0 if name == "result" else 8
        head, tail = bytearray(layout["head"]), b""
        known = {"kind"} | {n for n, _, _ in layout["numbers"]} | {n for n, _, _ in layout["texts"]}
        assert set(members) <= known, (name, members)
        for member, offset, code in layout["numbers"]:
            struct.pack_into("<" + code, head, offset, members.get(member, 0))
        for member, offset, ids in layout["texts"]:
            value = members.get(member, [] if ids else "")
            text = struct.pack("<%dH" % len(value), *value) if ids else value.encode()
            struct.pack_into("<I", head, offset, len(text))
            tail += text
        tail += bytes(-len(tail) % 8)
        if prefix:
            struct.pack_into("<IHH", head, 0, len(head) + len(tail), len(head), members.get("kind", 0))
        return bytes(head) + tail

    def frame(self, op, records, session=0, seq=0, ack_below=0, flags=0, status=0, time_ms=0, shape="request"):
        shape = self.document.ops[op][shape]
        body = b"".join(self.record(shape, members) for members in records)
        rest = struct.pack("<HHHHIIQQQQQ", 1, self.document.ops[op]["number"], flags, status, 64 + len(body),
                           len(records), session, seq, ack_below, time_ms, xxh64(body))
        return struct.pack("<II", MAGIC, xxh64(rest) & 0xFFFFFFFF) + rest + body

    def send(self, data):
        self.socket.sendall(data)

    def take(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self):
        """The next frame, verified, as a dict; its records are dicts."""
        header = self.take(64)
        names = "magic checksum version op flags status size count session seq ack_below time_ms body_checksum"
        answer = dict(zip(names.split(), HEADER.unpack(header)))
        assert answer["magic"] == MAGIC
        assert answer["checksum"] == xxh64(header[8:]) & 0xFFFFFFFF, "header checksum"
        body = self.take(answer["size"] - 64)
        assert answer["body_checksum"] == xxh64(body), "body checksum"
        answer["op"] = next((n for n, op in self.document.ops.items() if op["number"] == answer["op"]), None)
        answer["status"] = self.document.statuses[answer["status"]]
        shape = self.document.ops[answer["op"]]["answer"] if answer["op"] else "empty"
        answer["records"] = self.decode(shape, body, answer["count"])
        answer["bytes"] = header + body
        return answer

    def decode(self, name, body, count):
        layout, rows, at = self.document.records[name], [], 0
        for _ in range(count):
            size, head, kind = (16, 16, 0) if name == "result" else struct.unpack_from("<IHH", body, at)
            fixed = body[at:at + head].ljust(layout["head"], b"\0")
            row, text_at = {"kind": kind}, at + head
            for member, offset, code in layout["numbers"]:
                row[member] = struct.unpack_from("<" + code, fixed, offset)[0]
            for member, offset, ids in layout["texts"]:
                length = struct.unpack_from("<I", fixed, offset)[0]
                text = body[text_at:text_at + length]
                if ids:
                    row[member] = list(struct.unpack("<%dH" % (length // 2), text))
                else:  # the text of some events is packed
                    row[member] = text if name == "event" else text.decode()
                text_at += length
            if name == "result":
                row["status"] = self.document.statuses[row["status"]]
            rows.append(row)
            at += size
        assert at == len(body), "the records fill the body"
        return rows

    def call(self, op, *records, **header):
        """One request outside of a session; its answer."""
        self.seq += 1
        self.send(self.frame(op, records or [{}], seq=self.seq, **header))
        answer = self.receive()
        assert answer["seq"] == self.seq and answer["op"] == op, answer
        if answer["status"] != "ok":
            raise Refused(answer["status"])
        return answer

    def query(self, op, **members):
        return self.call(op, members)["records"]
