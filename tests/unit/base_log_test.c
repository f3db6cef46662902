/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "child.h"
#include "test.h"

enum { OUTPUT_MAX = 1024 * 1024 };

static char output[OUTPUT_MAX];

/* Everything that `run` logs. */
static char *logged_by(void (*run)(void))
{
    EXPECT_I64(child_run(run, output, sizeof(output)), 0);
    return output;
}

/* The rest of the line after its time, which is checked for its form. */
static const char *after_time(const char *line, const char *before)
{
    size_t len = strlen(before);
    EXPECT(strncmp(line, before, len) == 0);
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        char c = line[len + i];
        EXPECT(form[i] == 'd' ? c >= '0' && c <= '9' : c == form[i]);
    }
    return line + len + sizeof(form) - 1;
}

static void log_all_kinds(void)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "committed");
    log_text(&line, "stream", "LOGGING");
    log_text(&line, "empty", "");
    log_text(&line, "spaced", "a b");
    log_bytes(&line, "bytes", "x=\"\\\n\x1B\x7F", 7);
    log_bytes(&line, "none", NULL, 0);
    log_bytes(&line, "bad", "\xFFz", 2);
    log_text(&line, "euro", "\xE2\x82\xAC");
    log_u64(&line, "rows", UINT64_MAX);
    log_i64(&line, "delta", INT64_MIN);
    log_seconds(&line, "took", INT64_C(1234567890));
    log_seconds(&line, "minus", -INT64_C(500000000));
    log_end(&line);
}

static void log_all_kinds_as_json(void)
{
    log_configure(LOG_INFO, LOG_JSON);
    log_all_kinds();
}

TEST(log_logfmt_quotes_what_needs_it)
{
    EXPECT_TEXT(after_time(logged_by(log_all_kinds), "time="),
                " level=info event=committed stream=LOGGING empty=\"\" spaced=\"a b\""
                " bytes=\"x=\\\"\\\\\\u000a\\u001b\\u007f\" none=\"\" bad=\"\xEF\xBF\xBDz\""
                " euro=\"\xE2\x82\xAC\" rows=18446744073709551615 delta=-9223372036854775808"
                " took=1.235 minus=-0.500\n");
}

TEST(log_json_is_json)
{
    EXPECT_TEXT(
        after_time(logged_by(log_all_kinds_as_json), "{\"time\":\""),
        "\",\"level\":\"info\",\"event\":\"committed\",\"stream\":\"LOGGING\",\"empty\":\"\""
        ",\"spaced\":\"a b\",\"bytes\":\"x=\\\"\\\\\\u000a\\u001b\\u007f\",\"none\":\"\""
        ",\"bad\":\"\xEF\xBF\xBDz\",\"euro\":\"\xE2\x82\xAC\",\"rows\":18446744073709551615"
        ",\"delta\":-9223372036854775808,\"took\":1.235,\"minus\":-0.500}\n");
}

static void log_c1_controls(void)
{
    log_message(LOG_INFO, "text", "%s",
                "\xC2\x9B"
                "31m\xC2\x80\xC2\x9F\xC2\xA0");
}

/* U+009B is CSI to a terminal, as ESC [ is. */
TEST(log_no_control_character_reaches_a_terminal)
{
    EXPECT(strstr(logged_by(log_c1_controls), " text=\"\\u009b31m\\u0080\\u009f\xC2\xA0\"\n") !=
           NULL);
}

static void log_at_each_level(void)
{
    log_message(LOG_DEBUG, "a", "x");
    log_message(LOG_INFO, "b", "x");
    log_configure(LOG_WARNING, LOG_LOGFMT);
    log_message(LOG_INFO, "c", "x");
    log_message(LOG_WARNING, "d", "n=%d", 5);
    log_configure(LOG_DEBUG, LOG_LOGFMT);
    log_message(LOG_DEBUG, "e", "x");
    log_message(LOG_ERROR, "f", "x");
}

