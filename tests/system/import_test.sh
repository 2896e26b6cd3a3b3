#!/usr/bin/env bash
# Files of real offices, imported at one office and found at another.  The files are not part of the repository: they
# are looked for in $KONTOR_DATA (default ../shared/data).
. "$(dirname "$0")/lib.sh"
data=${KONTOR_DATA:-../shared/data}
requests=$data/sf311_service_requests.csv licences=$data/chicago_austin_business_licenses.csv people=$data/febrl_dataset1.csv
for f in "$requests" "$licences" "$people"; do [ -r "$f" ] || skipped "there is no $f"; done

cluster_up 2
import() { # NAME FILE
    local status=0
    kontor 1 import --preset "$1" "$2" >"$work/$1.out" 2>"$work/$1.err" || status=$?
    note "$1: status $status, $(tail -n 1 "$work/$1.out" "$work/$1.err" | tr '\n' ' ')"
    [ "$status" = 0 ] || [ "$status" = 6 ] || fail "importing $1 ended with $status: $(tail -n 5 "$work/$1.err")"
}
import sf311 "$requests"
import chicago-licences "$licences"
import febrl "$people"
await 120 "the offices agree" agree

# Ten requests from all over the file, by their number, at the other office; rows that begin like one.
grep -aE '^[0-9]{5,9},20[0-9][0-9]-' "$requests" | awk 'NR % 1000 == 1' >"$work/rows"
[ "$(lines_in "$work/rows")" -ge 9 ] || fail "found only $(lines_in "$work/rows") rows to ask for"
while IFS=, read -r number created _ _ status _; do
    kontor 2 lookup --json --case "$number" >"$work/case" || fail "request $number is not at office-2"
    [ "$(member cases.0.number <"$work/case")" = "$number" ] || fail "asked for $number, got $(cat "$work/case")"
    when=$(member cases.0.requested_datetime <"$work/case")
    [ "${when:0:10}" = "${created:0:10}" ] || fail "request $number of $created shows $when"
    case $status in Closed) want=closed ;; Open) want=open ;; *) want= ;; esac
    [ -z "$want" ] || [ "$(member cases.0.status <"$work/case")" = "$want" ] || fail "request $number is $status, shown $(member cases.0.status <"$work/case")"
    [ -n "$(member cases.0.channel <"$work/case")" ] || fail "request $number has no channel"
    [ -n "$(member cases.0.queue <"$work/case")" ] || fail "request $number has no queue"
done <"$work/rows"

before=$(figure 1 batches)
import sf311 "$requests"
import chicago-licences "$licences"
import febrl "$people"
[ "$(figure 1 batches)" = "$before" ] || fail "importing the same files again wrote $(($(figure 1 batches) - before)) batches"
for i in 1 2; do kontor "$i" verify >/dev/null || fail "verify finds fault at office-$i"; done
passed
