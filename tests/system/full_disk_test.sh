#!/usr/bin/env bash
# The disk of one office fills up.  It says so, refuses what it cannot keep, goes on reading, and has lost nothing; with
# space again it goes on writing, and catches up on what the other wrote meanwhile.
. "$(dirname "$0")/lib.sh"

disk=$cluster/office-2
mkdir -p "$disk"
mount -t tmpfs -o size=64m,mode=700 tmpfs "$disk" 2>/dev/null || skipped "a small disk needs root and a tmpfs that can be mounted"
at_end() { umount "$disk" 2>/dev/null || umount --lazy "$disk"; }

cluster_up 2
people() { # SEED NUMBER
    "$KONTOR_BIN/kontor-generate" --seed "$1" --customers "$2"
}
people 1 1000 | kontor 1 put >/dev/null || fail "office-1 does not write"
await 30 "the offices agree" agree
view 2 --source revenue:P-000990 >"$work/view" || fail "there is nobody to look up"

# Until it is full: a file of somebody else's takes most of the disk, our own writes the rest.
free_kib() { df -k --output=avail "$disk" | tail -n 1 | tr -d ' '; }
fill() { head -c $(($(free_kib) - $1))K /dev/zero >"$disk/of-somebody-else" 2>/dev/null || true; }
fill 2048
got=0
people 2 3000 >"$work/people"
timeout 100 "$KONTOR_BIN/kontor" --node "ipc://$disk/kontor.sock" put --tokens "$work/people" >"$work/tokens" 2>"$work/said" || got=$?
note "filled: put ended with $got after $(grep -c token "$work/tokens") tokens; first words: $(head -n 1 "$work/said")"
[ "$got" != 0 ] || fail "the disk does not fill up: $(free_kib) KiB free"
[ "$got" = 6 ] || [ "$got" = 4 ] || fail "put on a full disk ended with $got: $(tail -n 3 "$work/said")"
grep -q "no space" "$work/said" || fail "it does not say that there is no space: $(head -n 3 "$work/said")"
kill -0 "$(cat "$disk/kontord.pid")" || fail "the node has ended"
view 2 --source revenue:P-000990 >"$work/view-full" || fail "a full node does not read"
same "the view on a full disk" "$work/view" "$work/view-full"
kontor 2 status --json | member problems | grep -qi "space\|free" || fail "status does not say that the disk is full: $(kontor 2 status --json | member problems)"

# office-1 goes on writing; what it writes waits for office-2
people 3 50 | kontor 1 put >/dev/null || fail "office-1 does not write while office-2 is full"

# room again: it goes on by itself
acknowledged=$(sed -n 's/.*"line":\([0-9]*\).*/\1/p' "$work/tokens" | tail -n 1)
rm -f "$disk/of-somebody-else"
mount -o remount,size=512m "$disk"
writes() { kontor 2 put >/dev/null 2>&1 <<<'{"entity":"customer","source_system":"motor","source_id":"ROOM","kind":"person","occupation":"relieved"}'; }
await 30 "office-2 writes again" writes
await 60 "the offices agree" agree

# full again, killed, and started with not a block to be had: it reads, and says what to do
fill 512
people 4 3000 | timeout 100 "$KONTOR_BIN/kontor" --node "ipc://$disk/kontor.sock" put >/dev/null 2>"$work/said-again" && fail "the disk does not fill up again"
ops kill 2
head -c 1G /dev/zero >>"$disk/of-somebody-else" 2>/dev/null && fail "the disk does not fill up to the last block"
ops start 2 # without room for its pid file, too
view 2 --source motor:ROOM >/dev/null || fail "a node started on a full disk does not read"
kontor 2 put >/dev/null 2>"$work/said-full" <<<'{"entity":"customer","source_system":"motor","source_id":"FULL","kind":"person","occupation":"refused"}' &&
    fail "a node started on a full disk takes what it cannot keep"
grep -q "no space" "$work/said-full" || fail "it does not say that there is no space: $(head -n 3 "$work/said-full")"
kontor 2 status --json | member problems | grep -qi "free" || fail "status does not say what to do about a full disk"
rm -f "$disk/of-somebody-else"
await 30 "office-2 writes again" writes
view 2 --source motor:ROOM >/dev/null || fail "office-2 has lost what it wrote between two full disks"
await 120 "the offices agree" agree
awk -v n="${acknowledged:-0}" 'NR <= n' "$work/people" | tail -n 400 | grep -o '"entity":"customer","source_system":"[^"]*","source_id":"[^"]*"' |
    sed 's/.*"source_system":"\([^"]*\)","source_id":"\([^"]*\)"/\1:\2/' | tail -n 40 >"$work/sources"
while read -r source; do
    for i in 1 2; do kontor "$i" lookup --source "$source" >/dev/null || fail "$source was acknowledged and is not at office-$i"; done
done <"$work/sources"
note "$(lines_in "$work/sources") of the last acknowledged customers asked for at both offices"
people 2 40 | kontor 2 put >/dev/null || fail "with space again office-2 does not write"
await 60 "the offices agree" agree
for i in 1 2; do kontor "$i" verify >"$work/verify" 2>&1 || fail "verify finds fault at office-$i: $(cat "$work/verify")"; done
passed
