#!/usr/bin/env python3
"""Every `ticketctl ticket` command against a server."""
from fixture import HOUR, MINUTE, T0, Desk, check, equal, finish, refused


def kinds(desk, ticket):
    return [event["kind"] for event in desk.json("ticket", "history", str(ticket))]


def creating(desk):
    created = desk.did("ticket", "create", "-q", "物流", "--channel", "email", "-a", "li@example.com", "-s", "包裹未到",
                       "-b", "两周了", "-p", "high", "--category", "丢件", "--key", "4711", "--receiver", "service@",
                       "--skill", "英语")
    equal("create answers with the id", created, {"ticket": 1, "status": "ok", "version": 1})
    again = desk.did("ticket", "create", "-q", "物流", "--channel", "email", "-a", "li@example.com", "--key", "4711",
                     "--receiver", "service@")
    equal("creating the same key again finds the first", again, {"ticket": 1, "status": "exists", "version": 1})
    ticket = desk.ticket(1)
    shown = {name: ticket[name] for name in ("id", "state", "priority", "queue", "agent", "category", "channel",
                                             "address", "key", "subject", "policy", "created")}
    equal("show has what was given", shown,
          {"id": 1, "state": "new", "priority": "high", "queue": "物流", "agent": None, "category": "丢件",
           "channel": "email", "address": "li@example.com", "key": "4711", "subject": "包裹未到", "policy": "急",
           "created": "2027-01-15T08:00:00.000Z"})
    by_key = desk.json("ticket", "show", "--key", "4711", "--channel", "email", "--receiver", "service@")[0]
    equal("a ticket is found by its external key", by_key, ticket)
    refused("a key needs its channel", desk.run("ticket", "show", "--key", "4711"), "--channel", code=2)
    refused("a key of another receiver is another ticket",
            desk.run("ticket", "show", "--key", "4711", "--channel", "email"), "not_found")
    refused("an unknown queue names the near ones", desk.do("ticket", "create", "-q", "物", "--channel", "phone"), "物流")
    refused("a queue must be given", desk.do("ticket", "create", "--channel", "phone"), "--queue", code=2)
    refused("a channel must be given when there are several", desk.do("ticket", "create", "-q", "物流"), code=2)
    refused("a bad priority", desk.do("ticket", "create", "-q", "物流", "--channel", "phone", "-p", "super"), code=2)
    refused("a bad state", desk.do("ticket", "create", "-q", "物流", "--channel", "phone", "--state", "closed"), code=2)
    refused("a customer must be given", desk.do("ticket", "create", "-q", "物流", "--channel", "phone"),
            "unknown_customer")


def working(desk):
    one = str(desk.create("-s", "one"))
    refused("nobody holds it yet", desk.do("ticket", "release", one), "not_assigned")
    equal("assign", desk.did("ticket", "assign", one, "李雷")["status"], "ok")
    equal("assigning takes it up", (desk.ticket(one)["state"], desk.ticket(one)["agent"]), ("open", "李雷"))
    equal("assign by option", desk.did("ticket", "assign", one, "--agent", "李雷")["status"], "unchanged")
    equal("release", desk.did("ticket", "release", one, "--as", "李雷")["status"], "ok")
    refused("who is away cannot claim", desk.do("ticket", "claim", one, "韩梅梅"), "not_eligible")
    equal("priority", desk.did("ticket", "priority", one, "urgent")["status"], "ok")
    equal("category", desk.did("ticket", "category", one, "退货")["status"], "ok")
    equal("tag", desk.did("ticket", "tag", one, "破损")["status"], "ok")
    equal("a second tag", desk.did("ticket", "tag", one, "重要")["status"], "ok")
    ticket = desk.ticket(one)
    equal("they are shown", (ticket["priority"], ticket["category"], sorted(ticket["tags"])),
          ("urgent", "退货", sorted(["破损", "重要"])))
    equal("untag", desk.did("ticket", "untag", one, "破损")["status"], "ok")
    equal("category none", desk.did("ticket", "category", one, "none")["status"], "ok")
    ticket = desk.ticket(one)
    equal("they are gone", (ticket["category"], ticket["tags"]), (None, ["重要"]))
    equal("note", desk.did("ticket", "note", one, "已联系承运商")["status"], "ok")
    equal("reply from standard input", desk.did("ticket", "reply", one, "-", text="您好\n第二行\n")["status"], "ok")
    equal("urge", desk.did("ticket", "urge", one)["status"], "ok")
    replies = [event for event in desk.json("ticket", "history", one) if event["kind"] == "replied"]
    equal("the reply's text is whole", [event["text"] for event in replies], ["您好\n第二行"])
    equal("urges are counted", desk.ticket(one)["urges"], 1)
    equal("transfer", desk.did("ticket", "transfer", one, "售后", "--agent", "韩梅梅")["status"], "ok")
    equal("it is there", (desk.ticket(one)["queue"], desk.ticket(one)["agent"]), ("售后", "韩梅梅"))
    refused("an agent must serve the queue", desk.do("ticket", "transfer", one, "退款", "--agent", "韩梅梅"), "not_a_member")
    refused("a text is needed", desk.do("ticket", "reply", one), "text", code=2)
    refused("an agent is needed", desk.do("ticket", "assign", one), "agent", code=2)
    refused("one operand too many", desk.do("ticket", "urge", one, "x"), "too many", code=2)
    refused("an unknown agent", desk.do("ticket", "assign", one, "李磊"), "李雷")
    refused("an unknown ticket", desk.do("ticket", "urge", "99999"), "not_found")
    refused("an id is a number", desk.do("ticket", "urge", "x1"), "number", code=2)


