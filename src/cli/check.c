/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "check/check.h"

static int parse(int argc, char **argv, struct cli_options *options, bool *offline)
{
    struct cli_words w = cli_words(argc, argv);
    int option;
    while ((option = cli_next(&w)) > 0) {
        int taken = cli_options_take(options, &w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken == 0)
            *offline = true;
    }
    return option == CLI_STOP ? w.status : CLI_GO_ON;
}

static int check(struct cli_options *options, bool offline)
{
    struct check_report report = {0};
    struct config config;
    struct err err = {0};
    config_init(&config);
    if (cli_options_read(options, &config, &err) != 0) {
        config_free(&config);
        return cli_fail(&err);
    }
    /* What goes wrong on the way is in the report. */
    log_configure(LOG_OFF, config.settings.log_format);
    check_config(&report, &config);
    if (!offline)
        check_live(&report, &config);
    (void)fwrite(report.text.data, 1, report.text.len, stdout); /* main looks at stdout */
    printf("problems: %u, warnings: %u\n", report.counts[CHECK_PROBLEM],
           report.counts[CHECK_WARNING]);
    buf_free(&report.text);
    config_free(&config);
    return report.counts[CHECK_PROBLEM] == 0 ? CLI_DONE : CLI_FAILED;
}

int cli_check(int argc, char **argv)
{
    struct cli_options options = {0};
    bool offline = false;
    int status = parse(argc, argv, &options, &offline);
    if (status == CLI_GO_ON)
        status = check(&options, offline);
    cli_options_free(&options);
    return status;
}
