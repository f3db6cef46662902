/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/options.h"
#include "nats/url.h"
#include "net/http_client.h"
#include "net/network.h"
#include "watch/guard.h"

#define PATIENCE (5 * CLOCK_SECOND)
#define PERIOD (2 * CLOCK_SECOND)

enum {
    BARS = 30,          /* of the newest samples */
    COMMITS_SHOWN = 5,  /* the newest */
    STATUS_VERSION = 1, /* of status.json, that this reads */
};

struct status {
    struct cli_options options;
    const char *url; /* NULL: metrics.listen of the configuration */
    const char *ca_file, *token_file;
    bool watch, json;
    struct config config; /* where there is no url */
    struct nats_url where;
    struct buf token;
    struct tls_options tls;
    struct http_place place;
};

static int parse(int argc, char **argv, struct status *s)
{
    struct cli_words w = cli_words(argc, argv);
    int option;
    while ((option = cli_next(&w)) > 0) {
        int taken = cli_options_take(&s->options, &w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (option == 'u')
            s->url = w.value;
        if (option == 'a')
            s->ca_file = w.value;
        if (option == 'k')
            s->token_file = w.value;
        s->watch = s->watch || option == 'w';
        s->json = s->json || option == 'j';
    }
    return option == CLI_STOP ? w.status : CLI_GO_ON;
}

static bool take_prefix(struct slice *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (!slice_starts_with(*text, prefix))
        return false;
    *text = (struct slice){text->data + len, text->len - len};
    return true;
}

/* An instance of this host shows the certificate that its configuration names, whatever name that
 * is for; another one has to be who its URL says. */
static void find_security(struct status *s, bool https)
{
    const struct config *c = &s->config;
    bool own = s->url == NULL && s->ca_file == NULL;
    if (!https)
        return;
    s->tls = (struct tls_options){
        .section = "",
        .ca_file = own                  ? c->metrics.tls.cert_file
                   : s->ca_file != NULL ? s->ca_file
                                        : "",
        .cert_file = "",
        .key_file = "",
        .key_password = "",
        .key_password_file = "",
        .pinned = own,
    };
    s->place.tls = &s->tls;
}

/* host:port, with http:// or https:// before it and slashes behind it, or metrics.listen. */
static int find_address(struct status *s, struct slice text, struct err *err)
{
    bool https = s->url == NULL && s->config.metrics.tls.cert_file[0] != '\0';
    if (!take_prefix(&text, "http://"))
        https = take_prefix(&text, "https://") || https;
    while (text.len > 0 && text.data[text.len - 1] == '/')
        text.len--;
    if (s->ca_file != NULL && !https)
        return err_set(err, ERR_USAGE, "--ca-file is for https");
    /* The same syntax as that of a server: host:port or [ipv6]:port. */
    if (nats_url_parse(&s->where, text, err) != 0)
        return err_prefix(err, "where to ask");
    s->place = (struct http_place){.host = s->where.host, .port = s->where.port};
    find_security(s, https);
    return 0;
}

static int find(struct status *s, struct err *err)
{
    const char *token_file = s->token_file;
    if (s->url == NULL) {
        if (cli_options_read(&s->options, &s->config, err) != 0)
            return -1;
        if (s->config.metrics.listen[0] == '\0')
            return err_set(err, ERR_USAGE, "metrics.listen is off: nobody can ask this instance");
        if (token_file == NULL && s->config.metrics.token_file[0] != '\0')
            token_file = s->config.metrics.token_file;
    }
    if (find_address(s, slice_of(s->url != NULL ? s->url : s->config.metrics.listen), err) != 0)
        return -1;
    if (token_file != NULL) {
        if (guard_read_token(&s->token, token_file, err) != 0)
            return -1;
        s->place.token = buf_text(&s->token);
    }
    return 0;
}

static void print_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        (void)putchar(text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i]);
}

static void print_member(const struct json *object, const char *name)
{
    struct slice text = slice_of("unknown");
    (void)json_get_text(object, name, &text);
    print_text(text);
}

static const char *count_of(const struct json *object, const char *name,
                            char out[static NUM_COUNT_TEXT_MAX])
{
    uint64_t n;
    if (json_get_u64(object, name, &n))
        num_format_count(n, out);
    else
        (void)snprintf(out, NUM_COUNT_TEXT_MAX, "unknown");
    return out;
}

/* How long ago a time was, by the clock of the instance: "3s". */
static const char *age_of(const struct json *status, const struct json *object, const char *name,
                          char out[static NUM_SIZE_TEXT_MAX])
{
    struct slice then_text, now_text;
    int64_t then, now;
    if (!json_get_text(object, name, &then_text) || !time_parse(then_text, &then) ||
        !json_get_text(status, "time", &now_text) || !time_parse(now_text, &now))
        return "none";
    num_format_duration((now - then) / CLOCK_SECOND * CLOCK_SECOND, out);
    return out;
}

