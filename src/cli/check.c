/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "check/check.h"

struct wish {
    bool offline, json, permissions;
};

static int parse(int argc, char **argv, struct cli_options *options, struct wish *wish)
{
    struct cli_words w = cli_words(argc, argv);
    int option;
    while ((option = cli_next(&w)) > 0) {
        int taken = cli_options_take(options, &w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken > 0)
            continue;
        wish->json = wish->json || option == 'j';
        wish->offline = wish->offline || option == 'o';
        wish->permissions = wish->permissions || option == 'p';
    }
    return option == CLI_STOP ? w.status : CLI_GO_ON;
}

static void check_sandbox(struct check_report *r, const struct config *config)
{
    struct buf lacking = {0};
    bool starts = confine_lacking(config, &lacking);
    if (config->sandbox == CONFIG_SANDBOX_OFF)
        check_say(r, CHECK_WARNING,
                  "sandbox is off: varve run may do all that its user may, whoever takes it over");
    else if (!starts)
        check_say(r, CHECK_PROBLEM,
                  "sandbox is on, and this kernel can't confine %s: varve run will not start",
                  buf_text(&lacking));
    else if (lacking.len > 0)
        check_say(r, CHECK_WARNING, "sandbox: this kernel can't confine %s", buf_text(&lacking));
    else
        check_say(r, CHECK_OK, "this kernel can confine varve run (sandbox is %s)",
                  config->sandbox == CONFIG_SANDBOX_ON ? "on" : "auto");
    buf_free(&lacking);
}

static int print_permissions(struct config *config)
{
    struct buf text = {0};
    check_permissions(&text, config);
    (void)fwrite(text.data, 1, text.len, stdout); /* main looks at stdout */
    buf_free(&text);
    config_free(config);
    return CLI_DONE;
}

static int check(struct cli_options *options, const struct wish *wish)
{
    struct check_report report = {.json = wish->json};
    struct config config;
    struct err err = {0};
    config_init(&config);
    if (cli_options_read(options, &config, &err) != 0) {
        config_free(&config);
        return cli_fail(&err);
    }
    cli_reach(&config);
    if (wish->permissions)
        return print_permissions(&config);
    /* What goes wrong on the way is in the report. */
    log_configure(LOG_OFF, config.settings.log_format);
    check_config(&report, &config);
    check_sandbox(&report, &config);
    if (wish->offline)
        check_follower_settings(&report, &config);
    else
        check_live(&report, &config);
    (void)fwrite(report.text.data, 1, report.text.len, stdout); /* main looks at stdout */
    if (wish->json)
        printf("{\"problems\":%u,\"warnings\":%u}\n", report.counts[CHECK_PROBLEM],
               report.counts[CHECK_WARNING]);
    else
        printf("problems: %u, warnings: %u\n", report.counts[CHECK_PROBLEM],
               report.counts[CHECK_WARNING]);
    buf_free(&report.text);
    config_free(&config);
    return report.counts[CHECK_PROBLEM] == 0 ? CLI_DONE : CLI_FAILED;
}

int cli_check(int argc, char **argv)
{
    struct cli_options options = {0};
    struct wish wish = {0};
    int status = parse(argc, argv, &options, &wish);
    if (status == CLI_GO_ON)
        status = check(&options, &wish);
    cli_options_free(&options);
    return status;
}
