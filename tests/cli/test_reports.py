#!/usr/bin/env python3
"""`ticketctl report` against a short history whose figures can be counted by hand."""
import csv
import io

from fixture import HOUR, MINUTE, T0, Desk, check, equal, finish, refused

DAY = 24 * HOUR


def history(desk):
    """Three tickets on the first day, one on the second; 2027-01-15 is a Friday."""
    one = str(desk.create("-s", "one", "-p", "high", "--category", "丢件", "--no-routing"))
    two = str(desk.create("-s", "two", "--no-routing", queue="售后"))
    three = str(desk.create("-s", "three", "--no-routing", channel="email", address="a@b"))
    desk.later(10 * MINUTE)
    desk.did("ticket", "assign", one, "李雷")
    desk.did("ticket", "assign", two, "韩梅梅")
    desk.later(10 * MINUTE)
    desk.did("ticket", "reply", one, "first")
    desk.later(40 * MINUTE)  # 09:00
    desk.did("ticket", "reply", two, "first")
    desk.did("ticket", "resolve", one)
    desk.did("ticket", "transfer", three, "售后")
    desk.at(T0 + 3 * DAY)  # Monday
    four = str(desk.create("-s", "four", "-p", "urgent", "--no-routing"))
    desk.later(3 * HOUR)
    desk.did("ticket", "close", two)
    desk.did("ticket", "reopen", one)
    desk.did("ticket", "urge", four)
    desk.did("ticket", "cancel", three)


def pick(rows, *members):
    return [tuple(row[member] for member in members) for row in rows]


