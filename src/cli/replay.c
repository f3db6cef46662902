/* SPDX-License-Identifier: MIT */
#include "cli/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/sha256.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "delta/log.h"
#include "net/network.h"
#include "object/open.h"
#include "pipeline/stop.h"

enum {
    MARK_DIGITS = 16, /* of the hash of what is selected */
    /* Attempts that send messages of which none is taken, because others publish into the same
     * stream, or the server refuses them. */
    FRUITLESS_MAX = 100,
};
#define PAUSE_MIN (CLOCK_SECOND / 10)
#define PAUSE_MAX (10 * CLOCK_SECOND)
#define SPEED_MAX 1e6

struct command {
    struct cli_options options;
    struct config config;
    struct replay replay;
    struct sha256 selection;
    char mark[SHA256_TEXT_MAX];
    struct waker waker;
};

static int parse_speed(const char *text, double *speed)
{
    char *end = NULL;
    *speed = 0;
    if (strcmp(text, "max") == 0)
        return 0;
    *speed = strtod(text, &end);
    bool plain = text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0' && *end == '\0';
    if (plain && *speed > 0 && *speed <= SPEED_MAX)
        return 0;
    return cli_usage("replay", "--speed is a number such as 1 or 2.5, or max, not '%s'", text);
}

/* What may be a different selection is a different replay. */
static void note(struct command *c, int option, const char *value)
{
    const uint8_t kind = (uint8_t)option;
    sha256_add(&c->selection, &kind, sizeof(kind));
    sha256_add(&c->selection, value, strlen(value) + 1);
}

static int select_rows(struct command *c, int option, const char *value)
{
    struct filter *f = &c->replay.filter;
    struct err err = {0};
    int result = 0;
    note(c, option, value);
    if (option != 'i')
        result = filter_take_option(f, option, value, &err);
    else
        *array_add(&f->terms) = (struct filter_term){
            .column = slice_of("simulation_id"), .op = FILTER_EQUAL, .value = slice_of(value)};
    return result == 0 ? CLI_GO_ON : cli_usage("replay", "%s", err.text);
}

static int take_option(struct command *c, int option, const struct cli_words *w)
{
    struct replay *r = &c->replay;
    switch (option) {
    case 'f':
    case 't':
    case 'w':
    case 'i':
        return select_rows(c, option, w->value);
    case 'u':
        return cli_options_take_server(&c->options, w) == 0 ? CLI_GO_ON : CLI_USAGE;
    case 'S':
        r->to.subject = w->value;
        if (publisher_subject_valid(w->value))
            return CLI_GO_ON;
        return cli_usage("replay", "--subject: '%s' is none; '>' may be its end", w->value);
    case 'N':
        r->to.stream = w->value;
        if (nats_name_valid(slice_of(w->value)))
            return CLI_GO_ON;
        return cli_usage("replay", "--stream: '%s' can't be the name of one", w->value);
    case 'p':
        return parse_speed(w->value, &r->pace.speed) == 0 ? CLI_GO_ON : CLI_USAGE;
    case 'b':
        r->pace.by_event = strcmp(w->value, "event") == 0;
        if (r->pace.by_event || strcmp(w->value, "stream") == 0)
            return CLI_GO_ON;
        return cli_usage("replay", "--by is event or stream, not '%s'", w->value);
    case 'g':
        if (num_parse_duration(slice_of(w->value), &r->pace.max_gap) && r->pace.max_gap > 0)
            return CLI_GO_ON;
        return cli_usage("replay", "--max-gap needs a time such as 5s, not '%s'", w->value);
    default:
        r->to.begin = r->to.begin || option == 'n';
        r->force = r->force || option == 'F';
        r->dry_run = r->dry_run || option == 'd';
        if (option == 'B')
            r->publisher.batch_most = 1;
        return CLI_GO_ON;
    }
}

static int parse(struct command *c, struct cli_words *w)
{
    int option, status = CLI_GO_ON;
    while (status == CLI_GO_ON && (option = cli_next(w)) > 0) {
        int taken = cli_options_take(&c->options, w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken == 0)
            status = take_option(c, option, w);
    }
    if (status != CLI_GO_ON)
        return status;
    if (option == CLI_STOP)
        return w->status;
    if (w->count != 1)
        return cli_usage("replay", "it takes one PATH");
    c->replay.path = w->operands[0];
    return CLI_GO_ON;
}

static int open_store(struct command *c, struct err *err)
{
    struct replay *r = &c->replay;
    struct object_config config = {.root = r->path, .entries = DELTA_LOG_FOLDER};
    uint8_t hash[SHA256_BYTES];
    r->store = object_open(&config, err);
    if (r->store == NULL || delta_snapshot_load(&r->table, r->store, err) != 0)
        return -1;
    if (!r->table.found)
        return err_set(err, ERR_SYSTEM, "there is no table with a commit log");
    sha256_add(&c->selection, r->table.metadata.id.data, r->table.metadata.id.len);
    sha256_end(&c->selection, hash);
    sha256_format(hash, c->mark);
    c->mark[MARK_DIGITS] = '\0';
    r->to.mark = c->mark;
    return 0;
}

