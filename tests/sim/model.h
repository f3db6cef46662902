/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_MODEL_H
#define VARVE_TESTS_SIM_MODEL_H

#include "base/arena.h"
#include "base/json.h"
#include "server.h"

/* What the files of the model server share. Names follow those of nats-server's own source, whose
 * file is named where a rule is not obvious. */

struct js_message {
    int64_t time; /* wall */
    bool acked;   /* by a consumer */
    size_t subject_len, header_len, payload_len;
    uint8_t bytes[]; /* one behind the other */
};

enum js_retention { JS_RETENTION_LIMITS, JS_RETENTION_INTEREST, JS_RETENTION_WORKQUEUE };
enum js_ack_policy { JS_ACK_POLICY_NONE, JS_ACK_POLICY_ALL, JS_ACK_POLICY_EXPLICIT };
enum js_deliver_policy {
    JS_DELIVER_ALL,
    JS_DELIVER_LAST,
    JS_DELIVER_NEW,
    JS_DELIVER_SEQUENCE,
    JS_DELIVER_TIME
};

enum { JS_NAMES_MAX = 8 }; /* subjects of a stream, filters of a consumer */

struct js_names {
    char *items[JS_NAMES_MAX];
    size_t count;
};

struct js_pending { /* delivered, not acked */
    uint64_t sseq, dseq;
    int64_t time; /* of the last delivery */
};

struct js_redelivery { /* how often a message was delivered, where that is more than once */
    uint64_t sseq, count;
};

struct js_waiting { /* a pull request */
    char *reply;
    int64_t batch, bytes; /* bytes 0: unlimited */
    int64_t expires;      /* INT64_MAX: never */
    int64_t heartbeat, next_heartbeat;
    bool no_wait;
};

/* What survives a restart, as far as it was written. */
struct js_consumer_state {
    uint64_t sseq, dseq;   /* next to deliver */
    uint64_t asflr, adflr; /* ack floor */
    struct js_pending *pending;
    size_t pending_count, pending_cap;
    struct js_redelivery *delivered;
    size_t delivered_count, delivered_cap;
};

struct js_consumer_config {
    char *durable, *description;
    bool has_name;
    enum js_deliver_policy deliver;
    enum js_ack_policy ack;
    uint64_t start_seq;
    char *start_time;
    int64_t ack_wait, max_deliver, max_ack_pending, max_waiting, max_batch, max_expires, max_bytes;
    int64_t inactive_threshold, replicas;
    bool memory, headers_only;
    char *deliver_subject;
    struct js_names filters;
    bool single_filter; /* filter_subject, not filter_subjects */
};

struct js_consumer {
    struct js_consumer *next;
    struct js_stream *stream;
    char *name;
    int64_t created;
    struct js_consumer_config config;
    struct js_consumer_state now, saved;
    uint64_t *queue; /* to be delivered again */
    size_t queue_count, queue_cap;
    struct js_waiting *waiting;
    size_t waiting_count, waiting_cap;
    int64_t active; /* last sign of interest */
};

struct js_message_id {
    char *id;
    uint64_t seq;
    int64_t time;
};

struct js_stream_config {
    char *name;
    struct js_names subjects;
    enum js_retention retention;
    int64_t max_msgs, max_bytes, max_age, max_msg_size, duplicate_window, replicas;
    int64_t limit_max_ack_pending, limit_inactive_threshold;
    bool memory, discard_new, allow_direct;
};

struct js_stream {
    struct js_stream *next;
    struct server *server;
    struct js_stream_config config;
    int64_t created;
    struct js_message **messages; /* of sequence 1 on; NULL: removed */
    struct js_message **removed;  /* and that is not on the disk yet */
    size_t messages_cap, removed_cap;
    uint64_t first_seq, last_seq;
    int64_t last_time;
    uint64_t synced_seq;
    struct js_message_id *ids;
    size_t ids_count, ids_cap;
    struct js_consumer *consumers;
};

struct js_subscription {
    uint64_t sid;
    char *subject;
    uint64_t received;
    uint64_t last; /* after which it ends by itself; 0: it does not */
};

struct js_connection {
    struct js_connection *next;
    uint32_t number;
    struct buf in, out;
    struct js_subscription *subscriptions;
    size_t count, cap;
    bool connected, verbose, headers, no_responders, closed;
};

struct server {
    struct server_options options;
    struct js_connection *connections;
    struct js_stream *streams;
    uint32_t last_number;
    uint64_t ephemerals; /* made so far, for their names */
    bool down;
    server_loses *loses;
    void *loses_context;
    server_on_ack *on_ack;
    void *on_ack_context;
    server_on_drop *on_drop;
    void *on_drop_context;
    struct buf reply, header, scratch;
    struct arena arena;
    int64_t now;
    const char *api_answer; /* to all, */
    int64_t api_fails;      /* before this time */
};

/* One more place in an array. */
#define JS_GROW(array, count, cap) \
    ((count) < (cap) ? (void)0 : (void)((array) = js_grow_array((array), &(cap), sizeof(*(array)))))