def states(desk):
    one = str(desk.create("-s", "states", "--state", "open"))
    state = lambda: desk.ticket(one)["state"]  # noqa: E731
    for verb, expected in (("pend", "pending"), ("resume", "open"), ("hold", "on_hold"), ("resume", "open"),
                           ("resolve", "resolved"), ("reopen", "open"), ("close", "closed"), ("reopen", "open"),
                           ("cancel", "cancelled"), ("reopen", "open")):
        desk.did("ticket", verb, one, "because")
        equal("%s makes it %s" % (verb, expected), state(), expected)
    comments = {event["verb"]: event["text"] for event in desk.json("ticket", "history", one)
                if event["kind"] == "state"}
    check("comments stand in the history", all(text == "because" for text in comments.values()) and len(comments) == 7,
          comments)
    desk.did("ticket", "pend", one)
    equal("a message of the customer opens it", desk.did("ticket", "message", one, "还没有收到")["status"], "ok")
    equal("it is open", state(), "open")
    desk.did("ticket", "pause", one, "法务")
    check("it is paused", desk.ticket(one)["paused"])
    refused("a paused ticket is left alone", desk.do("ticket", "resolve", one), "paused")
    desk.did("ticket", "continue", one)
    check("it goes on", not desk.ticket(one)["paused"])
    refused("force-end needs a reason", desk.do("ticket", "force-end", one), code=2)
    desk.did("ticket", "force-end", one, "误建")
    equal("force-end closes", state(), "closed")
    refused("an illegal move names state and command", desk.do("ticket", "pend", one), "illegal_move", "closed", "pend")
    refused("and changes nothing", desk.do("ticket", "resume", one), "illegal_move")
    equal("the state is still the same", state(), "closed")


def versions(desk):
    one = str(desk.create("-s", "versions"))
    version = desk.ticket(one)["version"]
    desk.did("ticket", "note", one, "x", "--if-version", str(version))
    refused("an old version is refused", desk.do("ticket", "note", one, "y", "--if-version", str(version)),
            "version_conflict")


def clocks(desk):
    desk.at(T0 + 100 * HOUR)
    one = str(desk.create("-s", "clocks", "-p", "urgent"))
    ticket = desk.ticket(one)
    equal("both clocks run", (ticket["first_reply"]["due"], ticket["resolution"]["due"]),
          ("2027-01-19T12:30:00.000Z", "2027-01-19T16:00:00.000Z"))
    desk.later(20 * MINUTE)
    desk.did("ticket", "note", one, "time goes on")
    code, out, _ = desk.run("ticket", "show", one)
    check("the time left is shown", code == 0 and "10m" in out and "3h40m" in out, out)
    desk.later(11 * MINUTE)
    desk.did("ticket", "reply", one, "late")
    equal("the first reply was late", desk.ticket(one)["first_reply"],
          {"ran_ms": 31 * MINUTE, "due": None, "card": "red"})
    cards = [(event["card"], event["clock"], event["time"]) for event in desk.json("ticket", "history", one)
             if event["kind"] == "card"]
    equal("cards are shown when due", cards, [("yellow", "first_reply", "2027-01-19T12:22:30.000Z"),
                                             ("red", "first_reply", "2027-01-19T12:30:00.000Z"),
                                             ("yellow", "step", "2027-01-19T12:30:00.000Z")])
    breached = [row["id"] for row in desk.json("ticket", "list", "--breached")]
    check("breached tickets can be listed", int(one) in breached, breached)


def trajectory(desk):
    desk.at(T0 + 200 * HOUR)
    one = str(desk.create("-s", "trajectory", "--no-routing"))
    desk.later(MINUTE).did("ticket", "assign", one, "李雷")
    desk.later(MINUTE).did("ticket", "transfer", one, "售后")
    desk.later(MINUTE).did("ticket", "assign", one, "韩梅梅")
    desk.later(MINUTE).did("ticket", "resolve", one)
    desk.later(MINUTE).did("ticket", "reopen", one)
    stations = [(station["queue"], station["agent"], station["outcome"], station["finished"] is None)
                for station in desk.ticket(one)["trajectory"]]
    equal("stations", stations, [("物流", "李雷", "transferred", False), ("售后", "韩梅梅", "done", False),
                                ("售后", "韩梅梅", None, True)])
    first = desk.ticket(one)["trajectory"][0]
    equal("a station's times", (first["entered"], first["assigned"], first["finished"]),
          ("2027-01-23T16:00:00.000Z", "2027-01-23T16:01:00.000Z", "2027-01-23T16:02:00.000Z"))
    code, out, _ = desk.run("ticket", "show", one)
    check("the table has them", code == 0 and "trajectory" in out and "transferred" in out, out)
    equal("history is in order", kinds(desk, one),
          ["created", "waiting", "assigned", "task_closed", "transferred", "waiting", "assigned", "task_closed",
           "state", "state"])
    equal("history --limit has the newest", len(desk.json("ticket", "history", one, "-n", "3")), 3)


