/* Maps for files that are known.  Columns that say the same twice are left out where noted; nothing else is. */
#include "client/cli/import/map.h"

#include <string.h>

/* San Francisco 311 service requests (Open311 GeoReport v2 names).  One row, one case.  latitude and longitude are
 * rounded copies of location, kept as numbers; 0.0 stands where there is no place. */
static const char sf311[] =
    "{\"source_system\":\"sf311\", \"entity\":\"case\", \"source_id\":\"{unique_key}\", \"fields\":{"
    "\"service_code\":\"{category}\","
    "\"subject\":{\"$\":[\"{complaint_type}\",\"{descriptor}\"],\"with\":\", \"},"
    "\"status\":{\"$\":\"{status}\",\"map\":{\"Open\":\"open\",\"Closed\":\"closed\"}},"
    "\"status_notes\":\"{status_notes}\","
    "\"channel\":{\"$\":\"{source}\",\"map\":{\"Phone\":\"phone\",\"Web\":\"web\",\"Mobile/Open311\":\"mobile_app\","
    "\"Twitter\":\"social\",\"Email\":\"email\",\"Integrated Agency\":\"system\",\"Other Department\":\"referral\"}},"
    "\"queue\":\"{agency_name}\","
    "\"agency_responsible\":\"{agency_name}\","
    "\"requested_datetime\":\"{created_date}\","
    "\"updated_datetime\":\"{resolution_action_updated_date}\","
    "\"closed_datetime\":\"{closed_date}\","
    "\"location\":{\"text\":{\"$\":\"{incident_address}\",\"none\":[\"Not associated with a specific address\"]},"
    "\"lat\":{\"$\":\"{latitude}\",\"none\":[\"0.0\"]},\"long\":{\"$\":\"{longitude}\",\"none\":[\"0.0\"]}},"
    "\"attribute\":["
    "{\"code\":\"complaint_type\",\"value\":\"{complaint_type}\"},"
    "{\"code\":\"descriptor\",\"value\":\"{descriptor}\"},"
    "{\"code\":\"source\",\"value\":\"{source}\"},"
    "{\"code\":\"supervisor_district\",\"value\":\"{supervisor_district}\"},"
    "{\"code\":\"neighborhood\",\"value\":\"{neighborhood}\"},"
    "{\"code\":\"police_district\",\"value\":\"{police_district}\"},"
    "{\"code\":\"location\",\"value\":\"{location}\"}],"
    "\"document_references\":[{\"?\":\"{media_url}\",\"source_id\":\"{unique_key}-media\",\"type\":\"media\",\"url\":"
    "\"{media_url}\"}]"
    "}}";

/* Chicago business licences.  One row, one term of one licence, under its ID; all terms of a licence have its number,
 * all licences of an account its customer as holder.  LICENSE ID is the number of the application and stands in its
 * event; WARD PRECINCT is WARD and PRECINCT; LOCATION is LATITUDE and LONGITUDE with more digits. */
