#!/usr/bin/env bash
# A node loses its store, or its machine: from checkpoint and journal, or from the journal alone, it comes back with
# everything it ever acknowledged, and nobody notices.
. "$(dirname "$0")/lib.sh"

# A boot of the machine, as the nodes of this test see it.
boot() { cat /proc/sys/kernel/random/uuid >"$work/boot"; }
boot
export KONTOR_BOOT_ID_FILE=$work/boot
KONTOR_CONF='checkpoint_journal_mib = 1' cluster_up 2
town="$KONTOR_BIN/kontor-generate --seed 5 --customers 1500"
$town --part 1/2 | kontor 1 put >/dev/null || fail "office-1 does not take its part"
$town --part 2/2 | kontor 2 put >/dev/null || fail "office-2 does not take its part"
await 60 "the offices agree" agree
store=$cluster/office-2/store checkpoint=$cluster/office-2/checkpoint
[ -d "$store" ] || fail "there is no folder $store"
has_checkpoint() { [ -s "$checkpoint/data.mdb" ]; }
await 30 "office-2 has a checkpoint" has_checkpoint
# a tail behind the checkpoint
$town --part 1/40 | sed 's/"occupation":"[^"]*"/"occupation":"tailor"/' | kontor 2 put >/dev/null || fail "office-2 does not take more"
await 60 "the offices agree" agree

remember() {
    part 2 vector >"$work/vector"
    part 2 digests >"$work/digests"
    view 2 --source revenue:P-000003 >"$work/view" || fail "there is nobody to look up"
}
comes_back() { # WHAT: starts office-2; it must show what it showed
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
half() { truncate -s $(($(stat -c %s "$1") / 2 / 4096 * 4096)) "$1"; }
scribble() { dd if=/dev/urandom of="$1" bs=4096 seek="$2" count=40 conv=notrunc status=none; }
remember

ops kill 2
comes_back "killed"
ops kill 2
rm -rf "$store"
comes_back "its store was deleted"
ops kill 2
rm -rf "$store" "$checkpoint"
comes_back "its store was deleted, and there was no checkpoint"
await 30 "office-2 has a checkpoint again" has_checkpoint
ops kill 2
half "$store/data.mdb"
comes_back "half of its store was cut off"
ops kill 2
rm -f "$cluster/office-2/mark"
scribble "$store/data.mdb" 3
comes_back "its store was overwritten and what it remembers of its files was lost"
ops kill 2
scribble "$checkpoint/data.mdb" 1
rm -rf "$store"
comes_back "its store was deleted and its checkpoint is damaged"

# The machine crashes under load: another boot, and of the store an arbitrary part is on disk.
acknowledged=0
for damage in half scribble remove; do
    for with in "a checkpoint" "no checkpoint"; do
        # each record once, so that putting the same lines again changes nothing
        "$KONTOR_BIN/kontor-generate" --seed 8 --customers 6000 | grep '^{"entity":"customer"' |
            awk -F'"source_id":"' '!seen[$1 substr($2, 1, index($2, "\""))]++' |
            sed "s/\"source_id\":\"/&$damage-${with%% *}-/" >"$work/lines"
        : >"$work/tokens" # those of the crash before are not acknowledgements
        kontor 2 put --tokens <"$work/lines" >"$work/tokens" 2>/dev/null &
        writer=$!
        some() { [ "$(wc -l <"$work/tokens")" -gt 200 ]; }
        await 20 "the writer has acknowledgements" some
        ops kill 2
        wait "$writer" && fail "the writer was done before the crash"
        boot
        case $damage in
        half) half "$store/data.mdb" ;;
        scribble) scribble "$store/data.mdb" 20 ;;
        remove) rm -rf "$store" ;;
        esac
        [ "$with" = "a checkpoint" ] || rm -rf "$checkpoint"
        ops start 2
        await 60 "the offices agree" agree
        # every acknowledged line is there: putting them all again changes nothing
        got=$(sed -n 's/.*"line":\([0-9]*\).*/\1/p' "$work/tokens" | sort -n | tail -n 1)
        before=$(figure 2 batches)
        head -n "$got" "$work/lines" >"$work/again"
        kontor 2 put <"$work/again" >/dev/null || fail "the acknowledged lines are not taken again"
        [ "$(figure 2 batches)" = "$before" ] || fail "after the crash ($damage, $with) some of $got acknowledged lines were not there"
        acknowledged=$((acknowledged + got))
        await 30 "the offices agree" agree
        kontor 2 verify >"$work/verify" 2>&1 || fail "$damage, $with: verify finds fault: $(cat "$work/verify")"
    done
done
note "six crashes of the machine; $acknowledged acknowledged lines, all there"

kontor 2 put --tokens <<<'{"entity":"customer","source_system":"motor","source_id":"AFTER","kind":"person","occupation":"phoenix"}' >"$work/token" ||
    fail "it does not write any more"
kontor 1 lookup --source motor:AFTER --wait "$(member token <"$work/token")" --deadline 20 >/dev/null || fail "its write does not arrive"
await 60 "the offices agree" agree
passed
