/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "test.h"

static void read_text(struct config *c, const char *text)
{
    struct err err = {0};
    config_init(c);
    if (config_read_text(c, "varve.yaml", slice_of(text), &err) != 0)
        EXPECT_TEXT(err.text, "no error");
}

static void expect_bytes_refused(const char *text, size_t len, const char *expected)
{
    struct config c;
    struct err err = {0};
    config_init(&c);
    EXPECT(config_read_text(&c, "varve.yaml", (struct slice){(const uint8_t *)text, len}, &err) ==
           -1);
    EXPECT_U64(err.code, ERR_USAGE);
    EXPECT_TEXT(err.text, expected);
    config_free(&c);
}

static void expect_refused(const char *text, const char *expected)
{
    expect_bytes_refused(text, strlen(text), expected);
}

TEST(config_read_all_sections)
{
    struct config c;
    read_text(&c, "nats:\n"
                  "  servers: nats://one:4222\n"
                  "  tls: {enabled: false, server_name: 'it''s'}\n"
                  "sources:\n"
                  "  - stream: A\n"
                  "    subjects: [a.>, \"b.*\"]\n"
                  "  - {stream: B, start: 2026-11-24T12:00:00Z, delivery: position}\n"
                  "consumer: {manage: update}\n"
                  "batching:\n"
                  "  max_rows: 10   # ten\n"
                  "memory_limit: 64MiB\n");
    EXPECT_U64(c.nats.servers.count, 1);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://one:4222");
    EXPECT_TEXT(c.nats.tls.server_name, "it's");
    EXPECT_U64(c.source_count, 2);
    EXPECT_U64(c.sources[0].subjects.count, 2);
    EXPECT_TEXT(c.sources[0].subjects.items[1], "b.*");
    EXPECT_TEXT(c.sources[1].subjects.items[0], "logging.events.raw");
    EXPECT_I64(c.sources[1].start.time, INT64_C(1795521600) * CLOCK_SECOND);
    EXPECT_U64(c.sources[1].delivery, CONFIG_POSITION);
    EXPECT_U64(c.consumer.manage, CONFIG_MANAGE_UPDATE);
    EXPECT_U64(c.batching.max_rows, 10);
    EXPECT_U64(c.batching.max_bytes, 67108864);
    EXPECT_U64(c.memory_limit, 67108864);
    config_free(&c);
}

/* The two ways to write columns are one. */
TEST(config_read_columns)
{
    struct config c;
    read_text(&c, "payloads:\n"
                  "  - event_type: a\n"
                  "    columns: {reward: {path: $.reward, type: double},\n"
                  "              step: {type: integer, path: '$.s[0]'}}\n"
                  "  - {event_type: b, columns: [reward double $.reward]}\n");
    EXPECT_U64(c.payloads[0].columns.count, 2);
    EXPECT_TEXT(c.payloads[0].columns.items[0], "reward double $.reward");
    EXPECT_TEXT(c.payloads[0].columns.items[1], "step integer $.s[0]");
    EXPECT_U64(c.payloads[1].columns.count, 1);
    config_free(&c);
    read_text(&c, "payloads: [{event_type: w, format: flatbuffers, descriptor_set: w.bfbs,\n"
                  "            columns: [tick, agents.id]}, {event_type: all}]\n");
    EXPECT_TEXT(c.payloads[0].columns.items[1], "agents.id");
    EXPECT_TEXT(c.payloads[1].columns.items[0], "*");
    config_free(&c);
    expect_refused("payloads: [{columns: {a: $.a}}]",
                   "varve.yaml:1: a column is NAME: {path: PATH, type: TYPE}");
    expect_refused("payloads: [{columns: {a: {path: [x], type: text}}}]",
                   "varve.yaml:1: a column is NAME: {path: PATH, type: TYPE}");
    expect_refused("payloads: [{columns: {a: {path: $.a}}}]",
                   "varve.yaml:1: a column needs a path and a type");
    expect_refused("payloads: [{columns: {a: {path: $, type: text, x: 1}}}]",
                   "varve.yaml:1: a column has one path and one type, and nothing else");
    expect_refused("payloads: [{columns: {a: {path: $, path: $}}}]",
                   "varve.yaml:1: a column has one path and one type, and nothing else");
    expect_refused("payloads: [{columns: {[a]: {path: $}}}]", "varve.yaml:1: a key must be a name");
}

