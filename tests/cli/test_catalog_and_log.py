#!/usr/bin/env python3
"""ticketctl apply, export, replay and inspect, from the outside."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from server import ROOT, Server, check, finish  # noqa: E402

SHOP = os.path.join(ROOT, "tests/data/shop.yaml")


def has(done, code, *texts):
    """Did it end with the code, and print all of the texts?"""
    return done[0] == code and all(text in done[1] + done[2] for text in texts)


# ---- apply and export ----

def apply_and_export(server):
    done = server.run("apply", "-f", SHOP, "--dry-run")
    check("apply --dry-run shows what it would do", has(done, 0, "+ queue 物流", "to create", "dry run"), done)
    check("and does not do it", server.run("export")[1].count("\n") < 4)
    done = server.run("apply", "-f", SHOP)
    check("apply creates a desk", has(done, 0, "+ agent 值班经理", "created"), done)
    code, exported, _ = server.run("export")
    check("export prints it", code == 0 and "name: 云集售后服务台" in exported and "- name: 值班经理" in exported,
          exported)
    done = server.run("apply", "-f", "-", text=exported)
    check("apply of an export changes nothing", has(done, 0, "Nothing to change."), done)
    check("export is the same again", server.run("export")[1] == exported)
    done = server.run("apply", "-f", SHOP)
    check("apply of the file again changes nothing", has(done, 0, "Nothing to change."), done)
    other = Server(os.path.join(os.path.dirname(server.data), "other")).start()
    check("an export makes the same desk elsewhere", other.run("apply", "-f", "-", text=exported)[0] == 0 and
          other.run("export")[1] == exported)
    other.stop()
    changed = exported.replace("- name: 值班经理\n  capacity: 4", "- name: 值班经理\n  capacity: 9")
    done = server.run("apply", "-f", "-", "-o", "json", text=changed)
    objects = [json.loads(line) for line in done[1].splitlines()]
    check("a change names its member", done[0] == 0 and len(objects) == 1 and objects[0]["action"] == "change" and
          objects[0]["kind"] == "agent" and objects[0]["members"] == "capacity: 4 -> 9", done)


def retiring(server):
    server.run("apply", "-f", "-", text="channels: [phone, web, fax]")
    done = server.run("apply", "-f", "-", text="channels: [phone, web]", )
    check("what a section does not name is retired", has(done, 0, "- channel fax", "1 retired"), done)
    done = server.run("apply", "-f", "-", "--keep", text="channels: [phone]")
    check("apply --keep retires nothing", has(done, 0, "Nothing to change."), done)
    done = server.run("apply", "-f", "-", text="channels: [phone, web, fax]")
    check("a retired name comes back", has(done, 0, "+ channel fax  (was retired)"), done)


def at_the_same_time(directory):
    """Everybody's change is made, whoever was first: four at once overtake each other three times at most."""
    server = Server(os.path.join(directory, "together")).start()
    processes = [subprocess.Popen(server.command("apply", "--keep", "-f", "-"), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(4)]
    for number, process in enumerate(processes):
        process.stdin.write(b"skills: [skill-%d]\n" % number)
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    check("changes made at the same time all succeed", all(process.returncode == 0 for process in processes), outputs)
    exported = server.run("export")[1]
    check("and none is lost", all("skill-%d" % number in exported for number in range(4)), exported)
    server.stop()


def large(directory):
    """More than one frame takes."""
    server = Server(os.path.join(directory, "large")).start()
    text = "agents:\n" + "".join("- {name: agent %d, queues: ['*']}\n" % number for number in range(9000))
    done = server.run("apply", "-f", "-", text=text)
    check("a difference of more than a frame is applied", has(done, 0, "9000 created"), done[1][-200:], done[2])
    done = server.run("apply", "-f", "-", text=text)
    check("completely", has(done, 0, "Nothing to change."), done[1][-200:], done[2])
    server.stop()


def mistakes(server):
    done = server.run("apply", "-f", "-", text="queues:\n- name: q\n  skills: [退款x]\n")
    check("an unknown reference names its place and a near name",
          has(done, 1, "(standard input):3:12: queue q: unknown skill `退款x`; did you mean `退款`?"), done)
    done = server.run("apply", "-f", "-", text="queus: []\n")
    check("an unknown section suggests one",
          has(done, 1, ":1:1: unknown section `queus`; did you mean `queues`?"), done)
    done = server.run("apply", "-f", "/nonexistent/desk.yaml")
    check("a file that is not there is named", has(done, 1, "/nonexistent/desk.yaml: No such file"), done)
    done = server.run("apply")
    check("a missing file is a usage error", has(done, 2, "which file?"), done)
    done = server.run("apply", "-f", "-", text="skills: []\n")
    check("what is used is not retired", has(done, 1, "which would be retired"), done)
    done = server.run("export", "-o", "json")
    check("export has one form only", has(done, 2, "YAML only"), done)


# ---- replay ----

def line(at, key, do, **members):
    return json.dumps({"at": at, "key": key, "do": do, **members}, ensure_ascii=False)


def create(at, key, **members):
    return line(at, key, "create", **{"queue": "q", "channel": "web", "customer": "u", "category": "c",
                                      "priority": "low", "subject": "s", **members})


def replaying(directory):
    wall = Server(os.path.join(directory, "wall")).start()
    done = wall.run("replay", "-", text=create(1, "a"))
    check("replay needs the virtual clock", has(done, 1, "--clock virtual"), done)
    wall.stop()
    server = Server(os.path.join(directory, "virtual"), "--clock", "virtual").start()
    good = [create(1000, "a"), line(1000, "a", "assign", agent="Anna"), create(2000, "b"), create(2000, "c")]
    done = server.run("replay", "-", text="\n".join(good))
    check("an unknown name is refused with its line",
          has(done, 1, "line 1: the desk has no queue `q`", "--define"), done)
    text = "\n".join(good + [line(3000, "b", "cancel"), line(3000, "b", "pend"), line(3000, "c", "resolve"),
                             create(4000, "d")])
    done = server.run("replay", "-", "--define", text=text)
    check("replay stops at the first refused line",
          has(done, 1, "line 6: illegal_move", "5 lines applied, 1 refused"), done)
    tickets = server.json("report", "summary")[0]
    check("nothing behind it is done", tickets["tickets"] == 3 and tickets["solves"] == 0, tickets)
    done = server.run("replay", "-", "--define", text=text)
    check("the next run begins with the refused line",
          has(done, 1, "behind the 5 lines", "line 6: illegal_move"), done)
    done = server.run("replay", "-", "--define", "--keep-going", text=text)
    check("--keep-going counts it and goes on",
          has(done, 1, "2 lines applied (5 before), 1 refused", "1 illegal_move"), done)
    done = server.run("replay", "-", "--define", "--keep-going", text=text)
    check("and nothing is done twice", has(done, 0, "0 lines applied (8 before), 0 refused"), done)
    objects = server.json("replay", "-", text=text)
    check("the sum as JSON", objects[0]["applied_before"] == 8 and objects[0]["refused"] == 0, objects)
    server.run("agent", "online", "Anna")
    for key, option, agent in (("m", "--no-routing", None), ("r", "--routing", "Anna")):
        done = server.run("replay", "-", "--session", key, option, text=create(9000, key))
        check("replay " + option, has(done, 0, "1 lines applied"), done)
        ticket = server.json("ticket", "show", "--key", key, "--channel", "web")[0]
        check("who gets it", ticket["agent"] == agent, ticket)
    server.stop()


def windows(directory):
    """The guarantee holds however many frames are on their way."""
    server = Server(os.path.join(directory, "windows"), "--clock", "virtual").start()
    lines = [create(1000 + i, "k%d" % i) for i in range(300)]
    lines[100] = line(1100, "k0", "release")
    done = server.run("replay", "-", "--define", "--batch", "1", text="\n".join(lines))
    check("many frames behind a refused line are not applied",
          has(done, 1, "line 101: not_assigned", "100 lines applied"), done)
    check("the desk has what stood before it", server.json("report", "summary")[0]["tickets"] == 100)
    lines[100] = create(1100, "k100")
    done = server.run("replay", "-", "--define", text="\n".join(lines))
    check("the mended line is done, and the rest", has(done, 0, "200 lines applied (100 before), 0 refused"), done)
    check("each once", server.json("report", "summary")[0]["tickets"] == 300)
    server.stop()


def malformed(directory):
    server = Server(os.path.join(directory, "malformed"), "--clock", "virtual").start()
    text = "\n".join([create(1000, "a"), "", "{nonsense", line(900, "a", "pend"), line(1000, "zzz", "pend"),
                      line(1000, "a", "pend")]) + "\n"
    done = server.run("replay", "-", "--define", text=text)
    check("a malformed line is named", has(done, 1, "line 3: not JSON", "{nonsense", "1 lines applied"), done)
    done = server.run("replay", "-", "--define", text=text.replace("{nonsense", ""))
    check("time that goes back is named", has(done, 1, "line 4: `at` goes back from 1000 to 900"), done)
    done = server.run("replay", "-", "--define", "--keep-going", text=text)
    check("--keep-going counts malformed lines",
          has(done, 1, "1 lines applied (1 before), 1 refused, 2 malformed"), done)
    done = server.run("replay", "-", "--define", "--keep-going", "--session", "again", text=text)
    check("another session is another replay",
          has(done, 1, "2 lines applied, 1 refused") or "existed" in done[1], done)
    done = server.run("replay", "-", "--keep-going", "--session", "unknown", text=create(1000, "x", queue="r") + "\n" +
                      line(1000, "x", "assign", agent="Nobody"))
    check("unknown names are counted by what is unknown", has(done, 1, "1 unknown_queue", "2 refused"), done)
    done = server.run("replay", "-", "--session", "long", text=create(1000, "long", subject="题" * 1000))
    check("a long subject is kept whole", has(done, 0, "1 lines applied"), done)
    newest = server.json("ticket", "list")[0]
    history = server.run("ticket", "history", str(newest["id"]), "-o", "json")[1]
    check("in the body", newest["subject"] == "题" * 341 and "题" * 1000 in history, newest, history[:200])
    done = server.run("replay", "-", "--session", "x" * 129, text=create(1000, "y"))
    check("a session's name is bounded", has(done, 2, "1 to 128 bytes"), done)
    done = server.run("replay", "-", text="")
    check("an empty log is named", has(done, 1, "no line in it"), done)
    done = server.run("replay", "/nonexistent/log")
    check("a log that is not there is named", has(done, 1, "/nonexistent/log: No such file"), done)
    done = server.run("replay", "-", "--batch", "0", text=text)
    check("a batch of nothing is a usage error", has(done, 2, "begin at 1"), done)
    server.stop()


def gone(directory):
    """A server that does not come back."""
    server = Server(os.path.join(directory, "gone"), "--clock", "virtual").start()
    lines = [create(1000 + i, "k%d" % i) + "\n" for i in range(20000)]
    process = subprocess.Popen(server.command("replay", "-", "--define", "--wait", "0"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write("".join(lines[:10000]).encode())
    process.stdin.flush()
    while server.json("report", "summary")[0]["tickets"] < 8000:
        pass
    server.kill()
    out, error = process.communicate("".join(lines[10000:]).encode())
    check("without its server a replay ends and says how to go on",
          process.returncode == 3 and b"run the same command again" in error, out, error)
    server.start()
    done = server.run("replay", "-", "--define", text="".join(lines))
    check("and it does go on", has(done, 0, "going on behind the", "0 refused"), done)
    check("to the end", server.json("report", "summary")[0]["tickets"] == 20000)
    server.stop()


# ---- inspect ----

def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def inspecting(directory):
    server = Server(os.path.join(directory, "inspected"), "--clock", "virtual").start()
    text = "\n".join(create(1000 + i, "k%d" % i) for i in range(50))
    server.run("replay", "-", "--define", text=text)
    digest = server.json("digest")[0]["digest"]
    done = server.run("inspect", server.data)
    check("inspect copes with a running server and says so",
          has(done, 0, "a ticketd (pid %d) works on it" % server.process.pid),
          done)
    done = server.run("inspect", server.data, "--verify")
    check("inspect --verify wants it stopped", has(done, 1, "stop it first"), done)
    server.kill()
    objects = server.json("inspect", server.data)
    check("inspect shows what the log has", objects[0]["log_commands"] > 0 and objects[0]["server_pid"] is None,
          objects)
    objects = server.json("inspect", server.data, "--log")
    check("inspect --log shows segments", any(row["state"] == "needed" for row in objects), objects)
    objects = server.json("inspect", server.data, "--verify")
    check("a killed server's directory verifies", objects[0]["verdict"] == "OK", objects)
    check("its digest is that of the server", objects[0]["digest"] == digest, objects, digest)
    segment = sorted(os.listdir(os.path.join(server.data, "log")))[0]
    flip(os.path.join(server.data, "log", segment), 4096 + 200)
    done = server.run("inspect", server.data, "--verify")
    check("damage in the log is named", has(done, 1, "damaged", segment), done)
    flip(os.path.join(server.data, "log", segment), 4096 + 200)
    check("mended it verifies again", server.run("inspect", server.data, "--verify")[0] == 0)
    server.start()
    server.stop()
    objects = server.json("inspect", server.data, "--store")
    check("after a stop the rows are in the store", any(row["table"] == "ticket" for row in objects), objects)
    done = server.run("inspect", server.data, "--verify")
    check("and verify", has(done, 0, "OK"), done)
    done = server.run("inspect", directory + "/nowhere")
    check("a directory that is not there is named", has(done, 1, "nowhere: no such directory"), done)
    done = server.run("inspect", directory)
    check("a directory without a desk is named", has(done, 1, "cannot open the store"), done)


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = Server(os.path.join(directory, "desk")).start()
        apply_and_export(server)
        mistakes(server)
        server.stop()
        server = Server(os.path.join(directory, "retiring")).start()
        retiring(server)
        server.stop()
        done = server.run("apply", "-f", SHOP)
        check("without a server the exit code is 3", done[0] == 3, done)
        replaying(directory)
        windows(directory)
        malformed(directory)
        gone(directory)
        large(directory)
        at_the_same_time(directory)
        inspecting(directory)
    finish()


main()