void *js_grow_array(void *array, size_t *cap, size_t size);
char *js_copy_slice(struct slice s);
void js_free_names(struct js_names *names);
void js_read_names(struct js_names *names, const struct json *list);

bool js_subject_matches(const char *pattern, struct slice subject);
bool js_names_match(const struct js_names *patterns, struct slice subject);
int64_t server_wall(const struct server *s);
bool server_is_since(const struct server *s, uint32_t minor, uint32_t patch);
bool server_is_lost(struct server *s, enum server_loss what);

/* Append a time as Go's time.RFC3339Nano prints it. */
void js_append_time(struct buf *out, int64_t wall);

/* To everybody who subscribes to `to`; they see `subject`. False if nobody does. */
bool js_wire_send(struct server *s, struct slice to, struct slice subject, struct slice reply,
                  struct slice header, struct slice payload);
bool js_wire_has_interest(const struct server *s, const char *subject);
/* A block of headers alone, such as a status. */
void js_wire_status(struct server *s, struct slice to, const char *text);

/* Nobody serves `subject`. */
void js_wire_no_responders(struct server *s, struct slice to, struct slice subject);

struct js_stream *js_stream_find(const struct server *s, struct slice name);
struct js_stream *js_stream_of_subject(const struct server *s, struct slice subject);
void js_stream_free(struct js_stream *stream);
struct js_message *js_stream_message(const struct js_stream *stream, uint64_t seq);
struct slice js_message_subject(const struct js_message *m);
struct slice js_message_header(const struct js_message *m);
struct slice js_message_payload(const struct js_message *m);
/* Store a message and answer to `reply`. The sequence, 0 if it was refused. */
uint64_t js_stream_store(struct js_stream *stream, struct slice subject, struct slice reply,
                         struct slice header, struct slice payload);
void js_stream_remove(struct js_stream *stream, uint64_t seq);
/* It ends with this sequence at least, though there is no message. */
void js_stream_extend(struct js_stream *stream, uint64_t last_seq);
void js_stream_purge(struct js_stream *stream, uint64_t keep, uint64_t before, const char *filter,
                     uint64_t *purged);
void js_stream_expire(struct js_stream *stream);
int64_t js_stream_deadline(const struct js_stream *stream);
void js_stream_sync(struct js_stream *stream);
/* Back to the state that was synced. */
void js_stream_roll_back(struct js_stream *stream);
/* Interest retention: remove it if no consumer needs it any more. */
void js_stream_check_interest(struct js_stream *stream, uint64_t seq);

struct js_consumer *js_consumer_find(const struct js_stream *stream, struct slice name);
void js_consumer_free(struct js_consumer *c);
/* Take it out of its stream and tell its pulls why. */
void js_consumer_delete(struct js_consumer *c);
void js_consumer_config_free(struct js_consumer_config *config);
void js_consumer_start(struct js_consumer *c);
bool js_consumer_wants(const struct js_consumer *c, uint64_t seq);
bool js_consumer_needs(const struct js_consumer *c, uint64_t seq, const struct js_message *m);
uint64_t js_consumer_pending(const struct js_consumer *c);
struct js_pending *js_consumer_find_pending(const struct js_consumer *c, uint64_t sseq);
void js_consumer_ack(struct js_consumer *c, uint64_t sseq, uint64_t dseq);
void js_consumer_give_up(struct js_consumer *c, uint64_t sseq);
/* A message went from the stream without an ack. */
void js_consumer_message_gone(struct js_consumer *c, uint64_t sseq);
void js_consumer_purged(struct js_consumer *c);
void js_consumer_save(struct js_consumer *c);
void js_consumer_restore(struct js_consumer *c);
void js_consumer_fit_stream(struct js_consumer *c);
/* An ack subject and its payload. */
void js_consumer_on_ack(struct server *s, struct slice subject, struct slice reply,
                        struct slice payload);

void js_delivery_request(struct js_consumer *c, struct slice reply, struct slice body);
/* Deliver what can be delivered, end what is over. */
void js_delivery_run(struct js_consumer *c);
int64_t js_delivery_deadline(const struct js_consumer *c);
void js_delivery_end_all(struct js_consumer *c, const char *status, bool with_pending);
void js_delivery_requeue(struct js_consumer *c, uint64_t sseq);
void js_delivery_unqueue(struct js_consumer *c, uint64_t sseq);
bool js_delivery_is_queued(const struct js_consumer *c, uint64_t sseq);

/* A request below $JS.API; the answer goes to `reply`. False if nobody serves it. */
bool js_api_request(struct server *s, struct slice call, struct slice reply, struct slice body);
/* Into s->reply. */
void js_api_error(struct server *s, const char *type, int code, int err_code, const char *text);
void js_api_begin(struct server *s, const char *type);
void js_api_stream(struct server *s, struct slice call, struct slice name, struct slice body);
void js_api_message(struct server *s, struct slice call, struct slice name, struct slice body);
void js_api_consumer(struct server *s, struct slice call, struct slice stream, struct slice name,
                     struct slice body);

#endif