TEST(log_level_decides)
{
    const char *text = logged_by(log_at_each_level);
    EXPECT(strstr(text, "event=a") == NULL);
    EXPECT(strstr(text, "level=info event=b text=x\n") != NULL);
    EXPECT(strstr(text, "event=c") == NULL);
    EXPECT(strstr(text, "level=warning event=d text=\"n=5\"\n") != NULL);
    EXPECT(strstr(text, "level=debug event=e text=x\n") != NULL);
    EXPECT(strstr(text, "level=error event=f text=x\n") != NULL);
    log_configure(LOG_ERROR, LOG_LOGFMT);
    EXPECT(!log_enabled(LOG_WARNING) && log_enabled(LOG_ERROR));
}

/* stderr is the journal where JOURNAL_STREAM names its device and inode; `inode` is added to it. */
static void configure_in_journal(unsigned inode, enum log_format format)
{
    struct stat st;
    char text[64];
    EXPECT(fstat(STDERR_FILENO, &st) == 0);
    (void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino + inode);
    EXPECT(setenv("JOURNAL_STREAM", text, 1) == 0);
    log_configure(LOG_DEBUG, format);
}

static void log_in_journal(void)
{
    configure_in_journal(0, LOG_LOGFMT);
    log_message(LOG_DEBUG, "a", "x");
    log_message(LOG_INFO, "b", "x");
    log_message(LOG_WARNING, "c", "x");
    configure_in_journal(0, LOG_JSON);
    log_message(LOG_ERROR, "d", "x");
    configure_in_journal(1, LOG_JSON); /* somebody else's */
    log_message(LOG_ERROR, "e", "x");
    EXPECT(setenv("JOURNAL_STREAM", "8", 1) == 0);
    log_configure(LOG_DEBUG, LOG_JSON);
    log_message(LOG_ERROR, "f", "x");
}

TEST(log_lines_in_the_journal_have_a_priority)
{
    static const char *const heads[] = {
        "<7>time=", "<6>time=", "<4>time=", "<3>{\"time\":", "{\"time\":", "{\"time\":"};
    const char *line = logged_by(log_in_journal);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        EXPECT(strncmp(line, heads[i], strlen(heads[i])) == 0);
        line = strchr(line, '\n') + 1;
    }
    EXPECT_TEXT(line, "");
}

/* Of each size around the limit, one more field that may or may not fit, and one after it. */
static void log_long_lines(void)
{
    static char filler[LOG_LINE_MAX];
    memset(filler, 'x', sizeof(filler));
    log_configure(LOG_INFO, LOG_JSON);
    for (size_t len = LOG_LINE_MAX - 140; len < LOG_LINE_MAX; len++) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "long");
        log_text(&line, "key", "value");
        log_bytes(&line, "filler", filler, len);
        log_u64(&line, "after", 1);
        log_end(&line);
    }
}

TEST(log_line_too_long_is_cut_at_a_field)
{
    char *text = logged_by(log_long_lines);
    size_t with_filler = 0;
    size_t without = 0;
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        EXPECT(end + 1 - text <= LOG_LINE_MAX);
        struct arena arena = {0};
        struct err err = {0};
        struct slice line = {(uint8_t *)text, (size_t)(end - text)};
        const struct json *root = json_parse(&arena, line, &err);
        EXPECT(root != NULL);
        struct slice value;
        EXPECT(json_get_text(root, "key", &value) && slice_is(value, "value"));
        bool has_filler = json_member(root, "filler") != NULL;
        /* A gap in the middle would make a line say what it does not mean. */
        EXPECT(has_filler || json_member(root, "after") == NULL);
        with_filler += has_filler;
        without += !has_filler;
        arena_free(&arena);
    }
    EXPECT(with_filler > 0 && without > 0);
}

