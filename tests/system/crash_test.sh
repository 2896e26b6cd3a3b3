#!/usr/bin/env bash
# A node loses its store, or its machine: from checkpoint and journal it comes back with everything, and nobody notices.
. "$(dirname "$0")/lib.sh"

KONTOR_CONF='checkpoint_journal_mib = 1' cluster_up 2
town="$KONTOR_BIN/kontor-generate --seed 5 --customers 200"
$town --part 1/2 | kontor 1 put >/dev/null || fail "office-1 does not take its part"
$town --part 2/2 | kontor 2 put >/dev/null || fail "office-2 does not take its part"
await 60 "the offices agree" agree
part 2 vector >"$work/vector"
part 2 digests >"$work/digests"
view 2 --source revenue:P-000003 >"$work/view" || fail "there is nobody to look up"

comes_back() { # WHAT: starts office-2; it must show what it showed, and go on writing
    ops start 2
    part 2 vector >"$work/vector-after"
    part 2 digests >"$work/digests-after"
    same "$1: the vector" "$work/vector" "$work/vector-after"
    same "$1: the digests" "$work/digests" "$work/digests-after"
    view 2 --source revenue:P-000003 >"$work/view-after" || fail "$1: the customer is gone"
    same "$1: the view" "$work/view" "$work/view-after"
    kontor 2 verify >"$work/verify" 2>&1 || fail "$1: verify finds fault: $(cat "$work/verify")"
    note "$1: all there"
}
store=$cluster/office-2/store
[ -d "$store" ] || fail "there is no folder $store"

ops kill 2
comes_back "killed"

ops kill 2
rm -rf "$store"
comes_back "its store was deleted"

ops kill 2
size=$(stat -c %s "$store/data.mdb")
truncate -s $((size / 2 / 4096 * 4096)) "$store/data.mdb"
comes_back "half of its store was cut off"

ops kill 2
rm -f "$cluster/office-2/mark"
dd if=/dev/urandom of="$store/data.mdb" bs=4096 seek=3 count=40 conv=notrunc status=none
comes_back "its store was overwritten and what it remembers of its files was lost"

# Another boot of the machine, for a process that sees another boot id; needs root and a mount namespace.
cat /proc/sys/kernel/random/uuid >"$work/boot"
boot=/proc/sys/kernel/random/boot_id
if unshare -m sh -c "mount --bind '$work/boot' $boot && cmp -s '$work/boot' $boot" 2>/dev/null; then
    ops kill 2
    size=$(stat -c %s "$store/data.mdb")
    truncate -s $((size / 3 / 4096 * 4096)) "$store/data.mdb"
    ops() {
        if [ "$1" = start ]; then
            unshare -m bash -c "mount --bind '$work/boot' $boot && ops/cluster start office-$2 '$cluster'"
        else ops/cluster "$1" "office-$2" "$cluster"; fi
    }
    comes_back "the machine crashed with its store half written"
else
    note "skipped: another boot id needs root and a mount namespace"
fi

kontor 2 put --tokens <<<'{"entity":"customer","source_system":"motor","source_id":"AFTER","kind":"person","occupation":"phoenix"}' >"$work/token" ||
    fail "it does not write any more"
kontor 1 lookup --source motor:AFTER --wait "$(member token <"$work/token")" --deadline 20 >/dev/null || fail "its write does not arrive"
await 60 "the offices agree" agree
passed
