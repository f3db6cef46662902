/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "cli/cli.h"

struct cli_words cli_words(int argc, char **argv)
{
    const struct cli_command *command = cli_find(argv[0]);
    ASSERT(command != NULL);
    return (struct cli_words){
        .command = command, .argc = argc, .at = 1, .argv = argv, .operands = argv + 1};
}

static int stop(struct cli_words *w, int status)
{
    w->status = status;
    return CLI_STOP;
}

/* The option that a word names, and in *rest what of the word follows the name: its value, or NULL
 * if there is nothing. */
static const struct cli_option *find(const struct cli_command *c, char *word, char **rest)
{
    for (const struct cli_option *o = c->options; o->name != NULL; o++) {
        size_t len = strlen(o->name);
        if (strncmp(word, o->name, len) != 0)
            continue;
        bool is_long = o->name[1] == '-';
        *rest = word[len] == '\0' ? NULL : word + len + (is_long ? 1 : 0);
        if (word[len] == '\0' || (is_long ? word[len] == '=' : o->value != NULL))
            return o;
    }
    return NULL;
}

static int unknown(struct cli_words *w, char *word)
{
    const char *shown = cli_shown(word), *nearest = NULL;
    size_t best = strlen(shown) / 2 + 1;
    for (const struct cli_option *o = w->command->options; o->name != NULL; o++) {
        size_t distance = text_edits(shown, o->name);
        if (distance < best) {
            best = distance;
            nearest = o->name;
        }
    }
    if (nearest == NULL)
        return stop(w, cli_usage(w->command->name, "it has no option %s", shown));
    return stop(
        w, cli_usage(w->command->name, "it has no option %s (did you mean %s?)", shown, nearest));
}

static int take_option(struct cli_words *w, char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        cli_print_command(w->command);
        return stop(w, CLI_DONE);
    }
    char *rest = NULL;
    const struct cli_option *o = find(w->command, word, &rest);
    if (o == NULL)
        return unknown(w, word);
    if (o->value == NULL && rest != NULL)
        return stop(w, cli_usage(w->command->name, "%s takes no value", o->name));
    if (o->value != NULL && rest == NULL && w->at == w->argc)
        return stop(
            w, cli_usage(w->command->name, "%s needs a value: %s %s", o->name, o->name, o->value));
    w->value = o->value != NULL && rest == NULL ? w->argv[w->at++] : rest;
    return o->id;
}

int cli_next(struct cli_words *w)
{
    while (w->at < w->argc) {
        char *word = w->argv[w->at++];
        if (!w->only_operands && strcmp(word, "--") == 0)
            w->only_operands = true;
        else if (!w->only_operands && word[0] == '-' && word[1] != '\0')
            return take_option(w, word);
        else if (w->command->operands[0] == '\0')
            return stop(w,
                        cli_usage(w->command->name, "it takes no operand '%s'", cli_shown(word)));
        else
            w->operands[w->count++] = word;
    }
    bool optional = w->command->operands[0] == '[';
    if (w->count == 0 && !optional && w->command->operands[0] != '\0')
        return stop(w, cli_usage(w->command->name, "%.*s is missing",
                                 (int)strcspn(w->command->operands, ". "), w->command->operands));
    return CLI_END;
}
