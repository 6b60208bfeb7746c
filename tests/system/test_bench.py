#!/usr/bin/env python3
"""The benchmark and the demonstration run to their ends, small."""
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from server import BIN, ROOT, check, finish  # noqa: E402


def run(*arguments, **environment):
    return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT,
                          env=dict(os.environ, **environment), check=False)


def nothing_left(name):
    left = os.listdir(os.environ["TMPDIR"])
    check(f"{name}: nothing is left", not left, left)


def bench():
    program = os.path.join(BIN, "ticketbench")
    small = ("--commands", "5000", "--batch", "500", "--connections", "2")
    plot = os.path.join(os.environ["TMPDIR"], "plot.svg")
    done = run(program, *small, "-o", "json", "--plot", plot)
    if not check("ticketbench runs", done.returncode == 0, done.stderr):
        return
    figures = json.loads(done.stdout)
    check("it tells the load", figures["commands"] == 5000 and figures["durability"] == "sync", figures)
    commit = run("git", "rev-parse", "--short", "HEAD").stdout.strip()
    check("and what was measured", figures["commit"].removesuffix("-dirty") == commit, figures["commit"])
    check("and the figures", figures["commands_per_second"] > 0 and figures["back_in_service_seconds"] > 0 and
          figures["bytes_per_ticket"] > 0 and figures["written_bytes_per_command"] > 0 and
          figures["log_written_bytes"] > 5000 * 100, figures)
    check("what the host took is a share", 0 <= figures["stolen_share"] <= 1, figures["stolen_share"])
    latency = figures["create_latency_ms"]
    order = [latency[name] for name in ("p50", "p90", "p99", "p999", "p9999", "max")]
    check("quantiles ascend", order == sorted(order), order)
    check("samples add up", sum(sample["commands"] for sample in figures["samples"]) == 5000, figures["samples"])
    root = xml.etree.ElementTree.parse(plot).getroot()
    curves = root.findall(".//{*}polyline") + root.findall(".//{*}circle")
    check("the plot is SVG with its curves", root.tag.endswith("svg") and len(curves) == 5, curves)
    os.remove(plot)
    nothing_left("a run")

    done = run(program, *small, "--durability", "off", "--rate", "1000000", "--no-restart")
    check("without durability it warns", done.returncode == 0 and "WARNING" in done.stderr, done.stderr)


def options():
    program = os.path.join(BIN, "ticketbench")
    for wrong in ("--commands many", "--server x --rate 50%", "--server x --sweep", "--server x --durability off",
                  "--server x --unix", "--sweep --commands 5", "--sweep --rate 5", "--workload query --connections 1"):
        done = run(program, *wrong.split())
        check(f"{wrong}: is refused", done.returncode == 2 and "--" + wrong.split("--")[-1].split()[0] in done.stderr,
              done.returncode, done.stderr)
    nothing_left("wrong options")


def frames():
    """What is sent is what was asked for, and what was not is told."""
    program = os.path.join(BIN, "ticketbench")
    done = run(program, "--commands", "20001", "--batch", "8000", "--no-restart", "-o", "json")
    figures = json.loads(done.stdout)
    check("exactly as many commands as asked for", figures["commands"] == 20001, figures)
    check("a frame holds fewer than 8000", figures["frames"] >= 4 and figures["commands_per_frame"] < 8000, figures)

    plot = os.path.join(os.environ["TMPDIR"], "plot.svg")
    done = run(program, "--commands", "2", "--batch", "1", "--rate", "1", "--no-restart", "-o", "json", "--plot", plot)
    figures = json.loads(done.stdout)
    check("an open loop lasts as long as its rate says", figures["commands"] == 2 and figures["seconds"] >= 2, figures)
    check("where nothing was answered there is no latency",
          {sample["p50_ms"] is None for sample in figures["samples"]} == {True, False} and
          all((sample["p50_ms"] is None) == (sample["commands"] == 0) for sample in figures["samples"]), figures)
    check("nor a curve", len(xml.etree.ElementTree.parse(plot).getroot().findall(".//{*}circle")) >= 3)
    os.remove(plot)

    intake = ("--workload", "intake", "--commands", "3000", "--connections", "1", "--depth", "1", "--batch", "100")
    told = [[line for line in run(program, *intake, "--no-restart", "--seed", seed).stdout.splitlines()
             if "known" in line] for seed in ("7", "7", "8")]
    check("the same seed sends the same", told[0] and told[0] == told[1] != told[2], told)


