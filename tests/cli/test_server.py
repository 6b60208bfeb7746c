#!/usr/bin/env python3
"""status, checkpoint, backup and digest; the wall clock; ways to name the server."""
import os
import signal
import subprocess
import sys

from fixture import BIN, Desk, Server, check, equal, finish, refused


def figures(desk):
    status = desk.json("status")[0]
    equal("status names the clock", status["clock"], "virtual")
    check("and counts", status["op"] >= 1 and status["events"] >= 1 and status["connections"] == 1, status)
    code, out, _ = desk.run("status")
    check("status for people", code == 0 and "memory budget bytes" in out and "256.0 MiB" in out, out)
    before = status["checkpoint"]["count"]
    desk.create("-s", "one")
    equal("checkpoint", desk.json("checkpoint"), [{"checkpoint": "stored", "status": "ok"}])
    status = desk.json("status")[0]
    check("it is made", status["checkpoint"]["count"] > before and status["checkpoint"]["op"] == status["op"], status)


def copies(desk):
    desk.create("-s", "two")
    digest = desk.json("digest")[0]
    check("a digest is hexadecimal", digest["digest"].startswith("0x") and len(digest["digest"]) == 18, digest)
    equal("backup", desk.json("backup", "monday"), [{"backup": "monday", "status": "ok"}])
    refused("a name is taken once", desk.run("backup", "monday"), "in_use")
    refused("a name with a path", desk.run("backup", "../x"), "backup")
    refused("a name is needed", desk.run("backup"), "NAME", code=2)
    desk.create("-s", "three")
    copy = Server(os.path.join(desk.directory.name, "copy"), *desk.options)
    os.rename(os.path.join(desk.data, "backups", "monday"), copy.data)
    copy.start()
    equal("a backup is a desk as it stood", copy.json("digest")[0]["digest"], digest["digest"])
    equal("with its tickets", [row["subject"] for row in copy.json("ticket", "list")], ["two", "one"])
    copy.stop()
    digest = desk.json("digest")[0]["digest"]
    desk.kill()
    desk.start()
    equal("the digest after a kill is the same", desk.json("digest")[0]["digest"], digest)


def addresses(desk):
    """TCP, the environment, and what is said when nobody is there."""
    server = subprocess.Popen([os.path.join(BIN, "ticketd"), "--data", os.path.join(desk.directory.name, "tcp"),
                               "--listen", "127.0.0.1:0", "--memory-budget", "256M"], stderr=subprocess.PIPE, text=True)
    address = None
    for line in server.stderr:
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if words.get("event") == "ready":
            address = words["listen"]
            break
    if not address:
        sys.exit("not ok ticketd serves TCP")
    ticketctl = os.path.join(BIN, "ticketctl")

    def run(arguments, **more):
        return subprocess.run([ticketctl, *arguments], capture_output=True, text=True, env={**os.environ, **more})

    check("--server", run(["--server", address, "status"]).returncode == 0)
    check("--server behind the command", run(["status", "--server=" + address]).returncode == 0)
    check("the environment", run(["status"], TICKETD_SERVER=address).returncode == 0)
    done = run(["--server", address, "--at", "@5", "agent", "online", "x"])
    check("no agents yet", done.returncode == 1 and "export" in done.stderr, done.stderr)
    server.send_signal(signal.SIGTERM)
    server.stderr.read()
    equal("SIGTERM ends it well", server.wait(60), 0)
    done = run(["--server", address, "status"])
    good = done.returncode == 3 and "is ticketd running there?" in done.stderr
    check("nobody there is exit code 3", good, done.stderr)
    done = run(["--server", "unix:/nonexistent/socket", "status"])
    check("no such socket is exit code 3", done.returncode == 3 and "/nonexistent/socket" in done.stderr, done.stderr)


def wall_clock():
    desk = Desk("--clock", "wall")
    ticket = desk.ticket(desk.create("-s", "now"))
    check("the wall clock's time", ticket["created"] > "2020-01-01", ticket["created"])
    refused("a time of one's own is refused", desk.run("--at", "@5", "ticket", "urge", "1"), "bad_time")
    check("it ends well", desk.stop() == 0)


def main():
    desk = Desk()
    figures(desk)
    copies(desk)
    addresses(desk)
    check("the server ends well", desk.stop() == 0)
    wall_clock()
    finish()


if __name__ == "__main__":
    main()
