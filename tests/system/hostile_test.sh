#!/usr/bin/env bash
# Peers that talk garbage, a thousand that say nothing, clients that announce 2 GiB: the node goes on serving, and its
# descriptors and memory come back.
. "$(dirname "$0")/lib.sh"

cluster_up 2
pid=$(cat "$cluster/office-2/kontord.pid")
peer=$(sed -n 's/^listen *= *{"\(.*\)"}/\1/p' "$cluster/office-2/kontord.conf")
client=ipc://$cluster/office-2/kontor.sock
poke() { "$KONTOR_BIN/kontor-poke" "$@"; }
descriptors() { ls "/proc/$pid/fd" | wc -l; }
resident_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"; }
serves() {
    kontor 2 put --tokens <<<"{\"entity\":\"customer\",\"source_system\":\"motor\",\"source_id\":\"$1\",\"kind\":\"person\",\"occupation\":\"calm\"}" >"$work/token" ||
        fail "after $1 office-2 does not write"
    kontor 1 lookup --source "motor:$1" --wait "$(member token <"$work/token")" --deadline 20 >/dev/null || fail "after $1 it does not arrive"
}
all_closed() { # WHAT OUTPUT: the node ended each of these connections by itself
    local opened closed
    opened=$(sed 's/opened \([0-9]*\).*/\1/' <<<"$2") closed=$(sed 's/.*side //' <<<"$2")
    [ -n "$opened" ] && [ "$opened" = "$closed" ] || fail "$1: ${2:-nothing}"
    note "$1: $2"
}
serves before
before=$(descriptors) memory=$(resident_kib)

all_closed "random bytes to the peers' port" "$(head -c 65536 /dev/urandom | poke "$peer" 20 20)"
all_closed "a web browser at the peers' port" "$(printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | poke "$peer" 20 20)"
all_closed "a length of 2 GiB at the peers' port" "$(printf '\x80\x00\x00\x00xxxx' | poke "$peer" 20 20)"
all_closed "zeros at the peers' port" "$(head -c 100000 /dev/zero | poke "$peer" 20 20)"
all_closed "random bytes to the clients' socket" "$(head -c 65536 /dev/urandom | poke "$client" 20 20)"
# SP header of a REQ socket, then a message of 2 GiB announced over ipc (type byte 1, length be64)
all_closed "a client's request of 2 GiB" "$(printf '\0SP\0\0\x30\0\0\x01\0\0\0\0\x80\0\0\0hello' | poke "$client" 20 20)"
serves garbage

# they come again and again, so that there are always some
for _ in 1 2; do : | poke "$peer" 1000 30; done >"$work/silent" &
silent=$!
: | poke "$client" 500 3 >"$work/idle" &
idle=$!
serves silence
# while they are there, an honest peer links anew
ops cut 1
await 20 "office-1 has lost its link" no_links 1
ops heal 1 || fail "among silent strangers the offices do not link"
serves amid-silence
kill -0 "$silent" || fail "the strangers were gone before the offices linked"
wait "$silent" || fail "nobody could connect"
wait "$idle" || fail "no client could connect"
while read -r line; do all_closed "a thousand peers that say nothing" "$line"; done <"$work/silent"
serves crowd

await 20 "the descriptors come back ($before before)" eval '[ "$(descriptors)" -le $((before + 8)) ]'
grown=$(($(resident_kib) - memory))
# a sanitizer keeps freed memory for itself
grep -q 'libasan\|libtsan' "/proc/$pid/maps" || [ "$grown" -lt 65536 ] || fail "memory grew by $grown KiB"
linked_now() { [ "$(linked 1)" = 1 ] && [ "$(linked 2)" = 1 ]; }
await 20 "the offices are linked" linked_now
await 20 "the offices agree" agree
note "memory grew by $grown KiB"
passed
