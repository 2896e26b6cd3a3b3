#!/usr/bin/env bash
# Office-2 has the keys of core alone.  It shows customers without the other compartments, and relays those unread to
# office-3, which has no other line; its files and its memory hold none of their text.
. "$(dirname "$0")/lib.sh"

export KONTOR_RIGHTS="office-2=core"
cluster_up 3
proxy() { "$KONTOR_BIN/kontor-proxy" ask "$cluster/proxy.sock" "$@" >/dev/null; }
proxy cut 1-3

kontor 1 put <<'END' >/dev/null || fail "office-1 does not take them"
{"entity":"customer","source_system":"health","source_id":"H-1","kind":"person","name":[{"use":"official","familyName":"Quastenflosser","givenName":["Walburga"]}],"identifier":[{"system":"insurance","value":"Zinnober77"}],"occupation":"perlentaucherin"}
{"entity":"case","source_system":"311","source_id":"SR-1","customer":[{"ref":"health:H-1","role":"requester"}],"service_code":"noise","subject":"Dudelsackgewitter","status":"open"}
END
await 30 "office-3 has it by way of office-2" eval 'kontor 3 lookup --source health:H-1 --json | grep -q perlentaucherin'
kontor 3 lookup --json --source health:H-1 | member cases.0.subject | grep -q Dudelsackgewitter || fail "office-3 lacks the case"
await 30 "all hold the same batches" eval '[ "$(part 1 vector)" = "$(part 2 vector)" ] && [ "$(part 1 vector)" = "$(part 3 vector)" ]'

shown=$(kontor 2 lookup --json --source health:H-1) || fail "office-2 does not know the customer at all"
[ "$(member customer.name.0.familyName <<<"$shown")" = Quastenflosser ] || fail "office-2 does not show core: $shown"
grep -qE 'perlentaucherin|Zinnober77|Dudelsackgewitter' <<<"$shown" && fail "office-2 shows what it has no keys for: $shown"
member withheld <<<"$shown" | grep -q '[a-z]' || fail "office-2 does not say what it withholds: $shown"

hidden='perlentaucherin|Zinnober77|Dudelsackgewitter'
LC_ALL=C grep -raqiE "$hidden" "$cluster/office-2" && fail "a file of office-2 holds what it may not read"
# Its memory: only its owner or root can look, and a sanitizer's shadow is too large to copy.
pid=$(cat "$cluster/office-2/kontord.pid")
looked=no
if ! grep -q 'libasan\|libtsan' "/proc/$pid/maps" 2>/dev/null && [ -r "/proc/$pid/mem" ]; then
    while read -r range rights _ _ _ name; do
        case $rights in r*) ;; *) continue ;; esac
        case $name in '[vv'* | /*) continue ;; esac
        from=$((16#${range%-*})) to=$((16#${range#*-}))
        [ $((to - from)) -le $((256 << 20)) ] || continue
        dd if="/proc/$pid/mem" bs=4096 skip=$((from / 4096)) count=$(((to - from) / 4096)) status=none 2>/dev/null >"$work/memory" || continue
        [ -s "$work/memory" ] || continue
        looked=yes
        LC_ALL=C grep -qaiE "$hidden" "$work/memory" &&
            fail "the memory of office-2 holds what it may not read: $(LC_ALL=C grep -oaE "$hidden" "$work/memory" | sort | uniq -c | tr '\n' ' ') in $range $name"
        LC_ALL=C grep -qa "office-2" "$work/memory" && found_itself=yes
    done <"/proc/$pid/maps"
    [ "$looked" = no ] || [ -n "${found_itself-}" ] || fail "the look into memory sees nothing at all"
fi
# Last, because asking brings the words there.
got=0
kontor 2 put <<<'{"entity":"customer","source_system":"health","source_id":"H-2","kind":"person","occupation":"x"}' >/dev/null 2>&1 || got=$?
[ "$got" = 4 ] || fail "a write without the right ended with $got, not 4"
kontor 2 lookup --id insurance:Zinnober77 >/dev/null 2>&1 && fail "office-2 finds by an identifier it cannot read"
if [ "$looked" = yes ]; then note "memory looked through"; else note "skipped: a look into memory needs root, and programs without a sanitizer"; fi
# What it relayed unread, it relayed whole: office-3 shows what office-1 does.
for i in 1 3; do view "$i" --source health:H-1 >"$work/view-$i"; done
same "the views of office-1 and office-3" "$work/view-1" "$work/view-3"
part 1 digests >"$work/digests-1"
part 3 digests >"$work/digests-3"
same "the digests of office-1 and office-3" "$work/digests-1" "$work/digests-3"
[ "$(part 2 digests | grep -c :)" = 1 ] || fail "office-2 has digests of what it may not read: $(part 2 digests)"
[ "$(figure 2 digests.core)" = "$(figure 1 digests.core)" ] || fail "core differs"
passed
