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
shown() { "$kontor" authority show authority --json | python3 -c "import json, sys; r = json.load(sys.stdin); print($1)"; }
flip() { # FILE OFFSET: changes one byte
    python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 1]))' "$1" "$2"
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
same "as members 1 and 2 of roster 2" "$(shown '[r["version"], [m["number"] for m in r["members"]]]')" "[2, [1, 2]]"
same "with all rights" "$(shown 'r["members"][1]["read"] == r["members"][0]["write"] == ["core", "health", "revenue"]')" "True"
same "systems mapped as asked" "$(shown 'r["systems"] == {"311": "core", "revenue": "revenue"}')" "True"
same "each has its admission" "$(ls office-*/admission | tr '\n' ' ')" "office-1/admission office-2/admission "
want 0 "a third may read core alone" "$kontor" authority admit authority --read core --write core office-3/join.request
same "and does" "$(shown 'r["members"][2]["read"] + r["members"][2]["write"]')" "['core', 'core']"
want 0 "a fourth only relays" "$kontor" authority admit authority --read none --write none office-4/join.request
same "and does" "$(shown 'r["members"][3]["read"] + r["members"][3]["write"]')" "[]"
same "one bundle for each reader and compartment" "$(ls authority/bundles | wc -l)" 7
same "the chain is kept" "$(ls authority/roster.* | wc -l)" 4

rm office-1/admission
want 0 "an admission that was lost is written again" "$kontor" authority admit authority office-1/join.request
same "without a new roster" "$(shown 'r["version"]') $(test -s office-1/admission && echo there)" "4 there"
want 0 "a member gains a right" "$kontor" authority admit authority --read core,revenue --write none office-3/join.request
same "just that" "$(shown '[r["version"], r["members"][2]["read"], r["members"][2]["write"]]')" "[5, ['core', 'revenue'], ['core']]"
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
before=$(shown 'r["hash"]')
"$kontor" authority admit authority forged/join.request >out 2>&1
same "a forged request is refused" "$(($? == 4 || $? == 5))" 1
head -c 20 office-2/join.request >forged/join.request
want 5 "half a request is damaged" "$kontor" authority admit authority forged/join.request
same "and nobody is admitted" "$(shown 'r["hash"]')" "$before"

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
