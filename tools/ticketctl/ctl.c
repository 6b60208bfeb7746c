/* What commands share: the connection, explanations, memory. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "ticketctl.h"

void complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("ticketctl: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

int usage_error(const struct args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "ticketctl: %s: ", args->command->name);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n(see: ticketctl %s --help)\n", args->command->name);
    va_end(list);
    return EXIT_USAGE;
}

void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory) {
        complain("out of memory");
        exit(EXIT_REFUSED);
    }
    return memory;
}

void *reallocate(void *memory, size_t bytes)
{
    void *moved = realloc(memory, bytes ? bytes : 1);
    if (!moved) {
        complain("out of memory");
        exit(EXIT_REFUSED);
    }
    return moved;
}

struct tkd_text text_of(const char *string)
{
    return (struct tkd_text){string, string ? (u32)strlen(string) : 0};
}

bool number_parse(const char *text, u64 max, u64 *value)
{
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0 || number > max) return false;
    *value = number;
    return true;
}

u32 edit_distance(const char *a, const char *b)
{
    u32 row[64];
    size_t columns = strlen(b);
    if (columns > 63) return UINT32_MAX;
    for (u32 i = 0; i <= columns; i++) row[i] = i;
    for (u32 line = 1; *a; a++, line++) {
        u32 corner = row[0];
        row[0] = line;
        for (u32 i = 1; i <= columns; i++) {
            u32 replaced = corner + (*a == b[i - 1] ? 0 : 1);
            u32 removed = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            corner = row[i];
            row[i] = replaced < removed ? replaced : removed;
        }
    }
    return row[columns];
}

struct tkd_client *ctl_client_new(struct ctl *ctl)
{
    struct tkd_client *client = NULL;
    int error = tkd_connect(&client, ctl->server, "ticketctl " TICKETD_VERSION);
    if (error == 0) return client;
    if (client) {
        complain("%s", tkd_error(client));
        tkd_close(client);
    } else {
        complain("out of memory");
    }
    return NULL;
}

struct tkd_client *ctl_client(struct ctl *ctl)
{
    if (!ctl->client) ctl->client = ctl_client_new(ctl);
    return ctl->client;
}

int ctl_refused(const char *doing, u32 status)
{
    const struct tkd_status_info *info = tkd_status_info(status);
    if (info) {
        complain("%s: %s: %s", doing, info->name, info->doc);
    } else {
        complain("%s: the server answered with status %u, which this program does not know", doing, status);
    }
    return EXIT_REFUSED;
}

int ctl_failed(const char *doing, const struct tkd_client *client, int error)
{
    complain("%s: %s", doing, tkd_error(client));
    if (error == TKD_E_CONNECT) return EXIT_CONNECT;
    return error == TKD_E_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}

int ctl_call(struct ctl *ctl, const char *doing, u16 op, u32 record, const void *head,
             const struct tkd_text *texts, struct tkd_answer *answer)
{
    struct tkd_client *client = ctl_client(ctl);
    if (!client) return EXIT_CONNECT;
    bool command = tkd_op_info(op)->class == TKD_CLASS_command;
    int error = tkd_call(client, op, command ? ctl->at_ms : 0, record, head, texts, answer);
    if (error == 0) return EXIT_OK;
    if (error == TKD_E_REFUSED) return ctl_refused(doing, answer->status);
    return ctl_failed(doing, client, error);
}

int ctl_command(struct ctl *ctl, const char *doing, u16 op, u32 record, const void *head,
                const struct tkd_text *texts, struct tkd_result *result)
{
    struct tkd_answer answer;
    int code = ctl_call(ctl, doing, op, record, head, texts, &answer);
    if (code != EXIT_OK) return code;
    if (answer.count != 1) {
        complain("%s: the server gave %u results for one record", doing, answer.count);
        return EXIT_REFUSED;
    }
    memcpy(result, answer.rows, sizeof(*result));
    const struct tkd_status_info *info = tkd_status_info(result->status);
    if (info && info->class == TKD_STATUS_ok) return EXIT_OK;
    return ctl_refused(doing, result->status);
}

struct catalog *ctl_catalog(struct ctl *ctl, int *code)
{
    *code = EXIT_OK;
    if (ctl->catalog) return ctl->catalog;
    struct tkd_client *client = ctl_client(ctl);
    if (!client) {
        *code = EXIT_CONNECT;
        return NULL;
    }
    u32 status;
    int error = catalog_read(client, &ctl->catalog, &status);
    if (error == TKD_E_REFUSED) {
        *code = ctl_refused("catalog", status);
    } else if (error) {
        *code = ctl_failed("catalog", client, error);
    }
    return ctl->catalog;
}
