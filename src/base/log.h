/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_LOG_H
#define VARVE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One line an event on stderr: logfmt, or JSON lines. Any thread may log; a line is one write.
 * The level and the format are the only global state of the process beside the stop flag.
 */
enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
    LOG_OFF, /* for log_configure alone: a command that tells its errors itself */
};
enum log_format { LOG_LOGFMT, LOG_JSON };

void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/*
 * A line is begun, filled and ended:
 *
 *     struct log_line line;
 *     log_begin(&line, LOG_INFO, "committed");
 *     log_text(&line, "stream", name);
 *     log_u64(&line, "rows", rows);
 *     log_end(&line);
 *
 * Below the level all of it costs a compare. Values of any content are safe: they are quoted and
 * escaped, invalid UTF-8 becomes U+FFFD, and a line that gets longer than LOG_LINE_MAX is cut at a
 * field. `event` and keys are literals of the form [a-z_]+.
 */
enum { LOG_LINE_MAX = 4096 };

struct log_line {
    bool on;
    bool full;
    enum log_level level;
    const char *event;
    size_t len;
    char text[LOG_LINE_MAX];
};

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_bytes(struct log_line *line, const char *key, const void *value, size_t len);
void log_u64(struct log_line *line, const char *key, uint64_t value);
void log_i64(struct log_line *line, const char *key, int64_t value);

/* A duration, written in seconds with three decimals. */
void log_seconds(struct log_line *line, const char *key, int64_t ns);
void log_end(struct log_line *line);

/* A whole line with one field, "text". */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Repeated events: true if a line may be written now, at most one each `LOG_REPEAT_NS` for this
 * limit; the number that was kept back since is stored in *suppressed and must be logged with the
 * line. `now` is clock_monotonic().
 */
#define LOG_REPEAT_NS (INT64_C(10) * 1000000000)

struct log_limit {
    int64_t next;
    uint64_t suppressed;
};

bool log_allowed(struct log_limit *limit, int64_t now, uint64_t *suppressed);

#endif
