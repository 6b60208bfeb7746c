"""What a report must say after a desk log was replayed, computed naively from the log's definition; shares no code
with the engine. And a generator of desk logs."""
import collections
import random

HOUR_MS = 3600000
TARGET_MS = {"urgent": 8 * HOUR_MS, "high": 24 * HOUR_MS, "normal": 72 * HOUR_MS, "low": 168 * HOUR_MS}
UNSOLVED = ("new", "open", "pending", "on_hold")


class Ticket:
    def __init__(self, line):
        self.created = line["at"]
        self.state, self.since = "open", line["at"]
        self.priority = line.get("priority") or "normal"
        self.queue, self.agent = line["queue"], None
        self.spent = collections.Counter()
        self.breached = None
        self.first_solve = self.last_solve = None
        self.reopened = False

    def advance(self, at):
        """Lets time pass in the state it is in."""
        if self.state == "open" and not self.breached:
            if self.spent["open"] + at - self.since >= TARGET_MS[self.priority]:
                self.breached = self.priority
        self.spent[self.state] += at - self.since
        self.since = at

    def reprioritise(self, priority):
        """The target in force changes at once, whether the clock runs or not."""
        self.priority = priority
        if not self.breached and self.spent["open"] >= TARGET_MS[priority]:
            self.breached = priority


class Oracle:
    def __init__(self, lines):
        self.tickets, self.by_command = {}, collections.Counter()
        self.channel, self.entries = collections.Counter(), collections.Counter()
        self.queue_solves, self.agent_solves = collections.Counter(), collections.Counter()
        self.reopens = self.solves = 0
        for line in lines:
            self.by_command[line["do"]] += 1
            self.apply(line)
            self.last_at = line["at"]
        for ticket in self.tickets.values():
            ticket.advance(self.last_at)

    def apply(self, line):
        do = line["do"]
        if do == "create":
            self.tickets[line["key"]] = Ticket(line)
            self.channel[line["channel"]] += 1
            self.entries[line["queue"]] += 1
            return
        ticket = self.tickets[line["key"]]
        ticket.advance(line["at"])
        if do == "assign":
            ticket.agent = line["agent"]
        elif do == "release":
            ticket.agent = None
        elif do == "transfer":
            ticket.queue, ticket.agent = line["queue"], line.get("agent")
            self.entries[line["queue"]] += 1
        elif do == "priority":
            ticket.reprioritise(line["priority"])
        elif do in ("pend", "hold", "resume"):
            ticket.state = {"pend": "pending", "hold": "on_hold", "resume": "open"}[do]
        elif do in ("resolve", "close"):
            if ticket.state in UNSOLVED:
                self.solve(ticket, line["at"])
            ticket.state = "resolved" if do == "resolve" else "closed"
        elif do == "cancel":
            ticket.state = "cancelled"
        elif do == "reopen":
            ticket.state = "open"
            ticket.reopened = True
            self.reopens += 1

    def solve(self, ticket, at):
        self.solves += 1
        ticket.first_solve = at if ticket.first_solve is None else ticket.first_solve
        ticket.last_solve = at
        self.queue_solves[ticket.queue] += 1
        if ticket.agent:
            self.agent_solves[ticket.agent] += 1

    def expected(self):
        tickets = self.tickets.values()
        solved = [ticket for ticket in tickets if ticket.first_solve is not None]
        return {
            "tickets": len(self.tickets),
            "by_command": dict(self.by_command),
            "final_state": dict(collections.Counter(ticket.state for ticket in tickets)),
            "final_priority": dict(collections.Counter(ticket.priority for ticket in tickets)),
            "channel": dict(self.channel),
            "reopens": self.reopens,
            "tickets_reopened": sum(ticket.reopened for ticket in tickets),
            "tickets_ever_solved": len(solved),
            "solves": self.solves,
            "pending_ms": sum(ticket.spent["pending"] for ticket in tickets),
            "on_hold_ms": sum(ticket.spent["on_hold"] for ticket in tickets),
            "open_ms": sum(ticket.spent["open"] for ticket in tickets),
            "first_resolution_ms_sum": sum(ticket.first_solve - ticket.created for ticket in solved),
            "full_resolution_ms_sum": sum(ticket.last_solve - ticket.created for ticket in solved),
            "breached_24x7": dict(collections.Counter(ticket.breached for ticket in tickets if ticket.breached)),
            "top_queues_by_entries": top(self.entries),
            "top_queues_by_solves": top(self.queue_solves),
            "top_agents_by_solves": top(self.agent_solves),
        }


