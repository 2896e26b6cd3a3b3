/* The order of the checks is part of the contract: what is said about a batch must not depend on who looks at it. */
#include "core/judge.h"

static bool known(const struct kt_hash *h)
{
    static const struct kt_hash zeros;
    return memcmp(h, &zeros, sizeof zeros) != 0;
}

static bool same(const struct kt_hash *a, const struct kt_hash *b) { return memcmp(a, b, sizeof *a) == 0; }

int kt_judge_seal(const struct kt_batch *b, const struct kt_cluster *cluster, const struct kt_roster *named)
{
    const struct kt_seal *s = &b->seal;
    if (memcmp(&s->cluster, cluster, sizeof *cluster) != 0) return KT_ECLUSTER;
    if (!named || named->version != s->roster_version) return KT_EROSTER;
    if (!same(&named->hash, &s->roster_hash)) return KT_EHASH;
    const struct kt_roster_member *author = kt_roster_member(named, s->origin.member);
    if (!author || author->revoked) return KT_ENOTMEMBER;
    return kt_seal_verify(b, author->pub.sign);
}

/* Where it stands in its origin's chain. */
static int judge_chain(const struct kt_batch *b, const struct kt_vector_entry *head)
{
    const struct kt_seal *s = &b->seal;
    uint64_t held = head ? head->number : 0;
    if (s->number == 0) return KT_EMALFORMED;
    if (s->number < held) return KT_EDUPLICATE;
    if (s->number == held) /* a head whose seal we do not know (clipped to a cut) cannot tell a fork */
        return !known(&head->seal_hash) || same(&head->seal_hash, &b->seal_hash) ? KT_EDUPLICATE : KT_EFORK;
    if (s->number > held + 1) return KT_EGAP;
    if (!head) return known(&s->previous) ? KT_EHASH : KT_OK;
    if (s->roster_version < head->roster_version) return KT_EVERSION;
    return !known(&head->seal_hash) || same(&head->seal_hash, &s->previous) ? KT_OK : KT_EFORK;
}

int kt_judge_batch(const struct kt_batch *b, const struct kt_cluster *cluster, const struct kt_roster *named,
                   const struct kt_roster *newest, const struct kt_vector_entry *head)
{
    int err = kt_judge_seal(b, cluster, named);
    return err ? err : kt_judge_standing(b, newest, head);
}

int kt_judge_standing(const struct kt_batch *b, const struct kt_roster *newest, const struct kt_vector_entry *head)
{
    if (newest && b->seal.number > kt_roster_cut(newest, b->seal.origin, 0)) return KT_ECUT;
    return judge_chain(b, head);
}

int kt_judge_fork(const struct kt_batch *a, const struct kt_batch *b, struct kt_fork *out)
{
    if (a->seal.number > b->seal.number) return kt_judge_fork(b, a, out);
    if (kt_origin_compare(a->seal.origin, b->seal.origin) != 0) return KT_EINVAL;
    const bool one_number = a->seal.number == b->seal.number;
    const bool parted = one_number ? !same(&a->seal_hash, &b->seal_hash)
                                   : b->seal.number == a->seal.number + 1 && !same(&a->seal_hash, &b->seal.previous);
    if (!parted) return KT_EINVAL;
    *out = (struct kt_fork){a->seal.origin, a->seal.number, one_number && same(&a->seal.previous, &b->seal.previous)};
    return KT_OK;
}

int kt_judge_section(const struct kt_seal *seal, uint32_t section, const struct kt_roster *named,
                     const struct kt_roster *newest)
{
    if (section >= seal->sections_len) return KT_EBUG;
    kt_compartment c = seal->sections[section].compartment;
    if (!kt_roster_may_write(named, seal->origin.member, c)) return KT_EVOID;
    return newest && seal->number > kt_roster_cut(newest, seal->origin, c) ? KT_ECUT : KT_OK;
}

static bool well_formed(const struct kt_op *op)
{
    return op->field != 0 && op->element.len <= KT_ELEMENT_BYTES_MAX && op->replaces_len <= KT_REPLACES_PER_OP_MAX &&
           (op->has_value ? op->value.len <= KT_VALUE_BYTES_MAX : op->value.len == 0);
}

int kt_judge_change(const struct kt_compartment_keys *keys, const struct kt_tag *tag, const struct kt_change *change)
{
    struct kt_tag due = kt_tag_of(keys, &change->ward);
    if (memcmp(&due, tag, sizeof due) != 0) return KT_EVOID;
    if (change->ops_len == 0 || change->ops_len > KT_OPS_PER_CHANGE_MAX) return KT_EVOID;
    if (change->actor.len > KT_NAME_BYTES_MAX || change->purpose.len > KT_NAME_BYTES_MAX) return KT_EVOID;
    for (uint32_t i = 0; i < change->ops_len; i++)
        if (!well_formed(&change->ops[i])) return KT_EVOID;
    return KT_OK;
}
