#include "support/generate/people.h"
#include "support/generate/desk.h"
#include "support/generate/names.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Who somebody is, before anybody wrote it down. */
struct person {
    uint32_t number;
    const struct culture *culture;
    const struct name *given, *family;
    bool woman;
    unsigned birth_year, birth_month, birth_day;
    char phone[16]; /* digits after the trunk zero, area code first */
    char mail[64];
};

static unsigned length_of(const struct name *n)
{
    unsigned i = 0;
    while (n[i].own) i++;
    return i;
}

static const struct name *any(const struct name *table, struct chance *c)
{
    return &table[chance_below(c, length_of(table))];
}

static unsigned words_in(const char *const *table)
{
    unsigned i = 0;
    while (table[i]) i++;
    return i;
}

static const struct culture *any_culture(struct chance *c)
{
    unsigned sum = 0, at;
    const struct culture *k;
    for (k = cultures; k->language; k++) sum += k->weight;
    at = chance_below(c, sum);
    for (k = cultures; at >= k->weight; k++) at -= k->weight;
    return k;
}

/* Letters and digits of a name, lower-case, for an address. */
static void add_plain(char *to, size_t room, const char *from)
{
    size_t n = strlen(to);
    for (; *from && n + 1 < room; from++)
        if (isalnum((unsigned char)*from)) to[n++] = (char)tolower((unsigned char)*from);
    to[n] = 0;
}

static struct person person_of(uint32_t number, struct chance *c)
{
    static const char *const domains[] = {"example.org", "example.net", "example.com"};
    struct person p = {.number = number, .culture = any_culture(c)};
    p.woman = chance_percent(c, 51);
    p.given = any(p.woman ? p.culture->women : p.culture->men, c);
    p.family = any(p.culture->families, c);
    p.birth_year = 1935 + chance_below(c, 75);
    p.birth_month = 1 + chance_below(c, 12);
    p.birth_day = 1 + chance_below(c, 28);
    snprintf(p.phone, sizeof p.phone, "30%s%06u", chance_percent(c, 50) ? "0" : "1", chance_below(c, 1000000));
    add_plain(p.mail, 24, p.given->latin);
    add_plain(p.mail, 40, p.family->latin);
    size_t n = strlen(p.mail);
    snprintf(p.mail + n, sizeof p.mail - n, "%u@%s", number % 1000000u, domains[chance_below(c, 3)]);
    return p;
}

/* Typing mistakes: two letters swapped, one left out, one doubled.  Plain letters only, and never the first. */
static void mistype(char *text, size_t room, struct chance *c)
{
    size_t n = strlen(text);
    if (n < 4 || n + 2 > room) return;
    size_t i = 1 + chance_below(c, (unsigned)n - 2);
    char letter = text[i];
    switch (chance_below(c, 3)) {
    case 0:
        text[i] = text[i + 1];
        text[i + 1] = letter;
        return;
    case 1:
        memmove(text + i, text + i + 1, n - i);
        return;
    default:
        memmove(text + i + 1, text + i, n - i + 1);
        return;
    }
}

static void begin(struct json *j, const char *system, char letter, uint32_t number)
{
    json_open(j, NULL, '{');
    json_text(j, "entity", "customer");
    json_text(j, "source_system", "%s", system);
    json_text(j, "source_id", "%c-%06u", letter, number);
    json_text(j, "kind", "person");
}

static void end(struct json *j)
{
    json_close(j, '}');
    json_line(j);
}

static void name_of(struct json *j, const char *use, const char *family, const char *given)
{
    json_open(j, NULL, '{');
    json_text(j, "use", "%s", use);
    json_text(j, "familyName", "%s", family);
    json_open(j, "givenName", '[');
    json_text(j, NULL, "%s", given);
    json_close(j, ']');
    json_close(j, '}');
}

static void contact(struct json *j, const char *system, const char *value)
{
    json_open(j, NULL, '{');
    json_text(j, "system", "%s", system);
    json_text(j, "value", "%s", value);
    json_close(j, '}');
}

