/* customer show, customer tier */
#include <string.h>

#include "commands.h"
#include "events.h"
#include "ticket.h"

/* The customer by id, or by --channel and --address. */
static int fetch(struct ctl *ctl, const struct args *args, struct tkd_customer_row *customer,
                 char address[257])
{
    struct tkd_customer_get request = {0};
    struct tkd_text text = {"", 0};
    const char *by_address = args_value(args, "address");
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    if (by_address) {
        if (!args_value(args, "channel")) return usage_error(args, "--address needs --channel");
        code = option_id(ctl, args, "channel", TKD_KIND_CHANNEL, &request.channel);
        if (code != EXIT_OK) return code;
        text = text_of(by_address);
    } else if (args->operands_count == 0) {
        return usage_error(args, "which customer? give the id, or --channel and --address");
    } else if (!number_parse(args->operands[0], UINT64_MAX, &request.customer) || request.customer == 0) {
        return usage_error(args, "a customer's id is a number, not '%s'", args->operands[0]);
    }
    struct tkd_answer answer;
    code = ctl_call(ctl, "customer", TKD_OP_CUSTOMER_GET, TKD_RECORD_customer_get, &request, &text, &answer);
    if (code != EXIT_OK) return code;
    const struct tkd_prefix *row = tkd_next_row(&answer, NULL);
    if (!row) return ctl_refused("customer", TKD_UNKNOWN_CUSTOMER);
    tkd_read(TKD_RECORD_customer_row, row, customer);
    struct tkd_text found = tkd_row_text(TKD_RECORD_customer_row, row, 0);
    snprintf(address, 257, "%.*s", (int)found.bytes, found.data);
    return EXIT_OK;
}

static int touches_print(struct ctl *ctl, const struct tkd_customer_row *customer, u32 limit)
{
    struct events events;
    if (customer->last_touch == 0) return EXIT_OK;
    int code = events_read(ctl, "customer show", 0, customer->last_touch, limit, &events);
    if (code != EXIT_OK) return code;
    if (ctl->form == OUTPUT_TABLE)
        printf("\n%stouches%s\n", color_on(ctl->color, COLOR_BOLD), color_off(ctl->color));
    events_print(ctl, &events);
    events_free(&events);
    return EXIT_OK;
}

static void customer_print(struct ctl *ctl, const struct tkd_customer_row *customer, const char *address)
{
    static const struct column columns[] = {{"customer", CELL_NUMBER},     {"tier", CELL_TEXT},
                                            {"channel", CELL_TEXT},        {"address", CELL_TEXT},
                                            {"created", CELL_TIME},        {"tickets", CELL_NUMBER},
                                            {"open_tickets", CELL_NUMBER}, {"touches", CELL_NUMBER}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 8, true);
    output_number(output, customer->id);
    output_string(output, catalog_name(ctl->catalog, TKD_KIND_TIER, customer->tier));
    output_string(output, catalog_name(ctl->catalog, TKD_KIND_CHANNEL, customer->channel));
    output_string(output, address);
    output_time(output, customer->created_ms);
    output_number(output, customer->tickets);
    output_number(output, customer->open_tickets);
    output_number(output, customer->touches);
    output_row(output);
    output_close(output, NULL);
}

static int show_run(struct ctl *ctl, const struct args *args)
{
    struct tkd_customer_row customer;
    char address[257];
    u64 limit = 20;
    if (!args_number(args, "limit", UINT32_MAX, &limit)) return EXIT_USAGE;
    int code = fetch(ctl, args, &customer, address);
    if (code != EXIT_OK) return code;
    bool touches = args_flag(args, "touches");
    if (ctl->form == OUTPUT_TABLE || !touches) customer_print(ctl, &customer, address);
    if (ctl->form != OUTPUT_TABLE && !touches) return EXIT_OK;
    return touches_print(ctl, &customer, (u32)limit);
}

static int tier_run(struct ctl *ctl, const struct args *args)
{
    bool by_address = args_value(args, "address") != NULL;
    u32 tier_at = by_address ? 0 : 1;
    if (args->operands_count != tier_at + 1) return usage_error(args, "give the customer and the tier");
    struct tkd_customer_row customer;
    char address[257];
    int code = fetch(ctl, args, &customer, address);
    if (code != EXIT_OK) return code;
    struct tkd_customer_update request = {.customer = customer.id};
    const char *tier = args->operands[tier_at];
    if (strcmp(tier, "none") != 0) {
        request.tier = catalog_id(ctl->catalog, TKD_KIND_TIER, tier);
        if (request.tier == 0) return EXIT_REFUSED;
    }
    struct tkd_text name = text_of(args_value(args, "name"));
    struct tkd_result result;
    code = ctl_command(ctl, "customer tier", TKD_OP_CUSTOMER_UPDATE, TKD_RECORD_customer_update, &request,
                       &name, &result);
    if (code != EXIT_OK) return code;
    static const struct column columns[] = {
        {"customer", CELL_NUMBER}, {"tier", CELL_TEXT}, {"status", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 3, false);
    output_number(output, customer.id);
    output_string(output, catalog_name(ctl->catalog, TKD_KIND_TIER, request.tier));
    output_string(output, tkd_status_info(result.status)->name);
    output_row(output);
    output_close(output, NULL);
    return EXIT_OK;
}

#define CUSTOMER_OPTIONS                                                                                     \
    {"channel", 0, "CHANNEL", "the channel of --address"},                                                   \
    {                                                                                                        \
        "address", 'a', "ADDRESS", "the customer's address there"                                            \
    }

static const struct option_info show_options[] = {
    CUSTOMER_OPTIONS,
    {"limit", 'n', "N", "so many of the newest touches (default 20, 0 = all)"},
    {"touches", 0, NULL, "with -o json or csv: the touches instead of the customer"},
    {0},
};

static const struct option_info tier_options[] = {
    CUSTOMER_OPTIONS,
    {"name", 0, "NAME", "the customer's name, kept in the history"},
    {0},
};

const struct command command_customer_show = {
    .name = "customer show",
    .operands = "[CUSTOMER]",
    .operands_max = 1,
    .summary = "one customer and the touches over all channels",
    .about = "A touch is every contact: a ticket made, a message, an urge, a reply.",
    .example =
        "ticketctl customer show --channel phone --address 13800138000\nticketctl customer show 42 -o json",
    .options = show_options,
    .run = show_run,
};

const struct command command_customer_tier = {
    .name = "customer tier",
    .operands = "[CUSTOMER] TIER",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "sets a customer's tier",
    .about = "TIER 'none' takes it away. Tickets made from then on get their SLA policy by it.",
    .example =
        "ticketctl customer tier 42 vip\nticketctl customer tier --channel phone --address 13800138000 vip",
    .options = tier_options,
    .run = tier_run,
};
