#include "edge/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_DEFAULT  16384u
#define CONNECTIONS_LIMIT    65536u
#define MEMORY_BUDGET_MIN    (64u << 20)
#define CHECKPOINT_BYTES_MIN (1u << 20)
#define INTERVAL_MS_MAX      60000u
#define BUSY_POLL_US_MAX     10000u

const char options_help[] =
    "ticketd: customer-service tickets, durably, routed, on time\n"
    "\n"
    "usage: ticketd --data DIR [OPTION]...\n"
    "\n"
    "  --data DIR            everything that is kept; made when it is new\n"
    "  --listen HOST:PORT    serve TCP here; may be repeated; port 0 takes a free one\n"
    "                        (127.0.0.1:7411 when neither --listen nor --unix is given;\n"
    "                        loopback only: there is no authentication)\n"
    "  --unix PATH           serve a Unix socket here; may be repeated\n"
    "  --clock wall|virtual  virtual: time comes from the commands only, to replay a history;\n"
    "                        decided once for a new directory (wall)\n"
    "  --durability MODE     sync: an answer means that it is on the disk (default)\n"
    "                        interval=MS: on the disk at the latest MS milliseconds later\n"
    "                        off: on the disk when the kernel likes\n"
    "  --memory-budget SIZE  for the desk (half of the memory there is); K, M, G\n"
    "  --checkpoint-bytes SIZE  of log behind which a checkpoint begins (192M); a start replays\n"
    "                        about as much, and three times as much after a kill at full load\n"
    "  --connections N       at most (16384, if the limit of open files allows it)\n"
    "  --busy-poll US        look for work so many microseconds before going to sleep: answers\n"
    "                        come sooner, and a processor is hardly ever idle (0)\n"
    "  --help, --version\n"
    "\n"
    "example: ticketd --data /var/lib/ticketd --unix /run/ticketd/ticketd.sock\n"
    "\n"
    "SIGTERM stops it: what was taken is answered and kept. It logs to standard error.\n";

bool options_size(const char *text, u64 *bytes)
{
    char *end = NULL;
    if (!isdigit((unsigned char)text[0])) return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    u32 shift = 0;
    switch (toupper((unsigned char)*end)) {
    case 'K':
        shift = 10;
        break;
    case 'M':
        shift = 20;
        break;
    case 'G':
        shift = 30;
        break;
    case 'T':
        shift = 40;
        break;
    }
    if (shift > 0) end++;
    if (errno != 0 || *end != 0 || number > UINT64_MAX >> shift) return false;
    *bytes = (u64)number << shift;
    return true;
}

/* A size within limits, or an explanation. */
static bool size_option(const char *name, const char *text, u64 min, u64 max, u64 *bytes, char *error,
                        u32 error_bytes)
{
    if (options_size(text, bytes) && *bytes >= min && *bytes <= max) return true;
    snprintf(error, error_bytes, "--%s '%s': give a number from %llu to %llu, K, M or G may follow", name,
             text, (unsigned long long)min, (unsigned long long)max);
    return false;
}

static bool durability_option(struct options *options, const char *text, char *error, u32 error_bytes)
{
    static const char interval[] = "interval=";
    u64 interval_ms;
    options->durability_text = text;
    if (strcmp(text, "sync") == 0) {
        options->durability = WAL_SYNC;
    } else if (strcmp(text, "off") == 0) {
        options->durability = WAL_OFF;
    } else if (strncmp(text, interval, sizeof(interval) - 1) == 0 &&
               options_size(text + sizeof(interval) - 1, &interval_ms) && interval_ms >= 1 &&
               interval_ms <= INTERVAL_MS_MAX) {
        options->durability = WAL_INTERVAL;
        options->interval_ms = (u32)interval_ms;
    } else {
        snprintf(error, error_bytes, "--durability '%s': give sync, interval=MS (1..%u) or off", text,
                 INTERVAL_MS_MAX);
        return false;
    }
    return true;
}

static bool clock_option(struct options *options, const char *text, char *error, u32 error_bytes)
{
    if (strcmp(text, "wall") == 0) {
        options->virtual_clock = false;
    } else if (strcmp(text, "virtual") == 0) {
        options->virtual_clock = true;
    } else {
        snprintf(error, error_bytes, "--clock '%s': give wall or virtual", text);
        return false;
    }
    return true;
}

