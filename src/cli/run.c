/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#include "cli/cli.h"
#include "config/config.h"
#include "config/keys.h"
#include "pipeline/lint.h"
#include "pipeline/pipeline.h"
#include "pipeline/stop.h"

/* What is read where no -c is given. */
static const char default_file[] = "varve.yaml";

struct arguments {
    const char *file; /* NULL: default_file, where it exists */
    bool once;
    char **sets; /* the values of --set, copied, in order */
    size_t set_count;
};

/* Everybody on the host can see the arguments of a process: a secret among them is kept here, and
 * overwritten there. */
static void take_set(struct arguments *out, char *assignment)
{
    char *copy = strdup(assignment);
    out->sets = realloc(out->sets, (out->set_count + 1) * sizeof(char *));
    if (copy == NULL || out->sets == NULL)
        check_out_of_memory(strlen(assignment));
    out->sets[out->set_count++] = copy;
    char *value = strchr(assignment, '=');
    if (value == NULL)
        return;
    *value = '\0';
    const struct config_key *key = config_key_find(assignment);
    *value = '=';
    if (key != NULL && key->type == CONFIG_SECRET)
        memset(value + 1, '*', strlen(value + 1));
}

static void free_arguments(struct arguments *a)
{
    for (size_t i = 0; i < a->set_count; i++)
        free(a->sets[i]);
    free(a->sets);
}

static int parse(int argc, char **argv, struct arguments *out)
{
    for (int i = 1; i < argc; i++) {
        bool takes_value = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--set") == 0;
        if (takes_value && i + 1 == argc)
            return cli_usage("run", "%s needs a value", argv[i]);
        if (strcmp(argv[i], "-c") == 0 && out->file != NULL)
            return cli_usage("run", "-c is given twice");
        if (strcmp(argv[i], "-c") == 0)
            out->file = argv[i + 1];
        else if (takes_value)
            take_set(out, argv[i + 1]);
        else if (strcmp(argv[i], "--once") == 0)
            out->once = true;
        else
            return cli_usage("run", "%s is not an option", argv[i]);
        i += takes_value;
    }
    return CLI_DONE;
}

/* Also for reloads, hence the context. */
static int read_config(void *context, struct config *config, struct err *err)
{
    const struct arguments *arguments = context;
    const char *file = arguments->file;
    if (file == NULL && access(default_file, F_OK) == 0)
        file = default_file;
    if (file != NULL && config_read(config, file, err) != 0)
        return -1;
    for (size_t i = 0; i < arguments->set_count; i++)
        if (config_set(config, arguments->sets[i], err) != 0)
            return -1;
    if (config_finish(config, err) != 0)
        return -1;
    return lint_config(config, err);
}

int cli_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct config config;
    struct err err = {0};
    if (parse(argc, argv, &arguments) != CLI_DONE) {
        free_arguments(&arguments);
        return CLI_USAGE;
    }
    config_init(&config);
    int result = read_config(&arguments, &config, &err);
    if (result == 0) {
        log_configure(config.settings.log_level, config.settings.log_format);
        result = stop_install(&err);
    }
    struct pipeline_options options = {arguments.once, read_config, &arguments};
    if (result == 0)
        result = pipeline_run(&config, &options, &err);
    config_free(&config);
    free_arguments(&arguments);
    return result == 0 ? CLI_DONE : cli_fail(&err);
}
