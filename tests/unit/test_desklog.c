/* One line of a desk log: every deed, and everything that is no line. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl/desklog.h"

static char reason[512];

static bool parse(const char *text, struct desklog_line *line)
{
    return desklog_parse(text, strlen(text), line, reason, sizeof(reason));
}

static void expect_fault(const char *text, const char *fault)
{
    struct desklog_line line;
    cr_assert_not(parse(text, &line), "%s", text);
    cr_assert(strstr(reason, fault) == reason, "for %s\nwanted: %s\ngot: %s", text, fault, reason);
    cr_assert_null(line.object);
}

Test(desklog, a_create_has_all_members)
{
    struct desklog_line line;
    cr_assert(parse("{\"at\":1270047582000,\"key\":\"1-36\",\"do\":\"create\",\"queue\":\"V30\",\"priority\":"
                    "\"high\","
                    "\"channel\":\"web\",\"customer\":\"fr\",\"category\":\"物流\",\"subject\":\"a — "
                    "b\",\"new\":[1]}",
                    &line),
              "%s", reason);
    cr_assert_eq(line.at_ms, 1270047582000u);
    cr_assert_eq(line.verb, DESKLOG_CREATE);
    cr_assert_eq(line.priority, TKD_PRIORITY_HIGH);
    cr_assert_str_eq(line.key, "1-36");
    cr_assert_str_eq(line.queue, "V30");
    cr_assert_str_eq(line.channel, "web");
    cr_assert_str_eq(line.customer, "fr");
    cr_assert_str_eq(line.category, "物流");
    cr_assert_str_eq(line.subject, "a — b");
    cr_assert_null(line.agent);
    desklog_clear(&line);
    cr_assert_null(line.object);
}

Test(desklog, every_deed_has_its_verb)
{
    static const struct {
        const char *members;
        u32 verb;
    } cases[] = {
        {"\"do\":\"assign\",\"agent\":\"a\"", TKD_VERB_ASSIGN},
        {"\"do\":\"release\"", TKD_VERB_RELEASE},
        {"\"do\":\"transfer\",\"queue\":\"q\"", TKD_VERB_TRANSFER},
        {"\"do\":\"transfer\",\"queue\":\"q\",\"agent\":\"a\"", TKD_VERB_TRANSFER},
        {"\"do\":\"priority\",\"priority\":\"low\"", TKD_VERB_PRIORITY},
        {"\"do\":\"pend\"", TKD_VERB_PEND},
        {"\"do\":\"hold\"", TKD_VERB_HOLD},
        {"\"do\":\"resume\"", TKD_VERB_RESUME},
        {"\"do\":\"resolve\"", TKD_VERB_RESOLVE},
        {"\"do\":\"close\"", TKD_VERB_CLOSE},
        {"\"do\":\"cancel\"", TKD_VERB_CANCEL},
        {"\"do\":\"reopen\"", TKD_VERB_REOPEN},
        {"\"do\":\"note\",\"text\":\"t\"", TKD_VERB_NOTE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct desklog_line line;
        snprintf(text, sizeof(text), "{\"at\":5,\"key\":\"k\",%s}", cases[i].members);
        cr_assert(parse(text, &line), "%s: %s", text, reason);
        cr_assert_eq(line.verb, cases[i].verb, "%s", text);
        desklog_clear(&line);
    }
}

Test(desklog, optional_members_may_be_absent_null_or_empty)
{
    struct desklog_line line;
    cr_assert(
        parse(
            "{\"at\":5,\"key\":\"k\",\"do\":\"create\",\"queue\":\"q\",\"channel\":\"c\",\"customer\":\"u\","
            "\"category\":null,\"subject\":\"\",\"priority\":null}",
            &line),
        "%s", reason);
    cr_assert_null(line.category);
    cr_assert_eq(line.priority, 0);
    desklog_clear(&line);
    cr_assert(parse("{\"at\":5,\"key\":\"k\",\"do\":\"transfer\",\"queue\":\"q\",\"agent\":\"\"}", &line),
              "%s", reason);
    cr_assert_null(line.agent);
    desklog_clear(&line);
}

Test(desklog, what_is_no_line_is_explained)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"", "not JSON: "},
        {"hello", "not JSON: "},
        {"{\"at\":5", "not JSON: "},
        {"{\"at\":5} {", "not JSON: "},
        {"{\"at\":5,\"at\":6}", "not JSON: "},
        {"{\"at\":5,\"key\":\"\xff\"}", "not JSON: "},
        {"{\"at\":99999999999999999999999}", "not JSON: "},
        {"[]", "no JSON object"},
        {"{}", "the member `at` is no whole number"},
        {"{\"at\":\"5\"}", "the member `at` is no whole number"},
        {"{\"at\":5.5}", "the member `at` is no whole number"},
        {"{\"at\":-5}", "the member `at` is no whole number"},
        {"{\"at\":0}", "the member `at` is no whole number"},
        {"{\"at\":5}", "the member `do` is missing"},
        {"{\"at\":5,\"do\":7}", "the member `do` is no text"},
        {"{\"at\":5,\"do\":\"explode\"}", "unknown `do`: `explode`"},
        {"{\"at\":5,\"do\":\"pend\"}", "the member `key` is missing"},
        {"{\"at\":5,\"do\":\"pend\",\"key\":\"\"}", "the member `key` is empty"},
        {"{\"at\":5,\"do\":\"assign\",\"key\":\"k\"}", "the member `agent` is missing"},
        {"{\"at\":5,\"do\":\"transfer\",\"key\":\"k\"}", "the member `queue` is missing"},
        {"{\"at\":5,\"do\":\"note\",\"key\":\"k\"}", "the member `text` is missing"},
        {"{\"at\":5,\"do\":\"priority\",\"key\":\"k\"}", "the member `priority` is missing"},
        {"{\"at\":5,\"do\":\"priority\",\"key\":\"k\",\"priority\":\"p1\"}", "unknown priority `p1`"},
        {"{\"at\":5,\"do\":\"create\",\"key\":\"k\",\"queue\":\"q\"}", "the member `channel` is missing"},
        {"{\"at\":5,\"do\":\"create\",\"key\":\"k\",\"queue\":\"q\",\"channel\":\"c\"}",
         "the member `customer` is missing"},
        {"{\"at\":5,\"do\":\"create\",\"key\":\"k\",\"queue\":\"q\",\"channel\":\"c\",\"customer\":\"u\","
         "\"subject\":{}}",
         "the member `subject` is no text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) expect_fault(cases[i].text, cases[i].fault);
}

Test(desklog, a_text_that_holds_a_nul_is_refused)
{
    expect_fault("{\"at\":5,\"do\":\"note\",\"key\":\"k\",\"text\":\"a\\u0000b\"}", "not JSON: ");
}

Test(desklog, texts_are_bounded)
{
    char text[1024] = "{\"at\":5,\"do\":\"pend\",\"key\":\"";
    size_t at = strlen(text);
    memset(text + at, 'k', 256);
    strcpy(text + at + 256, "\"}");
    struct desklog_line line;
    cr_assert(parse(text, &line), "%s", reason);
    desklog_clear(&line);
    strcpy(text + at + 256, "k\"}");
    expect_fault(text, "the member `key` is too long");
}

Test(desklog, deep_nesting_is_refused)
{
    u32 depth = 100000;
    char *text = malloc(2 * depth + 64);
    strcpy(text, "{\"at\":");
    memset(text + 6, '[', depth);
    text[6 + depth] = 0;
    expect_fault(text, "not JSON: ");
    free(text);
}

Test(desklog, any_changed_byte_is_parsed_or_explained)
{
    static const char good[] =
        "{\"at\":1270047582000,\"key\":\"1-36\",\"do\":\"create\",\"queue\":\"V30\",\"priority\":"
        "\"high\",\"channel\":\"web\",\"customer\":\"fr\",\"category\":\"物流\",\"subject\":\"a\"}";
    u64 random = 7;
    for (u32 round = 0; round < 20000; round++) {
        char text[sizeof(good)];
        memcpy(text, good, sizeof(good));
        random = random * 6364136223846793005u + 1442695040888963407u;
        text[(random >> 33) % (sizeof(good) - 1)] = (char)(random >> 56);
        struct desklog_line line;
        reason[0] = 0;
        bool parsed = desklog_parse(text, sizeof(good) - 1, &line, reason, sizeof(reason));
        cr_assert_eq(parsed, reason[0] == 0);
        if (!parsed) continue;
        cr_assert(line.key && line.verb && line.at_ms);
        desklog_clear(&line);
    }
}
