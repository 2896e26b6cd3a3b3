#include "support/people.h"

#include <stdio.h>

void people_occupation(uint32_t customer, uint64_t job, char *out, size_t cap)
{
    snprintf(out, cap,
             "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-%09u\",\"kind\":\"person\","
             "\"occupation\":\"job %012llu\"}",
             customer, (unsigned long long)job);
}

static bool put_customer(struct asker *a, uint32_t i)
{
    char line[1024];
    snprintf(line, sizeof line,
             "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-%09u\",\"kind\":\"person\","
             "\"birthDate\":\"19%02u-0%u-1%u\",\"name\":[{\"use\":\"official\",\"familyName\":\"Okafor%u\","
             "\"givenName\":[\"Ada\",\"Ngozi\"]}],\"identifier\":[{\"system\":\"tax\",\"value\":\"%09u\"}],"
             "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+44 20 %09u\"},{\"system\":\"email\",\"value\":"
             "\"ada.%u@example.org\"}],\"address\":[{\"use\":\"home\",\"thoroughfare\":\"Canal Street\","
             "\"locatorDesignator\":\"%u\",\"postName\":\"Enugu\",\"postCode\":\"%05u\"}],\"occupation\":\"teacher\"}",
             i, i % 90 + 10, i % 9 + 1, i % 10, i, PEOPLE_TAX + i, i, i, i % 200 + 1, i % 100000);
    return asker_put_line(a, line);
}

static bool put_case(struct asker *a, uint32_t i)
{
    char line[1024];
    snprintf(
        line, sizeof line,
        "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"SR-%09u\",\"customer\":[{\"ref\":"
        "\"revenue:C-%09u\",\"role\":\"requester\"}],\"service_code\":\"noise\",\"subject\":\"Noise at night, for the "
        "third time\",\"status\":\"open\",\"channel\":\"phone\",\"priority\":\"normal\",\"queue\":\"311:night\","
        "\"requested_datetime\":\"2026-03-01T21:10:00Z\"}",
        i, i);
    bool good = asker_put_line(a, line);
    for (unsigned k = 0; good && k < 2; k++) {
        snprintf(line, sizeof line,
                 "{\"entity\":\"interaction\",\"source_system\":\"311\",\"source_id\":\"I-%09u-%u\",\"case\":"
                 "\"311:SR-%09u\",\"channel\":\"%s\",\"direction\":\"in\",\"occurred\":\"2026-03-01T2%u:10:00Z\","
                 "\"body\":\"Caller reports a party in the yard that has been going on since the afternoon.\"}",
                 i, k, i, k ? "email" : "phone", k + 1);
        good = asker_put_line(a, line);
    }
    return good;
}

bool people_put(struct asker *a, uint32_t n)
{
    bool good = true;
    for (uint32_t i = 0; good && i < n; i++) good = put_customer(a, i);
    for (uint32_t i = 0; good && i < n; i++) good = put_case(a, i);
    return good && asker_put_rest(a);
}
