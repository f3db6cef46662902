/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_CONFIG_H
#define VARVE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

/*
 * All that a user can set. Plain data: texts are never NULL ("" is not set) and live, like the
 * lists, as long as the config. Sizes are bytes, durations and times nanoseconds. What each key
 * means, its range and its default are in the one table, config/keys.c.
 */
enum {
    CONFIG_FILE_MAX = 1024 * 1024, /* a full configuration is about 4 KiB */
    CONFIG_LIST_MAX = 256,         /* servers, or subjects of a source */
    CONFIG_NAME_MAX = 64,          /* nats.name becomes part of file names, escaped */
    CONFIG_SOURCES_MAX = 64,       /* each is a consumer and a set of open files */
    CONFIG_PAYLOADS_MAX = 256,     /* each is a table */
    CONFIG_FOLLOWERS_MAX = 16,     /* each is a thread */
};

struct config_list {
    const char *const *items;
    size_t count;
};

enum config_delivery { CONFIG_DURABLE, CONFIG_POSITION };
enum config_manage { CONFIG_MANAGE_CREATE, CONFIG_MANAGE_UPDATE, CONFIG_MANAGE_BIND };

enum config_sandbox { CONFIG_SANDBOX_AUTO, CONFIG_SANDBOX_ON, CONFIG_SANDBOX_OFF };
enum config_profile { CONFIG_PROFILE_PLAIN, CONFIG_PROFILE_DELTA };
enum config_addressing {
    CONFIG_ADDRESSING_AUTO,
    CONFIG_ADDRESSING_PATH,
    CONFIG_ADDRESSING_VIRTUAL
};
enum config_checksum { CONFIG_CHECKSUM_SHA256, CONFIG_CHECKSUM_NONE };
enum config_start_kind {
    CONFIG_START_FIRST,
    CONFIG_START_NEW,
    CONFIG_START_SEQUENCE,
    CONFIG_START_TIME
};

struct config_start {
    enum config_start_kind kind;
    uint64_t sequence; /* of CONFIG_START_SEQUENCE: 1 to INT64_MAX */
    int64_t time;      /* of CONFIG_START_TIME */
};

struct config_source {
    const char *stream;
    struct config_list subjects; /* at least one */
    enum config_delivery delivery;
    const char *consumer; /* durable name */
    bool shared;          /* other instances take from the consumer too */
    struct config_start start;
};

enum config_format { CONFIG_FORMAT_PROTOBUF, CONFIG_FORMAT_JSON, CONFIG_FORMAT_FLATBUFFERS };

/* What the payloads of an event type are. */
struct config_payload {
    const char *event_type;
    enum config_format format;
    const char *descriptor_set; /* path; not of JSON */
    const char *message;        /* full name; not of JSON */
    struct config_list columns; /* of JSON: "NAME TYPE PATH" each; else names of fields */
};

enum config_kind {
    CONFIG_KIND_TABLE,
    CONFIG_KIND_NATS,
    CONFIG_KIND_ARCHIVE,
    CONFIG_KIND_TIMESERIES,
    CONFIG_KIND_QUALITY,
};

struct config_follower {
    const char *name;
    enum config_kind kind;
    struct config_list select; /* COLUMN OP VALUE each, as follow/filter.h has them, or "any" */
    const char *target;        /* path; of tables, and of an archive */
    const char *subject;       /* of nats: to publish to */
    const char *stream;        /* of nats; "": the only one that takes the subject */
    int64_t compression_level; /* of an archive; 0: as the files are */
    uint64_t bandwidth;        /* of an archive, bytes a second; 0: any */
    bool manifest;             /* of an archive */
    struct {                   /* of timeseries */
        const char *url;
        const char *token, *token_file; /* a secret: never print it; and a path, in place of it */
        const char *ca_file;
        /* "EVENT_TYPE MEASUREMENT" each, with "tag SOURCE", "field NAME TYPE SOURCE" and
         * "timestamp COLUMN" behind it, in this order and as often as needed. */
        struct config_list points;
        uint64_t max_tag_values; /* 0: any number */
    };
    int64_t max_lag;
};

struct config_tls {
    bool enabled; /* once the config is finished also where any other key of it is set */
    bool handshake_first;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *key_password; /* a secret: never print it */
    const char *key_password_file;
    const char *server_name;
    bool insecure;
};

struct config_nats {
    struct config_list servers; /* at least one: [nats://][user:password@]host[:port] */
    const char *name;
    const char *user, *password, *token; /* secrets: never print them */
    const char *domain, *api_prefix;     /* of JetStream; at most one of them is set */
    const char *user_file, *password_file, *token_file; /* paths, in place of them */
    const char *nkey_seed_file, *credentials_file;      /* paths */
    struct config_tls tls;
};