/* The same number as different people write it. */
static void phone(struct json *j, const char *digits, struct chance *c)
{
    static const char *const forms[][2] = {
        {"+49 ",  " " },
        {"0",     " " },
        {"0049 ", " " },
        {"(0",    ") "},
        {"+49",   ""  },
        {"0",     "/" }
    };
    char text[48];
    unsigned i = chance_below(c, sizeof forms / sizeof forms[0]);
    snprintf(text, sizeof text, "%s%.2s%s%s", forms[i][0], digits, forms[i][1], digits + 2);
    contact(j, "phone", text);
}

static void identifier(struct json *j, const char *system, const char *value)
{
    json_open(j, "identifier", '[');
    json_open(j, NULL, '{');
    json_text(j, "system", "%s", system);
    json_text(j, "value", "%s", value);
    json_close(j, '}');
    json_close(j, ']');
}

static void address(struct json *j, struct chance *c)
{
    unsigned place = chance_below(c, 7);
    json_open(j, "address", '[');
    json_open(j, NULL, '{');
    json_text(j, "use", "home");
    json_text(j, "thoroughfare", "%s", streets[chance_below(c, words_in(streets))]);
    json_text(j, "locatorDesignator", "%u%s", 1 + chance_below(c, 140), chance_percent(c, 15) ? "a" : "");
    json_text(j, "postName", "%s", places[place][0]);
    json_text(j, "postCode", "%s%02u", places[place][1], chance_below(c, 100));
    json_close(j, '}');
    json_close(j, ']');
}

static void print_revenue(const struct person *p, struct chance *c, struct json *j)
{
    static const char *const channels[] = {"phone", "letter", "email", "in_person", "web", "mobile_app"};
    char tax[32];
    begin(j, "revenue", 'P', p->number);
    json_open(j, "name", '[');
    name_of(j, "official", p->family->own, p->given->own);
    if (strcmp(p->family->own, p->family->latin) != 0 && chance_percent(c, 20))
        name_of(j, "usual", p->family->latin, p->given->latin);
    json_close(j, ']');
    json_text(j, "birthDate", "%04u-%02u-%02u", p->birth_year, p->birth_month, p->birth_day);
    json_text(j, "gender", "%s", p->woman ? "female" : "male");
    json_open(j, "language", '[');
    json_text(j, NULL, "%s", p->culture->language);
    json_close(j, ']');
    snprintf(tax, sizeof tax, "%02u-%07u-%u", 10 + p->number % 83, p->number * 37u % 10000000u, p->number % 7);
    identifier(j, "tax", tax);
    json_open(j, "contactPoint", '[');
    phone(j, p->phone, c);
    if (chance_percent(c, 70)) contact(j, "email", p->mail);
    json_close(j, ']');
    address(j, c);
    json_text(j, "preferredChannel", "%s", channels[chance_below(c, 6)]);
    if (chance_percent(c, 80)) json_text(j, "occupation", "%s", occupations[chance_below(c, words_in(occupations))]);
    end(j);
}

/* Another clerk, another keyboard: the same person by ear and in a hurry. */
static void print_second_record(const struct person *p, const char *system, char letter, struct chance *c,
                                struct json *j)
{
    char family[96], given[96], number[32];
    snprintf(family, sizeof family, "%s", p->family->latin);
    snprintf(given, sizeof given, "%s", p->given->latin);
    if (chance_percent(c, 40)) mistype(family, sizeof family, c);
    if (chance_percent(c, 15)) mistype(given, sizeof given, c);
    bool swapped = p->birth_day <= 12 && chance_percent(c, 10); /* day and month, as another country writes them */
    begin(j, system, letter, p->number);
    json_open(j, "name", '[');
    name_of(j, "official", family, given);
    json_close(j, ']');
    json_text(j, "birthDate", "%04u-%02u-%02u", p->birth_year, swapped ? p->birth_day : p->birth_month,
              swapped ? p->birth_month : p->birth_day);
    snprintf(number, sizeof number, "%c%c%07u", letter, 'A' + (int)(p->number % 26), p->number * 91u % 10000000u);
    identifier(j, letter == 'M' ? "licence" : "insurance", number);
    if (chance_percent(c, 60)) {
        json_open(j, "contactPoint", '[');
        phone(j, p->phone, c);
        json_close(j, ']');
    }
    end(j);
}

