#!/usr/bin/env bash
# Bad input of every kind, each answered with what is wrong and what to do, and with nothing lost or stopped: lines and
# files that are not what they should be, keys and admissions of others, a peer of another organisation.
. "$(dirname "$0")/lib.sh"

cluster_up 2
x() { head -c "$1" /dev/zero | tr '\0' x; }
several() { for ((k = 0; k < $1; k++)); do printf '%s' "$2"; done; }
shown() { kontor 2 lookup --json --source "revenue:$1" 2>/dev/null | member "$2"; }
arrived() { [ "$(shown "$1" "$2")" = "$3" ]; }

# --- lines ------------------------------------------------------------------------------------------------------------
customer() { printf '{"entity":"customer","source_system":"revenue","source_id":"%s","kind":"person",%s}\n' "$1" "$2"; }
{
    customer B-1 '"occupation":"first and good"'
    customer B-2 "\"occupation\":\"$(x 17000)\""
    customer B-3 "\"occupation\":\"$(x 2000000)\""
    customer B-4 "\"occupation\":\"$(printf '\xff\xfe')\""
    customer B-5 '"occupation":"\ud800"'
    customer B-6 '"occupation":"a\u0000b"'
    customer "$(x 300)" '"occupation":"miller"'
    customer B-8 '"occupation":7'
    customer B-9 '"nosuchfield":"miller"'
    customer B-10 '"birthDate":"2021-02-30"'
    customer B-11 "\"occupation\":$(several 5000 '[')1$(several 5000 ']')"
    customer B-12 '"occupation":"miller"' | tr -d '}'
    echo '{"entity":"dragon","source_system":"revenue","source_id":"B-13"}'
    echo '[1,2,3]'
    echo 'null'
    printf 'not JSON \001\002\n'
    echo '{"entity":"case","source_system":"311","source_id":"B-17","customer":[{"ref":"nocolon"}]}'
    echo '{"entity":"customer","source_system":"nobodys","source_id":"B-18","kind":"person"}'
    customer B-19 '"occupation":"last and good"' | tr -d '\n'
} >"$work/lines"
got=0
kontor 1 put --tokens "$work/lines" >"$work/tokens" 2>"$work/said" || got=$?
[ "$got" = 6 ] || fail "bad lines: ended with $got, not 6: $(cat "$work/said")"
[ "$(wc -c <"$work/said")" -lt 8192 ] || fail "bad lines are answered at length: $(wc -c <"$work/said") bytes"
named=$(grep -oE '^line [0-9]+: [^:]+: [^:]+: .' "$work/said" | grep -oE '^line [0-9]+' | grep -oE '[0-9]+' | sort -n | tr '\n' ' ')
[ "$named" = "$(seq -s ' ' 2 18) " ] || fail "not every bad line is named with field, reason and what to do, but $named: $(cat "$work/said")"
[ "$(sed 's/.*"line":\([0-9]*\).*/\1/' "$work/tokens" | tr '\n' ' ')" = "1 19 " ] || fail "the good lines have no tokens: $(cat "$work/tokens")"
await 20 "the first good line is at the other office" arrived B-1 customer.occupation "first and good"
await 20 "the last good line is at the other office" arrived B-19 customer.occupation "last and good"
for i in 2 4 8 9 10; do kontor 2 lookup --source "revenue:B-$i" >/dev/null 2>&1 && fail "something of bad line $i was taken"; done
note "17 bad lines named, the good ones around them taken"

# --- files ------------------------------------------------------------------------------------------------------------
cat >"$work/map" <<'END_OF_MAP'
{"source_system":"revenue", "entity":"customer", "source_id":"{No}",
 "fields":{"kind":"person", "name":[{"familyName":"{Name}"}], "birthDate":{"$":"{Born}","date":"MM/DD/YYYY"}}}
END_OF_MAP
printf '\xef\xbb\xbfNo,Name,Born\r\nT-1,"Line\r\nbreak",01/02/1980\r\nT-2,Ca\xffe,01/02/1980\r\nT-3,Ok,13/45/1980\r\n' >"$work/file.csv"
printf 'T-4,Few\r\nT-5,Many,01/02/1980,more\r\n,No id,01/02/1980\r\nT-7,Good,01/02/1981\r\nT-8,"cut in the mid' >>"$work/file.csv"
got=0
kontor 1 import --map "$work/map" "$work/file.csv" >"$work/imported" 2>"$work/said" || got=$?
[ "$got" = 6 ] || fail "a file cut short: ended with $got, not 6: $(cat "$work/said")"
for line in 4 5 6 7 8 10; do grep -qE "line $line: [^:]+: [^:]+" "$work/said" || fail "the bad row at line $line is not named: $(cat "$work/said")"; done
await 20 "the good row is at the other office" arrived T-7 customer.birthDate 1981-01-02
[ "$(shown T-1 customer.name.0.familyName)" = $'Line\nbreak' ] || [ "$(shown T-1 customer.name.0.familyName)" = 'Line\nbreak' ] ||
    fail "a quoted line break was lost: $(shown T-1 customer.name.0.familyName)"
