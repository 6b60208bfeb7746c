/* --help and the manual pages, both from the command's own description. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "ticketctl.h"

#define SUMMARY_COLUMN   24u
#define TEXT_COLUMNS_MAX 100u

static void heading(FILE *file, const char *text, bool color)
{
    fprintf(file, "%s%s%s\n", color_on(color, COLOR_BOLD), text, color_off(color));
}

static void lines_indented(FILE *file, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(file, "  %.*s\n", (int)length, text);
        text += length;
        if (*text) text++;
    }
}

static void options_print(FILE *file, const struct option_info *options)
{
    for (; options && options->name; options++) {
        char left[64], letter[8] = "    ";
        if (options->letter) snprintf(letter, sizeof(letter), "-%c, ", options->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        fprintf(file, "  %-26s %s\n", left, options->doc);
    }
}

static void command_line(FILE *file, const struct command *command)
{
    fputs("  ", file);
    text_print(file, command->name, SUMMARY_COLUMN, true);
    fprintf(file, "%s\n", command->summary);
}

void help_overview(FILE *file, bool color)
{
    fputs("ticketctl: works with a ticket desk served by ticketd.\n\n", file);
    heading(file, "usage", color);
    fputs("  ticketctl [OPTIONS] COMMAND [OPERANDS]\n\n", file);
    heading(file, "commands", color);
    for (u32 i = 0; commands[i]; i++) command_line(file, commands[i]);
    fputc('\n', file);
    heading(file, "options", color);
    options_print(file, global_options);
    fputc('\n', file);
    heading(file, "example", color);
    fputs("  ticketctl ticket create --queue 物流 --channel phone --address 13800138000 --subject 包裹未到\n"
          "  ticketctl ticket list --state open -o json\n\n",
          file);
    fputs("Exit codes: 0 done, 1 refused by the server, 2 wrong usage, 3 cannot connect.\n"
          "'ticketctl COMMAND --help' explains one command, 'ticketctl ticket --help' a group.\n",
          file);
}

static bool in_group(const struct command *command, const char *group)
{
    size_t length = strlen(group);
    return strncmp(command->name, group, length) == 0 && command->name[length] == ' ';
}

void help_group(FILE *file, const char *group, bool color)
{
    const struct command *first = NULL;
    heading(file, "usage", color);
    fprintf(file, "  ticketctl %s COMMAND [OPERANDS]\n\n", group);
    heading(file, "commands", color);
    for (u32 i = 0; commands[i]; i++) {
        if (!in_group(commands[i], group)) continue;
        command_line(file, commands[i]);
        if (!first) first = commands[i];
    }
    fputc('\n', file);
    heading(file, "example", color);
    if (first) lines_indented(file, first->example);
    fprintf(file, "\n'ticketctl %s COMMAND --help' explains one of them.\n", group);
}

/* Lines end where the text says so, and between words where they would be too long. */
static void wrapped_print(FILE *file, const char *text)
{
    u32 columns = terminal_columns(file);
    if (columns == 0 || columns > TEXT_COLUMNS_MAX) columns = TEXT_COLUMNS_MAX;
    u32 used = 0;
    while (*text) {
        u32 length = (u32)strcspn(text, " \n");
        u32 width = text_width(text, length);
        if (used > 0 && used + 1 + width > columns) {
            fputc('\n', file);
            used = 0;
        }
        if (used > 0) fputc(' ', file);
        fwrite(text, 1, length, file);
        used += width + (used > 0 ? 1 : 0);
        text += length;
        for (; *text == '\n'; text++, used = 0) fputc('\n', file);
        if (*text == ' ') text++;
    }
}

void help_command(FILE *file, const struct command *command, bool color)
{
    fprintf(file, "ticketctl %s: %s\n\n", command->name, command->summary);
    heading(file, "usage", color);
    fprintf(file, "  ticketctl %s%s%s%s\n\n", command->name, *command->operands ? " " : "", command->operands,
            command->options ? " [OPTIONS]" : "");
    if (command->about) {
        wrapped_print(file, command->about);
        fputs("\n\n", file);
    }
    if (command->options) {
        heading(file, "options", color);
        options_print(file, command->options);
        fputc('\n', file);
    }
    heading(file, "example", color);
    lines_indented(file, command->example);
    fputs("\nOptions of every command: --server ADDRESS, -o table|json|csv, --no-color, --help.\n", file);
}

/* ---- Manual pages ---- */

