/* ticket create */
#include <string.h>

#include "commands.h"
#include "ticket.h"

enum { TEXT_ADDRESS, TEXT_RECEIVER, TEXT_KEY, TEXT_SUBJECT, TEXT_BODY, TEXT_SKILLS, TEXTS };

#define SKILLS_MAX 32u

/* Without --channel: the only one there is. */
static int channel_read(struct ctl *ctl, const struct args *args, u32 *channel)
{
    if (args_value(args, "channel")) return option_id(ctl, args, "channel", TKD_KIND_CHANNEL, channel);
    const struct catalog_kind *channels = &ctl->catalog->kinds[TKD_KIND_CHANNEL];
    u32 used = 0;
    for (u32 i = 0; i < channels->count; i++) {
        if (channels->entries[i].head.retired) continue;
        used++;
        *channel = channels->entries[i].head.id;
    }
    return used == 1 ? EXIT_OK : usage_error(args, "--channel is missing: the desk has %u channels", used);
}

static int skills_read(struct ctl *ctl, const struct args *args, u16 ids[SKILLS_MAX], u32 *count)
{
    const char *name;
    for (*count = 0; (name = args_each(args, "skill", *count)); (*count)++) {
        if (*count == SKILLS_MAX) return usage_error(args, "a ticket requires at most %u skills", SKILLS_MAX);
        u32 id = catalog_id(ctl->catalog, TKD_KIND_SKILL, name);
        if (id == 0) return EXIT_REFUSED;
        ids[*count] = (u16)id;
    }
    return EXIT_OK;
}

static int head_read(struct ctl *ctl, const struct args *args, struct tkd_ticket_create *request)
{
    u32 queue = 0, category = 0, channel = 0;
    if (!args_value(args, "queue")) return usage_error(args, "--queue is missing: where does the ticket go?");
    int code = channel_read(ctl, args, &channel);
    if (code == EXIT_OK) code = option_id(ctl, args, "queue", TKD_KIND_QUEUE, &queue);
    if (code == EXIT_OK) code = option_id(ctl, args, "category", TKD_KIND_CATEGORY, &category);
    if (code == EXIT_OK) code = option_id(ctl, args, "agent", TKD_KIND_AGENT, &request->agent);
    if (code == EXIT_OK) code = option_priority(args, &request->priority);
    if (code != EXIT_OK) return code;
    request->queue = (u16)queue;
    request->category = (u16)category;
    request->channel = (u16)channel;
    request->no_routing = args_flag(args, "no-routing");
    const char *state = args_value(args, "state");
    if (state) request->state = (u8)tkd_number(TKD_ENUM_STATE, state);
    if (state && request->state != TKD_STATE_NEW && request->state != TKD_STATE_OPEN) {
        return usage_error(args, "a ticket begins new or open, not '%s'", state);
    }
    return args_number(args, "customer", UINT64_MAX, &request->customer) ? EXIT_OK : EXIT_USAGE;
}

static int run(struct ctl *ctl, const struct args *args)
{
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    struct tkd_ticket_create request = {0};
    u16 skills[SKILLS_MAX];
    u32 skills_count;
    code = head_read(ctl, args, &request);
    if (code == EXIT_OK) code = skills_read(ctl, args, skills, &skills_count);
    if (code != EXIT_OK) return code;
    struct tkd_text texts[TEXTS] = {
        [TEXT_ADDRESS] = text_of(args_value(args, "address")),
        [TEXT_RECEIVER] = text_of(args_value(args, "receiver")),
        [TEXT_KEY] = text_of(args_value(args, "key")),
        [TEXT_SUBJECT] = text_of(args_value(args, "subject")),
        [TEXT_BODY] = text_of(args_value(args, "body")),
        [TEXT_SKILLS] = {(const char *)skills, skills_count * (u32)sizeof(u16)},
    };
    struct tkd_result result;
    code = ctl_command(ctl, "ticket create", TKD_OP_TICKET_CREATE, TKD_RECORD_ticket_create, &request, texts,
                       &result);
    if (code != EXIT_OK) return code;
    static const struct column columns[] = {
        {"ticket", CELL_NUMBER}, {"status", CELL_TEXT}, {"version", CELL_NUMBER}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 3, false);
    output_number(output, result.id);
    output_string(output, tkd_status_info(result.status)->name);
    output_number(output, result.version);
    output_row(output);
    output_close(output, NULL);
    return EXIT_OK;
}

static const struct option_info options[] = {
    {"queue", 'q', "QUEUE", "where it goes (required)"},
    {"channel", 0, "CHANNEL", "how it came in (may be left out when the desk has one only)"},
    {"address", 'a', "ADDRESS",
     "the customer's address in the channel; a new customer is made on first sight"},
    {"customer", 0, "ID", "the customer by id, instead of an address"},
    {"subject", 's', "TEXT", "what it is about"},
    {"body", 'b', "TEXT", "what the customer wrote"},
    {"priority", 'p', "PRIORITY", "urgent, high, normal (the default) or low"},
    {"category", 0, "CATEGORY", "its category"},
    {"skill", 0, "SKILL", "a skill that its agent must have besides the queue's (may be repeated)"},
    {"key", 0, "KEY",
     "external key: with channel and receiver unique; creating it again makes no second ticket"},
    {"receiver", 0, "ADDRESS", "the address that received it"},
    {"agent", 0, "AGENT", "who gets it at once"},
    {"state", 0, "STATE", "new (the default) or open"},
    {"no-routing", 0, NULL, "only commands will assign it"},
    {0},
};

const struct command command_ticket_create = {
    .name = "ticket create",
    .operands = "",
    .summary = "makes a ticket and routes it",
    .about = "Prints the ticket's id. When a ticket with this external key is there already, the status is "
             "'exists' and the id that of the first one.",
    .example =
        "ticketctl ticket create --queue 物流 --channel phone --address 13800138000 --subject 包裹未到\n"
        "ticketctl ticket create -q 售后 --channel email -a li@example.com --key 4711 -p high -s 退款",
    .options = options,
    .run = run,
};
