/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32.h"
#include "base/log_write.h"
#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"

static _Atomic int current_level = LOG_INFO;
static _Atomic int current_format = LOG_LOGFMT;
static _Atomic bool in_journal;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* As "device:inode", in decimal. A program that was started with another stderr inherits it, too.
 */
static bool is_journal(void)
{
    const char *said = getenv("JOURNAL_STREAM");
    const char *colon = said != NULL ? strchr(said, ':') : NULL;
    uint64_t device, inode;
    struct stat st;
    return colon != NULL &&
           num_parse_u64((struct slice){(const uint8_t *)said, (size_t)(colon - said)}, &device) &&
           num_parse_u64(slice_of(colon + 1), &inode) && fstat(STDERR_FILENO, &st) == 0 &&
           (uint64_t)st.st_dev == device && (uint64_t)st.st_ino == inode;
}

const char *log_priority(enum log_level level)
{
    if (!atomic_load_explicit(&in_journal, memory_order_relaxed))
        return "";
    switch (level) {
    case LOG_DEBUG:
        return "<7>";
    case LOG_INFO:
        return "<6>";
    case LOG_WARNING:
        return "<4>";
    case LOG_ERROR:
    case LOG_OFF: /* no line is of this */
        break;
    }
    return "<3>";
}

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&in_journal, is_journal(), memory_order_relaxed);
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* Room for the closing brace and the newline is always left. */
enum { LINE_RESERVE = 2 };

static void put(struct log_line *line, const void *data, size_t len)
{
    if (line->full || len > LOG_LINE_MAX - LINE_RESERVE - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, data, len);
    line->len += len;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Characters as they stand in a JSON string; logfmt readers take the same escapes. */
static void put_escaped(struct log_line *line, struct slice value)
{
    put(line, "\"", 1);
    for (size_t at = 0; at < value.len && !line->full;) {
        uint32_t code;
        size_t len = utf8_decode((struct slice){value.data + at, value.len - at}, &code);
        char escape[8];
        if (len == 0) {
            put_text(line, "\xEF\xBF\xBD");
            len = 1;
        } else if (code == '"' || code == '\\') {
            put(line, (char[]){'\\', (char)code}, 2);
        } else if (code < 0x20 || (code >= 0x7F && code < 0xA0)) { /* a terminal obeys these */
            (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)code);
            put_text(line, escape);
        } else {
            put(line, value.data + at, len);
        }
        at += len;
    }
    put(line, "\"", 1);
}

static bool needs_quotes(struct slice value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return false;
}

/* A field is whole or absent: a line that gets too long loses its last fields. */
static void put_field(struct log_line *line, const char *key, struct slice value, bool bare)
{
    if (!line->on || line->full)
        return;
    size_t before = line->len;
    if (line->json) {
        put_text(line, before == line->head ? "{\"" : ",\"");
        put_text(line, key);
        put_text(line, "\":");
    } else {
        put_text(line, before == line->head ? "" : " ");
        put_text(line, key);
        put_text(line, "=");
    }
    if (bare || (!line->json && !needs_quotes(value)))
        put(line, value.data, value.len);
    else
        put_escaped(line, value);
    if (line->full)
        line->len = before;
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    line->on = log_enabled(level);
    line->full = false;
    line->json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_JSON;
    line->level = level;
    line->event = event;
    line->topic = 0;
    line->len = 0;
    if (!line->on)
        return;
    ASSERT(level != LOG_OFF);
    put_text(line, log_priority(level));
    line->head = line->len;
    char time[TIME_TEXT_MAX];
    time_format(clock_wall(), 3, time);
    log_text(line, "time", time);
    log_text(line, "level", level_names[level]);
    log_text(line, "event", event);
}

void log_bytes(struct log_line *line, const char *key, const void *value, size_t len)
{
    if (line->on && (strcmp(key, "stream") == 0 || strcmp(key, "key") == 0))
        line->topic = crc32_update(line->topic, value, len);
    put_field(line, key, (struct slice){value, len}, false);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    log_bytes(line, key, value, strlen(value));
}

static void put_number(struct log_line *line, const char *key, const char *digits)
{
    put_field(line, key, slice_of(digits), true);
}

void log_u64(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put_number(line, key, digits);
}

void log_i64(struct log_line *line, const char *key, int64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRId64, value);
    put_number(line, key, digits);
}

void log_seconds(struct log_line *line, const char *key, int64_t ns)
{
    char digits[32];
    (void)snprintf(digits, sizeof(digits), "%.3f", (double)ns / 1e9);
    put_number(line, key, digits);
}

void log_end(struct log_line *line)
{
    uint64_t suppressed = 0;
    if (!line->on)
        return;
    if (line->level >= LOG_WARNING && !log_limit(line->event, line->topic, &suppressed))
        return;
    if (suppressed > 0)
        log_u64(line, "suppressed", suppressed);
    if (line->json)
        line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    log_write(line->text, line->len);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char text[LOG_LINE_MAX / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct log_line line;
    log_begin(&line, level, event);
    log_text(&line, "text", text);
    log_end(&line);
}
