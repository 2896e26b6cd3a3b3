#!/usr/bin/env bash
# Nothing readable about a customer stands on a line between offices, or in any file of a node, logs included.
. "$(dirname "$0")/lib.sh"

cluster_up 3
for line in 1-2 1-3 2-3; do
    "$KONTOR_BIN/kontor-proxy" ask "$cluster/proxy.sock" capture "$line" "$work/line-$line" >/dev/null
done
# Sessions that were set up before the capture began would hide their handshake: have them set up again.
ops cut 1 && ops heal 1
ops cut 2 && ops heal 2

town="$KONTOR_BIN/kontor-generate --seed 11 --customers 60"
for i in 1 2 3; do $town --part "$i/3" | kontor "$i" put >/dev/null || fail "office-$i does not take its part"; done
# a canary in every kind of place, among them a log's favourite: input that is refused
cat >"$work/more" <<'END'
{"entity":"customer","source_system":"revenue","source_id":"Zwiebelfisch-77","kind":"person","birthDate":"1961-07-13","name":[{"use":"official","familyName":"Quastenflosser","givenName":["Walburga"]}],"identifier":[{"system":"tax","value":"88776655443"}],"contactPoint":[{"system":"phone","value":"+49 30 0918273"},{"system":"email","value":"quasten.flosser@example.org"}],"occupation":"perlentaucherin","address":[{"thoroughfare":"Krummhornweg","postName":"Entenhausen"}]}
{"entity":"case","source_system":"311","source_id":"SR-Zwiebelfisch","customer":[{"ref":"revenue:Zwiebelfisch-77","role":"requester"}],"service_code":"noise","subject":"Dudelsackgewitter","status":"open"}
{"entity":"interaction","source_system":"311","source_id":"I-Zwiebelfisch","case":"311:SR-Zwiebelfisch","channel":"letter","direction":"in","body":"Der Nachtwaechter tutet wieder"}
{"entity":"customer","source_system":"revenue","source_id":"Zwiebelfisch-78","kind":"person","birthDate":"Fliegenpilztag"}
{"entity":"customer","source_system":"revenue","source_id":"Zwiebelfisch-79","nosuchfield":"Katzensilber"}
{"entity":"customer","source_system":"revenue","source_id":"Zwiebelfisch-80","name":"Mondkalb
END
kontor 2 put <"$work/more" >/dev/null 2>&1 && fail "bad lines were not reported"
await 30 "the offices agree" agree
for i in 1 2 3; do
    kontor "$i" lookup --id tax:88776655443 | grep -q Quastenflosser || fail "the canary did not arrive at office-$i"
    kontor "$i" lookup --phone "030 0918273" >/dev/null || fail "the canary has no telephone at office-$i"
    kontor "$i" lookup --email Nobody.Katzenpfote@example.org >/dev/null 2>&1 && fail "somebody has that address"
done
ops kill 3 # what a crash leaves is looked at too
ops start 3

cat >"$work/words" <<'END'
Zwiebelfisch
1961-07-13
Quastenflosser
Walburga
88776655443
+49 30 0918273
49300918273
0918273
quasten.flosser
perlentaucherin
Krummhornweg
Entenhausen
Dudelsackgewitter
Nachtwaechter
Fliegenpilztag
nosuchfield
Katzensilber
Katzenpfote
Mondkalb
END
$town | grep -o '"familyName":"[^"]*"\|"value":"[^"]*@[^"]*"\|"source_id":"[PMH]-[0-9]*"\|"system":"tax","value":"[^"]*"' |
    sed 's/.*:"//; s/"$//' | sort -u | awk 'length($0) >= 6' >>"$work/words"
# in other forms: case beyond ASCII, accents written apart and left out, telephones as digits
sed 's/.*/\U&/' "$work/words" >"$work/upper"
sed 's/.*/\L&/' "$work/words" >"$work/lower"
sed 's/ß/ss/g; s/[^+0-9]*\([+0-9 ]\{9,\}\).*/\1/; s/ //g' "$work/words" | awk 'length($0) >= 6' >"$work/plain"
sort -u -o "$work/words" "$work/words" "$work/upper" "$work/lower" "$work/plain"
[ "$(lines_in "$work/words")" -gt 150 ] || fail "only $(lines_in "$work/words") words to look for"

# The search itself must be able to find: in a file that holds one of them among zeros, and in what was put.
mkdir "$work/proof" && printf 'x\0\0quastenflosser\0' >"$work/proof/file"
search() { LC_ALL=C grep -raoiF -D skip -f "$work/words" "$@"; }
search "$work/proof" >/dev/null || fail "the search finds nothing even where there is something"
[ "$(search "$work/more" | wc -l)" -gt 15 ] || fail "the search does not find what was put: $(search "$work/more" | wc -l) words"
# and a line captured in the clear would be readable: its first bytes are, for they greet
for line in 1-2 1-3 2-3; do
    LC_ALL=C grep -qa -F KONTOR "$work/line-$line" || fail "line $line shows not even the greeting: is that what went over it?"
done

for line in 1-2 1-3 2-3; do [ "$(wc -c <"$work/line-$line")" -gt 20000 ] || fail "little was captured on line $line"; done
hits=$(search "$cluster" "$work"/line-* | sort | uniq -c | head -n 5) || true
[ -z "$hits" ] || fail "readable: $hits"
ops/cluster down "$cluster" || fail "the cluster does not go down"
hits=$(search "$cluster" | sort | uniq -c | head -n 5) || true
[ -z "$hits" ] || fail "readable after the stop: $hits"
note "$(lines_in "$work/words") words looked for in $(du -sk "$cluster" | cut -f1) KiB of files and $(cat "$work"/line-* | wc -c) bytes of lines"
passed
