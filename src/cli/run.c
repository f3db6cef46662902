/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "net/notify.h"
#include "object/open.h"
#include "pipeline/pipeline.h"
#include "pipeline/stop.h"

/* What a run is asked for, and what it has done. */
struct run {
    struct cli_options options;
    bool once;
    int64_t timeout; /* of --once; 0: none */
    bool outrun;     /* by another instance: stand by */
    struct pipeline_summary summary;
};

/* Longer than any stream needs; and clock_monotonic has room for it. */
#define TIMEOUT_MAX (30 * 24 * 3600 * CLOCK_SECOND)

static int parse(int argc, char **argv, struct run *run)
{
    struct cli_words w = cli_words(argc, argv);
    int option;
    while ((option = cli_next(&w)) > 0) {
        int taken = cli_options_take(&run->options, &w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken > 0)
            continue;
        if (option == 'o')
            run->once = true;
        else if (!num_parse_duration(slice_of(w.value), &run->timeout) || run->timeout <= 0 ||
                 run->timeout > TIMEOUT_MAX)
            return cli_usage("run", "--timeout takes a time, such as 90s, of at most 720h");
    }
    if (option == CLI_END && run->timeout != 0 && !run->once)
        return cli_usage("run", "--timeout is for --once");
    return option == CLI_STOP ? w.status : CLI_GO_ON;
}

/* For the last lines of the log; who has not read them by then does not read. */
#define LOG_PATIENCE CLOCK_SECOND

/* Between starting over and being able to: whoever removed the directory may be at it still. A
 * start that fails is the user's to look at, but not when it goes on with a run. */
#define REOPEN_PAUSE (CLOCK_SECOND / 4)

/* False if a signal asks to stop. */
static bool wait_to_reopen(void)
{
    net_wait(NULL, 0, clock_monotonic() + REOPEN_PAUSE);
    return !stop_take().stop;
}

/* Between attempts to begin while an object store is away. */
#define STORE_PAUSE_MIN CLOCK_SECOND
#define STORE_PAUSE_MAX (30 * CLOCK_SECOND)

/* What there is to do until the object store is tried again: heed signals, and show a service
 * manager that it is not the start that hangs. False if a signal asks to stop. */
static bool wait_for_store(struct notify *notify, int64_t until)
{
    while (clock_monotonic() < until) {
        int64_t next = clock_earliest(clock_monotonic() + REOPEN_PAUSE,
                                      notify_tick(notify, clock_monotonic()));
        net_wait(NULL, 0, clock_earliest(next, until));
        if (stop_take().stop)
            return false;
    }
    return true;
}

/* Begin. An object store that is away is waited for, as long as there is time, as it is later on:
 * nothing was taken from any stream. */
static struct pipeline *start(const struct config *config, struct pipeline_options *how,
                              struct err *err)
{
    struct pipeline *p;
    struct notify notify = {.fd = -1};
    int64_t pause = STORE_PAUSE_MIN;
    int64_t deadline = how->timeout > 0 ? clock_monotonic() + how->timeout : INT64_MAX;
    bool bucket = object_is_url(config->output.log_output_directory);
    while ((p = pipeline_new(config, how, err)) == NULL && bucket && err->code == ERR_NETWORK) {
        int64_t now = clock_monotonic();
        if (now >= deadline) {
            (void)err_prefix(err, "the object store was not reached in time");
            break;
        }
        if (pause == STORE_PAUSE_MIN) {
            notify_open(&notify);
            notify_send(&notify, "READY=1\nSTATUS=waiting for the object store");
        }
        log_message(LOG_WARNING, "store_away", "%s", err->text);
        if (!wait_for_store(&notify, clock_earliest(now + pause, deadline)))
            break;
        pause = clock_earliest(2 * pause, STORE_PAUSE_MAX);
        how->timeout = deadline == INT64_MAX ? 0 : deadline - clock_monotonic();
        how->timeout = deadline != INT64_MAX && how->timeout < 1 ? 1 : how->timeout;
        err_clear(err);
    }
    notify_close(&notify);
    return p;
}

/* Until a signal asks to stop or, with --once, until the end; or, *again, until all has to be begun
 * anew: not where it is to end. */
