#!/usr/bin/env python3
"""`ticketctl watch`: pages, filters, live events, and going on after the server was killed or restarted."""
import csv
import io
import json
import subprocess

from fixture import Desk, check, equal, finish, refused


class Watch:
    """A watch that runs beside the test."""

    def __init__(self, desk, *arguments):
        self.process = subprocess.Popen(desk.command("watch", *arguments, "-o", "json"), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def next(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        out, error = self.process.communicate(timeout=120)
        return self.process.returncode, out, error


def pages(desk):
    events = desk.json("watch", "--from", "1", "--no-follow")
    equal("numbers without gaps", [event["seq"] for event in events], list(range(1, len(events) + 1)))
    one = desk.create("-s", "one")
    two = desk.create("-s", "two", queue="售后")
    desk.did("ticket", "assign", str(one), "李雷")
    desk.did("ticket", "note", str(two), "hello")
    events = desk.json("watch", "--from", str(len(events) + 1), "--no-follow")
    equal("the newest", [event["kind"] for event in events],
          ["created", "waiting", "created", "waiting", "assigned", "noted"])
    begin = str(events[0]["seq"])
    kinds = lambda *filters: [event["kind"] for event in  # noqa: E731
                              desk.json("watch", "--from", begin, "--no-follow", *filters)]
    equal("of a ticket", kinds("--ticket", str(two)), ["created", "waiting", "noted"])
    equal("of a queue", kinds("--queue", "售后"), ["created", "waiting", "noted"])
    equal("of an agent", kinds("--agent", "李雷"), ["assigned"])
    equal("of kinds", kinds("--kind", "noted,assigned"), ["assigned", "noted"])
    begin, before = str(events[5]["seq"]), begin
    equal("a queue is known although its ticket's creation was not seen", kinds("--queue", "售后"), ["noted"])
    begin = before
    equal("so many", len(kinds("--count", "2")), 2)
    code, out, _ = desk.run("watch", "--from", begin, "--no-follow")
    check("lines for people", code == 0 and "created in 物流" in out and "note: hello" in out, out)
    code, out, _ = desk.run("watch", "--from", begin, "--no-follow", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    check("csv", code == 0 and rows[-1]["kind"] == "noted" and rows[-1]["what"] == "note: hello", out)
    refused("an unknown kind", desk.run("watch", "--kind", "nonsense"), "nonsense", code=2)
    refused("a number that has not come yet", desk.run("watch", "--from", "99999", "--count", "1"), "bad_value")


def live(desk):
    """From the newest event on, over a kill and a restart, each event once."""
    first = desk.json("watch", "--from", "1", "--no-follow")[-1]["seq"] + 1
    watch = Watch(desk, "--from", str(first), "--count", "6")
    ticket = str(desk.create("-s", "live"))
    equal("an event arrives when it happens", watch.next()["kind"], "created")
    equal("and the next", watch.next()["kind"], "waiting")
    desk.kill()
    desk.start()
    desk.did("ticket", "note", ticket, "after the kill")
    equal("it comes back after a kill", watch.next().get("text"), "after the kill")
    desk.stop()
    desk.start()
    desk.did("ticket", "urge", ticket)
    desk.did("ticket", "note", ticket, "after the restart")
    desk.did("ticket", "tag", ticket, "end")
    code, out, error = watch.end()
    events = [json.loads(line) for line in out.splitlines()]
    equal("and after a restart, each event once", [event["seq"] for event in events], [first + 3, first + 4, first + 5])
    check("it ends after so many, and said what happened", code == 0 and "trying again" in error, code, error)


def new_only(desk):
    """Without --from: only what is new, also when the connection is lost before the first event."""
    watch = Watch(desk, "--count", "1")
    while not any(row.startswith("subscribers") and row.endswith(" 1") for row in
                  (" ".join(line.split()) for line in desk.run("status")[1].splitlines())):
        pass
    desk.kill()
    desk.start()
    ticket = desk.create("-s", "new")
    event = watch.next()
    equal("the first new event", (event["kind"], event["ticket"]), ("created", ticket))
    equal("the end", watch.end()[0], 0)


def queue_after_kill(desk):
    """Where a ticket is can still be asked for after the server was killed."""
    here, there = str(desk.create("-s", "here", queue="售后")), str(desk.create("-s", "there"))
    first = desk.json("watch", "--from", "1", "--no-follow")[-1]["seq"] + 1
    watch = Watch(desk, "--from", str(first), "--queue", "售后", "--count", "2")
    desk.did("ticket", "note", here, "before")
    equal("before the kill", watch.next()["text"], "before")
    desk.kill()
    desk.start()
    desk.did("ticket", "note", there, "not this")
    other = str(desk.create("-s", "other", queue="售后"))
    equal("after the kill", (watch.next()["ticket"], watch.end()[0]), (int(other), 0))


def catalog(desk):
    """A name that is new while watching is known."""
    text = desk.run("export")[1].replace("韩梅梅", "王芳")
    first = desk.json("watch", "--from", "1", "--no-follow")[-1]["seq"] + 1
    watch = Watch(desk, "--from", str(first), "--kind", "presence", "--count", "1")
    code, _, error = desk.run("apply", "-f", "-", text=text)
    check("the catalog is changed", code == 0, error)
    desk.did("agent", "online", "王芳")
    equal("the new name is shown", watch.next()["agent"], "王芳")
    equal("the end of it", watch.end()[0], 0)


def main():
    desk = Desk()
    pages(desk)
    live(desk)
    new_only(desk)
    queue_after_kill(desk)
    catalog(desk)
    check("the server ends well", desk.stop() == 0)
    finish()


if __name__ == "__main__":
    main()
