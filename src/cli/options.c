/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"
#include "check/check.h"
#include "config/keys.h"
#include "object/open.h"

static const char default_file[] = "varve.yaml";

/* Everybody on the host can see the arguments of a process: a secret among them is kept here, and
 * overwritten there. */
static void take_set(struct cli_options *o, char *assignment)
{
    *array_add(&o->sets) = text_copy(assignment);
    char *value = strchr(assignment, '=');
    if (value == NULL)
        return;
    *value = '\0';
    const struct config_key *key = config_key_find(assignment);
    *value = '=';
    bool url = key != NULL && strcmp(key->path, "nats.servers") == 0 && strchr(value, '@') != NULL;
    if (url || (key != NULL && key->type == CONFIG_SECRET))
        memset(value + 1, '*', strlen(value + 1));
}

int cli_options_take(struct cli_options *o, const struct cli_words *w, int option)
{
    if (option != 'c' && option != 's')
        return 0;
    if (option == 'c' && o->file != NULL) {
        (void)cli_usage(w->command->name, "-c is given twice");
        return -1;
    }
    if (option == 'c')
        o->file = w->value;
    else
        take_set(o, w->value);
    return 1;
}

int cli_options_take_server(struct cli_options *o, const struct cli_words *w)
{
    if (o->server != NULL) {
        (void)cli_usage(w->command->name, "--server is given twice");
        return -1;
    }
    o->server = text_copy(w->value);
    char *end = strrchr(w->value, '@');
    if (end != NULL)
        memset(w->value, '*', (size_t)(end - w->value));
    return 0;
}

int cli_options_reach_server(struct cli_options *o, struct config *config, bool *given,
                             struct err *err)
{
    struct buf assignment = {0};
    bool configured = o->file != NULL || o->sets.count > 0;
    int result = 0;
    *given = configured || o->server != NULL;
    if (o->server != NULL)
        buf_printf(&assignment, "nats.servers=%s", o->server);
    if (configured) {
        if (o->server != NULL)
            *array_add(&o->sets) = text_copy(buf_text(&assignment));
        result = cli_options_read(o, config, err);
        cli_reach(config);
    } else if (*given && (config_set(config, buf_text(&assignment), err) != 0 ||
                          config_finish(config, err) != 0)) {
        result = err_prefix(err, "--server");
    }
    secret_free(&assignment);
    return result;
}

const char *cli_options_file(const struct cli_options *o)
{
    if (o->file != NULL)
        return o->file;
    return access(default_file, F_OK) == 0 ? default_file : NULL;
}

int cli_options_read(void *context, struct config *config, struct err *err)
{
    const struct cli_options *o = context;
    const char *file = cli_options_file(o);
    if (file != NULL && config_read(config, file, err) != 0)
        return -1;
    for (size_t i = 0; i < o->sets.count; i++)
        if (config_set(config, o->sets.list[i], err) != 0)
            return -1;
    if (config_finish(config, err) != 0)
        return -1;
    return lint_config(config, err);
}

void cli_reach(const struct config *config)
{
    const struct config_s3 *s3 = &config->output.s3;
    struct s3_options options = {
        .endpoint = s3->endpoint,
        .region = s3->region,
        .addressing = (enum s3_addressing)s3->addressing, /* in the same order */
        .access_key_id = s3->access_key_id,
        .secret_access_key = s3->secret_access_key,
        .session_token = s3->session_token,
        .profile = s3->profile,
        .ca_file = s3->ca_file,
        .checksum = (enum s3_checksum)s3->checksum,
    };
    object_reach(&options);
}

int cli_reach_by_file(const char *file, struct err *err)
{
    static struct config config;
    config_init(&config);
    if (config_read(&config, file, err) != 0 || config_finish(&config, err) != 0)
        return -1;
    cli_reach(&config);
    return 0;
}

void cli_options_free(struct cli_options *o)
{
    for (size_t i = 0; i < o->sets.count; i++)
        free(o->sets.list[i]);
    array_free(&o->sets);
    free(o->server);
}