def rates():
    program = os.path.join(BIN, "ticketbench")
    done = run(program, "--rate", "10%", "--commands", "1000", "--batch", "10", "--no-restart", "-o", "json")
    figures = json.loads(done.stdout)
    check("a share of the maximum", figures["rate"] == figures["maximum_rate"] // 10 > 0, figures)
    check("on a server that does not know its tickets", figures["bytes_per_ticket"] > 0, figures)
    plot = os.path.join(os.environ["TMPDIR"], "plot.svg")
    done = run(program, "--sweep", "--seconds", "1", "--batch", "100", "--unix", "-o", "json", "--plot", plot)
    figures = json.loads(done.stdout)
    points = figures["points"]
    check("a sweep has nine points of ascending rates", len(points) == 9 and points == sorted(
        points, key=lambda point: point["rate"]) and all(point["frames"] > 0 for point in points), points)
    check("and each sends as many as its rate, or tells what it did not", all(
        point["done"] <= point["rate"] + 0.5 and (point["unsent"] > 0 or point["frames"] == -(-point["rate"] // 100))
        for point in points), points)
    check("and tells what it was measured on", figures["durability"] == "sync" and figures["transport"] == "unix" and
          figures["maximum_rate"] > 0 and figures["commit"] and figures["file_system"], figures)
    right = max(float(point.split(",")[0]) for curve in xml.etree.ElementTree.parse(plot).getroot().findall(
        ".//{*}polyline") for point in curve.get("points").split())
    check("its curves stay in their frame", right <= 900 - 130 + 0.1, right)
    os.remove(plot)
    nothing_left("rates")


def ends():
    """However it ends, no server and no directory stay behind."""
    program = os.path.join(BIN, "ticketbench")
    for number in (signal.SIGINT, signal.SIGTERM):
        terminal, its_end = pty.openpty()
        bench_run = subprocess.Popen([program, "--seconds", "1000", "--batch", "100", "-o", "json"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=its_end)
        os.close(its_end)
        said = b""
        while b" commands" not in said:
            said += os.read(terminal, 1024)
        bench_run.send_signal(number)
        out = bench_run.communicate()[0]
        os.close(terminal)
        check(f"{number.name}: the code that shells expect", bench_run.returncode == 128 + number,
              bench_run.returncode)
        figures = json.loads(out)
        check(f"{number.name}: what was measured is told", figures["interrupted"] and figures["commands"] > 0, figures)
        nothing_left(number.name)
    done = run(program, "--durability", "never")
    check("a server that does not start is an error that is told",
          done.returncode == 1 and "--durability" in done.stderr, done.returncode, done.stderr)
    nothing_left("a server that does not start")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([program, "--commands", "1000", "--no-restart"], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    check("so is a report that cannot be written", done.returncode == 1 and "output" in done.stderr, done.stderr)
    nothing_left("a report that cannot be written")


def workloads():
    program = os.path.join(BIN, "ticketbench")
    for name, classes in (("lifecycle", {"create", "update"}), ("churn", {"create", "update"}),
                          ("intake", {"create", "update"}), ("query", {"create", "update", "get", "list", "history"})):
        done = run(program, "--workload", name, "--commands", "6000", "--batch", "100", "--open", "500", "--skew", "1",
                   "--body", "mixed", "--no-restart", "-o", "json")
        if not check(f"{name} runs", done.returncode == 0, done.stderr):
            continue
        figures = json.loads(done.stdout)
        seen = {key[:-len("_latency_ms")] for key in figures if key.endswith("_latency_ms")} - {"frame"}
        check(f"{name}: nothing is refused", figures["refused"] == 0, figures)
        check(f"{name}: of all its kinds", seen == classes, seen)
    done = run(program, "--workload", "sla", "--commands", "4000", "--due", "1000", "--due-after", "8", "--no-restart",
               "-o", "json")
    if check("sla runs", done.returncode == 0, done.stderr):
        figures = json.loads(done.stdout)
        check("every card of the second is counted", figures["cards"] == figures["cards_expected"] == 1000, figures)
        check("none before it, while others are served", figures["cards_early"] == 0 and
              figures["meanwhile_latency_ms"]["max"] > 0, figures)


def floor():
    """Every load on the same floor; one that waits for ever is cut off."""
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([os.path.join(BIN, "ticketfloor"), directory], stdout=subprocess.PIPE, text=True)
        address = server.stdout.readline().split()[-1]
        done = run(os.path.join(BIN, "ticketbench"), "--server", address, "--commands", "5000", "-o", "json")
        cards = run(os.path.join(BIN, "ticketbench"), "--server", address, "--commands", "5000", "--workload", "sla",
                    "--due-after", "3")
        for name, *options in (
                ("as deep as a session goes, more than it keeps answers for", "--commands", "2000000", "--connections",
                 "1", "--depth", "64", "--batch", "8000"),
                ("600 connections", "--commands", "6000", "--connections", "600", "--batch", "1"),
                ("600 others after them", "--commands", "6000", "--connections", "600", "--batch", "1")):
            load = run("timeout", "60", os.path.join(BIN, "ticketbench"), "--server", address, *options)
            check(name, load.returncode == 0, load.stderr)
        server.terminate()
        server.communicate()
    still = run(os.path.join(BIN, "ticketfloor"), "--still", "1")
    if check("the machine's own pauses are measured", still.returncode == 0, still.stderr):
        figures = json.loads(still.stdout)
        check("on every processor", figures["processors"] == len(os.sched_getaffinity(0)) and figures["over_5_ms"] <=
              figures["over_1_ms"] and (figures["longest_ms"] >= 1) == (figures["over_1_ms"] > 0), figures)
        check("memory is another question", "touches" not in figures, figures)
    still = run(os.path.join(BIN, "ticketfloor"), "--still", "1", "--memory", "64")
    if check("so is how long it takes to reach memory", still.returncode == 0, still.stderr):
        figures = json.loads(still.stdout)
        check("which is ready", figures["memory_mb"] == 64 and figures["touches"] > figures["slow"] and
              figures["page_faults"] < 500 + 4 * figures["processors"], figures)
        slow_ms = figures["slow_share"] * 1000 * figures["processors"]
        check("and no stretch of it is slower than all of it", figures["longest_ms"] <= figures["slow_in_worst_100_ms"]
              <= slow_ms + 0.01 * figures["processors"], figures)
    for name, *options in (("for no time at all is refused", "--still", "0"),
                           ("for ever, too", "--still", "99999999999"), ("and no number", "--still", "-1"),
                           ("so is no memory", "--still", "1", "--memory", "0"),
                           ("memory without looking", "--memory", "1", "x"),
                           ("and looking while something else is done", "--raw", "--still", "1")):
        check(name, run(os.path.join(BIN, "ticketfloor"), *options).returncode == 2)
    if not check("the floor answers the same frames", done.returncode == 0, done.stderr):
        return
    check("it has no cards, which is an error", cards.returncode == 1 and "0 cards instead of 500" in cards.stderr,
          cards.stdout, cards.stderr)
    figures = json.loads(done.stdout)
    check("where its data lies is not known", figures["commands"] == 5000 and figures["device"] == "unknown", figures)


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
options()
frames()
rates()
ends()
workloads()
floor()
demo()
finish()
