/* Whatever is put where, and in whatever order it comes: every office shows the same, finds the same by the same names,
 * and an office that takes everything at once shows what those show that followed step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"
#include "support/dice.h"

#define PEOPLE 6u
#define CASES  5u

static const char *const systems[] = {"revenue", "motor"};
static const char *const statuses[] = {"new", "open", "closed"};

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

/* Values collide on purpose: few phones, few occupations, few numbers. */
static void put_person(struct bench_office *o, struct dice *d, uint32_t who)
{
    char line[512];
    const char *system = systems[who % 2];
    switch (dice_below(d, 6)) {
    case 0:
        snprintf(line, sizeof line,
                 "{'entity':'customer','source_system':'%s','source_id':'%u','kind':'person','occupation':'o%u'}",
                 system, who, dice_below(d, 3));
        break;
    case 1:
        snprintf(line, sizeof line, "{'entity':'customer','source_system':'%s','source_id':'%u','occupation':null}",
                 system, who);
        break;
    case 2:
        snprintf(line, sizeof line,
                 "{'entity':'customer','source_system':'%s','source_id':'%u','contactPoint':[{'system':'phone','value':"
                 "'+49 30 77%u','use':'u%u'}]}",
                 system, who, dice_below(d, 3), dice_below(d, 2));
        break;
    case 3:
        snprintf(line, sizeof line,
                 "{'entity':'customer','source_system':'%s','source_id':'%u','remove':{'contactPoint':[{'system':'"
                 "phone','value':'+49 30 77%u'}]}}",
                 system, who, dice_below(d, 3));
        break;
    case 4:
        snprintf(
            line, sizeof line,
            "{'entity':'customer','source_system':'%s','source_id':'%u','identifier':[{'system':'tax','value':'%u'}]}",
            system, who, dice_below(d, 4));
        break;
    default:
        snprintf(line, sizeof line, "{'entity':'customer','source_system':'%s','source_id':'%u','deleted':%s}", system,
                 who, dice_in(d, 2) ? "true" : "false");
    }
    put(o, line);
}

static void put_case(struct bench_office *o, struct dice *d)
{
    char line[512];
    const uint32_t c = dice_below(d, CASES), who = dice_below(d, PEOPLE);
    switch (dice_below(d, 5)) {
    case 0:
        snprintf(line, sizeof line,
                 "{'entity':'case','source_system':'311','source_id':'S%u','customer':[{'ref':'%s:%u','role':'r%u'}],'"
                 "status':'%s'}",
                 c, systems[who % 2], who, dice_below(d, 2), statuses[dice_below(d, 3)]);
        break;
    case 1:
        snprintf(line, sizeof line,
                 "{'entity':'case','source_system':'311','source_id':'S%u','remove':{'customer':[{'ref':'%s:%u','role':"
                 "'r%u'}]}}",
                 c, systems[who % 2], who, dice_below(d, 2));
        break;
    case 2:
        snprintf(line, sizeof line,
                 "{'entity':'interaction','source_system':'311','source_id':'I%u','case':'311:S%u','channel':'phone','"
                 "body':'b%u'}",
                 dice_below(d, 8), c, dice_below(d, 3));
        break;
    case 3:
        snprintf(line, sizeof line,
                 "{'entity':'task','source_system':'311','source_id':'T%u','case':'311:S%u','status':'s%u'}",
                 dice_below(d, 2), c, dice_below(d, 3));
        break;
    default:
        snprintf(line, sizeof line, "{'entity':'case','source_system':'311','source_id':'S%u','deleted':%s}", c,
                 dice_in(d, 3) ? "true" : "false");
    }
    put(o, line);
}

static void put_link(struct bench_office *o, struct dice *d)
{
    char line[512];
    const uint32_t a = dice_below(d, PEOPLE), b = (a + 1 + dice_below(d, PEOPLE - 1)) % PEOPLE;
    snprintf(line, sizeof line, "{'entity':'identity_link','a':'%s:%u','b':'%s:%u','verdict':'%s','by':'%s'}",
             systems[a % 2], a, systems[b % 2], b, dice_in(d, 2) ? "MATCH" : "NO_MATCH",
             dice_in(d, 2) ? "MANUAL" : "AUTO");
    put(o, line);
}

static void turn(struct bench *b, struct dice *d)
{
    struct bench_office *o = bench_office(b, 1 + dice_below(d, 3));
    switch (dice_below(d, 4)) {
    case 0:
        put_person(o, d, dice_below(d, PEOPLE));
        break;
    case 1:
        put_case(o, d);
        break;
    case 2:
        put_link(o, d);
        break;
    default:
        bench_pull(o, bench_office(b, 1 + (o->member + dice_below(d, 2)) % 3));
    }
}

