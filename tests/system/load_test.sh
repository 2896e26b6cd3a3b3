#!/usr/bin/env bash
# Three offices under load from all sides at once: writers at each, readers at each, a line cut and mended in between.
# At the end all three hold the same.  With programs built by ThreadSanitizer this is the test of the node's threads.
. "$(dirname "$0")/lib.sh"
people=${KONTOR_LOAD_PEOPLE:-300}

cluster_up 3
for i in 1 2 3; do
    "$KONTOR_BIN/kontor-generate" --seed 3 --customers "$people" --part "$i/3" >"$work/part-$i"
    kontor "$i" put --tokens <"$work/part-$i" >"$work/tokens-$i" 2>"$work/put-$i.err" &
    writers[i]=$!
done
for i in 1 2 3; do
    (
        while [ ! -e "$work/enough" ]; do
            kontor "$i" lookup --json --source "revenue:P-$(printf %06d $((RANDOM % people)))" >/dev/null 2>"$work/look-$i.err" ||
                [ $? = 1 ] || exit 1
            kontor "$i" status --json >/dev/null 2>>"$work/look-$i.err" || exit 1
        done
    ) &
    readers[i]=$!
done
ops cut 3
ops heal 3
for i in 1 2 3; do
    wait "${writers[i]}" || fail "the writer at office-$i ended with $?: $(tail -n 3 "$work/put-$i.err")"
    [ "$(grep -c token "$work/tokens-$i")" = "$(lines_in "$work/part-$i")" ] || fail "not every line at office-$i got a token"
done
await 60 "the offices agree" agree
: >"$work/enough"
for i in 1 2 3; do wait "${readers[i]}" || fail "a reader at office-$i failed: $(cat "$work/look-$i.err")"; done

note "$(cat "$work"/part-? | wc -l) records from three writers"
for n in 0 7 $((people - 1)); do
    for i in 1 2 3; do
        kontor "$i" lookup --json --source "revenue:P-$(printf %06d "$n")" >/dev/null || fail "person $n is not at office-$i"
    done
done
passed
