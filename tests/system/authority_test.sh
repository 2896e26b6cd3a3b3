#!/usr/bin/env bash
# An organisation is founded, nodes ask to join and are admitted, and everything that must not be is refused, each with
# its exit status.
set -u
kontor=${KONTOR_BIN:?}/kontor
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# want STATUS WHAT COMMAND...: runs it; its output is in ./out
want() {
    local status=$1 what=$2 got
    shift 2
    "$@" >out 2>&1
    got=$?
    if [ "$got" = "$status" ]; then echo "ok     $what"; else
        echo "FAILED $what: status $got, not $status"
        cat out
        failed=1
    fi
}
same() { [ "$2" = "$3" ] && echo "ok     $1" || { echo "FAILED $1: \"$2\", not \"$3\""; failed=1; }; }
mode() { stat -c %a "$1"; }
# What "show" says: the roster's number; what a member reads or writes.
version() { "$kontor" authority show authority | sed -n 's/^roster \([0-9]*\) .*/\1/p'; }
hash_now() { "$kontor" authority show authority | sed -n 's/.*hash //p'; }
of_member() { "$kontor" authority show authority | sed -n "/^member $1:/,/writes/p" | sed -n "s/^  $2 *//p"; }
flip() { # FILE OFFSET: changes one byte
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

want 0 "an organisation is founded" "$kontor" authority init authority --organisation "Freie Stadt Ærø"
same "its secrets are its owner's alone" "$(mode authority) $(mode authority/root.key) $(mode authority/authority.key) $(mode authority/keys.1)" "700 600 600 600"
before=$(cat authority/* | sha256sum)
want 4 "it is not founded twice" "$kontor" authority init authority --organisation other
same "and nothing changed" "$(cat authority/* | sha256sum)" "$before"

for n in 1 2 3 4; do want 0 "node $n makes its keys" "$kontor" node init "office-$n" --office "office-$n" --agency "Agency $n"; done
same "its secrets are its owner's alone" "$(mode office-1) $(mode office-1/root.key) $(mode office-1/identity)" "700 600 600"
before=$(cat office-1/* | sha256sum)
want 4 "keys are not overwritten" "$kontor" node init office-1 --office office-1
rm office-1/join.request && want 4 "not even where only some are left" "$kontor" node init office-1 --office office-1
rm -r office-1 && "$kontor" node init office-1 --office office-1 --agency "Agency 1" >out 2>&1

want 0 "two nodes are admitted in one roster" "$kontor" authority admit authority --system revenue=revenue --system 311=core \
    --compartment health office-1/join.request office-2/join.request
same "as members 1 and 2 of roster 2" "$(version) $("$kontor" authority show authority | grep ^member | tr '\n' ' ')" \
    "2 member 1: office-1, Agency 1 member 2: office-2, Agency 2 "
same "with all rights" "$(of_member 1 writes) and $(of_member 2 reads)" "core, health, revenue and core, health, revenue"
same "systems mapped as asked" "$("$kontor" authority show authority | grep ^source | tr '\n' ' ')" \
    "source system 311 belongs to core source system revenue belongs to revenue "
same "each has its admission" "$(ls office-*/admission | tr '\n' ' ')" "office-1/admission office-2/admission "
want 0 "a third may read core alone" "$kontor" authority admit authority --read core --write core office-3/join.request
same "and does" "$(of_member 3 reads) and $(of_member 3 writes)" "core and core"
want 0 "a fourth only relays" "$kontor" authority admit authority --read none --write none office-4/join.request
same "and does" "$(of_member 4 reads) and $(of_member 4 writes)" "nothing and nothing"
same "one bundle for each reader and compartment" "$(ls authority/bundles | wc -l)" 7
same "the chain is kept" "$(ls authority/roster.* | wc -l)" 4

rm office-1/admission
want 0 "an admission that was lost is written again" "$kontor" authority admit authority office-1/join.request
same "without a new roster" "$(version) $(test -s office-1/admission && echo there)" "4 there"
want 0 "a member gains a right" "$kontor" authority admit authority --read core,revenue --write none office-3/join.request
same "just that" "$(version): $(of_member 3 reads) and $(of_member 3 writes)" "5: core, revenue and core"
want 0 "the roster as JSON" "$kontor" authority show authority --json && grep -q '"version": 5' out || failed=1
want 0 "a compartment alone can be made" "$kontor" authority admit authority --compartment motor

want 4 "a system does not move" "$kontor" authority admit authority --system revenue=core
want 2 "rights to an unknown compartment make no sense" "$kontor" authority admit authority --read nowhere office-1/join.request
want 2 "nor does a mapping without a compartment" "$kontor" authority admit authority --system revenue
want 2 "nor the same request twice" "$kontor" authority admit authority office-1/join.request office-1/join.request
want 2 "nor admitting nobody" "$kontor" authority admit authority
want 2 "nor an option nobody knows" "$kontor" authority admit authority --nonsense office-1/join.request
want 2 "nor a command nobody knows" "$kontor" authority expel authority
want 2 "nor a node without an office" "$kontor" node init office-9
want 2 "nor a name with a line break" "$kontor" node init office-9 --office $'two\nlines'
want 1 "a request that is not there" "$kontor" authority admit authority office-9/join.request
want 1 "an authority that is not there" "$kontor" authority show elsewhere
for what in init admit show; do want 0 "authority $what --help" "$kontor" authority $what --help && grep -q "Example" out || failed=1; done
want 0 "node init --help" "$kontor" node init --help

mkdir forged && cp office-2/join.request forged/ && flip forged/join.request 30
before=$(hash_now)
"$kontor" authority admit authority forged/join.request >out 2>&1
same "a forged request is refused" "$(($? == 4 || $? == 5))" 1
head -c 20 office-2/join.request >forged/join.request
want 5 "half a request is damaged" "$kontor" authority admit authority forged/join.request
same "and nobody is admitted" "$(hash_now)" "$before"

cp -a authority copy && flip copy/roster.2 40
want 5 "a damaged roster" "$kontor" authority show copy
rm -r copy && cp -a authority copy && rm copy/roster.1
want 5 "a missing roster" "$kontor" authority show copy
rm -r copy && cp -a authority copy && flip copy/authority.key 50
want 5 "a damaged key" "$kontor" authority show copy
rm -r copy && cp -a authority copy && head -c 32 /dev/urandom >copy/root.key
want 5 "another root key" "$kontor" authority show copy
rm -r copy && cp -a authority copy && rm copy/bundles/*
want 5 "missing bundles" "$kontor" authority admit copy office-1/join.request
rm -r copy && cp -a authority copy && chmod 644 copy/root.key
want 4 "a root key that others may read" "$kontor" authority show copy
want 4 "two commands at once" flock authority/root.key "$kontor" authority admit authority --compartment later
same "no temporary file is left" "$(ls -A authority office-* | grep -c '\.[A-Za-z0-9]\{6\}$')" 0
exit $failed
