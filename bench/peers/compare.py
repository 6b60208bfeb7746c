#!/usr/bin/env python3
"""The floor, ticketd, Redis and PostgreSQL in turns on one machine, all over Unix sockets: medians of several rounds,
and ticketd's ratios to the others, each taken within a round. Who begins changes from round to round.

Each has a new directory below TMPDIR and is alone while it is measured. Environment: BIN (the programs), ROUNDS (3),
TICKETS (1000000; PostgreSQL and Redis get fewer, they are slower), REST (0: seconds before each, for machines whose
host takes back what the one before gave back), JSON=1 for scripts."""
import collections
import contextlib
import json
import os
import pwd
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ["BIN"]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICKETS = int(os.environ.get("TICKETS", "1000000"))
REST_S = max(int(os.environ.get("REST", "0")), 0)
POSTGRES = "/usr/lib/postgresql/15/bin"
READY_S = 60
END_S = 60
BUSY_POLL_US_MAX = 10000  # of ticketd

Load = collections.namedtuple("Load", "tickets peer_tickets batch connections depth")


def load(tickets, *shape):
    """The peers get a fifth, but always enough to run for a while."""
    return Load(tickets, min(tickets, max(tickets // 5, 50000)), *shape)


LOADS = {"batch 1000": load(TICKETS, 1000, 4, 2), "single, 64 connections": load(max(TICKETS // 5, 10000), 1, 64, 8),
         "one at a time": load(max(TICKETS // 50, 10000), 1, 1, 1)}


# ---- Processes: whatever ends this one, those that it began end first, and their directories go ----

STOPS = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
         if signal.getsignal(number) != signal.SIG_IGN]


def stop(number, _):
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)  # clearing away is not disturbed
    print(f"ended by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)


@contextlib.contextmanager
def undisturbed():
    """A signal waits: what is being begun must be known to whoever ends it."""
    late = []
    for each in STOPS:
        signal.signal(each, lambda number, _: late.append(number))
    try:
        yield
    finally:
        for each in STOPS:
            signal.signal(each, stop)
        if late:
            stop(late[0], None)


@contextlib.contextmanager
def begun(arguments, number=signal.SIGKILL, **keywords):
    """A process in a group of its own (Ctrl-C is for us), ended by this signal if it still runs."""
    process = None
    try:
        with undisturbed():
            process = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.DEVNULL, text=True,
                                       start_new_session=True, **keywords)
        yield process
    finally:
        if process and process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def run(*arguments, **keywords):
    with begun(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords) as process:
        out, error = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {error or out}")
    return out


@contextlib.contextmanager
def server(arguments, directory, ready, number=signal.SIGTERM, **keywords):
    """It serves inside; what it says is kept for the case that it does not."""
    path = os.path.join(directory, "server.log")
    limit = time.monotonic() + READY_S
    with open(path, "w+", encoding="utf-8") as log, \
            begun(arguments, number, stdout=log, stderr=subprocess.STDOUT, **keywords) as process:
        while not ready():
            if process.poll() is not None or time.monotonic() > limit:
                log.seek(0)
                sys.exit(f"{arguments[0]} does not serve: {log.read()}")
            time.sleep(0.05)
        yield


def listens(path):
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(path) == 0


@contextlib.contextmanager
def new_directory(parent=None):
    """Others may look inside: PostgreSQL runs as another user."""
    with tempfile.TemporaryDirectory(prefix="compare-", dir=parent) as directory:
        os.chmod(directory, 0o755)
        yield directory


# ---- Who is measured: each in an empty directory, under one load ----

def polling(one, poll_us):
    return ["--busy-poll", poll_us] if one.connections == 1 else []


def raw_writes(directory, poll_us):
    return json.loads(run(f"{BIN}/ticketfloor", "--raw", "--busy-poll", poll_us, directory))


def poll_chosen(directory):
    """For three durable writes, where polling pays: there are disks whose writes end sooner when the processor is given
    up, as a thread of the kernel has to end them. Also what a write takes."""
    write = raw_writes(directory, 0)
    poll_us = min(max(100, round(3 * write["p50_us"])), BUSY_POLL_US_MAX)
    polled = raw_writes(directory, poll_us)
    why = f"p50 of a durable write {write['p50_us']:.0f} us, polled for {poll_us} us {polled['p50_us']:.0f} us"
    if polled["p50_us"] >= write["p50_us"]:
        return 0, write, f"none, {why}"
    return poll_us, write, f"floor and ticketd, one at a time, look for {poll_us} us before they sleep: {why}"


def bench(directory, one, *options):
    result = json.loads(run(f"{BIN}/ticketbench", "--commands", one.tickets, "--batch", one.batch, "--connections",
                            one.connections, "--depth", one.depth, "--no-restart", "-o", "json", *options,
                            env=dict(os.environ, TMPDIR=directory)))
    if result["refused"]:
        sys.exit(f"{result['refused']} commands were refused: {result}")
    return {"per_second": result["commands_per_second"], "p50_ms": result["frame_latency_ms"]["p50"]}


def raw(directory, _, poll_us):
    """A durable write of 4 KiB, by who sleeps meanwhile and by who waits as ticketd does."""
    asleep, alike = raw_writes(directory, 0), raw_writes(directory, poll_us)
    return {"p50_ms": asleep["p50_us"] / 1000, "p99_ms": asleep["p99_us"] / 1000, "alike_ms": alike["p50_us"] / 1000}


def floor(directory, one, poll_us):
    path = os.path.join(directory, "s")
    with server([f"{BIN}/ticketfloor", "--unix", *polling(one, poll_us), directory], directory, lambda: listens(path)):
        return bench(directory, one, "--server", f"unix:{path}")


def ticketd(directory, one, poll_us):
    return bench(directory, one, "--unix", *polling(one, poll_us))


def peer(name, address, one, *options):
    result = json.loads(run(f"{BIN}/peer-{name}", address, one.peer_tickets, one.connections, one.batch, one.depth,
                            *options))
    return {"per_second": result["commands_per_second"], "p50_ms": result["p50_ms"]}


def counted(name, one, counts):
    """A peer that lost or doubled anything is no measure."""
    if set(counts) != {str(one.peer_tickets)}:
        sys.exit(f"{name} has {counts} instead of {one.peer_tickets} tickets")


REDIS_CONNECTIONS = 64


def redis(directory, one, _):
    """It reads 16 KiB of each connection, then syncs: batches come over more connections, as many tickets in flight, so
    that a sync covers more of them."""
    if one.batch > 1:
        in_flight = one.connections * one.batch * one.depth
        one = one._replace(connections=REDIS_CONNECTIONS, batch=1, depth=in_flight // REDIS_CONNECTIONS)
    path = os.path.join(directory, "socket")
    with server(["redis-server", "--port", 0, "--unixsocket", path, "--dir", directory, "--appendonly", "yes",
                 "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", 0], directory,
                lambda: listens(path)):
        result = peer("redis", path, one, f"{HERE}/create.lua")
        counted("Redis", one, [run("redis-cli", "-s", path, *question).strip()
                               for question in (("GET", "tickets"), ("ZCARD", "due:resolution"))])
        return result


def postgres(directory, one, _):
    """The server refuses to run as root: then it runs as the user that its package made."""
    data = os.path.join(directory, "data")
    user = {"cwd": "/"}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        user.update(user=owner.pw_uid, group=owner.pw_gid, extra_groups=[])
    run(f"{POSTGRES}/initdb", "-D", data, "-U", "desk", "-A", "trust", "-E", "UTF8", "--locale", "C", **user)
    settings = ("listen_addresses=", "synchronous_commit=on", "shared_buffers=1GB", "max_wal_size=4GB",
                "max_connections=300", "jit=off")
    ask = ("psql", "-q", "-X", "-At", "-h", directory, "-U", "desk", "-v", "ON_ERROR_STOP=1")
    with server([f"{POSTGRES}/postgres", "-D", data, "-k", directory] +
                [word for setting in settings for word in ("-c", setting)], directory,
                lambda: subprocess.run([f"{POSTGRES}/pg_isready", "-q", "-h", directory, "-U", "desk"],
                                       check=False).returncode == 0, signal.SIGQUIT, **user):
        run(*ask, "-d", "postgres", "-c", "CREATE DATABASE desk")
        run(*ask, "-d", "desk", "-f", f"{HERE}/schema.sql")
        result = peer("postgres", directory, one)
        counted("PostgreSQL", one, run(*ask, "-d", "desk", "-c", "SELECT count(*) FROM ticket UNION ALL "
                                       "SELECT sum(created) FROM counter GROUP BY dimension").split())
        return result


# ---- All of it ----

SYSTEMS = {"floor": floor, "ticketd": ticketd, "redis": redis, "postgres": postgres}


def rounds_run(root, poll_us):
    """One dictionary a round: load, system, result. The raw write is measured beside the loads that wait for one."""
    rounds = []
    for number in range(ROUNDS):
        results = {}
        for name, one in LOADS.items():
            turns = list(SYSTEMS.items()) + ([("raw", raw)] if one.connections == 1 else [])
            begin = number % len(turns)
            results[name] = {}
            for system, measure in turns[begin:] + turns[:begin]:
                print(f"round {number + 1} of {ROUNDS}, {name}: {system}", file=sys.stderr)
                time.sleep(REST_S)
                with new_directory(root) as directory:
                    results[name][system] = measure(directory, one, poll_us)
        rounds.append(results)
    return rounds


def first_line(path, key):
    with open(path, encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "unknown")


def conditions(root, write, polled):
    """What was measured, on what, how much: a list of names and texts."""
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    disk = " ".join(run("findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", root).split())
    redis_version = next(word[2:] for word in run("redis-server", "--version").split() if word.startswith("v="))
    peers = ", ".join(f"{one.peer_tickets:,}" for one in LOADS.values())
    return {"machine": f"{first_line('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores, {memory_gb:.0f} GB, "
                       f"{os.uname().sysname} {os.uname().release}",
            "disk": f"{disk}; a durable write of 4 KiB: p50 {write['p50_us'] / 1000:.3f}, "
                    f"p99 {write['p99_us'] / 1000:.3f} ms" + ("" if write["direct"] else ", without O_DIRECT"),
            "systems": f"{run(f'{BIN}/ticketd', '--version').strip()}; Redis {redis_version}, appendfsync always; "
                       f"{run(f'{POSTGRES}/postgres', '--version').strip()}, synchronous_commit on",
            "load": f"TICKETS={TICKETS} ROUNDS={ROUNDS} REST={REST_S}: " +
                    ", ".join(f"{name} {one.tickets:,}" for name, one in LOADS.items()) +
                    f" (Redis and PostgreSQL {peers})",
            "polling": polled}


def spread(values, form):
    """The median, and the least and the greatest beside it."""
    return (f"{form.format(statistics.median(values))} "
            f"({form.format(min(values))} to {form.format(max(values))})")


def ratios(rounds, name, system, key="per_second"):
    """ticketd's to the other's, round by round."""
    return [one[name]["ticketd"][key] / one[name][system][key] for one in rounds]


def tell(rounds):
    def median(name, system, key):
        return statistics.median(one[name][system][key] for one in rounds)

    print(f"\nmedians of ROUNDS={ROUNDS}; ratios within a round, their median (least to greatest)\n")
    print(f"{'':24}" + "".join(f"{system:>14}" for system in SYSTEMS))
    for name in LOADS:
        print(f"{name:24}" + "".join(f"{median(name, system, 'per_second'):>12,.0f}/s" for system in SYSTEMS))
        print(f"{'  p50':24}" + "".join(f"{median(name, system, 'p50_ms'):>11.3f} ms" for system in SYSTEMS))
        print(f"  ticketd is {spread(ratios(rounds, name, 'floor'), '{:.0%}')} of the floor, "
              f"{spread(ratios(rounds, name, 'redis'), '{:.1f}')} x Redis, "
              f"{spread(ratios(rounds, name, 'postgres'), '{:.1f}')} x PostgreSQL")
    name = "one at a time"
    alike = [one[name]["ticketd"]["p50_ms"] / one[name]["raw"]["alike_ms"] for one in rounds]
    print(f"\none at a time beside durable writes of 4 KiB in the same round, p50: "
          f"{median(name, 'raw', 'p50_ms'):.3f} ms, {median(name, 'raw', 'alike_ms'):.3f} ms waited for as ticketd does"
          f"\n  ticketd takes {spread(ratios(rounds, name, 'raw', 'p50_ms'), '{:.2f}')} x such a write, "
          f"{spread(alike, '{:.2f}')} x one waited for alike")


def main():
    for each in STOPS:
        signal.signal(each, stop)
    with new_directory() as root:
        time.sleep(REST_S)
        poll_us, write, polled = poll_chosen(root)
        known = conditions(root, write, polled)
        if not os.environ.get("JSON"):
            print("\n".join(f"{name:9}{text}" for name, text in known.items()), flush=True)
        rounds = rounds_run(root, poll_us)
    if os.environ.get("JSON"):
        print(json.dumps({"conditions": known, "poll_us": poll_us, "rounds": rounds}))
    else:
        tell(rounds)


main()