static void log_hostile_values(void)
{
    for (int i = 0; i < 60; i++) {
        char value[64];
        for (size_t at = 0; at < sizeof(value); at++)
            value[at] = (char)test_random();
        log_configure(LOG_INFO, i % 2 ? LOG_JSON : LOG_LOGFMT);
        struct log_line line;
        log_begin(&line, LOG_INFO, "hostile");
        log_bytes(&line, "value", value, sizeof(value));
        log_u64(&line, "n", (uint64_t)i);
        log_end(&line);
    }
}

TEST(log_no_value_breaks_out_of_its_line)
{
    const char *text = logged_by(log_hostile_values);
    int lines = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, lines++) {
        char tail[32];
        (void)snprintf(tail, sizeof(tail), lines % 2 ? ",\"n\":%d}" : " n=%d", lines);
        EXPECT(strncmp(end - strlen(tail), tail, strlen(tail)) == 0);
        for (const char *c = text; c < end; c++)
            EXPECT((unsigned char)*c >= 0x20);
    }
    EXPECT_I64(lines, 60);
}

static void *log_many(void *filler)
{
    for (int i = 0; i < 50; i++)
        log_message(LOG_INFO, "thread", "%s", (const char *)filler);
    return NULL;
}

static void log_from_two_threads(void)
{
    static char a[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static char b[] =
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, log_many, a) == 0);
    (void)log_many(b);
    EXPECT(pthread_join(thread, NULL) == 0);
}

TEST(log_lines_of_threads_do_not_mix)
{
    const char *text = logged_by(log_from_two_threads);
    int lines = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, lines++) {
        const char *value = strstr(text, "text=") + 5;
        char only[2] = {*value, '\0'};
        EXPECT_U64(strspn(value, only), 79);
        EXPECT(value + 79 == end);
    }
    EXPECT_I64(lines, 100);
}

static void log_while_the_format_changes(void)
{
    struct log_line line;
    log_configure(LOG_INFO, LOG_LOGFMT);
    log_begin(&line, LOG_INFO, "x");
    log_configure(LOG_INFO, LOG_JSON); /* as a SIGHUP may do from another thread */
    log_text(&line, "a", "b c");
    log_end(&line);
    log_begin(&line, LOG_INFO, "y");
    log_configure(LOG_INFO, LOG_LOGFMT);
    log_text(&line, "a", "b c");
    log_end(&line);
}

TEST(log_line_keeps_the_format_that_it_was_begun_with)
{
    const char *text = logged_by(log_while_the_format_changes);
    EXPECT(strstr(text, " event=x a=\"b c\"\n{\"time\":") != NULL);
    EXPECT(strstr(text, "\"event\":\"y\",\"a\":\"b c\"}\n") != NULL);
}

static int64_t test_now;

static int64_t now_of(void *context)
{
    (void)context;
    return test_now;
}

static const struct clock test_clock = {now_of, now_of, NULL};

static void warn(const char *event, const char *stream, uint64_t number)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, event);
    if (stream != NULL)
        log_text(&line, "stream", stream);
    log_u64(&line, "n", number);
    log_end(&line);
}