static void print_licence(const struct person *p, struct chance *c, struct json *j)
{
    static const char *const types[] = {"driving_b", "driving_be", "driving_a", "driving_c1"};
    static const char *const states[] = {"active", "active", "active", "active", "suspended", "expired"};
    unsigned issued = chance_below(c, 400);
    json_open(j, NULL, '{');
    json_text(j, "entity", "licence");
    json_text(j, "source_system", "motor");
    json_text(j, "source_id", "L-%06u", p->number);
    json_text(j, "number", "B%08u", p->number * 13u % 100000000u);
    json_text(j, "type_code", "%s", types[chance_below(c, 4)]);
    json_text(j, "issuing_agency", "Motor vehicle office");
    json_text(j, "holder", "motor:M-%06u", p->number);
    json_text(j, "status", "%s", states[chance_below(c, 6)]);
    json_text(j, "validFrom", "%s", iso_date_after(issued).text);
    json_text(j, "validUntil", "%s", iso_date_after(issued + 600).text);
    json_open(j, "events", '[');
    json_open(j, NULL, '{');
    json_text(j, "type", "issued");
    json_text(j, "date", "%s", iso_date_after(issued).text);
    json_close(j, '}');
    json_close(j, ']');
    end(j);
}

static void print_link(const struct person *p, const char *system, char letter, struct chance *c, struct json *j)
{
    static const char *const verdicts[] = {"MATCH", "MATCH", "MATCH", "MATCH", "POSSIBLE_MATCH", "POSSIBLE_MATCH"};
    unsigned v = chance_below(c, 6);
    char score[8];
    snprintf(score, sizeof score, "0.%02u", v < 4 ? 90 + chance_below(c, 10) : 60 + chance_below(c, 25));
    json_open(j, NULL, '{');
    json_text(j, "entity", "identity_link");
    json_text(j, "a", "revenue:P-%06u", p->number);
    json_text(j, "b", "%s:%c-%06u", system, letter, p->number);
    json_text(j, "verdict", "%s", verdicts[v]);
    json_text(j, "by", "AUTO");
    json_number(j, "score", score);
    json_text(j, "reason", "name and birth date alike");
    end(j);
}

/* What happens to somebody is drawn whether it is printed or not, each record with a chance of its own, so that what is
 * printed of one does not change another. */
void population_print(const struct population *p, uint32_t number, FILE *out)
{
    struct chance life = chance_of(p->seed, number), own;
    struct sorter sorter = {chance_of(~p->seed, number), p->part, p->parts ? p->parts : 1};
    struct json j = {out, false};
    struct person who = person_of(number, &life);
    static const struct {
        const char *system;
        char letter;
        unsigned percent;
    } others[] = {
        {"motor",  'M', 25},
        {"health", 'H', 10}
    };
    char ref[32];
    own = chance_of(chance_next(&life), 0);
    if (sorter_takes(&sorter)) print_revenue(&who, &own, &j);
    for (unsigned i = 0; i < 2; i++) {
        bool known = chance_percent(&life, others[i].percent), linked = chance_percent(&life, 80);
        uint64_t lot = chance_next(&life);
        own = chance_of(lot, 1);
        if (known && sorter_takes(&sorter)) print_second_record(&who, others[i].system, others[i].letter, &own, &j);
        own = chance_of(lot, 2);
        if (known && i == 0 && sorter_takes(&sorter)) print_licence(&who, &own, &j);
        own = chance_of(lot, 3);
        if (known && linked && sorter_takes(&sorter)) print_link(&who, others[i].system, others[i].letter, &own, &j);
    }
    snprintf(ref, sizeof ref, "revenue:P-%06u", number);
    desk_print(number, ref, &life, &sorter, &j);
}
