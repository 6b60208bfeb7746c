#!/usr/bin/env python3
"""Replays desk logs and compares the report with an independent count: at once, over kills of the server and of the
tool, and over a restart. Real histories lie beside the repository in ../shared/data, or in $TICKETD_DATA."""
import glob
import json
import lzma
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oracle import Oracle, differences, generate  # noqa: E402
from server import ROOT, Server, check, finish  # noqa: E402

DESK = os.path.join(ROOT, "tests/data/replay.yaml")
# What of expected.json a report can know.
MEMBERS = ["tickets", "by_command", "final_state", "final_priority", "channel", "reopens", "tickets_reopened",
           "tickets_ever_solved", "solves", "pending_ms", "on_hold_ms", "open_ms", "first_resolution_ms_sum",
           "full_resolution_ms_sum", "breached_24x7", "top_queues_by_entries", "top_queues_by_solves",
           "top_agents_by_solves"]


def summary(server):
    return server.json("report", "summary")[0]


def digest(server):
    """Of what the desk is, however the commands were packed and sent."""
    return server.json("digest")[0]["digest"]


def applied(server):
    return sum(summary(server)["by_command"].values())


def wait_for(condition):
    """Until it holds: each look asks the server. The test runner's limit ends a test that waits in vain."""
    while not condition():
        pass


class Replay:
    """`ticketctl replay -` as a process, fed by the test."""

    def __init__(self, server, *options):
        self.process = subprocess.Popen(server.command("replay", "-", "--define", *options), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def feed(self, lines):
        try:
            self.process.stdin.write(lines)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def end(self):
        out, error = self.process.communicate()
        return self.process.returncode, out.decode(), error.decode()


class Log:
    def __init__(self, name, text, expected):
        self.name, self.expected = name, expected
        self.lines = text.splitlines(keepends=True)
        self.text = text

    def part(self, begin, end):
        count = len(self.lines)
        return b"".join(self.lines[int(count * begin):int(count * end)])

    def compare(self, name, server):
        faults = differences(self.expected, summary(server))
        check("%s: %s" % (self.name, name), not faults, *faults)

    def server(self, directory, name):
        server = Server(os.path.join(directory, name), "--clock", "virtual").start()
        code, out, error = server.run("apply", "-f", DESK)
        check("%s: the desk of %s is applied" % (self.name, name), code == 0, out, error)
        return server

    def at_once(self, directory):
        server = self.server(directory, "at_once")
        path = os.path.join(directory, "log.ndjson")
        with open(path, "wb") as file:
            file.write(self.text)
        code, out, error = server.run("replay", path, "--define")
        check("%s: no line is refused" % self.name, code == 0 and " 0 refused" in out, out, error)
        self.compare("the report of a replay is right", server)
        self.digest = digest(server)
        code, out, error = server.run("replay", path, "--define")
        check("%s: a second run has nothing to do" % self.name, code == 0 and out.startswith("0 lines applied"), out,
              error)
        check("%s: and changes nothing" % self.name, digest(server) == self.digest)
        check("%s: SIGTERM ends the server well" % self.name, server.stop() == 0)
        code, out, error = server.run("inspect", server.data, "--verify")
        check("%s: the directory verifies" % self.name, code == 0 and "OK" in out, out, error)
        server.start()
        self.compare("the report is right after a restart", server)
        check("%s: the digest is the same after a restart" % self.name, digest(server) == self.digest)
        server.kill()

    def over_a_killed_server(self, directory):
        server = self.server(directory, "killed_server")
        replay = Replay(server)
        replay.feed(self.part(0, 0.5))
        wait_for(lambda: applied(server) > len(self.lines) // 5)
        server.kill()
        server.start()
        before = applied(server)
        check("%s: what was applied is there after kill -9" % self.name, before > len(self.lines) // 5, before)
        replay.feed(self.part(0.5, 1))
        code, out, error = replay.end()
        check("%s: the replay survives its server" % self.name, code == 0 and "going on" in error, code, out, error)
        self.compare("the report is right after kill -9 of the server", server)
        check("%s: the digest is that of a replay from scratch" % self.name, digest(server) == self.digest)
        server.kill()
        server.start()
        self.compare("the report is right after kill -9 at the end", server)
        check("%s: and so is the digest" % self.name, digest(server) == self.digest)
        server.kill()

    def over_a_killed_tool(self, directory):
        server = self.server(directory, "killed_tool")
        replay = Replay(server)
        replay.feed(self.part(0, 0.6))
        wait_for(lambda: applied(server) > len(self.lines) // 4)
        replay.process.send_signal(signal.SIGKILL)
        replay.end()
        server.stop()
        server.start()
        again = Replay(server)
        again.feed(self.text)
        code, out, error = again.end()
        check("%s: a second run goes on behind the first" % self.name, code == 0 and "going on behind the" in error,
              out, error)
        self.compare("the report is right after kill -9 of the tool", server)
        check("%s: the digest is that of one run" % self.name, digest(server) == self.digest)
        server.kill()

    def run(self):
        with tempfile.TemporaryDirectory() as directory:
            self.at_once(directory)
            self.over_a_killed_server(directory)
            self.over_a_killed_tool(directory)


def text_of(lines):
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def histories():
    """Logs of real desks, with what is expected of them."""
    folder = os.environ.get("TICKETD_DATA", os.path.join(ROOT, "..", "shared", "data"))
    for path in sorted(glob.glob(os.path.join(folder, "*", "desklog.ndjson.xz"))):
        expected = os.path.join(os.path.dirname(path), "expected.json")
        with lzma.open(path) as file, open(expected, encoding="utf-8") as wanted:
            known = json.load(wanted)
            yield Log(os.path.basename(os.path.dirname(path)), file.read(), {name: known[name] for name in MEMBERS})


def main():
    lines = generate(seed=7, tickets=2500)
    Log("generated", text_of(lines), Oracle(lines).expected()).run()
    found = list(histories())
    if not found:
        print("skipped: no desk log of a real company (set TICKETD_DATA to a folder with some)")
    for log in found:
        log.run()
    finish()


main()
