/* SPDX-License-Identifier: MIT */
#include "follow/series_answer.h"
#include "follow/series_counts.h"
#include "follow/series_point.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "delta/log.h"
#include "event/event.h"
#include "follow/line_protocol.h"
#include "follow/series_notes.h"
#include "follow/series_writer.h"
#include "object/open.h"
#include "test.h"

TEST(follow_series_names_are_those_that_all_servers_take)
{
    static const char *const good[] = {"reward", "a b", "a,b=c", "x-1_y.z", "times", "ü"};
    static const char *const bad[] = {"", "_m", "time", "#m", "a\nb", "a\"b", "a\\"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        EXPECT(line_name_ok(slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!line_name_ok(slice_of(bad[i])));
}

TEST(follow_series_text_stays_within_its_place)
{
    struct buf out = {0};
    line_append_key(&out, slice_of("a,b=c d\\e\\"));
    EXPECT_TEXT(buf_text(&out), "a\\,b\\=c\\ d/e/");
    buf_reset(&out);
    line_append_key(&out, slice_of("x\n1\r\ty\x7f"));
    EXPECT_TEXT(buf_text(&out), "x\\ 1\\ \\ y\\ ");
    buf_reset(&out);
    line_append_string(&out, slice_of("say \"\\\" a,b=c\n\tend\\"));
    EXPECT_TEXT(buf_text(&out), "\"say \\\"\\\\\\\" a,b=c\\\\n end\\\\\"");
    buf_free(&out);
}

/* As InfluxDB 1 finds the end of a tag's value: a backslash hides the byte behind it. */
static size_t find_end(struct slice line)
{
    size_t at = 0;
    while (at < line.len && line.data[at] != ',' && line.data[at] != ' ')
        at += line.data[at] == '\\' ? 2 : 1;
    return at;
}

TEST(follow_series_no_tag_ends_early)
{
    struct buf out = {0};
    for (int i = 0; i < 20000; i++) {
        static const char bytes[] = "\\\\,= \n\tab\"#";
        char text[9] = {0};
        size_t len = test_random() % sizeof(text);
        for (size_t n = 0; n < len; n++)
            text[n] = bytes[test_random() % (sizeof(bytes) - 1)];
        buf_reset(&out);
        line_append_key(&out, (struct slice){(const uint8_t *)text, len});
        size_t end = out.len;
        buf_append_text(&out, ",next=1 f=1 1");
        EXPECT_U64(find_end(buf_slice(&out)), end);
        EXPECT(memchr(out.data, '\n', out.len) == NULL);
    }
    buf_free(&out);
}

struct told {
    struct series_answer answer;
    struct arena arena;
};

static struct series_answer *tell(struct told *t, int status, const char *after, const char *body,
                                  uint32_t lines)
{
    series_answer_read(&t->answer, &t->arena, status, slice_of(after), slice_of(body), lines);
    return &t->answer;
}

static void forget(struct told *t)
{
    array_free(&t->answer.named);
    arena_free(&t->arena);
}

TEST(follow_series_each_answer_means_what_the_server_means)
{
    struct told t = {0};
    EXPECT(tell(&t, 204, "", "", 2)->verdict == SERIES_STORED);
    EXPECT(tell(&t, 200, "", "{}", 2)->verdict == SERIES_STORED);
    EXPECT(tell(&t, 413, "", "{\"error\":\"Request Entity Too Large\"}", 2)->verdict ==
           SERIES_TOO_LARGE);
    static const int later[] = {301, 401, 403, 404, 405, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        EXPECT(tell(&t, later[i], "", "", 2)->verdict == SERIES_FAILED);
    EXPECT_U64(tell(&t, 429, "30", "", 2)->retry_after, 30);
    EXPECT_U64(tell(&t, 503, "99999999", "", 2)->retry_after, SERIES_RETRY_MAX);
    EXPECT_U64(tell(&t, 503, "Fri, 27 Nov 2026 19:00:00 GMT", "", 2)->retry_after, 0);
    forget(&t);
}

TEST(follow_series_refused_lines_are_named_as_each_server_does)
{
    struct told t = {0};
    struct series_answer *a =
        tell(&t, 400, "",
             "{\"error\":\"partial write of line protocol occurred\",\"data\":[{\"line_number\":1,"
             "\"error_message\":\"one\"},{\"line_number\":3,\"error_message\":\"three\"}]}",
             3);
    EXPECT(a->verdict == SERIES_REFUSED && a->named.count == 2 && !a->all);
    EXPECT(a->named.list[0].line == 0 && slice_is(a->named.list[0].why, "one"));
    EXPECT(a->named.list[1].line == 2 && slice_is(a->named.list[1].why, "three"));
    a = tell(&t, 400, "", "{\"error\":\"parsing failed\",\"data\":{\"line_number\":2}}", 3);
    EXPECT(a->named.count == 1 && a->named.list[0].line == 1);
    EXPECT(slice_is(a->named.list[0].why, "parsing failed"));
    a = tell(&t, 400, "", "{\"code\":\"invalid\",\"message\":\"cast error\",\"line\":2}", 3);
    EXPECT(a->named.count == 1 && a->named.list[0].line == 1 && slice_is(a->text, "cast error"));
    /* Lines that there are not. */
    EXPECT_U64(tell(&t, 400, "", "{\"line\":4}", 3)->named.count, 0);
    EXPECT_U64(tell(&t, 400, "", "{\"line\":0}", 3)->named.count, 0);
    a = tell(&t, 422, "", "{\"message\":\"partial write: conflict dropped=3\"}", 3);
    EXPECT(a->verdict == SERIES_REFUSED && a->all && a->named.count == 0);
    EXPECT(!tell(&t, 400, "", "{\"error\":\"partial write: conflict dropped=2\"}", 3)->all);
    forget(&t);
}

TEST(follow_series_what_a_line_says_is_not_what_the_server_says)
{
    struct told t = {0};
    const char *echo =
        "{\"error\":\"partial write: unable to parse 'm,t=partial\\\\ write:\\\\ "
        "max-series-per-database\\\\ limit\\\\ exceeded dropped=9': bad dropped=0\"}";
    struct series_answer *a = tell(&t, 400, "", echo, 5);
    EXPECT(a->verdict == SERIES_REFUSED && !a->all);
    a = tell(&t, 400, "",
             "{\"error\":\"partial write: max-series-per-database limit exceeded: (1) dropped=5\"}",
             5);
    EXPECT(a->verdict == SERIES_FAILED);
    forget(&t);
}

/* An event's row, as a follower gets it. */
struct row {
    struct follow_event event;
    struct slice values[EVENT_COLUMNS];
    uint8_t numbers[3][8];
};

static void make_row(struct row *r, uint64_t sequence, const char *type, const char *payload)
{
    const int64_t time = INT64_C(1700000000123456789);
    *r = (struct row){.event = {"S", "2026-01-01T00:00:00Z", sequence, NULL}};
    store_u64le(r->numbers[0], (uint64_t)time);
    store_u64le(r->numbers[1], (uint64_t)(time / 1000));
    store_u64le(r->numbers[2], sequence);
    r->values[EVENT_COLUMN_TIMESTAMP_NS] = (struct slice){r->numbers[0], 8};
    r->values[EVENT_COLUMN_EVENT_TIME] = r->values[EVENT_COLUMN_STREAM_TIME] =
        (struct slice){r->numbers[1], 8};
    r->values[EVENT_COLUMN_STREAM_SEQ] = (struct slice){r->numbers[2], 8};
    r->values[EVENT_COLUMN_EVENT_TYPE_KEY] = slice_of(type);
    r->values[EVENT_COLUMN_WORKER_ID] = slice_of("w 1");
    r->values[EVENT_COLUMN_SIMULATION_ID] = slice_of("");
    r->values[EVENT_COLUMN_PAYLOAD_FORMAT_HINT] = slice_of("application/json");
    r->values[EVENT_COLUMN_EVENT_PAYLOAD] = slice_of(payload);
    r->event.values = r->values;
}

static void start(struct series_point *p, struct config *config, const char *text)
{
    struct err err = {0};
    config_init(config);
    *p = (struct series_point){0};
    if (series_point_init(p, config, text, 3, NULL, &err) != 0)
        EXPECT_TEXT(err.text, "no error");
}

static void expect_point(struct series_point *p, const char *payload, const char *series,
                         const char *fields, const char *reason)
{
    struct row r;
    struct err err = {0};
    bool made;
    make_row(&r, 7, "a", payload);
    EXPECT(series_point_make(p, &r.event, &made, &err) == 0);
    EXPECT(made == (fields != NULL));
    EXPECT_TEXT(buf_text(&p->series), series);
    EXPECT_TEXT(buf_text(&p->fields), fields != NULL ? fields : "");
    EXPECT_TEXT(buf_text(&p->reason), reason);
}

TEST(follow_series_types_are_those_of_the_configuration)
{
    struct config config;
    struct series_point p;
    start(
        &p, &config,
        "a m tag worker_id tag simulation_id tag $.k field d double $.d field i integer i field t "
        "text $.t[1] field b boolean $.b field seq integer row.stream_seq");
    expect_point(&p, "{\"d\":1,\"i\":-2,\"t\":[0,\"x\"],\"b\":false,\"k\":5}",
                 "m,k=5,worker_id=w\\ 1", "d=1,i=-2i,t=\"x\",b=false,seq=7i", "");
    expect_point(&p, "{\"d\":0.1,\"k\":\"v,\"}", "m,k=v\\,,worker_id=w\\ 1", "d=0.1,seq=7i", "");
    expect_point(&p, "{\"d\":1e300,\"i\":1.5}", "m,worker_id=w\\ 1", "d=1e+300,seq=7i",
                 "c2 is not of type integer");
    expect_point(&p, "[", "", NULL, "not JSON: JSON at byte 1: expected a value");
    EXPECT_I64(p.time, INT64_C(1700000000123456789));
    series_point_free(&p);
    config_free(&config);
}

TEST(follow_series_protobuf_paths_lead_to_values)
{
    struct config config;
    struct series_point p;
    struct row r;
    struct err err = {0};
    bool made;
    size_t len;
    /* AgentObservation: agent_id "x", tick 300, position [1.5, -2] */
    const uint8_t *payload = test_hex("0a0178 10ac02 1a08 0000c03f 000000c0", &len);
    start(&p, &config,
          "* m tag agent_id field tick integer tick field x double position[0] field y double "
          "$.position[1] field z double position[2]");
    make_row(&r, 1, "any", "");
    r.values[EVENT_COLUMN_EVENT_PAYLOAD] = (struct slice){payload, len};
    r.values[EVENT_COLUMN_PAYLOAD_FORMAT_HINT] =
        slice_of("application/protobuf; message=fes.simulation.agent.AgentObservation");
    EXPECT(series_point_make(&p, &r.event, &made, &err) == 0 && made);
    EXPECT_TEXT(buf_text(&p.series), "m,agent_id=x");
    EXPECT_TEXT(buf_text(&p.fields), "tick=300i,x=1.5,y=-2");
    r.values[EVENT_COLUMN_PAYLOAD_FORMAT_HINT] = slice_of("application/protobuf; message=no.Such");
    EXPECT(series_point_make(&p, &r.event, &made, &err) == 0 && !made);
    EXPECT_U64(p.reason.len, 0);
    series_point_free(&p);
    config_free(&config);
}

TEST(follow_series_points_that_can_not_be_are_refused)
{
    static const char *const wrong[] = {
        "a",
        "a _m",
        "a m tag event_id",
        "a m tag row.event_payload",
        "a m tag row.nothing",
        "a m field f float $.f",
        "a m field time double $.f",
        "a m field f double $.f field f integer $.g",
        "a m tag worker_id field worker_id double $.f",
        "a m field f double $.f tag worker_id",
        "a m field f integer row.worker_id",
        "a m field f double",
        "a m timestamp event_time",
        "a m timestamp stream_time tag worker_id",
        "a m else",
        "a m field f double $.f[",
    };
    struct config config;
    config_init(&config);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct series_point p = {0};
        struct err err = {0};
        EXPECT(series_point_init(&p, &config, wrong[i], 0, NULL, &err) == -1);
        EXPECT_U64(err.code, ERR_USAGE);
        series_point_free(&p);
    }
    config_free(&config);
}

TEST(follow_series_a_tag_has_few_values)
{
    struct config config;
    struct series_point p;
    struct row r;
    struct err err = {0};
    char worker[16];
    bool made;
    start(&p, &config, "* m tag worker_id");
    for (int i = 0; i < 5; i++) {
        make_row(&r, 1, "a", "");
        snprintf(worker, sizeof(worker), "w%d", i);
        r.values[EVENT_COLUMN_WORKER_ID] = slice_of(worker);
        EXPECT(series_point_make(&p, &r.event, &made, &err) == (i < 3 ? 0 : -1));
    }
    EXPECT_U64(err.code, ERR_LIMIT);
    series_point_free(&p);
    config_free(&config);
}

/* Take the rows, and give the lines that they make. */
static const char *count_rows(struct series_counts *c, struct object_store *store, uint64_t first,
                              uint64_t last, struct series_lines *lines)
{
    struct err err = {0};
    struct row r;
    lines->list.count = 0;
    buf_reset(&lines->text);
    for (uint64_t sequence = first; sequence <= last; sequence++) {
        make_row(&r, sequence, "a", "");
        series_counts_take(c, &r.event);
        series_counts_add(c, &r.event, 0, slice_of("m"), INT64_C(1700000000123456789));
    }
    EXPECT(series_counts_lines(c, store, lines, &err) == 0);
    return buf_text(&lines->text);
}

/* The last second of an int64 is not a whole one: a time in it is one that there is. */
TEST(follow_series_are_counted_in_the_last_second_of_all)
{
    const struct object_config place = {
        .root = "out", .entries = DELTA_LOG_FOLDER, .writer = "test", .writer_name = "test"};
    struct series_counts c = {.name = "db+sending"};
    struct series_lines lines = {0};
    struct err err = {0};
    struct row r;
    struct object_store *store = object_open(&place, &err);
    EXPECT(store != NULL);
    /* Times within a second go by sequences: some of so many are behind the end. */
    for (uint64_t sequence = 1; sequence <= 1000; sequence++) {
        char series[16];
        (void)snprintf(series, sizeof(series), "m%llu", (unsigned long long)sequence);
        make_row(&r, sequence, "a", "");
        series_counts_take(&c, &r.event);
        series_counts_add(&c, &r.event, 0, slice_of(series), INT64_MAX);
    }
    EXPECT(series_counts_lines(&c, store, &lines, &err) == 0);
    unsigned last = 0;
    for (const char *at = buf_text(&lines.text); (at = strstr(at, " count=1i ")) != NULL;) {
        at += strlen(" count=1i ");
        EXPECT(strncmp(at, "9223372036", 10) == 0 &&
               strlen("9223372036854775807") == strcspn(at, "\n"));
        last += strncmp(at, "9223372036854775807", 19) == 0;
    }
    EXPECT(last > 100 && last < 200); /* of 1,000 ms those from 855 on, or nearly so */
    series_counts_free(&c);
    array_free(&lines.list);
    buf_free(&lines.text);
    object_store_close(store);
}

TEST(follow_series_rows_that_come_again_are_counted_as_before)
{
    const struct object_config place = {
        .root = "out", .entries = DELTA_LOG_FOLDER, .writer = "test", .writer_name = "test"};
    struct series_counts c = {.name = "db+sending"};
    struct series_lines lines = {0};
    struct err err = {0};
    struct object_store *store = object_open(&place, &err);
    EXPECT(store != NULL);
    char first[128], third[128];
    snprintf(first, sizeof(first), "%s", count_rows(&c, store, 1, 10, &lines));
    EXPECT(strncmp(first, "m count=10i 1700000000", 22) == 0);
    /* The process ends, before it is known that they are there; and once more with newer rows. */
    for (int again = 0; again < 3; again++) {
        char both[256];
        series_counts_reset(&c);
        EXPECT(series_counts_open(&c, store, &err) == 0);
        const char *text = count_rows(&c, store, 1, 14, &lines);
        EXPECT(strncmp(text, first, strlen(first)) == 0);
        EXPECT(strncmp(text + strlen(first), "m count=4i 1700000000", 21) == 0);
        if (again == 0)
            snprintf(third, sizeof(third), "%s", text + strlen(first));
        snprintf(both, sizeof(both), "%s%s", first, third);
        EXPECT_TEXT(text, both);
    }
    /* Committed: what comes next is counted beside it. */
    series_counts_reset(&c);
    const char *text = count_rows(&c, store, 15, 16, &lines);
    EXPECT(strncmp(text, "m count=2i 1700000000", 21) == 0);
    EXPECT(strstr(first, text + 21) == NULL && strstr(third, text + 21) == NULL);
    series_counts_free(&c);
    array_free(&lines.list);
    buf_free(&lines.text);
    object_store_close(store);
}

/* Names that are there, as a text of numbers: "3 4 5". */
static bool add_number(void *context, struct slice name)
{
    struct buf *out = context;
    buf_printf(out, "%s%.*s", out->len > 0 ? " " : "", (int)name.len - 16,
               (const char *)name.data + 16);
    return true;
}

static const char *names_of(struct object_store *store, struct buf *out)
{
    struct err err = {0};
    buf_reset(out);
    EXPECT(object_list(store, "_refused/db/", "", add_number, out, &err) == 0);
    return buf_text(out);
}

static uint32_t count_names(struct object_store *store)
{
    struct buf out = {0};
    uint32_t count = 0;
    for (const char *c = names_of(store, &out); *c != 0; c++)
        count += *c == ' ';
    buf_free(&out);
    return count + 1;
}

static void put_note(struct series_notes *n, struct object_store *store, uint32_t number,
                     size_t size)
{
    struct err err = {0};
    struct buf text = {0};
    char name[64];
    snprintf(name, sizeof(name), "_refused/db/S-1-%u", number);
    buf_reserve(&text, size);
    memset(text.data, 'x', size);
    text.len = size;
    EXPECT(series_notes_put(n, store, "db", name, buf_slice(&text), &err) == 0);
    buf_free(&text);
}

TEST(follow_series_notes_are_bounded)
{
    const struct object_config place = {
        .root = "out", .entries = DELTA_LOG_FOLDER, .writer = "test", .writer_name = "test"};
    struct series_notes n = {0};
    struct buf names = {0};
    struct err err = {0};
    struct object_store *store = object_open(&place, &err);
    EXPECT(store != NULL);
    EXPECT(object_put(store, "_refused/other/S-1-1", slice_of("x"), &err) == 0);
    const size_t large = SERIES_NOTES_BYTES / 4;
    for (uint32_t i = 1; i <= 3; i++)
        put_note(&n, store, i, large);
    put_note(&n, store, 1, large); /* the same rows once more: it is the newest now */
    put_note(&n, store, 4, large);
    EXPECT_TEXT(names_of(store, &names), "1 2 3 4");
    put_note(&n, store, 5, 1);
    EXPECT_TEXT(names_of(store, &names), "1 3 4 5");
    EXPECT_U64(n.removed, 1);
    /* Another process, which finds them by their age. */
    series_notes_forget(&n);
    put_note(&n, store, 6, 2 * large);
    EXPECT_TEXT(names_of(store, &names), "4 5 6");
    put_note(&n, store, 7, 5 * large); /* too large by itself: it is there, and alone */
    EXPECT_TEXT(names_of(store, &names), "7");
    EXPECT_U64(n.removed, 6);
    for (uint32_t i = 10; i < 10 + SERIES_NOTES_FILES + 5; i++)
        put_note(&n, store, i, 1);
    EXPECT_U64(count_names(store), SERIES_NOTES_FILES);
    struct object_info info;
    bool found = false;
    EXPECT(object_head(store, "_refused/db/S-1-14", &info, &found, &err) == 0 && !found);
    EXPECT(object_head(store, "_refused/db/S-1-15", &info, &found, &err) == 0 && found);
    EXPECT(object_head(store, "_refused/other/S-1-1", &info, &found, &err) == 0 && found);
    series_notes_forget(&n);
    buf_free(&names);
    object_store_close(store);
}
