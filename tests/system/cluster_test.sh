#!/usr/bin/env bash
# ops/cluster does what it says: it returns when it is so, twice does no harm, wrong use is refused with advice, and what
# it starts holds nothing of its caller's.
. "$(dirname "$0")/lib.sh"

refused() { # STATUS COMMAND...
    local want=$1 got=0
    shift
    "$@" >"$work/out" 2>"$work/refused" || got=$?
    [ "$got" = "$want" ] && [ -s "$work/refused" ] || fail "'$*' ended with $got, not $want: $(cat "$work/refused")"
}
refused 2 ops/cluster
refused 2 ops/cluster up none "$cluster"
refused 2 ops/cluster cut office-1 "$work/nowhere"
refused 2 ops/cluster down "$work"
KONTOR_BIN=$work refused 1 ops/cluster up 2 "$cluster"

# Its caller waits for the end of a pipe (this ends only when nobody holds it) and holds a file open.
exec 7>"$work/held"
offices=3
ops/cluster up 3 "$cluster" | cat >"$work/up" || fail "the cluster does not start"
exec 7>&-
for pid in $(cat "$cluster"/office-*/kontord.pid "$cluster/proxy.pid"); do
    for fd in /proc/"$pid"/fd/*; do
        case $(readlink "$fd") in "$work/held" | "$work/up") fail "process $pid holds $(readlink "$fd")" ;; esac
    done
done
for i in 1 2 3; do
    for f in kontord.conf kontor.sock kontord.pid kontord.log; do
        [ -e "$cluster/office-$i/$f" ] || fail "office-$i has no $f"
    done
    [ "$(linked "$i")" = 2 ] || fail "office-$i is not linked to both others"
done
refused 2 ops/cluster up 3 "$cluster"
refused 2 ops/cluster cut office-4 "$cluster"
refused 2 ops/cluster cut 3 "$cluster"

# cut and heal, each twice
ops cut 3
ops cut 3
await 15 "office-3 has lost its links" no_links 3
[ "$(linked 1)" = 1 ] || fail "office-1 lost office-2 with the line of office-3"
ops heal 3
ops heal 3
for i in 1 2 3; do [ "$(linked "$i")" = 2 ] || fail "healed, but office-$i is not linked to both others"; done

# two cut at once: healing one leaves the other cut
ops cut 2
ops cut 3
ops heal 3
[ "$(linked 3)" = 1 ] || fail "office-3 has $(linked 3) links, with office-2 cut"
ops heal 2
[ "$(linked 3)" = 2 ] || fail "office-3 has $(linked 3) links"

# kill and start
ops kill 2
kill -0 "$(cat "$cluster/office-2/kontord.pid")" 2>/dev/null &&
    [ -n "$(tr -d '\0' <"/proc/$(cat "$cluster/office-2/kontord.pid")/cmdline")" ] && fail "office-2 lives on"
refused 1 ops/cluster kill office-2 "$cluster"
ops start 2
kontor 2 status >/dev/null || fail "started, but office-2 does not answer"
refused 1 ops/cluster start office-2 "$cluster"
await 30 "office-2 is linked again" two_links 2
passed
