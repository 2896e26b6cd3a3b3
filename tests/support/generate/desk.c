#include "support/generate/desk.h"
#include "support/generate/names.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *code, *name, *queue, *subject, *says[4];
} services[] = {
    {"noise", "Noise complaint", "public-order", "Noise at night",
     {"Caller reports music until three in the morning.", "It is the flat above, every weekend.", "The noise has stopped since Monday.", "Asks when somebody will come."}},
    {"street_light", "Street light out", "roads", "Street light does not work",
     {"The lamp in front of the house has been dark for a week.", "Sends a photograph of the pole number.", "Lamp works again, thanks.", "Another lamp is out now, two poles on."}},
    {"waste", "Missed collection", "waste", "Bin was not emptied",
     {"The bin stood at the kerb from six o'clock.", "The whole street was left out.", "Was told to wait until Friday.", "Collected today."}},
    {"parking_permit", "Resident parking permit", "permits", "Parking permit for residents",
     {"Asks which papers are needed.", "Sends the registration of the car.", "Fee paid, receipt enclosed.", "The permit has not come by post."}},
    {"council_tax", "Tax assessment", "revenue", "Question about an assessment",
     {"Does not understand the second page.", "Asks to pay in three parts.", "Has sent the missing form by letter.", "Disagrees with the amount and asks for a review."}},
    {"housing", "Housing benefit", "benefits", "Application for housing benefit",
     {"Hands in the application at the counter.", "Two payslips are missing.", "Income has changed since March.", "Asks how long it will take."}},
    {"registry_copy", "Copy from the register", "registry", "Birth certificate wanted",
     {"Needs the certificate for a wedding abroad.", "Asks for a version in three languages.", "Paid by transfer.", "Received, all in order."}},
    {"pothole", "Damage to a road", "roads", "Hole in the carriageway",
     {"Bicycle wheel was damaged.", "About half a metre wide, beside the tram rails.", "Filled provisionally.", "It has opened again after the frost."}},
    {"driving_licence", "Driving licence exchange", "motor-vehicles", "Exchange of an old licence",
     {"Has an appointment and cannot keep it.", "Photograph is too old.", "Asks whether a translation is needed.", "Collected the new licence."}},
    {"health_certificate", "Food handler's certificate", "health", "Certificate for work in a kitchen",
     {"Starts work on the first of the month.", "Asks for a course in another language.", "Course attended.", "Certificate lost, asks for a copy."}},
};
/* clang-format on */
enum { SERVICES = sizeof services / sizeof services[0] };

static const char *const channels[] = {"phone", "letter", "email",  "web",   "fax",        "in_person",
                                       "sms",   "chat",   "social", "kiosk", "mobile_app", "referral"};
static const char *const agents[] = {"a.berg",   "c.diaz", "e.fofana", "g.haas",
                                     "i.jansen", "k.lund", "m.novak",  "o.petit"};
static const char *const priorities[] = {"low", "normal", "normal", "normal", "high", "urgent"};
/* how a case goes on after it was opened */
static const char *const endings[][3] = {
    {NULL              },
    {                              "pending_customer",           NULL},
    {                              "pending_internal", "resolved", NULL},
    {                                      "resolved",   "closed", NULL},
    {                                      "rejected",                        NULL},
    { "pending_customer",                        "cancelled", NULL},
};
#define PICK(c, table) table[chance_below(c, sizeof table / sizeof table[0])]

bool sorter_takes(struct sorter *s)
{
    unsigned mine = chance_below(&s->chance, s->parts);
    return s->part == 0 || s->part == mine + 1;
}

struct iso_date iso_date_after(unsigned days)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = 2024, month = 0;
    struct iso_date d;
    for (;;) {
        unsigned len = lengths[month] + (month == 1 && year % 4 == 0); /* far from 2100 */
        if (days < len) break;
        days -= len;
        month = (month + 1) % 12;
        year += month == 0;
    }
    snprintf(d.text, sizeof d.text, "%04u-%02u-%02u", year % 10000, (month + 1) % 100, (days + 1) % 100);
    return d;
}

