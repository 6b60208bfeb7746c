/* The commands that are one verb of TICKET_UPDATE: assign, claim, … message. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ticket.h"

#define TEXT_BYTES_MAX 262144u

enum { TEXT_RECEIVER, TEXT_KEY, TEXT_TEXT, TEXTS };

/* What stands behind TICKET. */
enum operand { OPERAND_NONE, OPERAND_AGENT, OPERAND_QUEUE, OPERAND_PRIORITY, OPERAND_CATEGORY, OPERAND_TEXT };

struct update {
    struct tkd_ticket_update head;
    struct tkd_text texts[TEXTS];
    char *input; /* text read from standard input */
};

static enum operand operand_of(u32 verb)
{
    switch (verb) {
    case TKD_VERB_ASSIGN:
    case TKD_VERB_CLAIM:
        return OPERAND_AGENT;
    case TKD_VERB_TRANSFER:
        return OPERAND_QUEUE;
    case TKD_VERB_PRIORITY:
        return OPERAND_PRIORITY;
    case TKD_VERB_CATEGORY:
        return OPERAND_CATEGORY;
    case TKD_VERB_RELEASE:
    case TKD_VERB_CONTINUE:
    case TKD_VERB_URGE:
        return OPERAND_NONE;
    default:
        return OPERAND_TEXT;
    }
}

static bool text_required(u32 verb)
{
    return verb == TKD_VERB_TAG || verb == TKD_VERB_UNTAG || verb == TKD_VERB_FORCE_END ||
           verb == TKD_VERB_REPLY || verb == TKD_VERB_NOTE || verb == TKD_VERB_MESSAGE;
}

/* The verb's number from the command's name: "ticket force-end" -> force_end. */
static u32 verb_of(const struct command *command)
{
    char name[32];
    snprintf(name, sizeof(name), "%s", command->name + strlen("ticket "));
    for (char *at = name; *at; at++) *at = *at == '-' ? '_' : *at;
    return tkd_number(TKD_ENUM_VERB, name);
}

static char *input_read(void)
{
    char *text = allocate(TEXT_BYTES_MAX + 2);
    size_t bytes = fread(text, 1, TEXT_BYTES_MAX + 1, stdin);
    while (bytes > 0 && text[bytes - 1] == '\n') bytes--;
    text[bytes] = 0;
    return text;
}

/* "-" = the text stands on standard input. */
static void text_set(struct update *update, const char *text)
{
    if (text && strcmp(text, "-") == 0) text = update->input = input_read();
    update->texts[TEXT_TEXT] = text_of(text);
}

static int value_set(struct ctl *ctl, const struct args *args, enum operand operand, const char *value,
                     struct update *update)
{
    static const u32 kinds[] = {[OPERAND_AGENT] = TKD_KIND_AGENT,
                                [OPERAND_QUEUE] = TKD_KIND_QUEUE,
                                [OPERAND_CATEGORY] = TKD_KIND_CATEGORY};
    if (operand == OPERAND_TEXT) {
        text_set(update, value);
        return EXIT_OK;
    }
    if (operand == OPERAND_PRIORITY) {
        update->head.priority = (u8)tkd_number(TKD_ENUM_PRIORITY, value);
        if (update->head.priority) return EXIT_OK;
        return usage_error(args, "a priority is urgent, high, normal or low, not '%s'", value);
    }
    if (operand == OPERAND_CATEGORY && strcmp(value, "none") == 0) return EXIT_OK;
    int code;
    struct catalog *catalog = ctl_catalog(ctl, &code);
    if (!catalog) return code;
    u32 id = catalog_id(catalog, kinds[operand], value);
    if (id == 0) return EXIT_REFUSED;
    if (operand == OPERAND_AGENT) update->head.agent = id;
    if (operand == OPERAND_QUEUE) update->head.queue = (u16)id;
    if (operand == OPERAND_CATEGORY) update->head.category = (u16)id;
    return EXIT_OK;
}

/* The value behind TICKET, or the option of the same meaning. */
static int operand_read(struct ctl *ctl, const struct args *args, u32 at, struct update *update)
{
    static const char *const names[] = {"", "agent", "queue", "priority", "category", "text"};
    u32 verb = update->head.kind;
    enum operand operand = operand_of(verb);
    const char *value = at < args->operands_count ? args->operands[at] : NULL;
    u32 used = at + (value ? 1 : 0);
    if (operand != OPERAND_NONE && !value) value = args_value(args, names[operand]);
    if (operand == OPERAND_NONE) used = at;
    if (used < args->operands_count)
        return usage_error(args, "'%s' is one operand too many", args->operands[used]);
    if (!value) {
        bool required = operand != OPERAND_NONE && (operand != OPERAND_TEXT || text_required(verb));
        if (!required) return EXIT_OK;
        return usage_error(args, "the %s is missing", operand == OPERAND_TEXT ? "text" : names[operand]);
    }
    return value_set(ctl, args, operand, value, update);
}