static void assert_same(struct bench_office *a, struct bench_office *b, enum kt_lookup_by by, const char *what,
                        uint64_t seed)
{
    json_t *x = bench_look(a, by, what), *y = bench_look(b, by, what);
    static const char *const parts[] = {"customer", "cases", "licences", "conflicts", "matches", "withheld"};
    if (a->code != b->code)
        fail_msg("seed %llu: %s: %s, %s", (unsigned long long)seed, what, kt_error_name(a->code),
                 kt_error_name(b->code));
    for (size_t i = 0; x && i < sizeof parts / sizeof parts[0]; i++)
        if (json_object_get(x, parts[i]) != json_object_get(y, parts[i]) &&
            !json_equal(json_object_get(x, parts[i]), json_object_get(y, parts[i])))
            fail_msg("seed %llu: %s at %s differs: %s | %s", (unsigned long long)seed, parts[i], what, json_dumps(x, 0),
                     json_dumps(y, 0));
    json_decref(x);
    json_decref(y);
}

/* Every name by which anything may be found. */
static void compare(struct bench_office *a, struct bench_office *b, uint64_t seed)
{
    char what[64];
    for (uint32_t i = 0; i < PEOPLE; i++) {
        snprintf(what, sizeof what, "%s:%u", systems[i % 2], i);
        assert_same(a, b, KT_BY_SOURCE, what, seed);
    }
    for (uint32_t i = 0; i < CASES; i++) {
        snprintf(what, sizeof what, "S%u", i);
        assert_same(a, b, KT_BY_CASE, what, seed);
    }
    for (uint32_t i = 0; i < 4; i++) {
        snprintf(what, sizeof what, "tax:%u", i);
        assert_same(a, b, KT_BY_ID, what, seed);
        snprintf(what, sizeof what, "+49 30 77%u", i);
        assert_same(a, b, KT_BY_PHONE, what, seed);
    }
    static const enum kt_table tables[] = {KT_T_store_conflict, KT_T_store_back, KT_T_store_index, KT_T_store_state,
                                           KT_T_store_list};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (bench_rows(a, tables[i]) != bench_rows(b, tables[i]))
            fail_msg("seed %llu: table %zu differs", (unsigned long long)seed, i);
}

static void run(uint64_t seed, uint32_t turns)
{
    struct bench *b = malloc(sizeof *b), *fresh = malloc(sizeof *fresh);
    struct dice d = {seed};
    bench_open(b, false);
    bench_open(fresh, false);
    for (uint32_t i = 0; i < turns; i++) turn(b, &d);
    bench_sync(b);
    compare(bench_office(b, 1), bench_office(b, 2), seed);
    compare(bench_office(b, 1), bench_office(b, 3), seed);
    bench_pull(bench_office(fresh, 2), bench_office(b, 1)); /* all at once */
    compare(bench_office(b, 1), bench_office(fresh, 2), seed);
    bench_close(b);
    bench_close(fresh);
    free(b);
    free(fresh);
}

static void offices_agree_whatever_came_in_whatever_order(void **state)
{
    (void)state;
    const uint64_t seed = dice_seed(1);
    const char *rounds = getenv("KT_ROUNDS");
    const uint32_t n = rounds ? (uint32_t)strtoul(rounds, NULL, 10) : dice_rounds(6);
    print_message("seed %llu, %u rounds\n", (unsigned long long)seed, n);
    for (uint32_t i = 0; i < n; i++) run(seed + i, 120);
}

static void put_call(struct bench_office *o, struct dice *d)
{
    char line[256];
    snprintf(line, sizeof line,
             "{'entity':'interaction','source_system':'311','source_id':'I%u','case':'311:S0',%s'body':'b%u'}",
             dice_below(d, 160), dice_in(d, 4) ? "'deleted':true," : "'channel':'phone',", dice_below(d, 3));
    put(o, line);
}

static void long_lists_show_their_newest_however_they_grew(void **state)
{
    /* Calls come, are corrected and go, at two offices: the view that followed each shows what a walk would find. */
    (void)state;
    const uint64_t seed = dice_seed(7);
    struct dice d = {seed};
    struct bench *b = malloc(sizeof *b);
    const uint32_t rounds = dice_rounds(12);
    print_message("seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
    bench_open(b, false);
    put(bench_office(b, 1), "{'entity':'case','source_system':'311','source_id':'S0','status':'open'}");
    for (uint32_t round = 0; round < rounds; round++) {
        struct bench *fresh = malloc(sizeof *fresh);
        for (uint32_t i = 0; i < 60; i++) put_call(bench_office(b, 1 + dice_below(&d, 2)), &d);
        bench_sync(b);
        bench_open(fresh, false);
        bench_pull(bench_office(fresh, 3), bench_office(b, 1));
        for (uint32_t i = 1; i <= 3; i++)
            assert_same(bench_office(b, i), bench_office(fresh, 3), KT_BY_CASE, "S0", seed);
        bench_close(fresh);
        free(fresh);
    }
    bench_close(b);
    free(b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(offices_agree_whatever_came_in_whatever_order),
                                              cmocka_unit_test(long_lists_show_their_newest_however_they_grew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
