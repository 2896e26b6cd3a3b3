#!/usr/bin/env bash
# A real node is killed at the Nth system call of one sort - writes, syncs, sends - that any of its threads makes for a
# commit, for every N until a write is through before that, and started again: everything it acknowledged is there, and
# the offices agree.
#     KONTOR_CALLS=N   no more than N of each sort (default 4; 0: as many as there are)
. "$(dirname "$0")/../system/lib.sh"

command -v strace >/dev/null || skipped "there is no strace"
last=${KONTOR_CALLS:-4}
sorts=(pwrite64 writev,pwritev,pwritev2 fdatasync fsync,msync,ftruncate,rename,renameat write sendto,sendmsg)

cluster_up 2
node=$cluster/office-2
node_pid() { cat "$node/kontord.pid"; }

# attach SORT N: strace lets each of the node's threads make N - 1 of those calls, and kills the node at the next.
attach() {
    : >"$work/strace"
    strace -f -p "$(node_pid)" -o /dev/null -e trace="$1" -e inject="$1:signal=SIGKILL:when=$2" 2>"$work/strace" &
    tracer=$!
    local end=$((SECONDS + 10 * KONTOR_PATIENCE))
    until grep -q attached "$work/strace"; do
        [ "$SECONDS" -lt "$end" ] || fail "strace does not come: $(cat "$work/strace")"
        if ! kill -0 "$tracer" 2>/dev/null; then
            grep -qi "permitted\|ptrace" "$work/strace" && skipped "a process may not be traced here"
            fail "strace ends at once: $(cat "$work/strace")"
        fi
        sleep 0.02
    done
}
shows() { view "$1" --source "revenue:N-$2" | grep "\"w$2\"" >/dev/null; }
alive() { kill -0 "$1" 2>/dev/null && [ "$(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null)" != Z ]; }

# try SORT N: one write with a kill in its way; through=1 where it was not met
asked=0 kills=0 acknowledged=()
try() {
    local pid i a
    pid=$(node_pid)
    asked=$((asked + 1))
    attach "$1" "$2"
    echo '{"entity":"customer","source_system":"revenue","source_id":"N-'$asked'","kind":"person","occupation":"w'$asked'"}' >"$work/line"
    if kontor 2 put --tokens <"$work/line" >"$work/token" 2>/dev/null && grep -q token "$work/token"; then acknowledged+=("$asked"); fi
    # let what follows a commit (serving it, the peer's answer) meet its call too
    for ((i = 0; i < 8; i++)); do ! alive "$pid" || sleep 0.05; done
    through=
    if alive "$pid"; then
        through=1
        kill "$tracer"
    else
        kills=$((kills + 1))
    fi
    wait "$tracer" 2>/dev/null || true
    [ -n "$through" ] || ops start 2
    for a in ${acknowledged[@]+"${acknowledged[@]}"}; do
        shows 2 "$a" || fail "killed at call $2 of $1: N-$a was acknowledged and is not there"
    done
}
told=
for sort in "${sorts[@]}"; do
    through=
    for ((n = 1; last == 0 || n <= last; n++)); do
        try "$sort" "$n"
        [ -z "$through" ] || break
    done
    told+=" $sort:$((n - 1))"
done
await 60 "the offices agree" agree
for i in 1 2; do kontor "$i" verify >"$work/verify" 2>&1 || fail "verify finds fault at office-$i: $(cat "$work/verify")"; done
for a in ${acknowledged[@]+"${acknowledged[@]}"}; do
    shows 1 "$a" || fail "N-$a was acknowledged at office-2 and is not at office-1"
done
[ "$kills" -gt 0 ] || fail "the node was never killed"
note "killed $kills times (at so many calls of each sort:$told); ${#acknowledged[@]} of $asked writes acknowledged, none lost"
passed
