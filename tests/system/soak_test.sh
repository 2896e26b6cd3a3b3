#!/usr/bin/env bash
# ops/soak with parts of our own: what passes leaves nothing, what fails is kept and said with the line that does it
# again, what is skipped counts as neither, and what takes too long is cut short.
. "$(dirname "$0")/lib.sh"

echo 'exit 77' >"$work/skipped.sh"
cat >"$work/good" <<TABLE
easy     0  -             true {seed}
skipped  1  -             bash $work/skipped.sh
absent   1  /no/such/one  false
slow     1  -             sleep 600
TABLE
ops/soak --table "$work/good" 0.04 >"$work/said" 2>&1 || fail "it fails where nothing failed: $(cat "$work/said")"
grep -q "nothing failed" "$work/said" || fail "it does not say that nothing failed: $(cat "$work/said")"
grep -q "left out: absent: there is no /no/such/one" "$work/said" || fail "it does not say what it leaves out: $(cat "$work/said")"
grep -q "easy [1-9]" "$work/said" || fail "it counts no turns: $(cat "$work/said")"

cat >"$work/planted" <<TABLE
easy     0  -  true
planted  1  -  bash $work/planted.sh {seed}
endless  1  -  bash $work/endless.sh {seed}
TABLE
echo 'echo "  build/release/bin/kontor-flips --replay store:$1:3"; sleep 600' >"$work/endless.sh"
cat >"$work/planted.sh" <<'PLANTED'
echo image >"$TMPDIR/image"
echo "seed $1: lost write"
echo "  build/release/bin/kontor-sim --seed $1 --trace"
exit 12
PLANTED
status=0
ops/soak --table "$work/planted" 0.04 >"$work/said" 2>&1 || status=$?
kept=$(sed -n 's/^ops\/soak: .* is in \(.*\)/\1/p' "$work/said")
at_end() { [ -z "$kept" ] || rm -rf "$kept"; }
[ "$status" = 1 ] || fail "a part that failed gives status $status: $(cat "$work/said")"
line=$(grep '^FAILED planted .*(status 12)' "$work/said" | head -n 1 || true) # the last may have been cut short
seed=$(sed -n 's/^FAILED planted \([0-9]*\) (status 12): build\/release\/bin\/kontor-sim --seed \1 --trace$/\1/p' <<<"$line")
[ -n "$seed" ] || fail "the failure is not said with the line that does it again: $line"
for file in command log image; do
    [ -s "$kept/planted-$seed/$file" ] || fail "$file of what failed was not kept in $kept"
done
grep -q '^FAILED endless .*(status cut short): .*kontor-flips --replay store:' "$work/said" ||
    fail "what a turn said before it was cut short is lost: $(cat "$work/said")"
compgen -G "$kept/easy-*" && fail "what passed was kept too"

ops/soak --list >"$work/said" && grep -q '^simulator: ' "$work/said" || fail "it does not list its parts"
status=0
ops/soak 1 nothing >"$work/said" 2>&1 || status=$?
[ "$status" = 2 ] || fail "a part that is not there gives status $status"
passed