def routing(desk):
    desk.at(T0 + 300 * HOUR)
    desk.did("agent", "online", "韩梅梅")
    one = str(desk.create("-s", "routing", queue="售后"))
    routed = [event for event in desk.json("ticket", "history", one) if event["kind"] == "routed"]
    check("the routing says why", len(routed) == 1 and routed[0]["agent"] == "韩梅梅" and
          routed[0]["rule"] == "longest_idle" and routed[0]["eligible"] == 1, routed)
    code, out, _ = desk.run("ticket", "history", one)
    check("and says it to people", code == 0 and "routed to 韩梅梅 (longest idle" in out and "1 eligible" in out, out)
    two = str(desk.create("-s", "claimed", queue="申领"))
    equal("a claim queue waits", desk.ticket(two)["agent"], None)
    equal("claim", desk.did("ticket", "claim", two, "韩梅梅")["status"], "ok")
    refused("it is taken", desk.do("ticket", "claim", two, "李雷"), "already_assigned")
    desk.did("agent", "offline", "韩梅梅")


def listing(desk):
    everything = desk.json("ticket", "list", "-n", "0")
    ids = [row["id"] for row in everything]
    check("newest first", ids == sorted(ids, reverse=True) and len(ids) >= 8, ids)
    for option, member, value in (("--queue", "queue", "售后"), ("--state", "state", "open"),
                                  ("--priority", "priority", "urgent"), ("--channel", "channel", "email"),
                                  ("--agent", "agent", "韩梅梅"), ("--category", "category", "丢件")):
        found = [row["id"] for row in desk.json("ticket", "list", option, value, "-n", "0")]
        expected = [row["id"] for row in everything if row[member] == value]
        if option == "--agent":  # an ended ticket is held by nobody, but remembers who had it
            check("list %s" % option, found and set(found) <= set(expected), found)
        elif option == "--category":  # a category has those below it
            check("list %s" % option, set(expected) <= set(found), found)
        else:
            equal("list %s" % option, found, expected)
    both = [row["state"] for row in desk.json("ticket", "list", "--state", "closed,new", "-n", "0")]
    check("list of several states", set(both) == {"closed", "new"}, both)
    equal("list --tag", [row["tags"] for row in desk.json("ticket", "list", "--tag", "重要")], [["重要"]])
    check("list --unassigned", all(row["agent"] is None or row["state"] in ("resolved", "closed", "cancelled")
                                   for row in desk.json("ticket", "list", "--unassigned", "-n", "0")))
    equal("list --limit", len(desk.json("ticket", "list", "-n", "3")), 3)
    code, out, error = desk.run("ticket", "list", "-n", "2")
    check("a table says that there are more", code == 0 and len(out.splitlines()) == 3 and "more" in error, out, error)
    code, out, error = desk.run("ticket", "list", "--tag", "nothing")
    check("an empty list says so", code == 0 and out == "" and "no such tickets" in error, out, error)
    code, out, _ = desk.run("ticket", "list", "-o", "csv", "-n", "1")
    check("csv has a header", code == 0 and out.startswith("id,state,priority,") and len(out.splitlines()) == 2, out)
    refused("an unknown state", desk.run("ticket", "list", "--state", "lost"), code=2)


def archived(desk):
    desk.at(T0 + 400 * 24 * HOUR)
    closed = [row["id"] for row in desk.json("ticket", "list", "--state", "closed", "-n", "0")]
    desk.create("-s", "much later")
    ticket = desk.ticket(closed[0])
    check("a closed ticket has left memory and is still shown", ticket["archived"] and ticket["state"] == "closed" and
          len(ticket["trajectory"]) == ticket["stations"], ticket)
    equal("it is not listed", desk.json("ticket", "list", "--state", "closed"), [])
    equal("its history goes on to the end", kinds(desk, closed[0])[-1], "archived")
    refused("it takes no commands", desk.do("ticket", "reopen", str(closed[0])), "not_found")


def main():
    desk = Desk()
    creating(desk)
    working(desk)
    states(desk)
    versions(desk)
    clocks(desk)
    trajectory(desk)
    routing(desk)
    listing(desk)
    archived(desk)
    check("the server ends well", desk.stop() == 0)
    finish()


if __name__ == "__main__":
    main()