/* Text with roff's special characters made plain. */
static void roff_text(FILE *file, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", file);
        if (*text == '\\') {
            fputs("\\e", file);
        } else if (*text == '-') {
            fputs("\\-", file);
        } else {
            fputc(*text, file);
        }
        line_start = *text == '\n';
    }
}

/* The same with lines and paragraphs that end where the text says so. */
static void roff_paragraphs(FILE *file, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        roff_text(file, line);
        free(line);
        text += length;
        size_t breaks = strspn(text, "\n");
        if (breaks > 0) fputs(breaks > 1 ? "\n.PP\n" : "\n.br\n", file);
        text += breaks;
    }
    fputc('\n', file);
}

static void roff_options(FILE *file, const struct option_info *options)
{
    for (; options && options->name; options++) {
        fputs(".TP\n", file);
        if (options->letter) fprintf(file, "\\fB\\-%c\\fR, ", options->letter);
        fputs("\\fB\\-\\-", file);
        roff_text(file, options->name);
        fputs("\\fR", file);
        if (options->value) fprintf(file, " \\fI%s\\fR", options->value);
        fputc('\n', file);
        roff_text(file, options->doc);
        fputc('\n', file);
    }
}

static void roff_command(FILE *file, const struct command *command)
{
    fputs("ticketctl \\fB", file);
    roff_text(file, command->name);
    fputs(*command->operands ? "\\fR " : "\\fR", file);
    roff_text(file, command->operands);
    fputs(command->options ? " [\\fIOPTIONS\\fR]\n.PP\n" : "\n.PP\n", file);
    roff_paragraphs(file, command->about ? command->about : command->summary);
    roff_options(file, command->options);
    fputs(".PP\nExample:\n.PP\n.nf\n.RS\n", file);
    roff_text(file, command->example);
    fputs("\n.RE\n.fi\n", file);
}

static void manual_command(FILE *file, const struct command *command)
{
    char title[64];
    snprintf(title, sizeof(title), "ticketctl-%s", command->name);
    for (char *at = title; *at; at++) *at = *at == ' ' ? '-' : *at;
    fputs(".TH ", file);
    for (const char *at = title; *at; at++) fputc(toupper((unsigned char)*at), file);
    fprintf(file, " 1 \"\" \"ticketd %s\" \"ticketd\"\n.SH NAME\n", TICKETD_VERSION);
    roff_text(file, title);
    fputs(" \\- ", file);
    roff_text(file, command->summary);
    fputs("\n.SH SYNOPSIS\n", file);
    roff_command(file, command);
    fputs(".SH SEE ALSO\n\\fBticketctl\\fR(1), \\fBticketd\\fR(8)\n", file);
}

void manual_print(FILE *file, const struct command *command)
{
    if (command) {
        manual_command(file, command);
        return;
    }
    fprintf(file, ".TH TICKETCTL 1 \"\" \"ticketd %s\" \"ticketd\"\n", TICKETD_VERSION);
    fputs(
        ".SH NAME\nticketctl \\- works with a ticket desk served by ticketd\n"
        ".SH SYNOPSIS\n\\fBticketctl\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIOPERANDS\\fR]\n"
        ".SH DESCRIPTION\nTalks to\n.BR ticketd (8)\nover its binary protocol: makes and works tickets, "
        "shows "
        "queues, agents, customers and reports, declares the desk, replays the history of another one, and "
        "looks into a data directory offline.\n"
        ".PP\nTables are for people: times are local (variable TZ), the widest column is shortened to fit "
        "the "
        "terminal. With\n.B \\-o json\none object a line is printed, with\n.B \\-o csv\nRFC 4180; both give "
        "times in UTC and durations in milliseconds.\n.SH OPTIONS\n",
        file);
    roff_options(file, global_options);
    fputs(".SH COMMANDS\n", file);
    for (u32 i = 0; commands[i]; i++) {
        fputs(".SS ", file);
        roff_text(file, commands[i]->name);
        fputc('\n', file);
        roff_command(file, commands[i]);
    }
    fputs(".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nrefused by the server, or nothing found\n.TP\n2\nwrong "
          "usage\n"
          ".TP\n3\ncannot connect, or the connection was lost\n"
          ".SH ENVIRONMENT\n.TP\nTICKETD_SERVER\nthe server's address\n.TP\nNO_COLOR\nno colour\n.TP\nTZ\n"
          "the zone of times in tables and of periods in reports\n"
          ".SH SEE ALSO\n.BR ticketd (8)\n",
          file);
}
