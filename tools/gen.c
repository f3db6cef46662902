/* SPDX-License-Identifier: MIT */
/* varve-gen: publish a reproducible load. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "gen/load.h"
#include "gen/publish.h"
#include "nats/subject.h"

static const char help[] =
    "Usage: varve-gen [OPTION]...\n"
    "Publish reproducible events to a JetStream stream, which is created if missing.\n\n"
    "  --server URL         default nats://127.0.0.1:4222\n"
    "  --stream NAME        default LOGGING\n"
    "  --subject SUBJECT    default logging.events.raw; a * in it stands for the simulation of "
    "each\n"
    "                       event, or none\n"
    "  --deduplicate        with a Nats-Msg-Id of the seed and the index: a run that failed can "
    "be\n"
    "                       done again\n"
    "  --retention POLICY   of a stream that it creates: limits (default), workqueue or interest\n"
    "  --count N            events to publish, default 1000\n"
    "  --start-index N      index of the first one, to go on after an earlier run; default 0\n"
    "  --corrupt N          messages in between that are not events, default 0\n"
    "  --simulations N      default 4\n"
    "  --payload-bytes N    size of every payload; default: that of the event type\n"
    "  --per-hour N         events per hour of their timestamps, default 100000\n"
    "  --seed N             default 1\n"
    "  --rate N             messages a second; default: as many as the server takes\n"
    "  --dump               publish nothing; print the messages, each after its length as 4 "
    "bytes,\n"
    "                       little-endian\n\n"
    "Prints what was published when every message is confirmed. Exit status: 0, 1 if it failed,\n"
    "2 for wrong usage.\n";

struct setting {
    const char *name;
    const char **text;
    uint64_t *number; /* one of the two */
    uint64_t min, max;
};

struct command {
    struct publish_options publish;
    struct load load;
    bool dump;
};

static int set(const struct setting *settings, const char *name, const char *value)
{
    for (const struct setting *s = settings; s->name != NULL; s++) {
        if (strcmp(s->name, name) != 0)
            continue;
        if (value == NULL) {
            fprintf(stderr, "varve-gen: --%s: a value is missing\n", name);
            return -1;
        }
        if (s->text != NULL) {
            *s->text = value;
            return 0;
        }
        if (num_parse_u64(slice_of(value), s->number) && *s->number >= s->min &&
            *s->number <= s->max)
            return 0;
        fprintf(stderr, "varve-gen: --%s: %s is not a number from %" PRIu64 " to %" PRIu64 "\n",
                name, value, s->min, s->max);
        return -1;
    }
    fprintf(stderr, "varve-gen: unknown option --%s; see --help\n", name);
    return -1;
}

static int parse(struct command *c, int argc, char **argv)
{
    const uint64_t any = INT64_MAX;
    const uint64_t most = 1000000000; /* a product of two such numbers fits */
    const struct setting settings[] = {
        {"server", &c->publish.server, NULL, 0, 0},
        {"stream", &c->publish.stream, NULL, 0, 0},
        {"subject", &c->publish.subject, NULL, 0, 0},
        {"retention", &c->publish.retention, NULL, 0, 0},
        {"count", NULL, &c->publish.count, 0, most},
        {"start-index", NULL, &c->publish.start_index, 0, any},
        {"corrupt", NULL, &c->publish.corrupt, 0, most},
        {"simulations", NULL, &c->load.simulations, 1, 9999},
        {"payload-bytes", NULL, &c->load.payload_bytes, 0, 64 * 1024 * 1024},
        {"per-hour", NULL, &c->load.per_hour, 1, 1000000000},
        {"seed", NULL, &c->load.seed, 0, any},
        {"rate", NULL, &c->publish.rate, 0, any},
        {0},
    };
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            fprintf(stderr, "varve-gen: unknown argument %s; see --help\n", argv[i]);
            return -1;
        }
        const char *name = argv[i] + 2;
        if (strcmp(name, "dump") == 0) {
            c->dump = true;
            continue;
        }
        if (strcmp(name, "deduplicate") == 0) {
            c->publish.deduplicate = true;
            continue;
        }
        const char *value = i + 1 < argc ? argv[++i] : NULL;
        if (set(settings, name, value) < 0)
            return -1;
    }
    if (nats_name_valid(slice_of(c->publish.stream)) &&
        nats_subject_valid(slice_of(c->publish.subject), true) &&
        strchr(c->publish.subject, '>') == NULL)
        return 0;
    fprintf(stderr, "varve-gen: --stream and --subject: names without blanks or >\n");
    return -1;
}

static int dump(const struct command *c)
{
    struct buf frame = {0};
    for (uint64_t i = 0; i < c->publish.count + c->publish.corrupt; i++) {
        buf_reset(&frame);
        buf_append_u32le(&frame, 0);
        publish_message(&c->publish, &c->load, i, &frame);
        store_u32le(frame.data, (uint32_t)(frame.len - 4));
        fwrite(frame.data, 1, frame.len, stdout);
    }
    buf_free(&frame);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "varve-gen: standard output: write failed\n");
    return 1;
}

int main(int argc, char **argv)
{
    struct command c = {
        .publish = {.server = "nats://127.0.0.1:4222",
                    .stream = "LOGGING",
                    .subject = "logging.events.raw",
                    .retention = "limits",
                    .count = 1000},
        .load = {.seed = 1, .simulations = 4, .per_hour = 100000},
    };
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
    if (parse(&c, argc, argv) < 0)
        return 2;
    if (c.dump)
        return dump(&c);
    struct err err = {0};
    struct publish_result r;
    if (publish_run(&c.publish, &c.load, &r, &err) != 0) {
        fprintf(stderr, "varve-gen: %s\n", err.text);
        return 1;
    }
    printf("published=%" PRIu64 " corrupt=%" PRIu64 " first_seq=%" PRIu64 " last_seq=%" PRIu64
           " seconds=%.3f rate=%.0f\n",
           r.published, c.publish.corrupt, r.first_seq, r.last_seq, r.seconds,
           r.seconds > 0 ? (double)r.published / r.seconds : 0.0);
    return 0;
}
