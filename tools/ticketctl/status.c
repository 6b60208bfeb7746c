/* status, checkpoint, backup, digest: the server itself. */
#include <string.h>

#include "commands.h"
#include "metrics.h"

static int metrics_run(struct ctl *ctl, const char *doing, u16 op)
{
    struct tkd_empty request = {0};
    struct tkd_answer answer;
    int code = ctl_call(ctl, doing, op, TKD_RECORD_empty, &request, NULL, &answer);
    if (code == EXIT_OK) metrics_print(ctl, metrics_object(&answer));
    return code;
}

static int status_run(struct ctl *ctl, const struct args *args)
{
    (void)args;
    return metrics_run(ctl, "status", TKD_OP_STATUS);
}

static int digest_run(struct ctl *ctl, const struct args *args)
{
    (void)args;
    return metrics_run(ctl, "digest", TKD_OP_DIGEST);
}

/* What was done, as one row. */
static void done_print(struct ctl *ctl, const char *what, const char *name)
{
    const struct column columns[] = {{what, CELL_TEXT}, {"status", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 2, false);
    output_string(output, name);
    output_string(output, tkd_status_info(TKD_OK)->name);
    output_row(output);
    output_close(output, NULL);
}

static int checkpoint_run(struct ctl *ctl, const struct args *args)
{
    (void)args;
    struct tkd_empty request = {0};
    struct tkd_answer answer;
    int code = ctl_call(ctl, "checkpoint", TKD_OP_CHECKPOINT, TKD_RECORD_empty, &request, NULL, &answer);
    if (code == EXIT_OK) done_print(ctl, "checkpoint", "stored");
    return code;
}

static int backup_run(struct ctl *ctl, const struct args *args)
{
    struct tkd_backup request = {0};
    struct tkd_text name = text_of(args->operands[0]);
    struct tkd_answer answer;
    int code = ctl_call(ctl, "backup", TKD_OP_BACKUP, TKD_RECORD_backup, &request, &name, &answer);
    if (code == EXIT_OK) done_print(ctl, "backup", args->operands[0]);
    return code;
}

const struct command command_status = {
    .name = "status",
    .operands = "",
    .summary = "figures of the server",
    .example = "ticketctl status\nticketctl --server unix:/run/ticketd/ticketd.sock status -o json",
    .run = status_run,
};

const struct command command_checkpoint = {
    .name = "checkpoint",
    .operands = "",
    .summary = "makes a checkpoint now and waits for it",
    .about = "The server makes checkpoints by itself. One made by hand shortens the next start.",
    .example = "ticketctl checkpoint",
    .run = checkpoint_run,
};

const struct command command_backup = {
    .name = "backup",
    .operands = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "copies the whole data directory while the desk runs",
    .about =
        "The copy is made at the server, as DATA/backups/NAME (letters, digits, . _ -). It is complete: a "
        "ticketd started with --data on it serves the desk as it stood.",
    .example = "ticketctl backup 2026-11-21",
    .run = backup_run,
};

const struct command command_digest = {
    .name = "digest",
    .operands = "",
    .summary = "checksum of the desk's whole state",
    .about =
        "Two desks that got the same commands have the same digest. The desk stands still while it is taken.",
    .example = "ticketctl digest -o json",
    .run = digest_run,
};
