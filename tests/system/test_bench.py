#!/usr/bin/env python3
"""The benchmark and the demonstration run to their ends, small."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from server import BIN, ROOT, check, finish  # noqa: E402


def run(*arguments, **environment):
    return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT,
                          env=dict(os.environ, **environment), check=False)


def bench():
    small = ("--tickets", "5000", "--batch", "500", "--connections", "2")
    done = run(os.path.join(BIN, "ticketbench"), *small, "-o", "json")
    if not check("ticketbench runs", done.returncode == 0, done.stderr):
        return
    figures = json.loads(done.stdout)
    check("it tells the load", figures["tickets"] == 5000 and figures["durability"] == "sync", figures)
    check("and the figures", figures["creates_per_second"] > 0 and figures["back_in_service_seconds"] > 0 and
          figures["process_bytes_per_ticket"] > 0, figures)
    order = [figures["batch_latency_ms_" + name] for name in ("p50", "p90", "p99", "p999", "max")]
    check("quantiles ascend", order == sorted(order), order)
    check("nothing is left", not os.listdir(os.environ["TMPDIR"]), os.listdir(os.environ["TMPDIR"]))

    done = run(os.path.join(BIN, "ticketbench"), *small, "--durability", "off", "--rate", "1000000", "--no-restart")
    check("without durability it warns", done.returncode == 0 and "WARNING" in done.stderr, done.stderr)
    done = run(os.path.join(BIN, "ticketbench"), "--tickets", "many")
    check("a wrong option is told", done.returncode == 2 and "--tickets" in done.stderr, done.stderr)


def demo():
    done = run("bench/demo.sh", TICKETS="500", STEP="120")
    check("the demo runs", done.returncode == 0, done.stdout[-2000:], done.stderr)
    check("all is still there after its restart", "are the same" in done.stdout, done.stdout[-2000:])
    check("a day of tickets was worked", "500 tickets" in done.stdout, done.stdout)
    sample = os.path.join(os.environ["TMPDIR"], "log.ndjson")
    with open(sample, "w", encoding="utf-8") as file:
        for at, line in enumerate(({"do": "create", "queue": "Q", "priority": "high", "channel": "phone",
                                    "customer": "c", "category": "k", "subject": "s"},
                                   {"do": "assign", "agent": "a"}, {"do": "resolve"})):
            file.write(json.dumps(dict(line, at=1700000000000 + at, key="1")) + "\n")
    done = run("bench/demo.sh", sample)
    check("the demo replays a desk log", done.returncode == 0 and "are the same" in done.stdout,
          done.stdout, done.stderr)


bench()
demo()
finish()
