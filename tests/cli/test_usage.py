#!/usr/bin/env python3
"""Help on every level with an example, manual pages, wrong usage: none of it needs a server."""
import os
import shutil
import subprocess

from fixture import BIN, check, equal, finish

COMMANDS = """status apply export ticket.create ticket.show ticket.list ticket.history ticket.assign ticket.claim
ticket.release ticket.transfer ticket.priority ticket.category ticket.tag ticket.untag ticket.pend ticket.hold
ticket.resume ticket.resolve ticket.close ticket.cancel ticket.force-end ticket.pause ticket.continue ticket.reopen
ticket.urge ticket.reply ticket.note ticket.message queue.list queue.show agent.list agent.show agent.online
agent.offline customer.show customer.tier report.summary report.desk report.queues report.agents report.channels
report.categories report.priorities report.tiers watch replay inspect checkpoint backup digest""".split()


def run(*arguments):
    done = subprocess.run([os.path.join(BIN, "ticketctl"), *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def helps():
    names = [name.replace(".", " ") for name in COMMANDS]
    equal("the commands", run("--man-list")[1].splitlines(), names)
    code, overview, _ = run("--help")
    check("overview", code == 0 and "example" in overview and all(name in overview for name in names), overview)
    for name in names:
        code, out, _ = run(*name.split(), "--help")
        good = code == 0 and "\nexample\n  " in out and "ticketctl " + name in out
        check("%s --help has an example" % name, good, out)
    for group in sorted({name.split()[0] for name in names if " " in name}):
        code, out, _ = run(group, "--help")
        check("%s --help has an example" % group, code == 0 and "\nexample\n  " in out, out)
        check("%s alone explains itself" % group, run(group)[0] == 2 and "commands" in run(group)[2])
    equal("help is --help", run("help", "ticket", "create"), run("ticket", "create", "--help"))
    check("nothing at all explains itself", run()[0] == 2 and "commands" in run()[2])
    check("--version", run("--version")[0] == 0 and run("--version")[1].startswith("ticketctl "))


def manuals():
    for name in [None] + [name.replace(".", " ") for name in COMMANDS]:
        code, page, _ = run("--man", *([name] if name else []))
        good = code == 0 and page.startswith(".TH TICKETCTL") and "\n.SH NAME\n" in page
        if good and shutil.which("man"):
            shown = subprocess.run(["man", "--warnings", "-l", "-"], input=page, capture_output=True, text=True,
                                   env={**os.environ, "MANPAGER": "cat", "MAN_KEEP_FORMATTING": ""})
            good = shown.returncode == 0 and "ticketctl" in shown.stdout
        check("manual of %s" % (name or "ticketctl"), good, page[:200])


def mistakes():
    for given, hint in (("statsu", "status"), ("ticket lsit", "ticket list"), ("tickt list", "ticket list"),
                        ("report queue", "report queues"), ("agent onlin", "agent online")):
        code, out, error = run(*given.split())
        check("%s suggests %s" % (given, hint), code == 2 and out == "" and "did you mean '%s'" % hint in error, error)
    code, _, error = run("zzzzzzzzzz")
    check("nonsense points to --help", code == 2 and "--help" in error, error)
    code, _, error = run("ticket", "list", "--staet", "open")
    check("an option is suggested", code == 2 and "--state" in error, error)
    for arguments in (["-o", "xml", "status"], ["-o"], ["status", "--server"], ["ticket", "list", "--breached=yes"],
                      ["ticket", "list", "-n", "x"], ["--at", "noon", "status"], ["status", "extra"],
                      ["--server", "nowhere", "status"], ["ticket", "create", "-x"]):
        code, out, error = run(*arguments)
        check("wrong: " + " ".join(arguments), code == 2 and out == "" and error.startswith("ticketctl: "), error)


def main():
    helps()
    manuals()
    mistakes()
    finish()


if __name__ == "__main__":
    main()