/* What goes into a stream that this store drains comes out again as rows of it. */
static bool feeds_itself(const struct replay *r)
{
    for (size_t i = 0; i < r->table.generation_list.count; i++)
        if (strcmp(r->table.generation_list.list[i].stream, r->publisher.stream) == 0)
            return true;
    return false;
}

static int attempt(struct replay *r, struct err *err)
{
    int result = publisher_open(&r->publisher, &r->to, err);
    if (!r->force && feeds_itself(r)) {
        err_clear(err); /* whatever else is wrong with that stream */
        return err_set(err, ERR_USAGE,
                       "stream %s is one that this store drains: its events would be stored again; "
                       "--force does it, for instance for a new server",
                       r->publisher.stream);
    }
    return result == 0 ? replay_rows(r, err) : -1;
}

static void clear_progress(const struct replay *r)
{
    if (r->next_progress != 0)
        (void)fprintf(stderr, "\r\033[K");
}

static void wait_a_while(struct command *c, int64_t until)
{
    while (clock_monotonic() < until && !c->replay.stopped) {
        struct net_wait wait = {.handle = c->waker.handle, .want = NET_READABLE};
        net_wait(&wait, 1, until);
        net_calm(&c->waker);
        c->replay.stopped = stop_take().stop;
    }
}

/* Until all is there. What fails once it has begun is tried again, for as long as it takes. */
static int replay(struct command *c, struct err *err)
{
    struct replay *r = &c->replay;
    struct publisher *p = &r->publisher;
    unsigned fruitless = 0;
    int64_t pause = PAUSE_MIN;
    for (;;) {
        uint64_t before = p->published;
        err_clear(err);
        if (attempt(r, err) == 0)
            return 0;
        fruitless = p->published > before ? 0 : fruitless + (p->sent > 0);
        if (p->published > before)
            pause = PAUSE_MIN;
        bool begun = p->published > 0 || p->contended;
        if (!begun || p->final || !err_is_set(&p->failure) || fruitless == FRUITLESS_MAX)
            return -1;
        if (p->contended)
            pause = PAUSE_MIN;
        clear_progress(r);
        if (pause == PAUSE_MIN && fruitless <= 1)
            (void)fprintf(stderr, "%svarve: %s; trying again\n", log_priority(LOG_WARNING),
                          err->text);
        wait_a_while(c, clock_monotonic() + pause);
        if (r->stopped)
            return 0;
        if (!p->contended) /* else the next attempt tells what it was, and that is to be said */
            pause = 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
    }
}

static int report(const struct replay *r, struct err *err)
{
    const struct publisher *p = &r->publisher;
    if (r->stopped)
        return err_set(err, ERR_REFUSED,
                       "ended by a signal after %" PRIu64 " messages: the same command%s goes on",
                       p->published, r->to.begin ? " without --new" : "");
    (void)printf("%" PRIu64 " messages %s to %s in stream %s\n",
                 r->dry_run ? r->rows : p->published,
                 r->dry_run ? "would be published" : "published", r->to.subject, p->stream);
    return 0;
}

static int run(struct command *c, struct err *err)
{
    struct replay *r = &c->replay;
    log_configure(LOG_OFF, c->config.settings.log_format); /* what goes wrong is in `err` */
    if (replay_bind(r, err) != 0 || stop_install(err) != 0 || net_waker(&c->waker, err) != 0)
        return -1;
    char *path = (char *)(uintptr_t)r->path; /* only read */
    stop_wakes(&c->waker);
    r->to.config = &c->config;
    r->to.waker = &c->waker;
    int result = confine_reading(&path, 1, &c->config, err);
    if (result == 0 && open_store(c, err) != 0)
        result = err_prefix(err, "%s", r->path);
    if (result == 0)
        result = replay(c, err);
    clear_progress(r);
    if (result == 0)
        result = report(r, err);
    stop_wakes(NULL);
    return result;
}

static void free_all(struct command *c)
{
    struct replay *r = &c->replay;
    publisher_free(&r->publisher);
    if (r->store != NULL)
        object_store_close(r->store);
    delta_snapshot_free(&r->table);
    filter_free(&r->filter);
    free(r->tests);
    net_close(&c->waker.handle);
    cli_options_free(&c->options);
    config_free(&c->config);
}

int cli_replay(int argc, char **argv)
{
    static struct command c; /* large for a stack */
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    bool given = false;
    c.waker.handle = -1;
    c.replay.to.subject = "replay.>";
    c.replay.table.want_files = c.replay.table.want_varve = true;
    c.replay.progress = isatty(STDERR_FILENO) == 1;
    config_init(&c.config);
    sha256_begin(&c.selection);
    int status = parse(&c, &w);
    if (status == CLI_GO_ON && cli_options_reach_server(&c.options, &c.config, &given, &err) != 0)
        status = cli_fail(&err);
    if (status == CLI_GO_ON && !given)
        status = cli_usage("replay", "--server or -c says where to");
    if (status == CLI_GO_ON)
        status = run(&c, &err) == 0 ? CLI_DONE : cli_fail(&err);
    free_all(&c);
    return status;
}