static const char chicago_licences[] =
    "{\"source_system\":\"chicago-licences\", \"entities\":["
    "{\"entity\":\"customer\", \"source_id\":\"{ACCOUNT NUMBER}\", \"fields\":{"
    "\"kind\":\"organisation\","
    "\"legalName\":\"{LEGAL NAME}\","
    "\"tradeName\":[\"{DOING BUSINESS AS NAME}\"],"
    "\"identifier\":[{\"system\":\"account\",\"value\":\"{ACCOUNT NUMBER}\"}],"
    "\"activity\":[{\"$\":\"{BUSINESS ACTIVITY}\",\"split\":\" | \"}],"
    "\"address\":[{\"thoroughfare\":\"{ADDRESS}\",\"postName\":\"{CITY}\",\"adminUnitL1\":\"{STATE}\","
    "\"postCode\":\"{ZIP CODE}\"}]}},"
    "{\"entity\":\"licence\", \"source_id\":\"{ID}\", \"fields\":{"
    "\"number\":\"{LICENSE NUMBER}\","
    "\"type_code\":\"{LICENSE CODE}\","
    "\"type_name\":\"{LICENSE DESCRIPTION}\","
    "\"issuing_agency\":\"City of Chicago\","
    "\"holder\":\"chicago-licences:{ACCOUNT NUMBER}\","
    "\"site\":\"{SITE NUMBER}\","
    "\"status\":\"{LICENSE STATUS}\","
    "\"validFrom\":{\"$\":\"{LICENSE TERM START DATE}\",\"date\":\"MM/DD/YYYY\"},"
    "\"validUntil\":{\"$\":\"{LICENSE TERM EXPIRATION DATE}\",\"date\":\"MM/DD/YYYY\"},"
    "\"location\":{\"text\":{\"$\":[\"{ADDRESS}\",\"{CITY}\",\"{STATE} {ZIP CODE}\",\"ward {WARD}\","
    "\"precinct {PRECINCT}\",\"police district {POLICE DISTRICT}\",\"special service area {SSA}\"],\"with\":\", \"},"
    "\"postCode\":\"{ZIP CODE}\",\"adminUnitL1\":\"{STATE}\",\"lat\":\"{LATITUDE}\",\"long\":\"{LONGITUDE}\"},"
    "\"events\":["
    "{\"source_id\":\"{ID}-application\",\"type\":\"application_created\","
    "\"date\":{\"$\":\"{APPLICATION CREATED DATE}\",\"date\":\"MM/DD/YYYY\"},"
    "\"text\":{\"$\":[\"{APPLICATION TYPE}\",\"application {LICENSE ID}\",\"conditional approval {CONDITIONAL "
    "APPROVAL}\",\"activity {BUSINESS ACTIVITY ID}\","
    "\"{BUSINESS ACTIVITY}\"],\"with\":\", \"}},"
    "{\"?\":\"{APPLICATION REQUIREMENTS COMPLETE}\",\"source_id\":\"{ID}-complete\",\"type\":\"requirements_complete\","
    "\"date\":{\"$\":\"{APPLICATION REQUIREMENTS COMPLETE}\",\"date\":\"MM/DD/YYYY\"}},"
    "{\"?\":\"{PAYMENT DATE}\",\"source_id\":\"{ID}-payment\",\"type\":\"payment\",\"date\":{\"$\":\"{PAYMENT "
    "DATE}\",\"date\":\"MM/DD/YYYY\"}},"
    "{\"?\":\"{LICENSE APPROVED FOR ISSUANCE}\",\"source_id\":\"{ID}-approved\",\"type\":\"approved\","
    "\"date\":{\"$\":\"{LICENSE APPROVED FOR ISSUANCE}\",\"date\":\"MM/DD/YYYY\"}},"
    "{\"?\":\"{DATE ISSUED}\",\"source_id\":\"{ID}-issued\",\"type\":\"issued\",\"date\":{\"$\":\"{DATE "
    "ISSUED}\",\"date\":\"MM/DD/YYYY\"},"
    "\"validFrom\":{\"$\":\"{LICENSE TERM START DATE}\",\"date\":\"MM/DD/YYYY\"},"
    "\"validUntil\":{\"$\":\"{LICENSE TERM EXPIRATION DATE}\",\"date\":\"MM/DD/YYYY\"}},"
    "{\"?\":\"{LICENSE STATUS CHANGE "
    "DATE}\",\"source_id\":\"{ID}-status\",\"type\":\"status_change\",\"status\":\"{LICENSE STATUS}\","
    "\"date\":{\"$\":\"{LICENSE STATUS CHANGE DATE}\",\"date\":\"MM/DD/YYYY\"}}]}}]}";

/* Invented people of the Freely Extensible Biomedical Record Linkage project.  What address_2 names (a house, an
 * estate) has no column of its own and stands in the address's text. */
static const char febrl[] =
    "{\"source_system\":\"febrl\", \"entity\":\"customer\", \"source_id\":\"{rec_id}\", \"fields\":{"
    "\"kind\":\"person\","
    "\"name\":[{\"use\":\"official\",\"familyName\":\"{surname}\",\"givenName\":[\"{given_name}\"]}],"
    "\"birthDate\":{\"$\":\"{date_of_birth}\",\"date\":\"YYYYMMDD\"},"
    "\"identifier\":[{\"system\":\"soc_sec_id\",\"value\":\"{soc_sec_id}\"}],"
    "\"address\":[{\"locatorDesignator\":\"{street_number}\",\"thoroughfare\":\"{address_1}\",\"postName\":\"{suburb}"
    "\","
    "\"postCode\":\"{postcode}\",\"adminUnitL1\":\"{state}\",\"text\":\"{address_2}\"}]}}";

static const struct {
    const char *name, *map;
} presets[] = {
    {"sf311",            sf311           },
    {"chicago-licences", chicago_licences},
    {"febrl",            febrl           },
};

const char *kt_preset_name(unsigned i) { return i < sizeof presets / sizeof presets[0] ? presets[i].name : NULL; }

const char *kt_preset_map(const char *name)
{
    for (unsigned i = 0; kt_preset_name(i); i++)
        if (strcmp(name, presets[i].name) == 0) return presets[i].map;
    return NULL;
}
