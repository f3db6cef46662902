/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/config.h"
#include "config/keys.h"

/* What the tables of keys and commands say, as tools/share and its chapters have to have it. */

static void print_keys(struct buf *out)
{
    for (size_t i = 0; i < config_key_count; i++)
        buf_printf(out, "%s\n", config_keys[i].path);
}

static void print_secrets(struct buf *out)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (config_keys[i].type == CONFIG_SECRET)
            buf_printf(out, "%s\n", config_keys[i].path);
}

static void print_defaults(struct buf *out)
{
    for (size_t i = 0; i < config_key_count; i++)
        buf_printf(out, "%s\t%s\n", config_keys[i].path, config_keys[i].initial);
}

/* Text of a man page: a '-' that is to be copied is one that can be typed. */
static void append_roff(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
}

static void print_man(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        buf_printf(out, ".SS varve %s", c->name);
        buf_printf(out, "%s%s\n", c->operands[0] != '\0' ? " " : "", c->operands);
        buf_append_byte(out, (uint8_t)(c->summary[0] - 'a' + 'A'));
        append_roff(out, c->summary + 1);
        buf_append_text(out, ".\n");
        append_roff(out, c->notes);
        if (c->notes[0] != '\0')
            buf_append_byte(out, '\n');
        for (const struct cli_option *o = c->options; o->name != NULL; o++) {
            buf_append_text(out, ".TP\n.BI ");
            append_roff(out, o->name);
            buf_printf(out, "%s%s%s\n", o->value != NULL ? " \" " : "",
                       o->value != NULL ? o->value : "", o->value != NULL ? "\"" : "");
            append_roff(out, o->help);
            buf_append_byte(out, '\n');
        }
        buf_append_text(out, ".PP\n.EX\n");
        for (size_t i = 0; i < 2 && c->examples[i] != NULL; i++) {
            buf_append_text(out, "$ varve ");
            append_roff(out, c->examples[i]);
            buf_append_byte(out, '\n');
        }
        buf_append_text(out, ".EE\n");
    }
}

static void print_completion(struct buf *out)
{
    buf_append_text(out, "    case $command in\n");
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        if (c->options->name == NULL)
            continue;
        buf_printf(out, "    %s) options='", c->name);
        for (const struct cli_option *o = c->options; o->name != NULL; o++)
            buf_printf(out, "%s%s", o == c->options ? "" : " ", o->name);
        buf_append_text(out, "' ;;\n");
    }
    buf_append_text(out, "    esac\n");
}

static void print_command_names(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        buf_printf(out, "%s\n", c->name);
}

/* Options whose value no completion knows. */
static void print_valued(struct buf *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        for (const struct cli_option *o = c->options; o->name != NULL; o++)
            if (o->value != NULL && strcmp(o->value, "FILE") != 0 && strcmp(o->name, "--set") != 0)
                buf_printf(out, "%s\n", o->name);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what;
        void (*print)(struct buf *out);
    } prints[] = {
        {"man", config_append_manual}, {"example", config_append_example},
        {"names", print_keys},         {"secrets", print_secrets},
        {"defaults", print_defaults},  {"commands", print_man},
        {"options", print_completion}, {"command-names", print_command_names},
        {"valued", print_valued},
    };
    struct buf text = {0};
    for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++)
        if (argc == 2 && strcmp(argv[1], prints[i].what) == 0)
            prints[i].print(&text);
    (void)fwrite(text.data, 1, text.len, stdout); /* who reads it sees what is missing */
    buf_free(&text);
    return 0;
}