static void print_verdict(const struct json *status)
{
    char age[NUM_SIZE_TEXT_MAX];
    const struct json *connection = json_member(status, "connection");
    bool ready = false, connected = false;
    (void)json_get_bool(status, "ready", &ready);
    (void)json_get_bool(connection, "connected", &connected);
    printf("%s for %s, instance ", ready ? "\xe2\x9c\x93 ready" : "\xe2\x9c\x97 not ready",
           age_of(status, status, "ready_changed", age));
    print_member(status, "instance");
    printf(", %s ", connected ? "connected to" : "not connected; tried last");
    print_member(connection, "server");
    printf("\n");
    const struct json *reasons = json_member(status, "reasons");
    for (const struct json *r = reasons != NULL ? reasons->first : NULL; r != NULL; r = r->next) {
        printf("  - ");
        print_text(r->text);
        printf("\n");
    }
    const struct json *alerts = json_member(status, "alerts");
    for (const struct json *a = alerts != NULL ? alerts->first : NULL; a != NULL; a = a->next) {
        printf("  ! ");
        print_member(a, "name");
        printf(" for %s: ", age_of(status, a, "since", age));
        print_member(a, "text");
        printf("\n");
    }
}

/* The width of the terminal; 0 if it is none, or does not say. */
static size_t room(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* What all streams have to come, as far as that is known. */
static uint64_t lag_of(const struct json *status)
{
    uint64_t sum = 0, lag;
    const struct json *streams = json_member(status, "streams");
    for (const struct json *s = streams != NULL ? streams->first : NULL; s != NULL; s = s->next)
        if (json_get_u64(s, "lag", &lag) && __builtin_add_overflow(sum, lag, &sum))
            return UINT64_MAX;
    return sum;
}

/* The newest samples as bars, eight heights up to the greatest, and a number: the newest, a second,
 * or of what is no rate (`now`) what it is at this moment. */
static void print_bars(const struct json *samples, const char *name, const char *label,
                       uint64_t seconds, const uint64_t *now)
{
    uint64_t values[BARS] = {0}, most = 1, n = 0;
    char text[NUM_COUNT_TEXT_MAX];
    const struct json *list = json_member(samples, name);
    for (const struct json *v = list != NULL ? list->first : NULL; v != NULL; v = v->next, n++)
        if (!num_parse_u64(v->text, &values[n % BARS]))
            values[n % BARS] = 0;
    for (size_t i = 0; i < BARS; i++)
        most = values[i] > most ? values[i] : most;
    printf("  %-11s", label);
    for (uint64_t i = n; i < n + BARS; i++)
        if (i < BARS && n < BARS)
            printf(" ");
        else
            printf("\xe2\x96%c", (int)(0x81 + values[i % BARS] * 7 / most));
    uint64_t newest = n > 0 ? values[(n - 1) % BARS] / seconds : 0;
    num_format_count(now != NULL ? *now : newest, text);
    printf(" %s%s\n", text, now != NULL ? "" : "/s");
}

static void print_numbers(const struct json *status)
{
    const struct json *store = json_member(status, "store");
    const struct json *samples = json_member(status, "samples");
    char age[NUM_SIZE_TEXT_MAX], size[NUM_SIZE_TEXT_MAX] = "unknown";
    uint64_t bytes, seconds = 1;
    if (json_get_u64(store, "free_bytes", &bytes))
        num_format_size(bytes, size);
    printf("last commit %s%s, free disk %s, directory ", age_of(status, store, "last_commit", age),
           json_member(store, "last_commit") != NULL &&
                   json_member(store, "last_commit")->type == JSON_STRING
               ? " ago"
               : "",
           size);
    print_member(store, "directory");
    printf("\n\n");
    (void)json_get_u64(samples, "interval_seconds", &seconds);
    seconds = seconds == 0 ? 1 : seconds;
    print_bars(samples, "received", "received", seconds, NULL);
    print_bars(samples, "committed", "committed", seconds, NULL);
    uint64_t lag = lag_of(status);
    print_bars(samples, "lag", "lag", 1, &lag);
    printf("\n");
}

/* A row for each object of a list: two texts, of which the first is what it is called, then
 * numbers.
 */
static void print_objects(const struct json *list, const char *kind,
                          const char *const texts[static 2], const char *const *numbers,
                          size_t count)
{
    struct table t = {.room = room()};
    char text[NUM_COUNT_TEXT_MAX];
    if (list == NULL || list->first == NULL)
        return;
    table_text(&t, kind);
    table_text(&t, texts[1]);
    for (size_t i = 0; i < count; i++)
        table_number(&t, "%s", numbers[i]);
    table_end_row(&t);
    for (const struct json *o = list->first; o != NULL; o = o->next) {
        for (int i = 0; i < 2; i++) {
            struct slice said = slice_of("none");
            (void)json_get_text(o, texts[i], &said);
            table_cell(&t, said);
        }
        for (size_t i = 0; i < count; i++)
            table_number(&t, "%s", count_of(o, numbers[i], text));
        table_end_row(&t);
    }
    table_print(&t, 2, stdout);
    printf("\n");
}

static void print_streams(const struct json *status)
{
    static const char *const stream[] = {"stream", "state"};
    static const char *const counted[] = {"lost",     "dead_letters", "lag",       "committed",
                                          "received", "deduplicated", "ack_floor", "last_sequence"};
    static const char *const follower[] = {"name", "failure"};
    static const char *const followed[] = {"lag", "rows", "refused", "position"};
    static const char *const run[] = {"simulation_id", "most"}; /* most of its findings */
    static const char *const found[] = {"events", "findings"};
    print_objects(json_member(status, "streams"), "stream", stream, counted,
                  sizeof(counted) / sizeof(counted[0]));
    const struct json *followers = json_member(status, "followers");
    print_objects(followers, "follower", follower, followed,
                  sizeof(followed) / sizeof(followed[0]));
    for (const struct json *f = followers != NULL ? followers->first : NULL; f != NULL; f = f->next)
        print_objects(json_member(f, "simulations"), "simulation", run, found,
                      sizeof(found) / sizeof(found[0]));
}

static void print_commits(const struct json *status)
{
    struct table t = {0};
    char age[NUM_SIZE_TEXT_MAX], text[NUM_COUNT_TEXT_MAX];
    const struct json *commits = json_member(status, "commits");
    const struct json *c = commits != NULL ? commits->first : NULL;
    if (c == NULL) {
        printf("  no commit yet\n");
        return;
    }
    for (int i = 0; i < COMMITS_SHOWN && c != NULL; i++, c = c->next) {
        struct slice reason = slice_of("?");
        (void)json_get_text(c, "reason", &reason);
        table_number(&t, "%s ago", age_of(status, c, "time", age));
        table_number(&t, "%s rows", count_of(c, "rows", text));
        table_number(&t, "%s files", count_of(c, "files", text));
        table_cell(&t, reason);
        table_end_row(&t);
    }
    table_print(&t, 2, stdout);
}

/* Ask once and print. The exit status is that of the instance: 0 if it is ready. */
static int show(const struct status *s, struct err *err)
{
    struct buf body = {0};
    struct arena arena = {0};
    int status = CLI_FAILED;
    uint64_t version = 0;
    if (http_get(&s->place, "/status.json", PATIENCE, &body, err) != 0)
        goto end;
    const struct json *json = json_parse(&arena, buf_slice(&body), err);
    if (json == NULL)
        goto end;
    if (!json_get_u64(json, "version", &version) || version != STATUS_VERSION) {
        (void)err_set(err, ERR_FORMAT, "another version of varve, or something else, runs there");
        goto end;
    }
    bool ready = false;
    status = json_get_bool(json, "ready", &ready) && ready ? CLI_DONE : CLI_FAILED;
    if (s->watch && isatty(STDOUT_FILENO) == 1)
        printf("\033[H\033[2J");
    if (s->json) {
        (void)fwrite(body.data, 1, body.len, stdout); /* main looks at stdout */
    } else {
        print_verdict(json);
        print_numbers(json);
        print_streams(json);
        print_commits(json);
    }
end:
    if (err_is_set(err)) {
        char address[NATS_ADDRESS_MAX];
        nats_url_format(&s->where, address);
        (void)err_prefix(err, "%s://%s/", s->place.tls != NULL ? "https" : "http", address);
    }
    arena_free(&arena);
    buf_free(&body);
    return status;
}

static int run(struct status *s)
{
    struct err err = {0};
    if (find(s, &err) != 0)
        return cli_fail(&err);
    for (;;) {
        int status = show(s, &err);
        if (err_is_set(&err))
            (void)cli_fail(&err);
        if (!s->watch || fflush(stdout) != 0)
            return status;
        err_clear(&err);
        net_wait(NULL, 0, clock_monotonic() + PERIOD);
    }
}

int cli_status(int argc, char **argv)
{
    struct status s = {0};
    config_init(&s.config);
    int status = parse(argc, argv, &s);
    if (status == CLI_GO_ON)
        status = run(&s);
    cli_options_free(&s.options);
    config_free(&s.config);
    secret_free(&s.token);
    return status;
}