/* A moment of the working day, as the formats want it. */
static void at(struct json *j, const char *key, unsigned day, struct chance *c)
{
    json_text(j, key, "%sT%02u:%02u:%02uZ", iso_date_after(day).text, 7 + chance_below(c, 11), chance_below(c, 60),
              chance_below(c, 60));
}

static void begin(struct json *j, const char *entity, const char *id)
{
    json_open(j, NULL, '{');
    json_text(j, "entity", "%s", entity);
    json_text(j, "source_system", "311");
    json_text(j, "source_id", "%s", id);
}

static void end(struct json *j)
{
    json_close(j, '}');
    json_line(j);
}

static void open_case(struct json *j, const char *id, const char *ref, unsigned service, unsigned day, struct chance *c)
{
    begin(j, "case", id);
    json_open(j, "customer", '[');
    json_open(j, NULL, '{');
    json_text(j, "ref", "%s", ref);
    json_text(j, "role", "requester");
    json_close(j, '}');
    json_close(j, ']');
    json_text(j, "service_code", "%s", services[service].code);
    json_text(j, "service_name", "%s", services[service].name);
    json_text(j, "subject", "%s", services[service].subject);
    json_text(j, "channel", "%s", PICK(c, channels));
    json_text(j, "status", "open");
    json_text(j, "priority", "%s", PICK(c, priorities));
    json_text(j, "queue", "%s", services[service].queue);
    json_text(j, "agent", "%s", PICK(c, agents));
    at(j, "requested_datetime", day, c);
    at(j, "expected_datetime", day + 14, c);
    unsigned street = chance_below(c, 14), place = chance_below(c, 7);
    json_open(j, "location", '{');
    json_text(j, "text", "%s %u, %s", streets[street], 1 + chance_below(c, 120), places[place][0]);
    json_text(j, "postCode", "%s%02u", places[place][1], chance_below(c, 100));
    json_close(j, '}');
    end(j);
}

static void interaction(struct json *j, const char *case_id, unsigned n, const char *says, unsigned day,
                        struct chance *c)
{
    char id[48];
    snprintf(id, sizeof id, "I%s-%u", case_id + 2, n);
    begin(j, "interaction", id);
    json_text(j, "case", "311:%s", case_id);
    json_text(j, "channel", "%s", PICK(c, channels));
    json_text(j, "direction", "%s", n > 0 && chance_percent(c, 30) ? "out" : "in");
    at(j, "occurred", day, c);
    json_text(j, "body", "%s", says);
    json_text(j, "agent", "%s", PICK(c, agents));
    end(j);
}

static void change_status(struct json *j, const char *case_id, const char *status, struct chance *c)
{
    begin(j, "case", case_id);
    json_text(j, "status", "%s", status);
    if (chance_percent(c, 25)) json_text(j, "agent", "%s", PICK(c, agents));
    end(j);
}

static void print_case(const char *id, const char *ref, struct chance *c, struct json *j)
{
    unsigned service = chance_below(c, SERVICES), day = chance_below(c, 760), n = 1 + chance_below(c, chance_percent(c, 20) ? 4 : 2);
    const char *const *ending = PICK(c, endings);
    open_case(j, id, ref, service, day, c);
    for (unsigned i = 0; i < n; i++) interaction(j, id, i, services[service].says[i], day + 3 * i, c);
    for (; *ending; ending++) change_status(j, id, *ending, c);
}

void desk_print(uint32_t number, const char *ref, struct chance *c, struct sorter *s, struct json *j)
{
    static const unsigned char how_many[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2};
    unsigned n = PICK(c, how_many);
    for (unsigned k = 0; k < n; k++) {
        char id[32];
        struct chance own = chance_of(chance_next(c), k);
        snprintf(id, sizeof id, "SR-%06u-%u", number % 1000000u, k % 10);
        if (!sorter_takes(s)) continue;
        print_case(id, ref, &own, j);
    }
}
