/* A parsed command line. */
#ifndef TICKETCTL_ARGS_H
#define TICKETCTL_ARGS_H

#include "ticketctl.h"

struct line {
    const char *server; /* NULL = not given */
    const char *at;     /* NULL = not given */
    enum output_form form;
    bool no_color;
    bool help;
    u32 words_count; /* the command's words as given */
    const char *words[2];
    struct args args; /* command NULL: the words name none */
};

/* False: it was explained. Words that name no command are the caller's to explain. */
bool line_parse(struct line *line, int argc, char **argv);

#endif