/* How an object store is reached; what is empty comes from the environment, or is found out. */
struct config_s3 {
    const char *endpoint; /* http://host[:port] or https:// */
    const char *region;
    enum config_addressing addressing;
    const char *access_key_id, *secret_access_key, *session_token; /* secrets: never print them */
    const char *profile;
    const char *ca_file;
    enum config_checksum checksum;
};

struct config {
    struct config_nats nats;
    struct config_source *sources; /* at least one; no two of the same stream */
    size_t source_count;
    struct config_payload *payloads; /* no two of the same event_type */
    size_t payload_count;
    struct config_follower *followers; /* no two of the same name */
    size_t follower_count;
    struct {
        struct config_list required, event_types, content_types, alerts;
        int64_t max_skew, max_silence; /* 0: any */
    } quality;
    struct {
        enum config_manage manage;
    } consumer;
    struct {
        uint64_t max_rows;
        uint64_t max_bytes;
        int64_t max_age;
    } batching;
    struct {
        const char *log_output_directory; /* once the config is finished `url`, where that is set */
        const char *url;                  /* s3://bucket/prefix, or a directory */
        const char *path_template;
        uint64_t min_free;
        struct config_s3 s3;
    } output;
    struct {
        int64_t compression_level;
        uint64_t page_bytes;
        uint64_t row_group_rows;
        enum config_profile profile;
    } parquet;
    struct {
        int64_t interval; /* 0: off */
        int64_t after;
        uint64_t target_bytes;
        int64_t compression_level;
        int64_t keep_replaced; /* 0: they are not kept */
    } compaction;
    struct {
        int64_t max_age;    /* 0: off */
        uint64_t max_bytes; /* 0: off */
    } retention;
    struct {
        int64_t close_after;        /* 0: off */
        const char *end_event_type; /* "": none */
    } runs;
    uint64_t memory_limit;
    enum config_sandbox sandbox;
    struct {
        const char *subject;
    } dead_letter;
    struct {
        const char *listen; /* host:port; "" is off */
        const char *token_file;
        struct {
            const char *cert_file, *key_file, *key_password_file; /* "": no TLS */
        } tls;
    } metrics;
    struct {
        const char *subject;
    } alerts;
    struct {
        enum log_level log_level;
        enum log_format log_format;
    } settings;

    /* For config_*: */
    struct arena arena;
    const char *orchestrator_address; /* of a simulation's file; "" if it has none */
    bool servers_set;

    /* "line 12: output": a key beside logging_layer that is called as one of ours, and is not read;
     * "" if there is none. It may belong to another layer, so it is only worth a warning. */
    const char *beside;
};

/*
 * In this order: init, then read at most once, then set for each --set, then finish. All errors are
 * ERR_USAGE and name the file and line, or the --set, and what to do. config_free always.
 */

/* All defaults. */
void config_init(struct config *c);

/* Read a YAML file over them: `path` as the user wrote it. */
int config_read(struct config *c, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/* The same from memory; `name` stands for the file in errors. */
int config_read_text(struct config *c, const char *name, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* One "key=value" such as "batching.max_age=5s". A list is one text with commas between; a source's
 * key is sources[0].stream; sources[N] with N = source_count adds a source; so do the other lists.
 */
int config_set(struct config *c, const char *assignment, struct err *err)
    __attribute__((warn_unused_result));

/* Expand ${ENV} in secrets, check what spans several keys. Nothing may be set afterwards. */
int config_finish(struct config *c, struct err *err) __attribute__((warn_unused_result));

void config_free(struct config *c);

/* The largest memory_limit that the control group of this process leaves room for; the default is
 * no larger, and config_finish refuses what is. UINT64_MAX or close to it where there is no limit.
 */
uint64_t config_memory_room(void);

/* True if followers of this kind write to a directory or bucket: `target`. */
bool config_has_target(enum config_kind kind);

/* True if the output of a finished config is a bucket. */
bool config_writes_to_s3(const struct config *c);

/* True if metrics.listen can be reached from this host alone, or is off. */
bool config_listens_here(const struct config *c);

/* Derived, so that nobody has to guess them; of a finished config. */

/* How many messages the pulls of one source may ask for and not have got, at most. */
enum { CONFIG_PULL_MESSAGES_MAX = 65536 };

/* ack_wait of a durable consumer, nanoseconds. */
int64_t config_ack_wait(const struct config *c);

/* max_ack_pending of a durable consumer. */
uint64_t config_max_ack_pending(const struct config *c);

/* Append an example file: each key with its default and a comment. It parses back to the
 * defaults. */
void config_append_example(struct buf *out);

/* Append what is to know of a key, or of each key of a section, such as "batching"; the number of a
 * source may stand in its brackets. Nothing if there is no such key or section. */
void config_append_help(struct buf *out, const char *path);

/* Append the keys as the rows of a man page (roff, tagged paragraphs). */
void config_append_manual(struct buf *out);

#endif
