"""A small desk on the virtual clock, and checks on what ticketctl says of it."""
import atexit
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from server import BIN, Server, check, finish  # noqa: E402,F401

os.environ["TZ"] = "UTC"
os.environ.pop("TICKETD_SERVER", None)

T0 = 1_800_000_000_000  # 2027-01-15T08:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE

DESK = """
desk: {archive_after: 300d}
skills: [退款, 英语]
channels: [phone, email]
tiers: [vip]
categories:
- name: 物流
  children: [丢件]
- 退货
queues:
- {name: 物流, strategy: least_loaded, step: {target: 1h, yellow: 50%}}
- name: 售后
  strategy: longest_idle
  children:
  - {name: 退款, strategy: least_loaded, skills: [退款]}
- {name: 申领, strategy: claim}
agents:
- {name: 李雷, capacity: 2, skills: [退款], queues: [物流, 售后, 退款, 申领]}
- {name: 韩梅梅, queues: [物流, 售后, 申领]}
- {name: 老板, queues: ['*']}
sla:
- name: 急
  match: {priorities: [urgent, high]}
  targets: {first_reply: 30m, resolution: 4h}
  yellow: 25%
- name: 常
  targets: {first_reply: 2h, resolution: 3d}
"""


class Desk(Server):
    """The server, and the time at which the next command happens."""

    def __init__(self, *options, catalog=DESK):
        self.directory = tempfile.TemporaryDirectory(prefix="cli.")
        super().__init__(self.directory.name, "--memory-budget", "256M", *(options or ("--clock", "virtual")))
        self.virtual = not options
        self.now = T0
        atexit.register(lambda: self.process and self.process.kill())
        self.start()
        if catalog:
            code, _, error = self.run("apply", "-f", "-", text=catalog)
            if code:
                sys.exit("not ok the desk is applied: " + error)

    def at(self, now):
        self.now = now
        return self

    def later(self, ms):
        self.now += ms
        return self

    def do(self, *arguments, text=None):
        """A command at the desk's time."""
        clock = ("--at", "@%d" % self.now) if self.virtual else ()
        return self.run(*clock, *arguments, text=text)

    def did(self, *arguments, text=None):
        """The same; its only object. It must succeed."""
        clock = ("--at", "@%d" % self.now) if self.virtual else ()
        objects = self.json(*clock, *arguments, text=text)
        return objects[0] if len(objects) == 1 else objects

    def ticket(self, number):
        return self.json("ticket", "show", str(number))[0]

    def create(self, *arguments, queue="物流", channel="phone", address="138"):
        return self.did("ticket", "create", "--queue", queue, "--channel", channel, "--address", address,
                        *arguments)["ticket"]


def refused(name, result, *words, code=1):
    """The exit code, nothing on standard output, and an explanation with these words."""
    got, out, error = result
    check(name, got == code and out == "" and all(word in error for word in words), (got, out, error))


def equal(name, got, expected):
    check(name, got == expected, "got      %r" % (got,), "expected %r" % (expected,))
