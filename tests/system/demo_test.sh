#!/usr/bin/env bash
# The demo with a small town: every check of the story holds, it ends by itself and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
KONTOR_DEMO_CUSTOMERS=${KONTOR_DEMO_CUSTOMERS:-300} TMPDIR=$work ops/demo --once >"$work/story" 2>&1 || {
    cat "$work/story" >&2
    fail "the demo ended with $?"
}
grep -q 'NO:' "$work/story" && fail "a check did not hold: $(grep 'NO:' "$work/story")"
[ "$(grep -c '    yes:' "$work/story")" -ge 25 ] || fail "the story is short: $(cat "$work/story")"
[ -z "$(ls -d "$work"/kontor-demo-* 2>/dev/null)" ] || fail "it left files behind"
passed
