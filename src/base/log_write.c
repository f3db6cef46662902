/* SPDX-License-Identifier: MIT */
#include "base/log_write.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

/* Lines up to this are written together: a pipe takes so much as a whole (PIPE_BUF). */
enum { CHUNK = LOG_LINE_MAX };
#define RETRY (10 * CLOCK_MILLISECOND) /* where somebody made stderr non-blocking */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */

static struct {
    bool running, stopping;
    pthread_cond_t changed;
    char queue[LOG_QUEUE_BYTES]; /* a ring */
    size_t first, len;
    uint64_t reported; /* of losses.dropped */
    struct log_losses losses;
} writer;

static void take_lock(void)
{
    ASSERT(pthread_mutex_lock(&lock) == 0);
}

static void give_lock(void)
{
    ASSERT(pthread_mutex_unlock(&lock) == 0);
}

/* One event and topic. The events are literals of ours and the topics streams as configured, so
 * few are hot at a time; where there are more, the one that is quiet longest is forgotten. */
enum { LIMITS = 128 };

static struct limit {
    const char *event; /* NULL: free */
    uint32_t topic;
    uint32_t used; /* of LOG_BURST */
    int64_t since; /* when the newest of `used` was given back, or the first taken */
    uint64_t suppressed;
} limits[LIMITS];

static struct limit *find_limit(const char *event, uint32_t topic)
{
    struct limit *oldest = &limits[0];
    for (size_t i = 0; i < LIMITS; i++) {
        struct limit *l = &limits[i];
        if (l->event != NULL && l->topic == topic && strcmp(l->event, event) == 0)
            return l;
        if (oldest->event != NULL && (l->event == NULL || l->since < oldest->since))
            oldest = l;
    }
    *oldest = (struct limit){.event = event, .topic = topic};
    return oldest;
}

bool log_limit(const char *event, uint32_t topic, uint64_t *suppressed)
{
    int64_t now = clock_monotonic();
    take_lock();
    struct limit *l = find_limit(event, topic);
    int64_t back = l->used > 0 ? (now - l->since) / LOG_REPEAT : 0;
    l->used -= back < l->used ? (uint32_t)back : l->used;
    l->since = l->used == 0 ? now : l->since + back * LOG_REPEAT;
    bool allowed = l->used < LOG_BURST;
    if (allowed) {
        l->used++;
        *suppressed = l->suppressed;
        l->suppressed = 0;
    } else {
        l->suppressed++;
        writer.losses.suppressed++;
    }
    give_lock();
    return allowed;
}

/* At the end: what was kept back and not told yet. */
static void tell_suppressed(void)
{
    for (size_t i = 0; i < LIMITS; i++) {
        take_lock();
        struct limit l = limits[i];
        limits[i].suppressed = 0;
        give_lock();
        if (l.suppressed == 0)
            continue;
        struct log_line line;
        log_begin(&line, LOG_INFO, "suppressed");
        log_text(&line, "of", l.event);
        log_u64(&line, "lines", l.suppressed);
        log_end(&line);
    }
}

/* All of it, however long that takes. Nobody can be told that the log can't be written. */
static void write_out(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, text, len);
        if (written < 0 && errno == EAGAIN)
            clock_sleep(RETRY);
        else if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
}

static void enqueue(const char *text, size_t len)
{
    if (len > LOG_QUEUE_BYTES - writer.len) {
        writer.losses.dropped++;
        return;
    }
    size_t at = (writer.first + writer.len) % LOG_QUEUE_BYTES;
    size_t before_end = LOG_QUEUE_BYTES - at < len ? LOG_QUEUE_BYTES - at : len;
    memcpy(writer.queue + at, text, before_end);
    memcpy(writer.queue, text + before_end, len - before_end);
    writer.len += len;
    ASSERT(pthread_cond_broadcast(&writer.changed) == 0);
}

void log_write(const char *text, size_t len)
{
    take_lock();
    bool queued = writer.running;
    if (queued)
        enqueue(text, len);
    give_lock();
    if (!queued)
        write_out(text, len);
}

/* Whole lines from the front of the queue, which keeps them until they are written. */
static size_t copy_lines(char out[static CHUNK])
{
    size_t lines = 0;
    for (size_t i = 0; i < writer.len && i < CHUNK; i++) {
        out[i] = writer.queue[(writer.first + i) % LOG_QUEUE_BYTES];
        if (out[i] == '\n')
            lines = i + 1;
    }
    return lines;
}

static void tell_dropped(void)
{
    take_lock();
    uint64_t count = writer.losses.dropped - writer.reported;
    writer.reported += count;
    give_lock();
    if (count == 0)
        return;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "log_dropped");
    log_u64(&line, "lines", count);
    log_text(&line, "reason", "nobody read them in time");
    log_end(&line);
}

static void *run(void *argument)
{
    char lines[CHUNK];
    (void)argument;
    take_lock();
    for (;;) {
        while (writer.len == 0 && !writer.stopping)
            ASSERT(pthread_cond_wait(&writer.changed, &lock) == 0);
        if (writer.len == 0)
            break;
        size_t len = copy_lines(lines);
        give_lock();
        write_out(lines, len);
        take_lock();
        writer.first = (writer.first + len) % LOG_QUEUE_BYTES;
        writer.len -= len;
        if (writer.len > 0)
            continue;
        give_lock();
        tell_dropped();
        take_lock();
    }
    writer.running = false;
    ASSERT(pthread_cond_broadcast(&writer.changed) == 0);
    give_lock();
    return NULL;
}

struct log_losses log_losses(void)
{
    take_lock();
    struct log_losses losses = writer.losses;
    give_lock();
    return losses;
}

int log_start(struct err *err)
{
    pthread_t thread;
    clock_condition_init(&writer.changed);
    take_lock();
    writer.running = true;
    writer.stopping = false;
    give_lock();
    int error = pthread_create(&thread, NULL, run, NULL);
    if (error == 0)
        error = pthread_detach(thread); /* it may never return from its write */
    if (error == 0)
        return 0;
    take_lock();
    writer.running = false;
    give_lock();
    return err_set_system(err, error, "the thread that writes the log can't be started");
}

bool log_stop(int64_t ns)
{
    int64_t deadline = clock_monotonic() + ns;
    tell_suppressed();
    take_lock();
    bool in_time = true;
    writer.stopping = true;
    if (writer.running)
        ASSERT(pthread_cond_broadcast(&writer.changed) == 0);
    while (writer.running && in_time)
        in_time = clock_wait_until(&writer.changed, &lock, deadline);
    bool done = !writer.running;
    give_lock();
    return done;
}
