# Sourced by tidy --self-test CHECK: a check that cannot fail is worth nothing.  Each case plants one violation in a
# fresh tree and demands a finding that names it; and one tree in which all is well must stay without findings.
check=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
cases=0

# plant FILE: the content from standard input, into the tree of this case
plant() {
    mkdir -p "$work/tree/$(dirname "$1")"
    cat >"$work/tree/$1"
}
lines() { awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'; }

# expect TEXT or "nothing": runs the check on what was planted, then clears it
expect() {
    cases=$((cases + 1))
    if [ -e "$work/tree/lib.a" ]; then set -- "$1" "$work/tree/lib.a"; fi
    wanted=$1
    shift
    said=$("$here/tidy" "$check" "$work/tree" "$@" 2>&1) && status=0 || status=$?
    if [ "$wanted" = nothing ]; then
        [ "$status" = 0 ] && [ -z "$said" ] || {
            echo "case $cases: expected no finding, got ($status): $said"
            failures=$((failures + 1))
        }
    elif [ "$status" != 1 ] || ! printf '%s\n' "$said" | grep -qF "$wanted" || [ "$(printf '%s\n' "$said" | wc -l)" != 1 ]; then
        echo "case $cases: expected one finding with '$wanted', got ($status): $said"
        failures=$((failures + 1))
    fi
    rm -rf "$work/tree"
}

# an archive from C on standard input, as tree/lib.a
archive() {
    mkdir -p "$work/tree"
    cat >"$work/tree/x.c"
    ${CC:-cc} -O1 -fPIE -c -o "$work/tree/x.o" "$work/tree/x.c"
    (cd "$work/tree" && ar rcs lib.a x.o)
}

case $check in
layers)
    echo '#include "core/merge.h"' | plant proto/a.c
    expect 'proto/a.c:1: the proto layer may not include "core/merge.h"'
    echo '#include "store/lmdb.h"' | plant node/engine/a.h
    expect 'the engine layer may not include "store/lmdb.h"'
    echo '#include "net/link.h"' | plant node/store/a.c
    expect 'the store layer may not include "net/link.h"'
    echo '#include "engine/rows.h"' | plant client/a.c
    expect 'the client layer may not include "engine/rows.h"'
    echo '#include "client/cli/json/json.h"' | plant client/a.c
    expect 'the client layer may not include "client/cli/json/json.h"'
    echo '#include "host/daemon.h"' | plant client/cli/a.c
    expect 'the cli layer may not include "host/daemon.h"'
    echo '#include "merge.h"' | plant node/core/a.c
    expect 'include "merge.h" as "layer/file.h"'
    echo '# include <time.h>' | plant node/core/a.c
    expect 'core is pure: no <time.h>'
    echo '#include <lmdb.h>' | plant node/engine/a.c
    expect 'the engine layer does not stand on lmdb'
    echo '#include <nng/nng.h>' | plant node/store/a.c
    expect 'the store layer does not stand on nng'
    echo '#include <jansson.h>' | plant client/a.c
    expect 'the client layer does not stand on jansson'
    echo '#include "proto/ids.h"' | plant tests/support/proxy/a.c
    expect 'the proxy layer may not include "proto/ids.h"'
    printf '#include "host/daemon.h"\n#include <systemd/sd-daemon.h>\n' | plant node/main.c
    printf '#include "proto/ids.h"\n#include <sodium.h>\n#include <string.h>\n' | plant node/core/a.c
    printf '#include <kontor/kontor.h>\n#include <jansson.h>\n' | plant client/cli/a.c
    printf '#include "store/lmdb.h"\n#include "net/link.h"\n' | plant node/host/a.c
    expect nothing
    ;;
lengths)
    { printf 'static int long_one(int a)\n{\n' && lines 68 '    a++;' && echo '}'; } | plant node/net/a.c
    expect 'node/net/a.c:1: long_one has 71 lines; 70 at most'
    { printf 'struct x *wrapped(int a,\n    int b)\n{\n' && lines 67 '    a++;' && echo '}'; } | plant tests/unit/a_test.c
    expect 'tests/unit/a_test.c:1: wrapped has 71 lines'
    lines 501 '/* more */' | plant bench/a.c
    expect 'bench/a.c:501: 501 lines; 500 at most'
    { printf 'static int fits(int a)\n{\n' && lines 67 '    a++;' && printf '}\n\nstatic const int table[] = {\n' &&
        lines 90 '    1,' && echo '};' && printf 'int next(void)\n{\n    return 1;\n}\n'; } | plant client/a.c
    { printf 'int after(void) { return 0; }\n' && lines 499 ''; } | plant proto/a.c
    expect nothing
    ;;
