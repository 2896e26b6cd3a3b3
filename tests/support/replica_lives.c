/* Nodes of the world: born, writing, dying, coming back. */
#include "support/replica_world.h"

#include <stdlib.h>

static void start(struct world *w, unsigned node)
{
    struct world_node *n = &w->nodes[node];
    struct kt_vector held = {0};
    for (size_t i = 0; i < n->len; i++) {
        struct kt_vector_entry e = {n->journal[i].origin, n->journal[i].number, n->journal[i].hash, n->journal[i].hlc,
                                    n->journal[i].roster_version};
        world_must(kt_vector_set(&held, &e) == KT_OK, "a journal is out of order");
    }
    struct kt_replica_config c = {w->rosters[1].cluster, n->member, n->incarnation};
    world_must(kt_replica_create(&c, &held, &n->replica) == KT_OK, "no replica");
    kt_vector_free(&held);
    world_step(w, node, (struct kt_event){.kind = KT_EV_ROSTER, .roster = &w->rosters[n->roster_version]});
}

void world_open(struct world *w, unsigned nodes)
{
    *w = (struct world){.nodes_len = nodes, .delay_ms = 10, .commit_ms = 4, .tick_at_ms = WORLD_TICK_MS};
    world_must(nodes <= WORLD_NODES_MAX, "too many nodes");
    kt_arena_init(&w->arriving, 4u << 20);
    for (unsigned i = 0; i < WORLD_DEPTH_MAX; i++) kt_arena_init(&w->fx[i].arena, 8u << 20);
    for (unsigned i = 0; i <= nodes && i < WORLD_NODES_MAX; i++)
        w->members[i] = (struct kt_roster_member){.number = i + 1, .office = "", .agency = ""};
    for (uint32_t v = 1; v < 4; v++) {
        w->rosters[v] = (struct kt_roster){.cluster = {{0xc0}}, .version = v, .hash = {{(uint8_t)v}}};
        w->rosters[v].members = w->members;
        w->rosters[v].members_len = nodes;
    }
    for (unsigned i = 0; i < nodes; i++) {
        w->nodes[i] =
            (struct world_node){.member = i + 1, .incarnation = 1, .roster_version = 1, .commit_at_ms = UINT64_MAX};
        start(w, i);
    }
}

void world_close(struct world *w)
{
    while (w->packets) {
        struct world_packet *p = w->packets;
        w->packets = p->next;
        free(p);
    }
    kt_arena_free(&w->arriving);
    for (unsigned i = 0; i < WORLD_DEPTH_MAX; i++) kt_arena_free(&w->fx[i].arena);
    for (unsigned i = 0; i < w->nodes_len; i++) {
        kt_replica_free(w->nodes[i].replica);
        free(w->nodes[i].journal);
    }
}

/* A batch of `o` after what the node holds; spice makes two of one number differ. */
static void commit(struct world *w, unsigned node, struct kt_origin o, uint64_t spice)
{
    struct world_node *n = &w->nodes[node];
    const struct kt_vector_entry *head = kt_vector_find(kt_replica_vector(n->replica), o);
    struct world_batch b = {.origin = o, .number = (head ? head->number : 0) + 1, .roster_version = n->roster_version};
    if (head) b.previous = head->seal_hash;
    uint64_t numbers[] = {o.member, o.incarnation, b.number, spice};
    struct kt_bytes parts[] = {KT_BYTES_OF(numbers), KT_BYTES_OF(b.previous)};
    b.hash = kt_hash_parts("test", parts, 2);
    b.hlc = kt_clock_next(&n->clock, WORLD_EPOCH_MS + w->now_ms);
    world_tell(w, "office-%u writes %u%s/%llu", node + 1, o.member, o.incarnation > 1 ? "'" : "",
               (unsigned long long)b.number);
    world_journal_append(w, node, &b);
    struct kt_seal seal = world_seal(&b);
    world_step(w, node, (struct kt_event){.kind = KT_EV_WROTE, .seal = &seal, .seal_hash = &b.hash});
}

void world_write(struct world *w, unsigned node)
{
    struct world_node *n = &w->nodes[node];
    commit(w, node, (struct kt_origin){n->member, kt_replica_incarnation(n->replica)}, 0);
}

void world_forge(struct world *w, unsigned node, unsigned victim)
{
    commit(w, node, (struct kt_origin){w->nodes[victim].member, 1}, 1);
}

void world_restart(struct world *w, unsigned node, size_t keep)
{
    struct world_node *n = &w->nodes[node];
    for (unsigned i = 0; i < w->lines_len; i++)
        if (w->lines[i].a == node || w->lines[i].b == node) world_cut(w, i);
    world_tell(w, "office-%u dies and starts again", node + 1);
    kt_replica_free(n->replica);
    n->len = n->committed < keep ? n->committed : keep;
    n->committed = n->len;
    n->commit_at_ms = UINT64_MAX;
    start(w, node);
}

void world_roster(struct world *w, unsigned node, uint32_t version, uint64_t link)
{
    w->nodes[node].roster_version = version;
    world_tell(w, "office-%u has roster version %u in force", node + 1, version);
    world_step(w, node, (struct kt_event){.kind = KT_EV_ROSTER, .link = link, .roster = &w->rosters[version]});
}
