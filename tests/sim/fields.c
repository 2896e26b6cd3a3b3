/* What is written and judged: every shape of field, every kind of entity, each as the line a client would put. */
#include "sim/sim.h"

#include "proto/schema/fields.h"

/* In a line: # the number of the write, ~ letters to make it long, @ the element, % and & the record's id and system, $
 * the digit of its id, < and > the two records it is about, ! a verdict, ^ the customer
 * of a case that has one, ' for ".  A line without an opening brace goes behind the record's own name. */
/* clang-format off */
const struct sim_field sim_fields[] = {
    {KT_F_CUSTOMER_OCCUPATION, .listed = true, .adds = "'occupation':'#~'"},
    {KT_F_CUSTOMER_LEGAL_NAME, .listed = true, .core = true, .adds = "'legalName':'#~'"},
    {KT_F_CUSTOMER_CONTACT_POINT, SIM_WRITE_ELEMENT, SIM_ELEMENTS, .core = true,
     .adds = "'contactPoint':[{'system':'phone','value':'+49 30 $10@','use':'#'}]",
     .takes = "'remove':{'contactPoint':[{'system':'phone','value':'+49 30 $10@'}]}"},
    {KT_F_CUSTOMER_IDENTIFIER, SIM_WRITE_ELEMENT, SIM_ELEMENTS,
     .adds = "'identifier':[{'system':'tax','value':'T-&-%-@','use':'#'}]",
     .takes = "'remove':{'identifier':[{'system':'tax','value':'T-&-%-@'}]}"},
    {KT_F_CUSTOMER_NAME, SIM_WRITE_ELEMENT, SIM_ELEMENTS, .core = true,
     .adds = "'name':[{'use':'official','familyName':'F@','givenName':['G','H'],'suffix':'#'}]",
     .takes = "'remove':{'name':[{'use':'official','familyName':'F@','givenName':['G','H']}]}"},
    {KT_F_CUSTOMER_CONSENT, SIM_WRITE_REGISTER, SIM_ELEMENTS, .listed = true, .core = true,
     .adds = "'consent':[{'purpose':'p@','decision':'permit','scope':'#'}]"},
    {KT_F_CUSTOMER_FLAG, SIM_WRITE_ELEMENT, SIM_EACH_ITS_OWN, .core = true, .adds = "'flag':['#']"},
    {KT_F_CUSTOMER_TAG, SIM_WRITE_ELEMENT, SIM_EACH_ITS_OWN, .adds = "'tag':['#']"},

    {KT_F_CASE_SUBJECT, .listed = true, .adds = "'subject':'#~'^"},
    {KT_F_CASE_QUEUE, .listed = true, .adds = "'queue':'#'^"},
    {KT_F_CASE_ATTRIBUTE, SIM_WRITE_REGISTER, SIM_ELEMENTS, .listed = true,
     .adds = "'attribute':[{'code':'a@','value':'#'}]"},
    {KT_F_CASE_INTERACTION, SIM_WRITE_ELEMENT, SIM_ELEMENTS, .before = true,
     .adds = "{'entity':'interaction','source_system':'&','source_id':'I-%-@','case':'&:%','channel':'phone',"
             "'direction':'in','occurred':'2026-03-01T21:10:00Z','body':'#'}"},
    {KT_F_CASE_NOTE, SIM_WRITE_ELEMENT, SIM_ELEMENTS, .before = true,
     .adds = "{'entity':'note','source_system':'&','source_id':'N-%-@','case':'&:%','text':'#'}"},

    {KT_F_TASK_STATUS, .listed = true, .adds = "'case':'<','status':'#'"},
    {KT_F_TASK_OWNER, .listed = true, .adds = "'case':'<','owner':'#~'"},

    {KT_F_LICENCE_STATUS, .listed = true, .adds = "'holder':'<','status':'#'"},
    {KT_F_LICENCE_SITE, .listed = true, .adds = "'holder':'<','site':'#~'"},

    {KT_F_RELATIONSHIP_SCOPE, .core = true,
     .adds = "{'entity':'relationship','from':'<','to':'>','type':'parent','scope':'#'}"},
    {KT_F_IDENTITY_LINK_VERDICT, .core = true,
     .adds = "{'entity':'identity_link','a':'<','b':'>','verdict':'!','by':'MANUAL','reason':'#'}"},
    {.field = 0}
};
/* clang-format on */

const struct sim_field *sim_field(uint32_t field)
{
    const struct sim_field *f = sim_fields;
    while (f->field && f->field != field) f++;
    return f->field ? f : NULL;
}

uint32_t sim_fields_of(uint32_t kind, const struct sim_field **first)
{
    uint32_t n = 0;
    for (const struct sim_field *f = sim_fields; f->field; f++)
        if (kt_field_kind(f->field) == kind && n++ == 0) *first = f;
    return n;
}
