#!/usr/bin/env bash
# The disk of an office eats its journal or its keys: the office comes up by itself with what the file still proves, its
# peer brings the rest, the damaged file is kept, and status says so until somebody has looked.
. "$(dirname "$0")/lib.sh"

cluster_up 2
town="$KONTOR_BIN/kontor-generate --seed 9 --customers 300"
$town --part 1/2 | kontor 1 put >/dev/null || fail "office-1 does not take its part"
$town --part 2/2 | kontor 2 put >/dev/null || fail "office-2 does not take its part"
await 60 "the offices agree" agree
view 1 --source revenue:P-000003 >"$work/view" || fail "there is nobody to look up"
dir=$cluster/office-1

zeros() { dd if=/dev/zero of="$1" bs=4096 seek="$2" count="$3" conv=notrunc status=none; }
complains() { figure 1 problems | grep -q "$1"; }
silent_about() { ! complains "$1"; }
comes_back() { # WHAT ENVIRONMENT NUMBER: starts office-1; it must show what it showed, and keep the file
    ops start 1
    await 60 "the offices agree: $1" agree
    view 1 --source revenue:P-000003 >"$work/view-after" || fail "$1: the customer is gone"
    same "$1: the view" "$work/view" "$work/view-after"
    kontor 1 verify >"$work/verify" 2>&1 || fail "$1: verify finds fault: $(cat "$work/verify")"
    complains "$2 was found damaged" || fail "$1: status says nothing"
    [ -s "$dir/$2/damaged-$3.mdb" ] || fail "$1: the damaged file was not kept"
    note "$1: all there"
}

ops kill 1
zeros "$dir/journal/data.mdb" 0 2
comes_back "both meta pages of its journal are gone" journal 1
ops kill 1
zeros "$dir/journal/data.mdb" 9 6
comes_back "six pages of its journal are gone" journal 2
ops kill 1
truncate -s 40960 "$dir/journal/data.mdb"
comes_back "its journal was cut short" journal 3
rm "$dir/journal/"damaged-*.mdb
silent_about "journal was found damaged" || fail "status goes on about a file that was looked at and taken away"
ops kill 1
zeros "$dir/keys/data.mdb" 0 2
comes_back "both meta pages of its keys are gone" keys 1
ops kill 1
truncate -s 4096 "$dir/keys/data.mdb"
comes_back "its keys are gone" keys 2

# Who only looks changes nothing.
ops kill 1
zeros "$dir/journal/data.mdb" 0 1
cp "$dir/journal/data.mdb" "$work/journal"
if "$KONTOR_BIN/kontord" --config "$dir/kontord.conf" --verify >"$work/verify" 2>&1; then fail "verify finds nothing"; fi
grep -q "journal/data.mdb is damaged" "$work/verify" || fail "verify does not name it: $(cat "$work/verify")"
cmp -s "$work/journal" "$dir/journal/data.mdb" || fail "verify changed what it looked at"
comes_back "one meta page of its journal is gone" journal 1

# At the end of a line that is down, with writes that nobody else has.
ops cut 1
for n in 1 2 3 4 5; do
    kontor 1 put <<<"{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"LONE-$n\",\"kind\":\"person\"}" >/dev/null ||
        fail "office-1 does not write alone"
done
ops kill 1
zeros "$dir/journal/data.mdb" 0 2
zeros "$dir/keys/data.mdb" 0 2
ops start 1
for n in 1 2 3 4 5; do
    kontor 1 lookup --source "revenue:LONE-$n" >/dev/null || fail "what office-1 wrote alone is gone: LONE-$n"
done
kontor 1 put <<<'{"entity":"customer","source_system":"revenue","source_id":"AFTER","kind":"person"}' >/dev/null ||
    fail "it does not write any more"
ops heal 1
await 60 "the offices agree" agree
for n in LONE-1 LONE-5 AFTER; do
    kontor 2 lookup --source "revenue:$n" >/dev/null || fail "office-2 never got $n"
done
note "journal and keys at once, cut off from all others: nothing lost"
passed
