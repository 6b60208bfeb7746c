/* ticketctl: what every command sees.
 *
 * A command is one constant `struct command`: its words, what it takes, its help and its function. Parsing,
 * --help, the man pages and the suggestions for a mistyped word all come from it, so none of them can say
 * something else than the others. Functions return an exit code and have explained themselves on stderr when
 * it is not EXIT_OK.
 */
#ifndef TICKETCTL_TICKETCTL_H
#define TICKETCTL_TICKETCTL_H

#include <stdio.h>

#include "output.h"
#include "ticketd/client.h"

#define ARGS_MAX 256u

enum exit_code { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_CONNECT = 3 };

struct catalog;
struct ctl;
struct args;

/* An option of a command. `value` is what it takes, in capitals; NULL: nothing. */
struct option_info {
    const char *name;
    char letter; /* 0 = none; o and h are taken */
    const char *value;
    const char *doc;
};

struct command {
    const char *name;                  /* one or two words: "ticket create" */
    const char *operands;              /* "TICKET [TEXT]", "" = none */
    const char *summary;               /* one line */
    const char *about;                 /* paragraphs, NULL = the summary says it all */
    const char *example;               /* lines without prompt */
    const struct option_info *options; /* ends with a NULL name; NULL = none */
    u32 operands_min;
    u32 operands_max;
    int (*run)(struct ctl *ctl, const struct args *args);
};

struct given {
    const struct option_info *option;
    const char *value;
};

/* What was written on the command line behind the command's words. */
struct args {
    const struct command *command;
    u32 operands_count;
    u32 given_count;
    const char *operands[ARGS_MAX];
    struct given given[ARGS_MAX];
};

struct ctl {
    const char *server;
    u64 at_ms; /* time of commands under the virtual clock, 0 = the desk's */
    enum output_form form;
    bool color;
    struct tkd_client *client; /* ctl_client() */
    struct catalog *catalog;   /* ctl_catalog() */
};

/* ---- What was given ---- */

/* The value of an option (the last one given), or NULL. The name must be one of the command's. */
const char *args_value(const struct args *args, const char *name);
/* The value of the `index`-th of a repeated option, or NULL. */
const char *args_each(const struct args *args, const char *name, u32 index);
bool args_flag(const struct args *args, const char *name);
/* Parses an option's time or duration likewise; `now_ms`: what "now" and "-3d" mean. */
bool args_time(const struct args *args, const char *name, u64 now_ms, u64 *time_ms);
/* Parses an option's number into `value`; keeps `value` when it was not given. False: explained. */
bool args_number(const struct args *args, const char *name, u64 max, u64 *value);
/* Decimal number up to `max`; false: not one. */
bool number_parse(const char *text, u64 max, u64 *value);

/* ---- The server ---- */

/* Connected, or NULL: explained, the exit code is EXIT_CONNECT. */
struct tkd_client *ctl_client(struct ctl *ctl);
/* A further connection of its own, or NULL: explained. The caller closes it. */
struct tkd_client *ctl_client_new(struct ctl *ctl);
/* One request without texts or with them, and its answer. EXIT_OK, or explained with "`doing`: …". */
int ctl_call(struct ctl *ctl, const char *doing, u16 op, u32 record, const void *head,
             const struct tkd_text *texts, struct tkd_answer *answer);
/* The same for a command of one record: its result. A refused result is explained (EXIT_REFUSED). */
int ctl_command(struct ctl *ctl, const char *doing, u16 op, u32 record, const void *head,
                const struct tkd_text *texts, struct tkd_result *result);
/* The desk's catalog, read once, or NULL: explained, `*code` is the exit code. */
struct catalog *ctl_catalog(struct ctl *ctl, int *code);
/* Explains a status: "ticketctl: doing: not_found: no such ticket …". */
int ctl_refused(const char *doing, u32 status);
/* Explains a negative return of libticketd; returns the exit code. */
int ctl_failed(const char *doing, const struct tkd_client *client, int error);

/* ---- Words ---- */

/* "ticketctl: …" and a line feed, to stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and EXIT_USAGE with a pointer to --help. */
int usage_error(const struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Allocates zeroed memory or ends the program. */
void *allocate(size_t bytes);
void *reallocate(void *memory, size_t bytes);
/* How many single-character edits lie between two words. */
u32 edit_distance(const char *a, const char *b);
/* A text for tkd_add(). */
struct tkd_text text_of(const char *string);

/* ---- The commands ---- */

extern const struct command *const commands[]; /* ends with NULL */
extern const struct option_info global_options[];

void help_overview(FILE *file, bool color);
void help_group(FILE *file, const char *group, bool color);
void help_command(FILE *file, const struct command *command, bool color);
/* Manual pages in roff: of ticketctl (command NULL) or of one command. */
void manual_print(FILE *file, const struct command *command);

#endif