def top(counter):
    return [[name, count] for name, count in sorted(counter.items(), key=lambda item: (-item[1], item[0]))]


def differences(expected, got):
    """What is not equal, as texts. Where a list of the ten most ends within equal counts, any of these will do."""
    found = []
    for name, want in expected.items():
        have = got.get(name)
        if name.startswith("top_") and have is not None:
            counts = {entry[0]: entry[1] for entry in want}
            good = [entry[1] for entry in have] == [entry[1] for entry in want][:len(have)]
            good = good and len(have) == min(10, len(want)) and len({entry[0] for entry in have}) == len(have)
            # Of expected.json only the ten are known.
            good = good and all(counts.get(entry[0], have[-1][1]) == entry[1] for entry in have)
        else:
            good = have == want
        if not good:
            found.append("%s: wanted %s, got %s" % (name, want, have))
    return found


# What may follow in which state.
MOVES = {
    "open": ["assign", "assign", "release", "transfer", "transfer", "priority", "pend", "hold", "resolve", "resolve",
             "close", "cancel", "note", "note"],
    "pending": ["resume", "resume", "resume", "priority", "note", "transfer", "assign", "resolve", "close"],
    "on_hold": ["resume", "resume", "resume", "priority", "note", "transfer", "assign", "resolve", "close"],
    "resolved": ["close", "close", "reopen", "note"],
    "closed": ["reopen", "note"],
    "cancelled": ["reopen", "note"],
}
NEXT = {"pend": "pending", "hold": "on_hold", "resume": "open", "resolve": "resolved", "close": "closed",
        "cancel": "cancelled", "reopen": "open"}


def generate(seed, tickets, queues=9, agents=17):
    """Lines of a desk log with every kind of command, ascending in time with many at the same instant."""
    chance = random.Random(seed)
    at, lines, alive, made = 1300000000000, [], [], 0
    queue_names = ["队列 %d" % number for number in range(queues)]
    agent_names = ["Agent %d" % number for number in range(agents)]
    while made < tickets or alive:
        at += chance.choice([0, 0, 0, 1, 1000, 60000, HOUR_MS, 5 * HOUR_MS])
        if made < tickets and (not alive or chance.random() < 0.2):
            key = "k-%d-%d" % (seed, made)
            line = {"at": at, "key": key, "do": "create", "queue": chance.choice(queue_names),
                    "priority": chance.choice(list(TARGET_MS)), "channel": chance.choice(["phone", "web", "邮件"]),
                    "customer": "customer %d" % chance.randrange(tickets // 2 + 1),
                    "category": "C%d" % chance.randrange(5), "subject": "主题 " + key}
            alive.append({"key": key, "state": "open", "agent": None, "left": chance.randrange(1, 25)})
            made += 1
        else:
            ticket = chance.choice(alive)
            do = chance.choice(MOVES[ticket["state"]])
            if do == "release" and not ticket["agent"]:
                do = "note"
            line = {"at": at, "key": ticket["key"], "do": do}
            if do == "assign" or (do == "transfer" and chance.random() < 0.3):
                line["agent"] = ticket["agent"] = chance.choice(agent_names)
            elif do in ("release", "transfer"):
                ticket["agent"] = None
            if do == "transfer":
                line["queue"] = chance.choice(queue_names)
            if do == "priority":
                line["priority"] = chance.choice(list(TARGET_MS))
            if do == "note":
                line["text"] = "备注 \"%d\"" % len(lines)
            ticket["state"] = NEXT.get(do, ticket["state"])
            ticket["left"] -= 1
            if ticket["left"] == 0:
                alive.remove(ticket)
        lines.append(line)
    return lines