static int options_read(struct ctl *ctl, const struct args *args, struct update *update)
{
    u64 version = 0;
    int code = option_id(ctl, args, "as", TKD_KIND_AGENT, &update->head.actor);
    if (code != EXIT_OK) return code;
    if (!args_number(args, "if-version", UINT32_MAX, &version)) return EXIT_USAGE;
    update->head.version = (u32)version;
    if (update->head.kind == TKD_VERB_TRANSFER) {
        return option_id(ctl, args, "agent", TKD_KIND_AGENT, &update->head.agent);
    }
    if (update->head.kind == TKD_VERB_MESSAGE) {
        u32 channel = 0;
        code = option_id(ctl, args, "channel", TKD_KIND_CHANNEL, &channel);
        update->head.channel = (u16)channel;
    }
    return code;
}

static int update_read(struct ctl *ctl, const struct args *args, struct ticket_name *name,
                       struct update *update)
{
    int code = ticket_name_read(ctl, args, name);
    if (code != EXIT_OK) return code;
    update->head.kind = (u16)verb_of(args->command);
    update->head.ticket = name->id;
    update->head.channel = (u16)name->channel;
    update->texts[TEXT_RECEIVER] = name->receiver;
    update->texts[TEXT_KEY] = name->key;
    code = options_read(ctl, args, update);
    return code == EXIT_OK ? operand_read(ctl, args, name->operands, update) : code;
}

/* An illegal move names the state and the command: the state has to be asked for. */
static int explain(struct ctl *ctl, const struct ticket_name *name, u32 verb, u32 status)
{
    const struct tkd_prefix *row;
    struct tkd_ticket ticket;
    u64 now_ms;
    if (status != TKD_ILLEGAL_MOVE || ticket_fetch(ctl, name, &row, &ticket, &now_ms) != EXIT_OK) {
        return ctl_refused(name->shown, status);
    }
    complain("%s: illegal_move: a ticket in state %s does not take the command %s", name->shown,
             tkd_name(TKD_ENUM_STATE, ticket.state), tkd_name(TKD_ENUM_VERB, verb));
    return EXIT_REFUSED;
}

/* Sends it; `*result` is an accepted one when EXIT_OK is returned. */
static int send_update(struct ctl *ctl, const struct ticket_name *name, const struct update *update,
                       struct tkd_result *result)
{
    struct tkd_answer answer;
    int code = ctl_call(ctl, name->shown, TKD_OP_TICKET_UPDATE, TKD_RECORD_ticket_update, &update->head,
                        update->texts, &answer);
    if (code != EXIT_OK) return code;
    if (answer.count != 1) return ctl_refused(name->shown, TKD_BAD_REPLY);
    memcpy(result, answer.rows, sizeof(*result));
    const struct tkd_status_info *info = tkd_status_info(result->status);
    if (info && info->class == TKD_STATUS_ok) return EXIT_OK;
    return explain(ctl, name, update->head.kind, result->status);
}

static int run(struct ctl *ctl, const struct args *args)
{
    struct update update = {0};
    struct ticket_name name;
    struct tkd_result result;
    int code = update_read(ctl, args, &name, &update);
    if (code == EXIT_OK) code = send_update(ctl, &name, &update, &result);
    free(update.input);
    if (code != EXIT_OK) return code;
    static const struct column columns[] = {
        {"ticket", CELL_NUMBER}, {"status", CELL_TEXT}, {"version", CELL_NUMBER}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 3, false);
    output_number(output, result.id ? result.id : name.id);
    output_string(output, tkd_status_info(result.status)->name);
    output_number(output, result.version);
    output_row(output);
    output_close(output, NULL);
    return EXIT_OK;
}

#define COMMON_OPTIONS                                                                                       \
    TICKET_OPTIONS, {"as", 0, "AGENT", "on whose behalf this is done; stands in the history as the actor"},  \
        {"if-version", 0, "N", "only if the ticket still has this version"},                                 \
    {                                                                                                        \
        0                                                                                                    \
    }

static const struct option_info options_plain[] = {COMMON_OPTIONS};
static const struct option_info options_agent[] = {{"agent", 0, "AGENT", "instead of the operand"},
                                                   COMMON_OPTIONS};
static const struct option_info options_queue[] = {{"queue", 'q', "QUEUE", "instead of the operand"},
                                                   {"agent", 0, "AGENT", "who gets it there"},
                                                   COMMON_OPTIONS};
static const struct option_info options_priority[] = {{"priority", 'p', "PRIORITY", "instead of the operand"},
                                                      COMMON_OPTIONS};
static const struct option_info options_category[] = {{"category", 0, "CATEGORY", "instead of the operand"},
                                                      COMMON_OPTIONS};
static const struct option_info options_text[] = {
    {"text", 't', "TEXT", "instead of the operand; - = standard input"}, COMMON_OPTIONS};

