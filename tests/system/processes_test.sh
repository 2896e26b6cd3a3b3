#!/usr/bin/env bash
# Five offices have bad days: packets are lost, lines fail one way and both ways, nodes are killed and stopped, a disk
# fills up, while clerks write at every office.  Then it is calm: every acknowledged line is read back at every office,
# all agree, nothing is held, and no office has a problem.
#     tests/system/processes_test.sh [SECONDS [SEED]]     so much bad weather (default: 12), by these dice
# Ends with 0, or 1 where something was lost; says the seed, which decides what happens and leaves the moment to the
# machine.
. "$(dirname "$0")/lan.sh"
seconds=${1:-12}
seed=${2:-$(($(date +%s) % 32768))}
RANDOM=$seed
note "seed $seed: $0 $seconds $seed"

disk=$cluster/office-5
mkdir -p "$disk"
mount -t tmpfs -o size=48m,mode=700 tmpfs "$disk" 2>/dev/null || skipped "a small disk needs a tmpfs that can be mounted"
unmount() {
    : >"$work/enough" # the clerks of a test that failed go home too
    wait
    umount "$disk" 2>/dev/null || umount --lazy "$disk"
}
lan_up 5

# --- clerks -------------------------------------------------------------------------------------------------------

# What a clerk does once: a customer of the office's own, a share in one that others know too, a case, and a call.
lines_of() { # OFFICE NUMBER
    local shared="S-$(($2 / 4))"
    cat <<LINES
{"entity":"customer","source_system":"motor","source_id":"O$1-$2","kind":"person","occupation":"job $1.$2","contactPoint":[{"system":"email","value":"o$1.$2@example.org"}]}
{"entity":"customer","source_system":"revenue","source_id":"$shared","kind":"person","contactPoint":[{"system":"email","value":"s$1.$2@example.org"}],"occupation":"trade $1.$2"}
{"entity":"case","source_system":"311","source_id":"K$1-$2","customer":[{"ref":"revenue:$shared","role":"requester"}],"subject":"matter $1.$2","status":"open","requested_datetime":"2026-03-01T21:10:00Z"}
{"entity":"interaction","source_system":"311","source_id":"I$1-$2","case":"311:K$1-$2","channel":"phone","direction":"in","occurred":"2026-03-01T21:10:00Z","body":"words $1.$2"}
LINES
}

# Puts lines until it is enough, a refused or unanswered one again and again; what was acknowledged goes into a file.
clerk() { # OFFICE
    local n=0 put=$work/put-$1
    : >"$put.rest"
    while [ ! -e "$work/enough" ]; do
        cp "$put.rest" "$put.lines"
        while [ "$(wc -l <"$put.lines")" -lt 24 ]; do lines_of "$1" $((n++)) >>"$put.lines"; done
        timeout 10 "$KONTOR_BIN/kontor" --node "ipc://$cluster/office-$1/kontor.sock" put --tokens --actor clerk "$put.lines" \
            >"$put.tokens" 2>"$put.said" </dev/null || sleep 0.1
        awk -v acked="$put.acked" 'NR == FNR { if (sub(/^.*"line": */, "")) taken[$0 + 0] = 1; next }
            taken[FNR] { print >>acked; next } { print }' "$put.tokens" "$put.lines" >"$put.rest"
    done
}

# --- weather ------------------------------------------------------------------------------------------------------

declare -A frozen=()
tell() { echo "$((SECONDS - began)) s: $*" >>"$work/story"; }
free_kib() { df -k --output=avail "$disk" | tail -n 1 | tr -d ' '; }

storm() { # what may happen, each to somebody
    local i=$1 j=$2
    case $3 in
    one-way) cut_way "$i" "$j" ;;
    line) cut_line "$i" "$j" ;;
    island) for j in $(others "$i"); do cut_line "$i" "$j"; done ;;
    loss) lose "$i" $((RANDOM % 15 + 1)) ;;
    slow) far "$i" delay $((RANDOM % 250)) ;;
    reset) far "$i" cut ;;
    black-hole) far "$i" hang ;;
    mend) mend_all ;;
    kill) node_kill "$i" ;;
    freeze) alive "kontord-$i" && node_freeze "$i" && frozen[$i]=1 ;;
    disk) head -c $(($(free_kib) - 256))K /dev/zero >"$disk/of-somebody-else" 2>/dev/null ;;
    revive) revive "$i" ;;
    esac
}
revive() { # OFFICE: whatever was done to it
    if [ -n "${frozen[$1]-}" ]; then node_thaw "$1" 2>/dev/null || true; fi
    unset "frozen[$1]"
    alive "kontord-$1" && return 0
    [ "$1" != 5 ] || rm -f "$disk/of-somebody-else"
    node_launch "$1"
}
weather=(one-way one-way line island loss loss slow reset black-hole mend mend kill kill freeze disk revive revive revive revive)

began=$SECONDS
for i in 1 2 3 4 5; do
    clerk "$i" &
    clerks[i]=$!
done
while [ $((SECONDS - began)) -lt "$seconds" ]; do
    i=$((RANDOM % 5 + 1)) j=$(((i + RANDOM % 4) % 5 + 1))
    what=${weather[RANDOM % ${#weather[@]}]}
    tell "$what, office-$i (office-$j)"
    storm "$i" "$j" "$what" || true
    sleep "0.$((RANDOM % 8 + 1))"
done

# --- calm ---------------------------------------------------------------------------------------------------------

tell "calm"
mend_all
rm -f "$disk/of-somebody-else"
mount --options-mode ignore -o remount,size=1g -t tmpfs tmpfs "$disk" || fail "the small disk grows no more"
for i in 1 2 3 4 5; do revive "$i"; done
for i in 1 2 3 4 5; do await 30 "office-$i serves" serves "$i"; done
: >"$work/enough"
wait "${clerks[@]}"
calm_from=$SECONDS
await 60 "the offices agree" agree
note "agreed $((SECONDS - calm_from)) s after the last write"
nothing_held() { for i in 1 2 3 4 5; do [ "$(figure "$i" held)" = 0 ] || return 1; done; }
no_problems() { for i in 1 2 3 4 5; do [ "$(kontor "$i" status --json | members problems)" = 0 ] || return 1; done; }
await 20 "nothing is held" nothing_held
await 30 "no office has a problem" no_problems
await 20 "all offices are linked" all_linked

touch "$work"/put-{1,2,3,4,5}.acked
sed 's/,"occupation":"trade [^"]*"//' "$work"/put-*.acked >"$work/acknowledged" # a value is replaced by later ones
for i in 1 2 3 4 5; do
    "$KONTOR_BIN/kontor-compare" "ipc://$cluster/office-$i/kontor.sock" lines "$work/acknowledged" >"$work/compared" 2>&1 ||
        fail "acknowledged lines are not at office-$i: $(cat "$work/compared" "$work/story")"
done
[ "$(lines_in "$work/acknowledged")" -gt 100 ] || fail "hardly anything was acknowledged: $(cat "$work/story" "$work"/put-*.said)"
note "$(lines_in "$work/acknowledged") acknowledged lines read back at each of five offices, after $(($(lines_in "$work/story") - 1)) events"
for i in 1 2 3 4 5; do kontor "$i" verify >"$work/verify" 2>&1 || fail "verify finds fault at office-$i: $(cat "$work/verify")"; done
passed
