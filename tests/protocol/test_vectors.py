#!/usr/bin/env python3
"""What PROTOCOL.md says of checksums and layouts gives the golden bytes, without a server."""
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client, Document, xxh64  # noqa: E402

ROOT = os.environ.get("ROOT", ".")
failed = 0


def check(name, good):
    global failed
    print("ok" if good else "not ok", name)
    failed += not good


def input_of(text):
    literal = re.search(r"`(.*)`", text)
    if literal:
        return literal.group(1).encode()
    return bytes(range(int(re.search(r"the (\d+) bytes", text).group(1))))


def members_of(document, line):
    """`name size=… head=… kind=… member=value…` -> the record's name and members."""
    name, rest = line.split(" ", 1) if " " in line else (line, "")
    members = {}
    for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\[[^]]*\]|\d+)', rest):
        if value[0] == '"':
            members[key] = value[1:-1].replace("\\n", "\n")
        elif value[0] == "[":
            members[key] = [int(number) for number in value[1:-1].split()]
        else:
            members[key] = int(value)
    members.pop("head", None)
    if "size" in members and name != "result":
        members.pop("size")
    return name, members


document = Document(os.path.join(ROOT, "include/ticketd/PROTOCOL.md"))
check("checksums", len(document.checksums) >= 10 and
      all(xxh64(input_of(text)) == value for text, value in document.checksums))

client = Client.__new__(Client)
client.document = document
frames = 0
for file in ("worked.txt", "members.txt"):
    with open(os.path.join(ROOT, "tests/golden", file), encoding="utf-8") as golden:
        paragraphs = golden.read().split("\n\n")[1:]
    for paragraph in paragraphs:
        lines = paragraph.strip().split("\n")
        described = [line[2:] for line in lines if line.startswith("#")]
        golden_bytes = bytes.fromhex("".join(line for line in lines if not line.startswith("#")))
        header = dict(re.findall(r"(\w+)=(\S+)", described[1]))
        records = [members_of(document, line) for line in described[2:]]
        answer = int(header["flags"]) & (document.flags["reply"] | document.flags["push"])
        shape = "answer" if answer else "request"
        op = header["op"]
        good = all(name == document.ops[op][shape] for name, _ in records)
        numbers = {key: int(header[key]) for key in ("session", "seq", "ack_below", "flags", "status", "time_ms")}
        encoded = client.frame(op, [members for _, members in records], shape=shape, **numbers)
        frames += 1
        if not good or encoded != golden_bytes:
            check("%s: %s" % (file, described[0]), False)
check("%d golden frames encode to their bytes" % frames, failed == 0 and frames >= 40)
assert struct.calcsize("<IIHHHHIIQQQQQ") == 64
sys.exit(failed > 0)
