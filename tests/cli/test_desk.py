#!/usr/bin/env python3
"""Queues, agents, customers, and the catalog from and to a file."""
from fixture import DESK, MINUTE, Desk, check, equal, finish, refused


def catalog(desk):
    code, out, error = desk.run("export")
    check("export", code == 0 and "李雷" in out, error)
    code, again, error = desk.run("apply", "-f", "-", text=out)
    check("applying an export changes nothing", code == 0, again, error)
    equal("it is still the same", desk.run("export")[1], out)
    code, out, error = desk.run("apply", "-f", "-", "--dry-run", text=DESK.replace("tiers: [vip]", "tiers: [vip, 企业]"))
    check("a difference is shown", code == 0 and "企业" in out, out, error)
    check("a dry run changes nothing", "企业" not in desk.run("export")[1])
    broken = "queues: [{name: 1, no: 2}]"
    refused("a broken file is refused with its place", desk.run("apply", "-f", "-", text=broken), "1")


def queues(desk):
    rows = desk.json("queue", "list")
    equal("queues, each below its parent", [(row["queue"], row["parent"], row["strategy"]) for row in rows],
          [("物流", None, "least_loaded"), ("售后", None, "longest_idle"), ("退款", "售后", "least_loaded"),
           ("申领", None, "claim")])
    equal("who serves them", [row["members"] for row in rows], [3, 3, 2, 3])
    code, out, _ = desk.run("queue", "list")
    check("the table is indented", code == 0 and "\n  退款" in out, out)
    equal("nothing is in them", desk.json("queue", "list", "--busy"), [])
    desk.create("-s", "low", "-p", "low")
    desk.later(MINUTE).create("-s", "normal")
    desk.later(MINUTE).create("-s", "urgent", "-p", "urgent")
    row = desk.json("queue", "show", "物流")[0]
    equal("they wait", (row["waiting"], row["assigned"], row["oldest_ms"]), (3, 0, 2 * MINUTE))
    equal("by priority, then by time", [row["subject"] for row in desk.json("queue", "show", "物流", "--waiting")],
          ["urgent", "normal", "low"])
    equal("the head of the line", len(desk.json("queue", "show", "物流", "--waiting", "-n", "2")), 2)
    code, out, _ = desk.run("queue", "show", "物流")
    check("shown to people", code == 0 and "waiting" in out and "urgent" in out, out)
    equal("busy queues", [row["queue"] for row in desk.json("queue", "list", "--busy")], ["物流"])
    refused("an unknown queue", desk.run("queue", "show", "物"), "物流")
    refused("a queue must be named", desk.run("queue", "show"), "QUEUE", code=2)


def agents(desk):
    rows = {row["agent"]: row for row in desk.json("agent", "list")}
    equal("agents", sorted(rows), sorted(["李雷", "韩梅梅", "老板"]))
    equal("李雷", {name: rows["李雷"][name] for name in ("presence", "load", "capacity", "held", "skills")},
          {"presence": "offline", "load": 0, "capacity": 2, "held": 0, "skills": "退款"})
    equal("what he serves", set(rows["李雷"]["queues"].split(", ")), {"物流", "售后", "退款", "申领"})
    equal("who serves every queue", rows["老板"]["queues"], "(all)")
    equal("no limit", rows["老板"]["capacity"], None)
    equal("by queue", sorted(row["agent"] for row in desk.json("agent", "list", "--queue", "退款")), ["李雷", "老板"])
    equal("coming", desk.did("agent", "online", "李雷"), {"agent": "李雷", "presence": "online", "status": "ok"})
    equal("coming again", desk.did("agent", "online", "李雷")["status"], "unchanged")
    row = desk.json("agent", "show", "李雷")[0]
    equal("the line is drained up to the capacity", (row["load"], row["held"]), (2, 2))
    equal("the urgent one first", [row["subject"] for row in desk.json("ticket", "list", "--agent", "李雷")],
          ["urgent", "normal"])
    code, out, _ = desk.run("agent", "show", "李雷")
    check("with the tickets held", code == 0 and "urgent" in out and "退款" in out, out)
    equal("present", [row["agent"] for row in desk.json("agent", "list", "--online")], ["李雷"])
    code, out, error = desk.do("agent", "online", "老板", "无名", "韩梅梅")
    check("one unknown agent does not stop the others", code == 1 and "老板" in out and "韩梅梅" in out and
          "无名" in error, out, error)
    equal("going", [row["presence"] for row in desk.did("agent", "offline", "老板", "韩梅梅")], ["offline", "offline"])
    refused("an unknown agent", desk.run("agent", "show", "李四"), "李雷")


def customers(desk):
    ticket = desk.create("-s", "first", channel="email", address="li@example.com")
    customer = desk.ticket(ticket)["customer"]
    row = desk.json("customer", "show", str(customer))[0]
    equal("a customer is made on first sight", {name: row[name] for name in ("address", "channel", "tier", "tickets",
                                                                            "open_tickets", "touches")},
          {"address": "li@example.com", "channel": "email", "tier": "", "tickets": 1, "open_tickets": 1, "touches": 1})
    found = desk.json("customer", "show", "--channel", "email", "--address", "li@example.com")
    equal("found by address", found, [row])
    other = desk.create("-s", "second", channel="phone", address="li@example.com")
    check("another channel is another identity", desk.ticket(other)["customer"] != customer)
    third = desk.did("ticket", "create", "-q", "物流", "--channel", "phone", "--customer", str(customer))["ticket"]
    equal("a ticket by the customer's id", desk.ticket(third)["customer"], customer)
    desk.did("ticket", "message", str(ticket), "还在吗")
    desk.did("ticket", "reply", str(ticket), "在的")
    equal("touches, oldest first",
          [event["kind"] for event in desk.json("customer", "show", str(customer), "--touches")],
          ["created", "created", "message", "replied"])
    equal("tier", desk.did("customer", "tier", str(customer), "vip", "--name", "李四")["tier"], "vip")
    equal("it is set", desk.json("customer", "show", str(customer))[0]["tier"], "vip")
    away = desk.did("customer", "tier", "--channel", "email", "--address", "li@example.com", "none")
    equal("tier by address", away["tier"], "")
    code, out, _ = desk.run("customer", "show", str(customer))
    check("shown to people", code == 0 and "touches" in out and "还在吗" in out, out)
    refused("an unknown customer", desk.run("customer", "show", "9999"), "unknown_customer")
    refused("an unknown address", desk.run("customer", "show", "--channel", "phone", "--address", "x"),
            "unknown_customer")
    refused("an address needs its channel", desk.run("customer", "show", "--address", "x"), "--channel", code=2)
    refused("an unknown tier", desk.do("customer", "tier", str(customer), "gold"), "tier")
    refused("nobody is named", desk.run("customer", "show"), code=2)


def main():
    desk = Desk()
    catalog(desk)
    queues(desk)
    agents(desk)
    customers(desk)
    check("the server ends well", desk.stop() == 0)
    finish()


if __name__ == "__main__":
    main()