static int drain(struct run *run, const struct config *config, bool has_run, bool *again,
                 struct err *err)
{
    struct pipeline_options how = {.once = run->once,
                                   .timeout = run->timeout,
                                   .stand_by = run->outrun,
                                   .reload = cli_options_read,
                                   .context = &run->options};
    *again = false;
    struct pipeline *p = start(config, &how, err);
    if (p == NULL && has_run && err->system == EACCES &&
        sandbox_is_why(config->output.log_output_directory, SANDBOX_WRITE)) {
        (void)err_prefix(err,
                         "the output directory was removed, and the sandbox keeps this process "
                         "from making it again: start varve again");
        return -1;
    }
    if (p == NULL) {
        *again = has_run && err->code == ERR_SYSTEM && wait_to_reopen();
        return -1;
    }
    stop_wakes(&p->waker);
    bool ending = false;
    int64_t deadline = pipeline_turn(p);
    for (; !pipeline_is_done(p); deadline = pipeline_turn(p)) {
        size_t count = pipeline_waits(p);
        net_wait(p->waits, count, deadline);
        struct stop_request asked = stop_take();
        if (asked.reload)
            pipeline_reload(p);
        if (asked.stop)
            pipeline_stop(p);
        ending = ending || asked.stop;
    }
    stop_wakes(NULL);
    *again = !ending && pipeline_must_start_over(p);
    run->outrun = pipeline_was_outrun(p);
    struct pipeline_summary done = pipeline_summary(p);
    run->summary.rows += done.rows;
    run->summary.files += done.files;
    run->summary.dead_letters += done.dead_letters;
    return pipeline_free(p, err);
}

/* What was changed by SIGHUP since the start holds after starting over, too. */
static void read_again(struct cli_options *options, struct config *config)
{
    struct config fresh;
    struct err err = {0}; /* told when it was read at first */
    config_init(&fresh);
    if (cli_options_read(options, &fresh, &err) != 0) {
        config_free(&fresh);
        return;
    }
    config_free(config);
    *config = fresh;
    cli_reach(config);
}

/* The last line of --once, for who looks at a terminal. */
static void tell_summary(const struct run *run, const struct config *config, int64_t began)
{
    char rows[NUM_COUNT_TEXT_MAX], files[NUM_COUNT_TEXT_MAX], dead[NUM_COUNT_TEXT_MAX];
    const struct pipeline_summary *s = &run->summary;
    num_format_count(s->rows, rows);
    num_format_count(s->files, files);
    num_format_count(s->dead_letters, dead);
    (void)printf("%s row%s, %s file%s, ", rows, s->rows == 1 ? "" : "s", files,
                 s->files == 1 ? "" : "s");
    if (s->dead_letters > 0)
        (void)printf("%s %s, ", dead,
                     config->dead_letter.subject[0] == '\0' ? "in quarantine" : "dead letters");
    (void)printf("%.1f s -> %s\n", (double)(clock_monotonic() - began) / (double)CLOCK_SECOND,
                 config->output.log_output_directory);
}

/* Once the configuration is known: confine the process while it is one thread, which the log's is
 * the first to follow. */
static int begin(struct cli_options *options, struct config *config, struct err *err)
{
    struct confinement confinement = {0};
    if (cli_options_read(options, config, err) != 0)
        return -1;
    cli_reach(config);
    log_configure(config->settings.log_level, config->settings.log_format);
    int result = stop_install(err);
    if (result == 0)
        result = confine_run(config, cli_options_file(options), &confinement, err);
    if (result == 0)
        result = log_start(err);
    if (result == 0)
        confine_log(&confinement);
    if (result == 0 && config->beside[0] != '\0')
        log_message(LOG_WARNING, "configuration",
                    "%s stands beside logging_layer, and is not read: varve's keys go below it",
                    config->beside);
    confinement_free(&confinement);
    return result;
}

/* Until it is done, through all that makes it start over. */
static int drain_all(struct run *run, struct config *config, struct err *err)
{
    bool again = true, has_run = false;
    for (;;) {
        int result = drain(run, config, has_run, &again, err);
        if (!again)
            return result;
        has_run = true;
        log_message(LOG_WARNING, "starting_over", "%s", err->text);
        err_clear(err);
        read_again(&run->options, config);
    }
}

static int run_drain(struct run *run)
{
    struct config config;
    struct err err = {0};
    int64_t began = clock_monotonic();
    config_init(&config);
    int result = begin(&run->options, &config, &err);
    if (result == 0)
        result = drain_all(run, &config, &err);
    bool is_read = log_stop(LOG_PATIENCE);
    if (result == 0 && run->once && isatty(STDOUT_FILENO) == 1)
        tell_summary(run, &config, began);
    config_free(&config);
    if (result == 0)
        return CLI_DONE;
    return is_read ? cli_fail(&err) : cli_status_of(&err);
}

int cli_run(int argc, char **argv)
{
    /* Its options stay: a configuration that hangs may still be read when the process ends. */
    static struct run run;
    int status = parse(argc, argv, &run);
    return status == CLI_GO_ON ? run_drain(&run) : status;
}
