#!/usr/bin/env bash
# A program on another host asks over tcp://: with its own key and the node's it sees the compartments it was granted;
# with no key, an unknown one, or the key of another node it is told why not and says nothing.
. "$(dirname "$0")/lib.sh"

cluster_up 2
conf=$cluster/office-1/kontord.conf
port=$(sed -n 's/^metrics_port *= *//p' "$conf")
"$KONTOR_BIN/kontor" authority show "$cluster/authority" --json >"$work/shown"
organisation=$(member cluster <"$work/shown")
node_key() { member "members.$(($1 - 1)).node_key" <"$work/shown"; }
make_key() { "$KONTOR_BIN/kontor" key "$work/$1.key" --organisation "$organisation" --node-key "$(node_key "$2")" >"$work/$1.grant"; }
make_key portal 1
make_key stranger 1
make_key misled 2

# The port of the metrics page is free: it becomes that of the service.  The grant is what `kontor key` printed.
ops kill 1
sed -i "s/^metrics_port .*/metrics_port = 0/; s#^service .*#service = {\"ipc://kontor.sock\", \"tcp://127.0.0.1:$port\"}#" "$conf"
cat "$work/portal.grant" >>"$conf"
sed 's/"portal"/"misled"/' "$work/misled.grant" >>"$conf"
ops start 1

cat >"$work/people" <<'LINES'
{"entity":"customer","source_system":"revenue","source_id":"C-1","kind":"person","legalName":"Ada Okafor","occupation":"teacher","identifier":[{"system":"tax","value":"123-45"}]}
LINES
kontor 1 put "$work/people" || fail "put at the office itself"

remote() { # KEY ARGS...
    local key=$1
    shift
    "$KONTOR_BIN/kontor" --node "tcp://127.0.0.1:$port" --key "$work/$key.key" "$@" >"$work/out" 2>"$work/said"
}
remote portal lookup --json --source revenue:C-1 || fail "the portal is not answered: $(cat "$work/said")"
[ "$(member customer.legalName <"$work/out")" = 'Ada Okafor' ] || fail "the portal sees no name: $(cat "$work/out")"
! grep -q teacher "$work/out" || fail "the portal, granted core, sees what belongs to revenue"

for who in stranger misled; do
    status=0
    remote "$who" lookup --source revenue:C-1 || status=$?
    [ "$status" = 4 ] && [ -s "$work/said" ] || fail "$who: ended with $status: $(cat "$work/said")"
    ! grep -q Okafor "$work/out" "$work/said" || fail "$who was told a name"
done
status=0
sed '/^node/d' "$work/portal.key" >"$work/half.key"
chmod 600 "$work/half.key"
remote half lookup --source revenue:C-1 || status=$?
[ "$status" = 4 ] || fail "a key file that names no node: ended with $status"
passed
