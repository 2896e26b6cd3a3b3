# For tests of real nodes on a real network: sourced first, it starts the test again in a network and a mount namespace
# of its own, so that nothing outside is touched, and then gives what lib.sh gives and the words below.  Every office
# has a network namespace; a bridge joins them.  office-N is 10.77.0.N, its peers dial port 7000.
#     office 10.77.0.1 --- eth0 --- bridge --- eth0 --- office 10.77.0.2    packets are dropped where they come in
# An office dials those after it, every other one of them through a proxy at its side, which adds a round trip.
if [ -z "${KONTOR_LAN-}" ]; then
    for as in --fork --map-root-user; do # as root, or as anybody where the kernel lets everybody have namespaces
        if unshare "$as" --net --mount true 2>/dev/null; then
            KONTOR_LAN=1 exec unshare "$as" --net --mount bash "$0" "$@"
        fi
    done
    echo "skipped: the network of each office needs namespaces: root, and no chroot"
    exit 77
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

declare -A pids=() holders=()
for program in ip nft nsenter; do
    command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v "$program" >/dev/null || skipped "there is no $program: install iproute2, nftables and util-linux"
done

address() { echo "10.77.0.$1"; }
within() { nsenter --net="/proc/${holders[$1]}/ns/net" "${@:2}"; } # OFFICE COMMAND...
others() { # OFFICE: all but this one
    local j
    for ((j = 1; j <= offices; j++)); do [ "$j" = "$1" ] || echo "$j"; done
}

# --- lines --------------------------------------------------------------------------------------------------------

packets() { within "$1" nft "${@:2}"; }
# Nothing of FROM arrives at TO any more; it arrives again.
cut_way() { packets "$2" add element inet line deaf "{ $(address "$1") }"; }
mend_way() { packets "$2" delete element inet line deaf "{ $(address "$1") }" 2>/dev/null || true; }
cut_line() { cut_way "$1" "$2" && cut_way "$2" "$1"; }
lose() { # OFFICE PERCENT of the packets that arrive
    packets "$1" flush chain inet line loss
    [ "$2" = 0 ] || packets "$1" add rule inet line loss numgen random mod 100 '<' "$2" drop
}
mend_all() {
    local i
    for ((i = 1; i <= offices; i++)); do
        packets "$i" flush set inet line deaf
        lose "$i" 0
        far "$i" heal
    done
}
dials_made() { packets "$1" list chain inet line out | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; } # OFFICE

# Every line of an office that goes through its proxy: far OFFICE heal|cut|hang, far OFFICE delay MS
goes_far() { [ $((($1 + $2) % 2)) = 1 ]; }
proxy() { "$KONTOR_BIN/kontor-proxy" ask "$cluster/office-$1/proxy.sock" "${@:2}"; }
far() {
    local j
    for ((j = $1 + 1; j <= offices; j++)); do
        if goes_far "$1" "$j"; then proxy "$1" "$2" "$j" "${@:3}" >/dev/null; fi
    done
}

make_line() { # OFFICE: its namespace, its cable to the bridge, its filter
    local i=$1 own
    own=$(readlink /proc/self/ns/net)
    unshare --net sleep infinity &
    holders[$i]=$!
    apart() { [ "$(readlink "/proc/${holders[$i]}/ns/net")" != "$own" ]; }
    await 5 "office-$i has a network of its own" apart
    ip link add "cable$i" type veth peer name eth0 netns "${holders[$i]}" &&
        ip link set "cable$i" master bridge0 up && within "$i" ip address add "$(address "$i")/24" dev eth0 &&
        within "$i" ip link set eth0 up && within "$i" ip link set lo up && within "$i" nft -f - <<'NFT'
table inet line {
    set deaf { type ipv4_addr; }
    chain loss { }
    chain in {
        type filter hook input priority 0;
        ip saddr @deaf drop
        iifname "eth0" jump loss
    }
    chain out {
        type filter hook output priority 0;
        oifname "eth0" tcp flags & (syn | ack) == syn counter
    }
}
NFT
}

# --- offices ------------------------------------------------------------------------------------------------------

