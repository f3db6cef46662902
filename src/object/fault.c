/* SPDX-License-Identifier: MIT */
#include "object/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"

enum { RULES_MAX = 8, PATH_SIZE = 256, TEXT_SIZE = 1024 };

enum action { ACTION_FAIL, ACTION_KILL, ACTION_KILL_AFTER, ACTION_SLOW, ACTION_HANG };

enum { SLOW_MILLISECONDS = 5 };

struct rule {
    int call; /* enum system_call, or SYSTEM_CALL_COUNT for any */
    uint64_t number;
    enum action action;
    int error;
    bool sticky;
    char until[PATH_SIZE]; /* empty: for ever */
    atomic_uint_fast64_t calls;
};

struct fault {
    struct rule rules[RULES_MAX];
    uint32_t count;
};

static const struct {
    const char *name;
    int value;
} errors[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
    {"EACCES", EACCES}, {"EPERM", EPERM},   {"EMFILE", EMFILE}, {"EINVAL", EINVAL},
    {"ENOSYS", ENOSYS}, {"EXDEV", EXDEV},   {"EEXIST", EEXIST}, {"ENOENT", ENOENT},
};

static bool parse_call(struct rule *rule, const char *text)
{
    rule->call = 0;
    while (rule->call < SYSTEM_CALL_COUNT && strcmp(system_call_names[rule->call], text) != 0)
        rule->call++;
    return rule->call < SYSTEM_CALL_COUNT || strcmp(text, "any") == 0;
}

static bool parse_action(struct rule *rule, const char *text)
{
    rule->action = ACTION_FAIL;
    if (strcmp(text, "kill") == 0 || strcmp(text, "kill-after") == 0) {
        rule->action = strcmp(text, "kill") == 0 ? ACTION_KILL : ACTION_KILL_AFTER;
        return true;
    }
    if (strcmp(text, "slow") == 0 || strcmp(text, "hang") == 0) {
        rule->action = strcmp(text, "slow") == 0 ? ACTION_SLOW : ACTION_HANG;
        return true;
    }
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strcmp(errors[i].name, text) == 0) {
            rule->error = errors[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_option(struct rule *rule, const char *text)
{
    if (strcmp(text, "sticky") == 0) {
        rule->sticky = true;
        return true;
    }
    if (strncmp(text, "until=", 6) != 0 || strlen(text + 6) >= PATH_SIZE)
        return false;
    (void)strcpy(rule->until, text + 6);
    return true;
}

static bool parse_rule(struct rule *rule, char *text)
{
    char *rest;
    const char *call = strtok_r(text, ":", &rest);
    const char *number = strtok_r(NULL, ":", &rest);
    const char *action = strtok_r(NULL, ":", &rest);
    if (action == NULL || !parse_call(rule, call) ||
        !num_parse_u64(slice_of(number), &rule->number) || !parse_action(rule, action))
        return false;
    for (const char *option; (option = strtok_r(NULL, ":", &rest)) != NULL;) {
        if (!parse_option(rule, option))
            return false;
    }
    return true;
}

struct fault *fault_new(const char *text, struct err *err)
{
    char copy[TEXT_SIZE];
    struct fault *fault = calloc(1, sizeof(*fault));
    if (fault == NULL)
        out_of_memory(sizeof(*fault));
    bool ok = strlen(text) < sizeof(copy);
    if (ok)
        (void)strcpy(copy, text);
    char *rest;
    for (char *rule = ok ? strtok_r(copy, ",", &rest) : NULL; rule != NULL && ok;
         rule = strtok_r(NULL, ",", &rest))
        ok = fault->count < RULES_MAX && parse_rule(&fault->rules[fault->count++], rule);
    if (ok && fault->count > 0)
        return fault;
    free(fault);
    (void)err_set(err, ERR_USAGE, "faults '%s' are not CALL:N:ACTION[:sticky][:until=PATH],...",
                  text);
    return NULL;
}

void fault_free(struct fault *fault)
{
    free(fault);
}

/* SIGKILL can't be caught, as a crash can't. */
static void end_process(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* As a disk behind a network does. */
static void hang(const struct rule *rule)
{
    while (rule->until[0] == '\0' || access(rule->until, F_OK) != 0)
        clock_sleep(SLOW_MILLISECONDS * CLOCK_MILLISECOND);
}

static int apply(struct rule *rule, enum system_call call, bool after)
{
    if (rule->call != SYSTEM_CALL_COUNT && rule->call != (int)call)
        return 0;
    uint64_t number = after ? (uint64_t)atomic_load(&rule->calls)
                            : (uint64_t)atomic_fetch_add(&rule->calls, 1) + 1;
    bool hit = number == rule->number || (rule->sticky && number > rule->number);
    if (!hit || after != (rule->action == ACTION_KILL_AFTER) ||
        (rule->until[0] != '\0' && access(rule->until, F_OK) == 0))
        return 0;
    if (rule->action == ACTION_SLOW)
        clock_sleep(SLOW_MILLISECONDS * CLOCK_MILLISECOND);
    else if (rule->action == ACTION_HANG)
        hang(rule);
    else if (rule->action != ACTION_FAIL)
        end_process();
    return rule->error;
}

int fault_hook(void *context, enum system_call call, bool after)
{
    struct fault *fault = context;
    int error = 0;
    for (uint32_t i = 0; i < fault->count; i++) {
        int result = apply(&fault->rules[i], call, after);
        if (error == 0)
            error = result;
    }
    return error;
}

int fault_install(struct system *system, struct err *err)
{
#ifdef VARVE_FAULT_INJECTION
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct fault *shared;
    const char *text = getenv("VARVE_FAULT");
    if (text == NULL || system->hook != NULL)
        return 0;
    ASSERT(pthread_mutex_lock(&lock) == 0);
    if (shared == NULL)
        shared = fault_new(text, err);
    ASSERT(pthread_mutex_unlock(&lock) == 0);
    if (shared == NULL)
        return -1;
    system->hook = fault_hook;
    system->context = shared;
#else
    (void)system;
    (void)err;
#endif
    return 0;
}