banned)
    echo '    strcpy(a, b);' | plant proto/a.c
    expect 'proto/a.c:1: strcpy(): no bounds'
    echo 'int x = atoi (s);' | plant client/cli/a.c
    expect 'atoi(): an error looks like zero'
    printf '/* a comment\n over lines */ sleep(1);\n' | plant tests/unit/a_test.c
    expect 'a_test.c:2: sleep(): wait for a condition'
    echo 'printf("x");' | plant node/core/a.c
    expect 'node/core/a.c:1: printf(): pure'
    echo 'exit(1);' | plant client/a.c
    expect 'client/a.c:1: exit(): a library'
    echo '#define now() time(NULL)' | plant node/engine/a.h
    expect 'time(): time comes through'
    echo 'int rc = system(line);' | plant tests/support/a.c
    expect 'system(): a shell'
    cat <<'C' | plant node/core/a.c
/* strcpy(a, b) and
 * printf(x) are banned */
static const char *said = "never strcpy(a, b) \"or\" sprintf(c)"; // nor gets(d)
int n = snprintf(a, sizeof a, "%d", 1), k = my_system(1), m = w->random(w), o = s.time(1);
C
    echo 'printf("x"); exit(1);' | plant client/cli/a.c
    expect nothing
    ;;
headers)
    printf '#ifndef KT_A_H\n#define KT_A_H\n#endif\n' | plant proto/a.h
    expect 'proto/a.h:1: begins without a contract'
    printf '/* x */\n#ifndef KT_A_H\n#endif\n' | plant node/net/a.h
    expect 'node/net/a.h:1: begins without a contract'
    printf '/* What a disk must do for Kontor, in order. */\n#pragma once\n' | plant tests/a.h
    expect 'tests/a.h:1: has no include guard'
    printf '/* What a disk must do for Kontor, in order. */\n#ifndef KT_A_H\n#endif\n' | plant client/a.h
    expect nothing
    ;;
marks)
    printf 'int a;\n/* %s: finish */\n' "TO""DO" | plant node/a.c
    expect 'node/a.c:2: an open end'
    echo "# FIX""ME later" | plant ops/demo
    expect 'ops/demo:1: an open end'
    echo "// X""XX" | plant proto/a.h
    expect 'proto/a.h:1: an open end'
    echo 'mkdtemp("/tmp/a-XXXXXX"); int methods;' | plant tests/a.c
    expect nothing
    ;;
foreign)
    echo x | plant proto/roster/roster.pb-c.h
    expect 'proto/roster/roster.pb-c.h:1: made by a build'
    echo x | plant node/store/data.mdb
    expect 'data.mdb:1: made by a build'
    echo 'a,b' | plant bench/rows.csv
    expect 'bench/rows.csv:1: data does not belong'
    echo "see /wo""rk/main" | plant README.md
    expect 'README.md:1: names a machine or a registry'
    printf 'one\ncurl https://py''pi.org/x\n' | plant ops/setup
    expect 'ops/setup:2: names a machine or a registry'
    echo 'the work is done' | plant README.md
    echo '{}' | plant tests/vectors/noise.json
    expect nothing
    ;;
alerts)
    metrics() { echo 'static const char *m[] = {"kontor_lag_seconds"};' | plant node/host/metrics.c; }
    chapters() { printf '# Runbooks\n## An office is silent\n' | plant ops/runbooks/README.md; }
    rule() { printf 'rules:\n  - alert: Late\n    expr: %s > 3\n%s' "$1" "$2" | plant ops/alerts/a.yml; }
    metrics && chapters && rule kontor_lags '    runbook: ops/runbooks/README.md#an-office-is-silent'
    expect 'ops/alerts/a.yml:3: no metric is called kontor_lags'
    metrics && chapters && rule kontor_lag_seconds '    runbook: ops/runbooks/README.md#an-office-sings'
    expect 'ops/alerts/a.yml:4: there is no chapter'
    metrics && chapters && rule kontor_lag_seconds ''
    expect 'ops/alerts/a.yml:2: Late links no runbook'
    metrics && chapters && rule kontor_lag_seconds '    runbook: ops/runbooks/README.md#an-office-is-silent'
    expect nothing
    ;;