#define UPDATE(constant, verb, operands_, options_, summary_, about_, example_)                              \
    const struct command command_ticket_##constant = {                                                       \
        .name = "ticket " verb,                                                                              \
        .operands = operands_,                                                                               \
        .summary = summary_,                                                                                 \
        .about = about_,                                                                                     \
        .example = example_,                                                                                 \
        .options = options_,                                                                                 \
        .operands_max = 2,                                                                                   \
        .run = run,                                                                                          \
    };

UPDATE(assign, "assign", "TICKET AGENT", options_agent, "gives a ticket to an agent",
       "The agent must serve the ticket's queue; presence and capacity are not asked.",
       "ticketctl ticket assign 17 李雷")
UPDATE(claim, "claim", "TICKET AGENT", options_agent, "an agent takes a ticket that nobody holds",
       "The agent must serve the queue, be present, have all skills required and spare capacity.",
       "ticketctl ticket claim 17 李雷")
UPDATE(release, "release", "TICKET", options_plain, "puts a ticket back into its queue, unassigned", NULL,
       "ticketctl ticket release 17")
UPDATE(transfer, "transfer", "TICKET QUEUE", options_queue, "moves a ticket to another queue",
       "The station ends as 'transferred' and the next one begins there; the state stays.",
       "ticketctl ticket transfer 17 仓储 --as 李雷")
UPDATE(priority, "priority", "TICKET PRIORITY", options_priority, "sets a ticket's priority",
       "PRIORITY is urgent, high, normal or low.", "ticketctl ticket priority 17 urgent")
UPDATE(category, "category", "TICKET CATEGORY", options_category, "sets a ticket's category",
       "CATEGORY 'none' takes it away.", "ticketctl ticket category 17 退款")
UPDATE(tag, "tag", "TICKET TAG", options_text, "adds a tag", NULL, "ticketctl ticket tag 17 破损")
UPDATE(untag, "untag", "TICKET TAG", options_text, "removes a tag", NULL, "ticketctl ticket untag 17 破损")
UPDATE(pend, "pend", "TICKET [COMMENT]", options_text, "waits for the customer", NULL,
       "ticketctl ticket pend 17 '等客户提供照片'")
UPDATE(hold, "hold", "TICKET [COMMENT]", options_text, "waits for a third party", NULL,
       "ticketctl ticket hold 17 '等承运商回复'")
UPDATE(resume, "resume", "TICKET [COMMENT]", options_text, "opens a pending or held ticket again", NULL,
       "ticketctl ticket resume 17")
UPDATE(resolve, "resolve", "TICKET [COMMENT]", options_text, "solves a ticket",
       "A reply of the customer opens it again.", "ticketctl ticket resolve 17 '已补发' --as 李雷")
UPDATE(close, "close", "TICKET [COMMENT]", options_text, "closes a ticket",
       "Closing an unsolved ticket counts as a solve.", "ticketctl ticket close 17")
UPDATE(cancel, "cancel", "TICKET [REASON]", options_text, "ends a ticket without a solution",
       "It does not count as a solve.", "ticketctl ticket cancel 17 '重复提交'")
UPDATE(force_end, "force-end", "TICKET REASON", options_text, "closes a ticket, whatever its state",
       "For operators. The reason is required and stands in the history. It does not count as a solve.",
       "ticketctl ticket force-end 17 '系统误建'")
UPDATE(pause, "pause", "TICKET [REASON]", options_text, "stops all work on a ticket, and all its clocks",
       "For operators; 'ticket continue' undoes it.", "ticketctl ticket pause 17 '等法务结论'")
UPDATE(continue, "continue", "TICKET", options_plain, "undoes pause", NULL, "ticketctl ticket continue 17")
UPDATE(reopen, "reopen", "TICKET [COMMENT]", options_text,
       "opens a resolved, closed or cancelled ticket again", NULL,
       "ticketctl ticket reopen 17 '客户仍未收到'")
UPDATE(urge, "urge", "TICKET", options_plain, "notes that the customer urges", NULL,
       "ticketctl ticket urge 17")
UPDATE(reply, "reply", "TICKET TEXT", options_text, "replies to the customer",
       "A public reply; the first one stops the first-reply clock. TEXT '-' is read from standard input.",
       "ticketctl ticket reply 17 '您好，包裹明天送达。' --as 李雷")
UPDATE(note, "note", "TICKET TEXT", options_text, "adds an internal note",
       "TEXT '-' is read from standard input.", "ticketctl ticket note 17 '已联系承运商' --as 李雷")
UPDATE(message, "message", "TICKET TEXT", options_text, "adds a message of the customer",
       "A pending or resolved ticket becomes open. --channel says how it came in. "
       "TEXT '-' is read from standard input.",
       "ticketctl ticket message 17 '还没有收到' --channel phone")