TEST(config_read_sections_that_are_off)
{
    struct config c;
    read_text(&c, "compaction: off\nretention: false\nruns: off\n");
    EXPECT_I64(c.compaction.interval, 0);
    EXPECT_I64(c.retention.max_age, 0);
    EXPECT_I64(c.runs.close_after, 0);
    config_free(&c);
}

/* What PyYAML 6.0.3 makes of a file with comments, !!str, a bare off and a bare time. */
TEST(config_read_file_saved_by_a_library)
{
    struct config c;
    read_text(&c, "alerts:\n"
                  "  subject: null\n"
                  "batching:\n"
                  "  max_age: 5s\n"
                  "  max_rows: 1000\n"
                  "dead_letter: null\n"
                  "metrics:\n"
                  "  listen: false\n"
                  "nats:\n"
                  "  name: '123'\n"
                  "  servers:\n"
                  "  - nats://a:4222\n"
                  "  - nats://b:4222\n"
                  "  token: '0123'\n"
                  "output:\n"
                  "  path_template: '{simulation_id}/{first_seq}-{last_seq}.parquet'\n"
                  "sources:\n"
                  "- start: 2026-11-24 12:00:00+00:00\n"
                  "  stream: LOGGING\n"
                  "  subjects: logging.>\n"
                  "- delivery: position\n"
                  "  start: 42\n"
                  "  stream: AUDIT\n");
    EXPECT_TEXT(c.alerts.subject, "");
    EXPECT_I64(c.batching.max_age, 5 * CLOCK_SECOND);
    EXPECT_TEXT(c.metrics.listen, "");
    EXPECT_TEXT(c.nats.name, "123");
    EXPECT_TEXT(c.nats.token, "0123");
    EXPECT_U64(c.nats.servers.count, 2);
    EXPECT_TEXT(c.output.path_template, "{simulation_id}/{first_seq}-{last_seq}.parquet");
    EXPECT_I64(c.sources[0].start.time, INT64_C(1795521600) * CLOCK_SECOND);
    EXPECT_TEXT(c.sources[0].subjects.items[0], "logging.>");
    EXPECT_U64(c.sources[1].start.sequence, 42);
    config_free(&c);
}

static const char simulation[] = "# default_simulation_config.yaml\n"
                                 "simulation: &defaults\n"
                                 "  name: forest\n"
                                 "  agents: [{kind: deer, count: 12}, {kind: wolf, count: 3}]\n"
                                 "  ? [a, b]\n"
                                 "  : !custom {x: 1}\n"
                                 "orchestrator_layer:\n"
                                 "  communication:\n"
                                 "    protocol: nats\n"
                                 "    nats_address: nats://orchestrator:4222\n"
                                 "  again: *defaults\n"
                                 "logging_layer:\n"
                                 "  output:\n"
                                 "    log_output_directory: /data/logs\n"
                                 "  settings:\n"
                                 "    log_level: DEBUG\n"
                                 "batching: {what: ever}\n";

TEST(config_read_simulation_file)
{
    struct config c;
    struct err err = {0};
    read_text(&c, simulation);
    EXPECT(config_finish(&c, &err) == 0);
    EXPECT_U64(c.nats.servers.count, 1);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://orchestrator:4222");
    EXPECT_TEXT(c.output.log_output_directory, "/data/logs");
    EXPECT_U64(c.settings.log_level, LOG_DEBUG);
    EXPECT_U64(c.batching.max_rows, 250000);
    config_free(&c);
}

