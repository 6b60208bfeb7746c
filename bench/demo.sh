#!/bin/bash
# make demo: a desk of one's own, for a minute. Without an argument one day of 100,000 tickets goes through the
# binary protocol; with the file of a desk log (plain or .xz) that history is replayed. Then the server is stopped
# and started again, and all is still there.
set -euo pipefail
cd "$(dirname "$0")/.."

BIN=${BUILD:-build}/bin
LOG=${1:-}
DIRECTORY=$(mktemp -d "${TMPDIR:-/tmp}/ticketd-demo.XXXXXX")
export TICKETD_SERVER=unix:$DIRECTORY/socket
SERVER=

finish() {
    if [[ -n $SERVER ]]; then
        kill "$SERVER" 2> /dev/null || true
        wait "$SERVER" 2> /dev/null || true
    fi
    rm -rf "$DIRECTORY"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [[ -t 1 ]]; then
    bold=$'\e[1m' plain=$'\e[0m'
else
    bold='' plain=''
fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# Shows a command and runs it.
run() {
    printf '$ ticketctl %s\n' "$*"
    "$BIN/ticketctl" "$@"
}

start() {
    # In a group of its own, so that Ctrl-C reaches us and we stop it.
    setsid "$BIN/ticketd" --data "$DIRECTORY/desk" --unix "$DIRECTORY/socket" --clock virtual \
        2>> "$DIRECTORY/log" < /dev/null &
    SERVER=$!
    for ((i = 0; i < 1200; i++)); do
        if "$BIN/ticketctl" status > /dev/null 2>&1; then return; fi
        if ! kill -0 "$SERVER" 2> /dev/null; then break; fi
        sleep 0.05
    done
    echo "ticketd does not serve. Its log:" >&2
    tail -5 "$DIRECTORY/log" >&2
    exit 1
}

stop() {
    kill -TERM "$SERVER"
    wait "$SERVER"
    SERVER=
}

# What must be the same after a restart.
fingerprint() {
    "$BIN/ticketctl" digest -o json
    "$BIN/ticketctl" report summary -o json
}

reports() {
    say "What the reports say"
    run report summary
    run report desk --by hour
    run report channels --by day
    run report queues --by day
}

begin=$SECONDS
say "A desk in $DIRECTORY"
start
if [[ -n $LOG ]]; then
    run apply -f tests/data/replay.yaml
    say "The history in $LOG"
    case $LOG in
    *.xz) xzcat "$LOG" | run replay --define - ;;
    *.gz) zcat "$LOG" | run replay --define - ;;
    *) run replay --define "$LOG" ;;
    esac
    say "What the reports say"
    run report summary
else
    export TZ=CST-8 # the people of this desk live by China's time
    run apply -f tests/data/shop.yaml | sed -n '1,4p; 5s/.*/…/p; $p'
    say "One day, ${TICKETS:-100000} tickets"
    "$BIN/demo" --server "$TICKETD_SERVER" --tickets "${TICKETS:-100000}" --step "${STEP:-15}"
    reports
    say "One ticket's way"
    ticket=$((${TICKETS:-100000} / 20))
    run ticket show "$ticket"
    run ticket history "$ticket"
fi

say "Stopped, started again: is all still there?"
before=$(fingerprint)
stop
started=$(date +%s%N)
start
took=$((($(date +%s%N) - started) / 1000000))
after=$(fingerprint)
if [[ $before != "$after" ]]; then
    echo "It is NOT the same desk:"
    diff <(echo "$before") <(echo "$after")
    exit 1
fi
echo "Back in service after $took ms. Every count and the digest of the whole state are the same:"
run digest
run queue list
stop
say "Done in $((SECONDS - begin)) s. The directory is removed."