def by_member(desk):
    rows = desk.json("report", "queues")
    equal("queues", pick(rows, "queue", "created", "entered", "assigned", "solves", "transferred"),
          [("物流", 3, 3, 1, 1, 1), ("售后", 1, 2, 1, 1, 0)])
    equal("agents", sorted(pick(desk.json("report", "agents"), "agent", "assigned", "solves")),
          sorted([("李雷", 1, 1), ("韩梅梅", 1, 1)]))
    equal("channels", pick(desk.json("report", "channels"), "channel", "created"), [("phone", 3), ("email", 1)])
    rows = dict(pick(desk.json("report", "categories"), "category", "created"))
    equal("categories", rows.get("丢件"), 1)
    equal("priorities, highest first", pick(desk.json("report", "priorities"), "priority", "created"),
          [("urgent", 1), ("high", 1), ("normal", 2)])
    check("tiers", desk.run("report", "tiers")[0] == 0)
    row = desk.json("report", "desk")[0]
    equal("the desk", {name: row[name] for name in ("created", "solves", "first_solves", "reopened", "urged", "replies",
                                                    "first_replies", "cancelled", "closed")},
          {"created": 4, "solves": 2, "first_solves": 2, "reopened": 1, "urged": 1, "replies": 2, "first_replies": 2,
           "cancelled": 1, "closed": 1})
    equal("mean times", (row["mean_wait_ms"], row["mean_first_reply_ms"], row["mean_first_resolution_ms"]),
          (10 * MINUTE, 40 * MINUTE, (HOUR + 3 * DAY + 3 * HOUR) // 2))
    equal("only the busiest", len(desk.json("report", "queues", "-n", "1")), 1)


def by_period(desk):
    hours = {row["begin"]: row for row in desk.json("report", "desk", "--by", "hour")}
    first = hours["2027-01-15T08:00:00.000Z"]
    equal("the first hour", (first["created"], first["replies"]), (3, 1))
    equal("the second hour", hours["2027-01-15T09:00:00.000Z"]["replies"], 1)
    equal("by day", pick(desk.json("report", "desk", "--by", "day"), "period", "created", "solves"),
          [("2027-01-15", 3, 1), ("2027-01-18", 1, 1)])
    equal("by week", pick(desk.json("report", "desk", "--by", "week"), "period", "created"),
          [("2027-W02", 3), ("2027-W03", 1)])
    equal("by month", pick(desk.json("report", "desk", "--by", "month"), "period", "created"), [("2027-01", 4)])
    equal("from", pick(desk.json("report", "desk", "--from", "2027-01-16"), "created"), [(1,)])
    rows = desk.json("report", "desk", "--to", "2027-01-15T09:00")
    equal("to is exclusive", pick(rows, "created", "replies"), [(3, 1)])
    equal("since the desk's now", pick(desk.json("report", "desk", "--from", "-1d"), "created"), [(1,)])
    equal("nothing in a period", desk.json("report", "desk", "--from", "2028-01-01"), [])
    summary = desk.json("report", "summary", "--from", "2027-01-16")[0]
    equal("a summary of a period", (summary["created"], summary["reopened"]), (1, 1))
    equal("a summary by day", desk.json("report", "summary", "--by", "day"), desk.json("report", "desk", "--by", "day"))
    refused("an unknown period", desk.run("report", "desk", "--by", "year"), "month", code=2)
    refused("an unknown time", desk.run("report", "desk", "--from", "yesterday"), "2026-11-21", code=2)


def summary(desk):
    got = desk.json("report", "summary")
    equal("one object", len(got), 1)
    got = got[0]
    expected = {
        "tickets": 4, "by_command": {"create": 4, "assign": 2, "reply": 2, "resolve": 1, "transfer": 1, "close": 1,
                                     "reopen": 1, "urge": 1, "cancel": 1},
        "final_state": {"new": 1, "open": 1, "closed": 1, "cancelled": 1},
        "final_priority": {"urgent": 1, "high": 1, "normal": 2}, "channel": {"phone": 3, "email": 1}, "reopens": 1,
        "tickets_reopened": 1, "tickets_ever_solved": 2, "solves": 2,
        "first_resolution_ms_sum": HOUR + 3 * DAY + 3 * HOUR, "full_resolution_ms_sum": HOUR + 3 * DAY + 3 * HOUR,
        "pending_ms": 0, "on_hold_ms": 0, "top_queues_by_entries": [["物流", 3], ["售后", 2]],
    }
    equal("its members", {name: got.get(name) for name in expected}, expected)
    check("top lists are pairs in order", sorted(got["top_queues_by_solves"]) == sorted([["物流", 1], ["售后", 1]]) and
          sorted(got["top_agents_by_solves"]) == sorted([["李雷", 1], ["韩梅梅", 1]]), got)
    check("breaches by priority", isinstance(got["breached_24x7"], dict), got)
    code, out, _ = desk.run("report", "summary")
    good = code == 0 and all(word in out for word in ("final state", "top queues by entries", "█"))
    check("in sections for people", good, out)
    code, out, _ = desk.run("report", "summary", "-o", "csv")
    rows = list(csv.reader(io.StringIO(out)))
    check("as csv", code == 0 and rows[0] == ["group", "name", "value"] and ["final_state", "closed", "1"] in rows, out)


def forms(desk):
    code, out, _ = desk.run("report", "queues", "--chart")
    check("bars behind the table", code == 0 and out.startswith("QUEUE") and "█" in out, out)
    code, out, _ = desk.run("report", "queues", "--by", "day", "--chart")
    check("bars by day, trends by queue", code == 0 and "2027-01-15" in out and "▁" in out, out)
    code, out, _ = desk.run("report", "agents", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    check("csv has every counter", code == 0 and len(rows) == 2 and rows[0]["handled_ms"].isdigit(), out)
    code, out, error = desk.run("report", "desk", "--from", "2028-01-01")
    check("an empty report says so", code == 0 and out == "" and "nothing happened" in error, out, error)


def main():
    desk = Desk()
    history(desk)
    by_member(desk)
    by_period(desk)
    summary(desk)
    forms(desk)
    check("the server ends well", desk.stop() == 0)
    finish()


if __name__ == "__main__":
    main()
