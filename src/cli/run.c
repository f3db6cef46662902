/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/config.h"
#include "pipeline/lint.h"
#include "pipeline/pipeline.h"
#include "pipeline/stop.h"

/* What is read where no -c is given. */
static const char default_file[] = "varve.yaml";

struct arguments {
    const char *file; /* NULL: default_file, where it exists */
    bool once;
};

/* The --set options wait until the file has been read, so this goes over argv twice. */
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
        else if (strcmp(argv[i], "--once") == 0)
            out->once = true;
        else if (!takes_value)
            return cli_usage("run", "%s is not an option", argv[i]);
        i += takes_value;
    }
    return CLI_DONE;
}

static int read_config(struct config *config, const struct arguments *arguments, int argc,
                       char **argv, struct err *err)
{
    const char *file = arguments->file;
    if (file == NULL && access(default_file, F_OK) == 0)
        file = default_file;
    if (file != NULL && config_read(config, file, err) != 0)
        return -1;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--set") == 0 && config_set(config, argv[++i], err) != 0)
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
    if (parse(argc, argv, &arguments) != CLI_DONE)
        return CLI_USAGE;
    config_init(&config);
    int result = read_config(&config, &arguments, argc, argv, &err);
    if (result == 0) {
        log_configure(config.settings.log_level, config.settings.log_format);
        result = stop_install(&err);
    }
    if (result == 0)
        result = pipeline_run(&config, arguments.once, &err);
    config_free(&config);
    return result == 0 ? CLI_DONE : cli_fail(&err);
}