TEST(config_read_own_servers_before_the_orchestrators)
{
    struct config c;
    struct err err = {0};
    read_text(&c, "logging_layer: {nats: {servers: [nats://own:1]}}\n"
                  "orchestrator_layer: {communication: {nats_address: nats://other:2}}\n");
    EXPECT(config_finish(&c, &err) == 0);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://own:1");
    config_free(&c);
    read_text(&c, simulation);
    EXPECT(config_set(&c, "nats.servers=nats://set:3", &err) == 0);
    EXPECT(config_finish(&c, &err) == 0);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://set:3");
    config_free(&c);
    read_text(&c, "logging_layer:\norchestrator_layer: {communication: {nats_address: }}\n");
    EXPECT(config_finish(&c, &err) == 0);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://127.0.0.1:4222");
    config_free(&c);
}

TEST(config_read_simulation_errors)
{
    expect_refused("a: 1\nlogging_layer:\n  batching:\n    max_row: 5\n",
                   "varve.yaml:4: unknown key batching.max_row; did you mean batching.max_rows?");
    expect_refused("logging_layer: {}\nlogging_layer: {}\n",
                   "varve.yaml:2: logging_layer is set twice");
    expect_refused("logging_layer: 5\n", "varve.yaml:1: logging_layer: takes a section");
    expect_refused("x: &a {}\nlogging_layer: *a\n",
                   "varve.yaml:2: aliases (*name) are not supported here: write the value out");
    expect_refused("logging_layer: {}\nx: [\n",
                   "varve.yaml:3: not YAML: did not find expected node content");
}

TEST(config_read_nothing)
{
    static const char *const files[] = {"",
                                        "\n",
                                        "# only a comment\n",
                                        "---\n",
                                        "--- ~\n",
                                        "{}",
                                        "nats:\nsources:\nbatching:\n  max_rows:\n"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct config c;
        struct err err = {0};
        read_text(&c, files[i]);
        EXPECT(config_finish(&c, &err) == 0);
        EXPECT_U64(c.batching.max_rows, 250000);
        EXPECT_U64(c.source_count, 1);
        config_free(&c);
    }
}

TEST(config_read_says_where)
{
    expect_refused("batching:\n  max_rows: 5\nbatchng:\n  max_age: 1s\n",
                   "varve.yaml:3: unknown key batchng; did you mean batching?");
    expect_refused("batching:\n  max_rows: many\n",
                   "varve.yaml:2: batching.max_rows: \"many\" is not a whole number");
    expect_refused("sources:\n  - stream: A\n  - strem: B\n",
                   "varve.yaml:3: unknown key sources[1].strem; did you mean sources[N].stream?");
    expect_refused("sources:\n  - start:\n      - 1\n",
                   "varve.yaml:3: sources[0].start: takes one value, not a list");
    expect_refused("batching: off\n", "varve.yaml:1: batching is a section: set one of its keys");
    expect_refused("batching: 5\n", "varve.yaml:1: batching is a section: set one of its keys");
    expect_refused("memory_limit:\n  a: 1\n",
                   "varve.yaml:2: memory_limit: takes a value, not a section");
    expect_refused("sources: A\n",
                   "varve.yaml:1: sources: takes a list: begin each entry with - stream: LOGGING");
    expect_refused("sources: [A]\n",
                   "varve.yaml:1: sources: an entry needs keys, such as stream: LOGGING");
    expect_refused("sources: []\n", "varve.yaml:1: sources: the list is empty");
    expect_refused("nats: {servers: []}\n", "varve.yaml:1: nats.servers: the list is empty");
    expect_refused("nats:\n  servers: [[a]]\n",
                   "varve.yaml:2: an entry of this list must be a plain value");
    expect_refused("[a, b]\n", "varve.yaml:1: the file must contain keys, such as output:");
    expect_refused("text\n", "varve.yaml:1: the file must contain keys, such as output:");
    expect_refused("batching.max_rows: 5\n",
                   "varve.yaml:1: a key must be one name of letters, digits and _");
    expect_refused("sources[0]: {}\n",
                   "varve.yaml:1: a key must be one name of letters, digits and _");
    expect_refused("? [a]\n: b\n", "varve.yaml:1: a key must be a name");
}

