/* Lines of a desk log: each is refused with a reason, or has what its deed needs. */
#include "tests/fuzz/input.h"
#include "ticketctl/desklog.h"

static void check(const struct desklog_line *line)
{
    ASSERT(line->at_ms > 0 && line->at_ms <= INT64_MAX && line->key != NULL && *line->key != 0);
    ASSERT(line->verb == DESKLOG_CREATE || (line->verb >= 1 && line->verb < TKD_VERB_END));
    ASSERT(line->priority < TKD_PRIORITY_END && strlen(line->key) <= 256);
    if (line->verb == DESKLOG_CREATE)
        ASSERT(*line->queue != 0 && *line->channel != 0 && *line->customer != 0);
    if (line->verb == TKD_VERB_TRANSFER) ASSERT(*line->queue != 0);
    if (line->verb == TKD_VERB_ASSIGN) ASSERT(*line->agent != 0);
    if (line->verb == TKD_VERB_PRIORITY) ASSERT(line->priority != 0);
    if (line->verb == TKD_VERB_NOTE) ASSERT(*line->text != 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    const char *at = (const char *)data, *end = at + bytes;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) line_end = end;
        struct desklog_line line;
        char error[256] = "";
        if (desklog_parse(at, (size_t)(line_end - at), &line, error, sizeof error)) {
            check(&line);
            desklog_clear(&line);
        } else {
            ASSERT(error[0] != 0);
        }
        at = line_end + 1;
    }
    return 0;
}
