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

# Each of the requests, each of the licences, at the other office, cell by cell.
compare() { "$KONTOR_BIN/kontor-compare" "ipc://$cluster/office-2/kontor.sock" "$@"; }
compare sf311 "$requests" >"$work/compared" || fail "the requests differ"
note "requests: $(cat "$work/compared")"
grep -q '^10000 rows' "$work/compared" || fail "that were not all requests: $(cat "$work/compared")"
compare chicago-licences "$licences" >"$work/compared" || fail "the licences differ"
note "licences by account: $(cat "$work/compared")"
# The comparison itself must be able to find a difference.
sed -n '2s/Closed/Open/; 1,3p' "$requests" >"$work/other.csv"
compare sf311 "$work/other.csv" >"$work/compared" 2>&1 && fail "the comparison sees no difference where there is one: $(cat "$work/compared")"

before=$(figure 1 batches)
part 2 digests >"$work/digests"
import sf311 "$requests"
import chicago-licences "$licences"
import febrl "$people"
[ "$(figure 1 batches)" = "$before" ] || fail "importing the same files again wrote $(($(figure 1 batches) - before)) batches"
await 30 "the offices agree" agree
part 2 digests >"$work/digests-after"
same "the digests after a second import" "$work/digests" "$work/digests-after"
for i in 1 2; do kontor "$i" verify >/dev/null || fail "verify finds fault at office-$i"; done
passed
