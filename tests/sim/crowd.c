/* The crowd: connections that say nothing, or a piece of a frame now and then, or go in the middle of one.
 * One clock for all of them: each time one, drawn by the seed, does something, so thousands cost what one
 * does. */
#include "core/frame.h"
#include "tests/sim/request.h"
#include "tests/sim/world.h"

struct member {
    u32 socket; /* 0: not connected */
    u32 at;     /* bytes of the frames that it has sent */
};

struct crowd {
    struct member *members;
    u64 next_ns;
    u64 every_ns;
    u32 frames_bytes;
    u8 frames[4096]; /* HELLO, and a question */
};
static struct crowd *crowd;

static void frame_add(struct request *request)
{
    const struct tkd_frame *frame = request_seal(request);
    memcpy(crowd->frames + crowd->frames_bytes, frame, frame->size);
    crowd->frames_bytes += frame->size;
}

void crowd_create(void)
{
    static struct request request;
    crowd = world_alloc(sizeof *crowd);
    crowd->next_ns = U64_NONE;
    if (world->plan.crowd == 0) return;
    crowd->members = world_alloc(world->plan.crowd * sizeof *crowd->members);
    crowd->every_ns = max_u64(world->plan.duration_ns / world->plan.crowd / 8, 20 * US_NS);
    crowd->next_ns = 1;
    request_begin(&request, TKD_OP_HELLO, 1);
    request_add(&request, &(struct tkd_hello){.version_min = 1, .version_max = 1}, NULL);
    frame_add(&request);
    request_begin(&request, TKD_OP_SUMMARY, 2);
    request_add(&request, &(struct tkd_empty){0}, NULL);
    frame_add(&request);
}

void crowd_destroy(void)
{
    world_free(crowd->members);
    world_free(crowd);
    crowd = NULL;
}

u64 crowd_next_ns(void) { return crowd->next_ns; }

static void leave(struct member *member)
{
    net_cut(member->socket);
    *member = (struct member){0};
}

static void listen_to(struct member *member)
{
    u8 answer[4096];
    i32 got;
    while ((got = net_read(member->socket, answer, sizeof answer)) > 0) {
    }
    if (got < 0) leave(member);
}

static void speak(struct member *member)
{
    u32 left = crowd->frames_bytes - member->at;
    u32 bytes = chance(1, 3) ? left : (u32)chance_below((u64)left + 1);
    member->at += net_write(member->socket, crowd->frames + member->at, bytes);
    if (member->at == crowd->frames_bytes && chance(1, 2))
        member->at = 0; /* again; HELLO may be said twice */
}

static void act(struct member *member)
{
    if (member->socket == 0) {
        member->socket = net_connect();
        return;
    }
    switch (chance_below(8)) {
    case 0:
        if (!fault(FAULT_CUT, 1, 2)) return;
        leave(member);
        return;
    case 1:
    case 2:
        listen_to(member);
        return;
    default:
        speak(member);
    }
}

void crowd_run(void)
{
    if (world->now_ns < crowd->next_ns) return;
    if (!world->healed) {
        crowd->next_ns = world->now_ns + some_ns(crowd->every_ns);
        act(&crowd->members[chance_below(world->plan.crowd)]);
        return;
    }
    crowd->next_ns = U64_NONE;
    for (u32 i = 0; i < world->plan.crowd; i++) { /* they make room, as the other disturbers do */
        if (crowd->members[i].socket != 0 && chance(1, 2)) leave(&crowd->members[i]);
    }
}