for i in 4 5 8; do kontor 2 lookup --source "revenue:T-$i" >/dev/null 2>&1 && fail "the bad row T-$i was taken"; done
refused_import() { # FILE [ARGS...]: status 2, in words
    local status=0
    kontor 1 import "${@:2}" "$1" >"$work/imported" 2>"$work/said" || status=$?
    [ "$status" = 2 ] && [ -s "$work/said" ] || fail "importing $1 ended with $status: $(cat "$work/said")"
}
: >"$work/empty.csv"
head -c 4096 /dev/urandom >"$work/noise.csv"
echo '{' >"$work/bad-map"
refused_import "$work/empty.csv" --map "$work/map"
refused_import "$work/noise.csv" --map "$work/map"
refused_import "$work/nothing.csv" --map "$work/map"
refused_import "$work/file.csv" --map "$work/bad-map"
refused_import "$work/file.csv" --preset nosuch
note "a file cut short: its bad rows named, the good ones taken"

# --- keys and admissions ----------------------------------------------------------------------------------------------
await 30 "the offices agree" agree
part 2 digests >"$work/digests"
office=$cluster/office-2
"$KONTOR_BIN/kontor" authority init "$work/others" --organisation "Somebody else" >/dev/null
"$KONTOR_BIN/kontor" node init "$work/stranger" --office stranger >/dev/null
"$KONTOR_BIN/kontor" authority admit "$work/others" --compartment core --read core --write core "$work/stranger/join.request" >/dev/null

does_not_start() { # WHAT: says why and what to do, changes nothing
    local status=0 before=0 why
    before=$(wc -c <"$office/kontord.log")
    (cd / && timeout 30 "$KONTOR_BIN/kontord" --config "$office/kontord.conf") >"$work/start.err" 2>&1 || status=$?
    why=$(tail -c +$((before + 1)) "$office/kontord.log")
    [ "$status" != 0 ] && [ "$status" != 124 ] && [ "$status" -lt 128 ] || fail "with $1 the node ended with $status: $why"
    grep -q ' do=' <<<"$why" || fail "with $1 the node does not say what to do: $why"
    note "$1: status $status, $(grep -m1 ' do=' <<<"$why" | cut -d' ' -f2-)"
}
keep() { cp -a "$office/$1" "$work/kept-$(basename "$1")"; }
put_back() { rm -rf "${office:?}/$1" && mv "$work/kept-$(basename "$1")" "$office/$1"; }
with() { # WHAT FILE SOURCE: one file of the node is another
    keep "$2"
    cat "$3" >"$office/$2"
    does_not_start "$1"
    put_back "$2"
}
ops kill 2
head -c 32 /dev/urandom >"$work/random"
head -c 31 /dev/urandom >"$work/short"
with "another root.key" root.key "$work/random"
with "a root.key cut short" root.key "$work/short"
with "the admission of another organisation" admission "$work/stranger/admission"
with "an admission that is noise" admission "$work/noise.csv"
keep root.key
rm "$office/root.key"
does_not_start "no root.key"
put_back root.key
keep root.key
chmod 644 "$office/root.key"
does_not_start "a root.key that others may read"
put_back root.key
# The files of a node of another organisation, with our journal and store beside them.
for f in root.key identity admission keys; do keep "$f"; done
for f in root.key identity admission; do cat "$work/stranger/$f" >"$office/$f"; done
does_not_start "another organisation's identity on this store"
rm -rf "$office/keys"
does_not_start "another organisation's identity on this journal"
grep -q 'KT_ECLUSTER' <(tail -n 1 "$office/kontord.log") || fail "it does not say whose journal that is: $(tail -n 1 "$office/kontord.log")"
for f in root.key identity admission keys; do put_back "$f"; done

ops start 2
part 2 digests >"$work/digests-after"
same "the digests after all this" "$work/digests" "$work/digests-after"

# --- a peer of another organisation -----------------------------------------------------------------------------------
peer=$(sed -n 's/^listen *= *{"\(.*\)"}/\1/p' "$office/kontord.conf")
printf 'dial = {"%s"}\nservice = {"ipc://s"}\nredial_ms_max = 200\nlog_file = "log"\n' "$peer" >"$work/stranger/kontord.conf"
(cd / && exec "$KONTOR_BIN/kontord" --config "$work/stranger/kontord.conf") >"$work/stranger.err" 2>&1 &
stranger=$!
told() { "$KONTOR_BIN/kontor" --node "ipc://$work/stranger/s" status --json >"$work/told" 2>/dev/null && grep -qF "no link to $peer" "$work/told"; }
await 20 "the stranger is told that it is refused" told
[ "$(members peers <"$work/told")" = 0 ] || fail "the stranger has a peer: $(cat "$work/told")"
kontor 2 status --json | member peers | grep -q stranger && fail "a stranger is among the peers"
grep -q 'link-up' "$work/stranger/log" && fail "the stranger got a link: $(tail -n 5 "$work/stranger/log")"
kill "$stranger"
wait "$stranger" || fail "the stranger ended with $?"
note "a stranger: $(member problems.0.what <"$work/told")"

linked_both() { [ "$(linked 1)" = 1 ] && [ "$(linked 2)" = 1 ]; }
await 30 "the offices are linked" linked_both
customer LAST '"occupation":"undisturbed"' | kontor 1 put >/dev/null || fail "office-1 does not write any more"
await 20 "it arrives" arrived LAST customer.occupation undisturbed
await 30 "the offices agree" agree
for i in 1 2; do kontor "$i" verify >"$work/verify" 2>&1 || fail "verify finds fault at office-$i: $(cat "$work/verify")"; done
passed
