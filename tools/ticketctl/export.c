/* ticketctl export: the server's catalog as a desk file. */
#include "commands.h"
#include "desk.h"

static int run_export(struct ctl *ctl, const struct args *args)
{
    if (ctl->form != OUTPUT_TABLE) return usage_error(args, "it prints YAML only; leave -o out");
    int code;
    const struct catalog *catalog = ctl_catalog(ctl, &code);
    if (!catalog) return code;
    struct desk *desk = desk_of_catalog(catalog);
    bool written = desk_write(desk, stdout);
    if (!written) complain("export: standard output cannot be written");
    desk_free(desk);
    return written ? EXIT_OK : EXIT_REFUSED;
}

const struct command command_export = {
    .name = "export",
    .operands = "",
    .summary = "print the server's desk as a file for `apply`",
    .about =
        "Prints everything that is in use, in a stable order: skills, channels, tiers, categories, queues "
        "and "
        "agents by age, SLA policies in the order in which they are looked at. Applying it changes nothing. "
        "Retired entries are not printed.",
    .example = "ticketctl export > desk.yaml",
    .operands_min = 0,
    .operands_max = 0,
    .run = run_export,
};
