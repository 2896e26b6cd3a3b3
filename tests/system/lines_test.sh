#!/usr/bin/env bash
# One trouble after another between real nodes: packets that arrive one way only, a peer that is slow, a node that is
# stopped and goes on, both sides of a cut writing one field, and all nodes starting at once.
. "$(dirname "$0")/lan.sh"
lan_up 4 0

put() { # OFFICE SOURCE-ID OCCUPATION: gives the token
    kontor "$1" put --tokens >"$work/token" \
        <<<"{\"entity\":\"customer\",\"source_system\":\"motor\",\"source_id\":\"$2\",\"kind\":\"person\",\"occupation\":\"$3\"}" ||
        fail "office-$1 does not take $2"
    member token <"$work/token"
}
shows() { [ "$(kontor "$1" lookup --json --source "motor:$2" | member customer.occupation)" = "$3" ]; }
all_show() { for i in 1 2 3 4; do shows "$i" "$1" "$2" || return 1; done; }
arrives() { # OFFICE SOURCE-ID TOKEN WHAT
    kontor "$1" lookup --source "motor:$2" --wait "$3" --deadline $((10 * KONTOR_PATIENCE)) >/dev/null || fail "$4"
}
not_linked() { # OFFICE OFFICE: the first says so
    [ "$(kontor "$1" status --json | tr -d ' \n' | sed 's/.*"peers":\[//; s/\].*//' | tr '}' '\n' |
        grep -F "\"office\":\"office-$2\"" | grep -cF '"state":"linked"')" = 0 ]
}
no_problems() { for i in 1 2 3 4; do [ "$(kontor "$i" status --json | members problems)" = 0 ] || return 1; done; }
resident_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${pids[kontord-$1]}/status"; }
people() { "$KONTOR_BIN/kontor-generate" --seed "$1" --customers "$2"; }

# What office-1 says does not arrive at office-2, whose own words do arrive: there is a way round, both ways.
cut_way 1 2
arrives 2 DEAF-1 "$(put 1 DEAF-1 listener)" "office-2, deaf to office-1, does not hear of it from others"
arrives 1 DEAF-2 "$(put 2 DEAF-2 speaker)" "office-1 does not hear office-2, which it could"
await 30 "office-1 has given up a line that works one way" not_linked 1 2
mend_way 1 2
await 20 "all offices are linked" all_linked
note "a line that works one way: heard by others, given up, found again"

# The same with no way round: each works on, and nothing is lost.
for i in 2 3 4; do cut_way "$i" 1; done
put 1 ALONE-1 hermit >/dev/null
put 3 ALONE-3 villager >/dev/null
shows 1 ALONE-1 hermit && shows 4 ALONE-3 villager || await 10 "the others hear each other" shows 4 ALONE-3 villager
for i in 2 3 4; do mend_way "$i" 1; done
await 30 "the offices agree" agree
all_show ALONE-1 hermit && all_show ALONE-3 villager || fail "what was written at a deaf office is not everywhere"
note "an office that hears nobody: nothing lost"

# Both sides of a cut write one field.
put 1 BOTH clerk >/dev/null
await 20 "the offices agree" agree
for i in 1 2; do for j in 3 4; do cut_line "$i" "$j"; done; done
put 1 BOTH baker >/dev/null
put 4 BOTH tailor >/dev/null
for i in 1 2; do for j in 3 4; do mend_way "$i" "$j" && mend_way "$j" "$i"; done; done
await 30 "the offices agree" agree
for i in 1 2 3 4; do
    [ "$(figure "$i" conflicts)" = 1 ] || fail "office-$i lists $(figure "$i" conflicts) conflicts, not one"
    kontor "$i" conflicts list --json >"$work/conflicts"
    grep -q baker "$work/conflicts" && grep -q tailor "$work/conflicts" || fail "office-$i does not list both: $(cat "$work/conflicts")"
done
kontor 2 conflicts resolve "$(member 0.id <"$work/conflicts")" --value '"baker"' >/dev/null || fail "it cannot be resolved"
await 20 "the offices agree" agree
all_show BOTH baker || fail "not every office shows what was decided"
for i in 1 2 3 4; do [ "$(figure "$i" conflicts)" = 0 ] || fail "office-$i still lists the conflict"; done
note "one field written on both sides of a cut: listed everywhere, and decided"

# A peer that takes a second for every word, and then none at all, holds up nobody else and nobody's memory.
before=$(resident_kib 1)
far 1 delay 1000
lose 4 30
people 4 600 | kontor 1 put >/dev/null || fail "office-1 does not write while a peer is slow"
arrives 3 SWIFT "$(put 1 SWIFT runner)" "office-3 waits for a slow office-4"
node_freeze 4
people 5 600 | kontor 1 put >/dev/null || fail "office-1 does not write while a peer is stopped"
silent() { kontor 1 status --json | member problems | grep -q 'office-4 has said nothing'; }
await 30 "office-1 says that office-4 is silent" silent
arrives 3 SWIFTER "$(put 1 SWIFTER runner)" "office-3 waits for a stopped office-4"
grown=$(($(resident_kib 1) - before))
grep -q libasan "/proc/${pids[kontord-1]}/maps" || [ "$grown" -lt 65536 ] || fail "a slow peer made office-1 grow by $grown KiB"
node_thaw 4
far 1 delay 0
lose 4 0
put 4 BACK sleeper >/dev/null
await 60 "the offices agree" agree
await 30 "no office has a problem" no_problems
note "a slow peer and a stopped one: nobody waited; office-1 grew by $grown KiB"

# All nodes end and start at once.
dials() { local i sum=0; for i in 1 2 3 4; do sum=$((sum + $(dials_made "$i"))); done; echo "$sum"; }
before=$(dials) from=$SECONDS
for i in 1 2 3 4; do kill -KILL "${pids[kontord-$i]}"; done
for i in 1 2 3 4; do await 20 "office-$i is gone" dead "kontord-$i"; done
node_start 1 2 3 4
await 30 "all offices are linked" all_linked
await 30 "the offices agree" agree
count=$(($(dials) - before)) took=$((SECONDS - from + 1))
# six lines, each dialled at once, and then at growing distances of 50 ms at least, soon of a second
[ "$count" -le $((6 * (8 + took))) ] || fail "$count dials in $took s over six lines"
put 2 STORM survivor >/dev/null
await 20 "the offices agree" agree
all_show STORM survivor || fail "after all started at once, not everything is everywhere"
note "all four at once: linked after $count dials in $took s"
for i in 1 2 3 4; do kontor "$i" verify >"$work/verify" 2>&1 || fail "verify finds fault at office-$i: $(cat "$work/verify")"; done
passed
