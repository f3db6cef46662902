/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct err *e, enum err_code code, int system, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static void fill(struct err *e, enum err_code code, int system, const char *format, va_list args)
{
    e->code = code;
    e->system = system;
    (void)vsnprintf(e->text, sizeof(e->text), format, args); /* a cut text is still a text */
}

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
    if (err_is_set(e))
        return -1;
    va_list args;
    va_start(args, format);
    fill(e, code, 0, format, args);
    va_end(args);
    return -1;
}

int err_set_system(struct err *e, int system, const char *format, ...)
{
    if (err_is_set(e))
        return -1;
    va_list args;
    va_start(args, format);
    fill(e, ERR_SYSTEM, system, format, args);
    va_end(args);
    size_t len = strlen(e->text);
    (void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(system));
    return -1;
}

int err_prefix(struct err *e, const char *format, ...)
{
    if (!err_is_set(e))
        return -1;
    char prefix[ERR_TEXT_MAX / 2]; /* the cause always keeps the other half */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof(prefix) - 2, format, args); /* cut rather than lost */
    va_end(args);
    size_t prefix_len = strlen(prefix);
    memcpy(prefix + prefix_len, ": ", 2);
    prefix_len += 2;
    size_t text_len = strlen(e->text);
    if (text_len > sizeof(e->text) - 1 - prefix_len)
        text_len = sizeof(e->text) - 1 - prefix_len;
    memmove(e->text + prefix_len, e->text, text_len);
    memcpy(e->text, prefix, prefix_len);
    e->text[prefix_len + text_len] = '\0';
    return -1;
}

void err_clear(struct err *e)
{
    e->code = ERR_NONE;
    e->system = 0;
    e->text[0] = '\0';
}