TEST(config_read_duplicates)
{
    expect_refused("memory_limit: 64MiB\nmemory_limit: 64MiB\n",
                   "varve.yaml:2: memory_limit is set twice");
    expect_refused("batching: {max_rows: 1}\nnats:\nbatching: {max_age: 1s}\n",
                   "varve.yaml:3: batching is set twice");
    expect_refused("sources:\n- stream: A\n  start: 1\n  stream: B\n",
                   "varve.yaml:4: sources[0].stream is set twice");
}

TEST(config_read_hostile_yaml)
{
    expect_refused("a: b: c\n",
                   "varve.yaml:1: not YAML: mapping values are not allowed in this context");
    expect_refused("nats:\n\tname: x\n", "varve.yaml:2: there is a tab: YAML takes only "
                                         "spaces in front of a key");
    expect_refused("nats: {name: x}\n---\nnats: {name: y}\n",
                   "varve.yaml:2: there is a second document");
    expect_refused("nats:\n  name: *x\n", "varve.yaml:2: aliases (*name) are not supported here: "
                                          "write the value out");
    expect_refused("nats:\n  <<: {name: x}\n",
                   "varve.yaml:2: a key must be one name of letters, digits and _");
    expect_refused("nats:\n  name: !!binary aGk=\n",
                   "varve.yaml:2: this tag is not supported here: leave it out");
    expect_refused("nats: !!python/object:os.system {name: x}\n",
                   "varve.yaml:1: this tag is not supported here: leave it out");
    expect_refused("nats:\n  name: \"a\\0b\"\n",
                   "varve.yaml:2: nats.name: the text contains a control character");
    expect_bytes_refused("nats:\n  name: a\0b\n", 17,
                         "varve.yaml:2: not YAML: control characters are not allowed");
    expect_refused("nats:\n\n  name: \xff\n",
                   "varve.yaml:3: not YAML: invalid leading UTF-8 octet");
}

/* Each level names the one before ten times: expanded, it would be 10^9 entries. */
TEST(config_read_billion_laughs)
{
    char text[2048] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 9; i++) {
        char line[128];
        snprintf(line, sizeof(line), "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(text, line);
    }
    expect_refused(text, "varve.yaml:1: unknown key a0");
    strcat(text, "logging_layer: {batching: {max_rows: 9}}\n");
    struct config c;
    read_text(&c, text);
    EXPECT_U64(c.batching.max_rows, 9);
    config_free(&c);
}

TEST(config_read_deep_and_large)
{
    char *text = malloc(CONFIG_FILE_MAX + 2);
    memset(text, '[', CONFIG_FILE_MAX);
    memcpy(text, "a: ", 3);
    expect_bytes_refused(text, CONFIG_FILE_MAX, "varve.yaml:1: nested too deeply");
    memset(text, '{', CONFIG_FILE_MAX);
    expect_bytes_refused(text, CONFIG_FILE_MAX, "varve.yaml:1: nested too deeply");
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    expect_bytes_refused(text, CONFIG_FILE_MAX + 1, "varve.yaml: larger than 1048576 bytes");
    memset(text, 'a', CONFIG_FILE_MAX);
    memcpy(text, "nats: {name: ", 13);
    text[CONFIG_FILE_MAX - 1] = '}';
    expect_bytes_refused(text, CONFIG_FILE_MAX,
                         "varve.yaml:1: nats.name: the text is longer than 8192 bytes");
    free(text);
}

