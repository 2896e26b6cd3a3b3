#!/usr/bin/env bash
# The generator of invented people: the same seed makes the same town, and its parts hold each record exactly once.
. "$(dirname "$0")/lib.sh"

generate() { "$KONTOR_BIN/kontor-generate" "$@"; }
generate --seed 7 --customers 500 >"$work/all"
generate --seed 7 --customers 500 >"$work/again"
same "the same seed, the same town" "$work/all" "$work/again"
generate --seed 8 --customers 500 >"$work/other"
cmp -s "$work/all" "$work/other" && fail "another seed made the same town"

for i in 1 2 3; do generate --seed 7 --customers 500 --part "$i/3" >"$work/part-$i"; done
LC_ALL=C sort "$work/all" >"$work/all-sorted"
LC_ALL=C sort "$work"/part-? >"$work/parts-sorted"
same "three parts are the whole" "$work/all-sorted" "$work/parts-sorted"
for i in 1 2 3; do [ "$(lines_in "$work/part-$i")" -gt 300 ] || fail "part $i is nearly empty"; done

for kind in customer case interaction licence identity_link; do
    grep -q "\"entity\":\"$kind\"" "$work/all" || fail "there is no $kind"
done
[ "$(grep -c '"source_system":"revenue"' "$work/all")" = 500 ] || fail "not everybody pays taxes"
LC_ALL=C grep -qvaxE '\{"entity":"[a-z_]+",.*\}' "$work/all" && fail "a line is not one record"
for bad in "--part 4/3" "--part 0/3" "--seed x" "--customers 1000001" "more"; do
    # shellcheck disable=SC2086
    generate $bad >/dev/null 2>&1 && fail "accepted: $bad"
done
passed