static bool address_option(const char **addresses, u32 *count, const char *text, char *error, u32 error_bytes)
{
    if (*count == OPTIONS_ADDRESSES_MAX) {
        snprintf(error, error_bytes, "at most %u addresses of a kind can be served", OPTIONS_ADDRESSES_MAX);
        return false;
    }
    addresses[(*count)++] = text;
    return true;
}

enum option_key {
    KEY_DATA = 1000,
    KEY_LISTEN,
    KEY_UNIX,
    KEY_CLOCK,
    KEY_DURABILITY,
    KEY_MEMORY,
    KEY_CHECKPOINT,
    KEY_CONNECTIONS,
    KEY_BUSY_POLL,
    KEY_HELP,
    KEY_VERSION
};

static bool option(struct options *options, int key, const char *text, char *error, u32 error_bytes)
{
    u64 number;
    switch (key) {
    case KEY_DATA:
        options->data = text;
        return true;
    case KEY_LISTEN:
        return address_option(options->listen, &options->listen_count, text, error, error_bytes);
    case KEY_UNIX:
        return address_option(options->unix_paths, &options->unix_count, text, error, error_bytes);
    case KEY_CLOCK:
        return clock_option(options, text, error, error_bytes);
    case KEY_DURABILITY:
        return durability_option(options, text, error, error_bytes);
    case KEY_MEMORY:
        return size_option("memory-budget", text, MEMORY_BUDGET_MIN, 1ull << 46,
                           &options->memory_budget_bytes, error, error_bytes);
    case KEY_CHECKPOINT:
        return size_option("checkpoint-bytes", text, CHECKPOINT_BYTES_MIN, 1ull << 40,
                           &options->checkpoint_bytes, error, error_bytes);
    case KEY_CONNECTIONS:
        if (!size_option("connections", text, 1, CONNECTIONS_LIMIT, &number, error, error_bytes))
            return false;
        options->connections_max = (u32)number;
        return true;
    case KEY_BUSY_POLL:
        if (!size_option("busy-poll", text, 0, BUSY_POLL_US_MAX, &number, error, error_bytes)) return false;
        options->busy_poll_us = (u32)number;
        return true;
    }
    snprintf(error, error_bytes, "an option is unknown or lacks its value: see ticketd --help");
    return false;
}

enum options_verdict options_parse(struct options *options, int argc, char *const *argv, char *error,
                                   u32 error_bytes)
{
    static const struct option names[] = {{"data", required_argument, NULL, KEY_DATA},
                                          {"listen", required_argument, NULL, KEY_LISTEN},
                                          {"unix", required_argument, NULL, KEY_UNIX},
                                          {"clock", required_argument, NULL, KEY_CLOCK},
                                          {"durability", required_argument, NULL, KEY_DURABILITY},
                                          {"memory-budget", required_argument, NULL, KEY_MEMORY},
                                          {"checkpoint-bytes", required_argument, NULL, KEY_CHECKPOINT},
                                          {"connections", required_argument, NULL, KEY_CONNECTIONS},
                                          {"busy-poll", required_argument, NULL, KEY_BUSY_POLL},
                                          {"help", no_argument, NULL, KEY_HELP},
                                          {"version", no_argument, NULL, KEY_VERSION},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){
        .durability = WAL_SYNC, .durability_text = "sync", .connections_max = CONNECTIONS_DEFAULT};
    optind = 0;
    opterr = 0;
    int key;
    while ((key = getopt_long(argc, argv, ":", names, NULL)) != -1) {
        if (key == KEY_HELP) return OPTIONS_HELP;
        if (key == KEY_VERSION) return OPTIONS_VERSION;
        if (key == '?' || key == ':') {
            snprintf(error, error_bytes, "'%s' %s: see ticketd --help", argv[optind - 1],
                     key == ':' ? "lacks its value" : "is not an option");
            return OPTIONS_WRONG;
        }
        if (!option(options, key, optarg, error, error_bytes)) return OPTIONS_WRONG;
    }
    if (optind < argc) {
        snprintf(error, error_bytes, "'%s' is not an option: see ticketd --help", argv[optind]);
        return OPTIONS_WRONG;
    }
    if (!options->data || options->data[0] == 0) {
        snprintf(error, error_bytes,
                 "--data DIR is missing: where the tickets are kept, for example /var/lib/ticketd");
        return OPTIONS_WRONG;
    }
    if (options->listen_count == 0 && options->unix_count == 0) {
        options->listen[options->listen_count++] = "127.0.0.1:7411";
    }
    return OPTIONS_RUN;
}