TEST(config_read_too_many)
{
    struct buf text = {0};
    buf_append_text(&text, "nats:\n  servers:\n");
    for (int i = 0; i <= CONFIG_LIST_MAX; i++)
        buf_append_text(&text, "  - a\n");
    expect_refused(buf_text(&text), "varve.yaml:259: this list is too long");
    buf_reset(&text);
    buf_append_text(&text, "sources:\n");
    for (int i = 0; i <= CONFIG_SOURCES_MAX; i++)
        buf_printf(&text,
                   "- {stream: S%d, subjects: a, delivery: durable, consumer: c, start: 1}\n", i);
    expect_refused(buf_text(&text), "varve.yaml:66: more than 64 sources");
    buf_free(&text);
}

TEST(config_read_from_disk)
{
    struct config c;
    struct err err = {0};
    FILE *file = fopen("c.yaml", "w");
    fputs("nats: {name: disk}\n", file);
    fclose(file);
    config_init(&c);
    EXPECT(config_read(&c, "c.yaml", &err) == 0);
    EXPECT_TEXT(c.nats.name, "disk");
    EXPECT(config_read(&c, "missing.yaml", &err) == -1);
    EXPECT_U64(err.code, ERR_USAGE);
    EXPECT_TEXT(err.text, "missing.yaml: No such file or directory");
    err_clear(&err);
    EXPECT(config_read(&c, ".", &err) == -1);
    EXPECT_TEXT(err.text, ".: Is a directory");
    config_free(&c);
}

TEST(config_read_notes_keys_beside_the_layer)
{
    struct config c;
    read_text(&c,
              "a: {output: 1}\nlogging_layer: {memory_limit: 64MiB}\nbatching: {max_rows: 5}\n");
    EXPECT_TEXT(c.beside, "line 3: batching");
    EXPECT(c.batching.max_rows != 5);
    config_free(&c);
}

TEST(config_read_points_of_a_follower)
{
    struct config c;
    read_text(&c, "followers:\n"
                  "  - name: db\n"
                  "    kind: timeseries\n"
                  "    url: http://h/write\n"
                  "    points:\n"
                  "      - {event_type: a.v1, measurement: m, tags: [worker_id, $.x],\n"
                  "         timestamp: stream_time,\n"
                  "         fields: {r: $.r, s: {path: $.s, type: integer}}}\n"
                  "      - {tags: worker_id}\n"
                  "      - a.v2 m field r double $.r\n");
    const struct config_list *points = &c.followers[0].points;
    EXPECT_U64(points->count, 3);
    EXPECT_TEXT(points->items[0], "a.v1 m tag worker_id tag $.x field r double $.r field s integer "
                                  "$.s timestamp stream_time");
    EXPECT_TEXT(points->items[1], "* events tag worker_id");
    EXPECT_TEXT(points->items[2], "a.v2 m field r double $.r");
    config_free(&c);

    expect_refused("followers:\n  - points:\n    - {measurement: a b}\n",
                   "varve.yaml:3: in a point no name or path is empty or has a blank");
    expect_refused("followers:\n  - points:\n    - {measure: a}\n",
                   "varve.yaml:3: a point is {event_type: TYPE, measurement: NAME, tags: [...], "
                   "fields: {...}}");
    expect_refused("followers:\n  - points:\n    - {fields: [a]}\n",
                   "varve.yaml:3: fields are NAME: PATH, or NAME: {path: PATH, type: TYPE}");
    expect_refused("followers:\n  - points:\n    - {fields: {a: {path: b}}}\n",
                   "varve.yaml:3: a column needs a path and a type");
    expect_refused("followers:\n  - points:\n    - {tags: [{a: b}]}\n",
                   "varve.yaml:3: tags are a list of columns or paths");
    expect_refused("followers:\n  - points: {a: b}\n",
                   "varve.yaml:2: followers[0].points: takes a value, not a section");
}