static void log_floods(void)
{
    test_now = 1000 * CLOCK_SECOND;
    clock_replace(&test_clock);
    for (uint64_t i = 0; i < 20000; i++)
        warn("server_error", NULL, i);
    for (uint64_t i = 0; i < 100; i++)
        warn("server_error", "A", i);
    warn("server_error", "B", 77);
    warn("other", NULL, 78);
    for (int i = 0; i < 1000; i++)
        log_message(LOG_INFO, "usual", "x"); /* what we say by ourselves is not limited */
    test_now += LOG_REPEAT;
    for (uint64_t i = 20000; i < 30000; i++)
        warn("server_error", NULL, i);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

TEST(log_flood_of_warnings_is_limited)
{
    const char *text = logged_by(log_floods);
    /* LOG_BURST of each event and stream, and one more after LOG_REPEAT, which says the rest. */
    EXPECT_I64(count_of(text, "event=server_error n="), LOG_BURST + 1);
    EXPECT_I64(count_of(text, "event=server_error stream=A n="), LOG_BURST);
    EXPECT_I64(count_of(text, "event=server_error stream=B n=77\n"), 1);
    EXPECT_I64(count_of(text, "event=other n=78\n"), 1);
    EXPECT_I64(count_of(text, "event=usual"), 1000);
    EXPECT_I64(count_of(text, " n=20000 suppressed=19992\n"), 1);
    EXPECT_I64(count_of(text, "suppressed="), 1);
}

static void log_slow_warnings(void)
{
    clock_replace(&test_clock);
    for (uint64_t i = 0; i < 50; i++, test_now += LOG_REPEAT)
        warn("slow", NULL, i);
}

TEST(log_slow_warnings_are_all_written)
{
    EXPECT_I64(count_of(logged_by(log_slow_warnings), "event=slow"), 50);
}

static void log_more_kinds_than_are_remembered(void)
{
    clock_replace(&test_clock);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 500; i++, test_now++) {
            char stream[16];
            (void)snprintf(stream, sizeof(stream), "S%d", (int)i);
            warn("many", stream, i);
        }
    }
}

TEST(log_forgets_the_limit_that_is_quiet_longest)
{
    EXPECT_I64(count_of(logged_by(log_more_kinds_than_are_remembered), "event=many"), 1500);
}

static void stop_after_suppressing(void)
{
    struct err err = {0};
    EXPECT(log_start(&err) == 0);
    for (uint64_t i = 0; i < LOG_BURST + 5; i++)
        warn("again", NULL, i);
    EXPECT(log_stop(60 * CLOCK_SECOND));
    log_message(LOG_INFO, "direct", "x"); /* and now without the thread */
}

TEST(log_thread_writes_all_in_order_and_tells_what_it_kept_back)
{
    const char *text = logged_by(stop_after_suppressing);
    EXPECT_I64(count_of(text, "event=again"), LOG_BURST);
    const char *kept = strstr(text, "event=suppressed of=again lines=5\n");
    EXPECT(kept != NULL && strstr(kept, "event=direct") != NULL);
    EXPECT(strstr(kept, "event=again") == NULL);
}

/* Nobody reads: who logs goes on, and the end does not wait. Once somebody reads, each line that
 * comes is whole, and the log says how many are missing. */
TEST(log_never_blocks)
{
    enum { LINES = 20000 };
    int ends[2];
    struct err err = {0};
    EXPECT(pipe(ends) == 0);
    int saved = dup(STDERR_FILENO);
    EXPECT(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    log_configure(LOG_INFO, LOG_LOGFMT);
    EXPECT(log_start(&err) == 0);
    for (uint64_t i = 0; i < LINES; i++) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "line");
        log_u64(&line, "n", i);
        log_text(&line, "filler", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        log_end(&line);
    }
    struct log_losses losses = log_losses();
    EXPECT(losses.dropped > 0 && losses.dropped < LINES);
    EXPECT(!log_stop(10 * CLOCK_MILLISECOND));
    EXPECT(close(ends[1]) == 0);
    size_t len = 0;
    ssize_t got;
    static char text[LINES * 128];
    /* The thread writes on, and ends with the line about the lost ones. */
    while (strstr(text, "log_dropped") == NULL &&
           (got = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    EXPECT(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
    uint64_t lines = 0;
    int last = -1;
    int number;
    const char *at = text;
    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1, lines++) {
        const char *rest = at + strcspn(at, " ");
        if (sscanf(rest, " level=info event=line n=%d filler=xxxx", &number) != 1)
            break;
        EXPECT(number > last && end[-1] == 'x');
        last = number;
    }
    EXPECT_U64(lines, LINES - losses.dropped);
    EXPECT(sscanf(at + strcspn(at, " "), " level=warning event=log_dropped lines=%d ", &number) ==
           1);
    EXPECT_U64(number, losses.dropped);
}
