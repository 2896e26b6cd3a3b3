#!/usr/bin/env bash
# The pages of a node: metrics in the text format of Prometheus, health and readiness; what is not known has no sample.
. "$(dirname "$0")/lib.sh"

cluster_up 2
get() { # OFFICE PATH: status line, headers and body in $work/page
    local port
    port=$(sed -n 's/^metrics_port *= *//p' "$cluster/office-$1/kontord.conf")
    exec 9<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&9
    timeout 10 cat <&9 | tr -d '\r' >"$work/page"
    exec 9>&-
    head -n 1 "$work/page" | grep -q " ${3:-200} "
}
value() { sed -n "s/^$1[^ ]* //p" "$work/page" | head -n 1; } # a metric by the beginning of its line

get 1 /healthz || fail "healthz: $(head -n 1 "$work/page")"
get 1 /readyz || fail "readyz: $(head -n 1 "$work/page")"
get 1 /nothing 404 || fail "a page that is not there: $(head -n 1 "$work/page")"

kontor 1 put <<<'{"entity":"customer","source_system":"motor","source_id":"M-1","kind":"person","occupation":"Quastenflosser"}' >/dev/null || fail "no write"
await 20 "the offices agree" agree
kontor 1 lookup --source motor:M-1 >/dev/null || fail "no lookup"
caught_up() { get 1 /metrics && [ "$(value 'kontor_peer_behind_batches{office="office-2"')" = 0 ]; }
await 20 "office-2 has acknowledged" caught_up
[ "$(value 'kontor_peer_linked{office="office-2"')" = 1 ] || fail "office-2 does not count as linked"
[ "$(value kontor_puts_total)" = 1 ] || fail "one put counts as $(value kontor_puts_total)"
for m in kontor_peer_lag_seconds kontor_commit_seconds_count kontor_lookup_seconds_bucket kontor_disk_free_bytes \
    kontor_map_used_bytes kontor_held_envelopes kontor_conflicts kontor_problems; do
    grep -q "^$m" "$work/page" || fail "there is no $m"
done
# every sample stands under its TYPE, and every line is in the format
sed '1,/^$/d' "$work/page" | awk '
    /^# TYPE / { type[$3] = $4; next }
    /^# HELP / || /^$/ { next }
    !/^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.eE+-]+$/ { print "not in the format: " $0; bad = 1; next }
    { name = $1; sub(/\{.*/, "", name); plain = name; sub(/_(bucket|sum|count)$/, "", plain)
      if (!(name in type) && !(plain in type)) { print "without a type: " $0; bad = 1 } }
    END { exit bad }' >"$work/wrong" || fail "$(head -n 3 "$work/wrong")"
grep -q Quastenflosser "$work/page" && fail "a customer's data stands in the metrics"

# a peer that is gone: its lag grows, it counts as silent, it is not 0
ops kill 2
silent() { get 1 /metrics && [ "$(value 'kontor_peer_silent{office="office-2"')" = 1 ]; }
await 20 "office-2 counts as silent" silent
[ "$(value 'kontor_peer_linked{office="office-2"')" = 0 ] || fail "a dead office counts as linked"
grown() { get 1 /metrics && awk -v lag="$(value 'kontor_peer_lag_seconds{office="office-2"')" 'BEGIN { exit !(lag > 5) }'; }
await 20 "its lag grows" grown
passed
