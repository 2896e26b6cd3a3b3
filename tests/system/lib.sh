# For the tests of whole programs: sourced first.  Gives $work, a folder that goes away at the end with everything that
# was started in it, and the words below.  The programs are in $KONTOR_BIN (default: the release build).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KONTOR_BIN=${KONTOR_BIN:-$PWD/build/release/bin} LC_ALL=C.UTF-8
[ "${KONTOR_BIN#/}" != "$KONTOR_BIN" ] || KONTOR_BIN=$PWD/$KONTOR_BIN
export KONTOR_PATIENCE=${KONTOR_PATIENCE:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/kontor-system-XXXXXX")
cluster=$work/c # set once there is one
test_name=$(basename "$0" _test.sh)

note() { echo "$test_name: $*"; }
fail() {
    echo "FAILED $test_name: $*" >&2
    local log
    for log in "$cluster"/office-*/kontord.log; do
        [ -e "$log" ] || continue
        echo "--- the end of $log:" >&2
        tail -n 25 "$log" >&2
    done
    exit 1
}
skipped() {
    echo "skipped: $*"
    exit 77
}
passed() { note "passed in $SECONDS s"; }
lines_in() { wc -l <"$1"; }
same() { cmp -s "$2" "$3" || fail "$1: $2 and $3 differ: $(diff "$2" "$3" | head -n 5)"; }

# await SECONDS WHAT COMMAND...: until the command succeeds; fails the test when the time is up
await() {
    local end=$((SECONDS + $1 * KONTOR_PATIENCE)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain until $what"
        sleep 0.1
    done
}

# --- a cluster --------------------------------------------------------------------------------------------------------

# cluster_up N: offices 1 to N.  KONTOR_CONF adds lines to each configuration.
cluster_up() {
    offices=$1
    ops/cluster up "$1" "$cluster" || fail "the cluster does not start"
}
ops() { ops/cluster "$1" "office-$2" "$cluster"; } # cut|heal|kill|start NUMBER
kontor() { "$KONTOR_BIN/kontor" --node "ipc://$cluster/office-$1/kontor.sock" "${@:2}"; }

# member PATH: one value of the JSON on standard input; members PATH: how many it has (see ops/json.awk)
member() { awk -v path="$1" -f ops/json.awk; }
members() { awk -v path="$1" -v count=1 -f ops/json.awk; }
figure() { kontor "$1" status --json | member "$2"; } # NUMBER PATH, such as batches or conflicts
# What an office says about one thing, an entry a line, in order: part NUMBER vector|digests
part() { figure "$1" "$2" | tr '{},' '\n' | tr -d ' \t' | LC_ALL=C sort; }
# How many peers an office says it is linked to.
linked() { figure "$1" peers | grep -o '"state": *"linked"' | wc -l; }
no_links() { [ "$(linked "$1")" = 0 ]; }
two_links() { [ "$(linked "$1")" = 2 ]; }
# What an office shows of one customer, without when and where it was asked: view NUMBER LOOKUP-ARGS...
view() {
    local answer
    answer=$(kontor "$1" lookup --json "${@:2}") || return 1
    member customer <<<"$answer"
    member cases <<<"$answer"
}

# Do all offices (or those given) hold the same, and agree on what it means?
agree() {
    local n first=
    [ $# -gt 0 ] || set -- $(seq "$offices")
    for n in "$@"; do
        local here
        here=$(part "$n" vector; part "$n" digests) || return 1
        [ -n "$here" ] || return 1
        [ -n "$first" ] || first=$here
        [ "$here" = "$first" ] || return 1
    done
}

# What a sanitizer wrote into a node's log ends the test, whatever else happened.
sanitizer_reports() {
    grep -lE 'Sanitizer|runtime error:|SUMMARY: ' "$cluster"/office-*/kontord.log "$work"/*.err 2>/dev/null || true
}

# A test with more to put away than a cluster and files says so here.
at_end() { :; }

finish() {
    local status=$? report
    trap - EXIT
    if [ -e "$cluster/offices" ] && ! ops/cluster down "$cluster"; then
        echo "FAILED $test_name: the cluster does not go down" >&2
        [ "$status" != 0 ] || status=1
    fi
    for report in $(sanitizer_reports); do
        echo "FAILED $test_name: a sanitizer spoke, in $report:" >&2
        grep -nE -A 30 'Sanitizer|runtime error:' "$report" | head -n 80 >&2 || true
        status=1
    done
    at_end || status=1
    if [ -n "${KONTOR_KEEP-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
    exit "$status"
}
trap finish EXIT