launch() { # OFFICE LOG PROGRAM ARGS...: in the office's network; sets pids[PROGRAM-OFFICE]
    local i=$1 log=$2 program=$3
    nsenter --net="/proc/${holders[$i]}/ns/net" "$KONTOR_BIN/$program" "${@:4}" </dev/null >>"$log" 2>&1 &
    pids[$program-$i]=$!
    disown
}
alive() { [ -n "${pids[$1]-}" ] && kill -0 "${pids[$1]}" 2>/dev/null; }
dead() { ! alive "$1"; }
end_process() { # SIGNAL PROGRAM-OFFICE
    alive "$2" || return 0
    kill -"$1" "${pids[$2]}"
    kill -CONT "${pids[$2]}" 2>/dev/null || true
    await 20 "$2 is gone" dead "$2"
}
node_kill() { end_process KILL "kontord-$1"; }
node_freeze() { kill -STOP "${pids[kontord-$1]}"; }
node_thaw() { kill -CONT "${pids[kontord-$1]}"; }
serves() { kontor "$1" status --json >/dev/null 2>&1; }
node_launch() { launch "$1" "$cluster/office-$1/kontord.log" kontord --config "$cluster/office-$1/kontord.conf"; }
node_start() { # OFFICE...: all at once
    local i
    for i in "$@"; do node_launch "$i"; done
    for i in "$@"; do await 30 "office-$i serves" serves "$i"; done
}
all_linked() {
    local i
    for ((i = 1; i <= offices; i++)); do [ "$(linked "$i")" = $((offices - 1)) ] || return 1; done
}

write_conf() {
    local i=$1 j port dial=
    for ((j = i + 1; j <= offices; j++)); do
        port=$(address "$j"):7000
        if goes_far "$i" "$j"; then
            port=$(proxy "$i" line "$j" 0 "$port") && port=127.0.0.1:${port#ok } || return 1
        fi
        dial+="${dial:+, }\"tcp://$port\""
    done
    cat >"$cluster/office-$i/kontord.conf" <<CONF
listen   = {"tcp://$(address "$i"):7000"}
dial     = {$dial}
service  = {"ipc://kontor.sock"}
log_file = "kontord.log"
CONF
}

found_organisation() {
    local i requests=()
    "$KONTOR_BIN/kontor" authority init "$cluster/authority" --organisation "Kontor on a bridge" || return 1
    for ((i = 1; i <= offices; i++)); do
        "$KONTOR_BIN/kontor" node init "$cluster/office-$i" --office "office-$i" || return 1
        requests+=("$cluster/office-$i/join.request")
    done
    "$KONTOR_BIN/kontor" authority admit "$cluster/authority" --compartment core --compartment revenue \
        --compartment motor --compartment health --compartment service --system revenue=revenue --system motor=motor \
        --system health=health --system 311=service --read core,revenue,motor,health,service \
        --write core,revenue,motor,health,service "${requests[@]}"
}

# lan_up N [ONE_WAY_MS]: offices 1 to N, all linked
lan_up() {
    local i
    offices=$1
    mkdir -p "$cluster"
    { ip link set lo up && ip link add bridge0 type bridge && ip link set bridge0 up; } >"$work/lan.err" 2>&1 ||
        skipped "no bridge can be made here: $(cat "$work/lan.err")"
    for ((i = 1; i <= offices; i++)); do
        make_line "$i" 2>"$work/lan.err" || skipped "no network can be made here: $(cat "$work/lan.err")"
    done
    found_organisation >"$work/founding.err" 2>&1 || fail "no organisation: $(cat "$work/founding.err")"
    for ((i = 1; i <= offices; i++)); do
        launch "$i" "$work/proxy-$i.err" kontor-proxy serve "$cluster/office-$i/proxy.sock"
        await 10 "the proxy of office-$i serves" proxy "$i" list >/dev/null 2>&1
        write_conf "$i" || fail "office-$i has no lines"
        far "$i" delay "${2:-50}"
    done
    node_start $(seq "$offices")
    await 30 "all offices are linked" all_linked
}

at_end() {
    local p status=0
    for p in "${!pids[@]}"; do
        alive "$p" && kill -CONT "${pids[$p]}" && kill -TERM "${pids[$p]}"
    done
    for p in "${!pids[@]}"; do
        local end=$((SECONDS + 20 * KONTOR_PATIENCE))
        while alive "$p" && [ "$SECONDS" -lt "$end" ]; do sleep 0.05; done
        alive "$p" || continue
        echo "FAILED $test_name: $p does not stop; killed" >&2
        kill -KILL "${pids[$p]}"
        status=1
    done
    for p in "${holders[@]}"; do kill "$p"; done
    unmount || status=1
    wait
    return "$status"
}
unmount() { :; } # a test with a disk of its own puts it away here