faults)
    tests() {
        echo 'static void a_debt_is_paid(void **state)' | plant tests/unit/merge_test.c
        echo 'true' | plant tests/system/lines_test.sh
        printf 'add_test(NAME sim.smoke COMMAND x)\nkt_crash_test(kill calls)\n' | plant tests/crash/CMakeLists.txt
    }
    matrix() { { echo "$1" && shift && printf '%s\n' "$@"; } | plant tests/FAULTS.md; }
    good='| 1 | a | b | `unit.merge: a_debt_is_paid`, `crash.kill`, `system.lines` |'
    rows_of() { awk -v n="$1" 'BEGIN { for (i = 2; i < 2 + n; i++) print "| " i " | a | b | backup |" }'; }
    tests && matrix '1 rows, 0 later' '| 1 | a | b | `unit.merge: a_debt_is_forgotten` |'
    expect 'tests/FAULTS.md:2: no test in unit.merge is called a_debt_is_forgotten'
    tests && matrix '1 rows, 0 later' '| 1 | a | b | `unit.split` |'
    expect 'tests/FAULTS.md:2: there is no test unit.split'
    tests && matrix '1 rows, 0 later' '| 1 | a | b | `crash.power` |'
    expect 'tests/FAULTS.md:2: there is no test crash.power'
    tests && matrix '1 rows, 0 later' '| 1 | a | b | `unit.merge` says so | surely |'
    expect 'tests/FAULTS.md:2: row 1 names no test'
    tests && matrix '1 rows, 0 later' '| 2 | a | b | `unit.merge` |'
    expect 'tests/FAULTS.md:2: row 2 stands where row 1 is due'
    tests && matrix '2 rows, 0 later' "$good"
    expect 'tests/FAULTS.md:1: there are 1 rows, 0 later'
    tests && matrix 'some rows' "$good"
    expect 'tests/FAULTS.md:1: it does not say how many rows there are'
    tests && matrix '1 rows, 9 later' "$good" '## Later' "$(rows_of 9)"
    expect 'tests/FAULTS.md:12: row 10 is one too many that waits for later'
    tests
    expect 'tests/FAULTS.md:1: there is no fault matrix'
    tests && matrix '1 rows, 8 later' "$good" '## Later' "$(rows_of 8)"
    expect nothing
    ;;
globals)
    echo 'static int counter; int kt_next(void); int kt_next(void) { return ++counter; }' | archive
    expect 'lib.a(x.o):1: the variable counter outlives'
    echo 'int kt_level = 3;' | archive
    expect 'the variable kt_level outlives'
    echo 'int *kt_last(void); int *kt_last(void) { static _Thread_local int last; return &last; }' | archive
    expect 'the variable last'
    echo 'static const char *const names[] = {"a", "b"}; const char *kt_name(int i); const char *kt_name(int i) { return names[i]; }' | archive
    expect nothing
    ;;
core-symbols)
    printf '#include <stdio.h>\nvoid kt_say(void); void kt_say(void) { puts("x"); }\n' | archive
    expect 'lib.a(x.o):1: the pure core calls puts'
    printf '#include <time.h>\nlong kt_now(void); long kt_now(void) { struct timespec t; clock_gettime(0, &t); return t.tv_sec; }\n' | archive
    expect 'the pure core calls clock_gettime'
    printf 'void randombytes_buf(void *, unsigned long); void kt_r(void *p); void kt_r(void *p) { randombytes_buf(p, 8); }\n' | archive
    expect 'the pure core calls randombytes_buf'
    printf '#include <stdlib.h>\n#include <string.h>\nvoid kt_other(void *); void *kt_new(unsigned long n); void *kt_new(unsigned long n) { char *p = malloc(n); if (p) memset(p, 1, n); kt_other(p); return p; }\n' | archive
    expect nothing
    ;;
*)
    echo "no check is called '$check'"
    exit 2
    ;;
esac
echo "$check: $cases cases, $failures failed"
[ "$failures" = 0 ]
exit
