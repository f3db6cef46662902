/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <string.h>

#include "base/clock.h"
#include "config/config.h"

#define AT(field) offsetof(struct config, field)
#define IN_SOURCE(field) offsetof(struct config_source, field)
#define IN_PAYLOAD(field) offsetof(struct config_payload, field)
#define IN_FOLLOWER(field) offsetof(struct config_follower, field)

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define HOUR (3600 * CLOCK_SECOND)

static const char *const deliveries[] = {"durable", "position", NULL};
static const char *const manages[] = {"create", "update", "bind", NULL};
static const char *const sandboxes[] = {"auto", "on", "off", NULL};
static const char *const formats[] = {"protobuf", "json", "flatbuffers", NULL};
static const char *const kinds[] = {"table", "nats", "archive", "timeseries", "quality", NULL};
static const char *const requireds[] = {
    "event_id",      "event_type_key",      "worker_id", "simulation_id",
    "event_payload", "payload_format_hint", "none",      NULL};
static const char *const findings[] = {
    "duplicate_ids", "backwards",    "bad_times",      "skewed",
    "silences",      "empty_fields", "unlisted_types", "unlisted_content_types",
    "bad_payloads",  "any",          "none",           NULL};
static const char *const profiles[] = {"plain", "delta", NULL};
static const char *const addressings[] = {"auto", "path", "virtual", NULL};
static const char *const checksums[] = {"sha256", "none", NULL};
static const char *const log_levels[] = {"DEBUG", "INFO", "WARNING", "ERROR", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};

/* Keys of one section stand together, sections in the order in which the example shows them. */
const struct config_key config_keys[] = {
    {"nats.servers", CONFIG_LIST, AT(nats.servers), "nats://127.0.0.1:4222",
     .help = "Servers, tried in turn: nats://host:port, or nats://user:password@host:port."},
    {"nats.name", CONFIG_TEXT, AT(nats.name), "varve",
     .help =
         "Name of this instance: in the server's monitoring, and in the output directory, where "
         "it owns its positions. Instances that write to one directory need different ones."},
    {"nats.user", CONFIG_SECRET, AT(nats.user), "",
     .help = "User, with nats.password. In secrets, in servers and in paths ${NAME} stands for the "
             "environment variable NAME.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.password", CONFIG_SECRET, AT(nats.password), "", .help = "Password of nats.user.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.token", CONFIG_SECRET, AT(nats.token), "", .help = "Token, in place of a user.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.user_file", CONFIG_PATH, AT(nats.user_file), "",
     .help = "File with the user, in place of nats.user. Files like this one are read again for "
             "each connection; in their paths ${NAME} is an environment variable, such as "
             "CREDENTIALS_DIRECTORY of systemd.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.password_file", CONFIG_PATH, AT(nats.password_file), "",
     .help = "File with the password, in place of nats.password.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.token_file", CONFIG_PATH, AT(nats.token_file), "",
     .help = "File with the token, in place of nats.token.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.nkey_seed_file", CONFIG_PATH, AT(nats.nkey_seed_file), "",
     .help = "File with a user's NKey seed, SU..., in place of a user.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.credentials_file", CONFIG_PATH, AT(nats.credentials_file), "",
     .help = "File with a user's JWT and its seed, as nsc writes it (.creds), in place of a user.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.domain", CONFIG_TEXT, AT(nats.domain), "",
     .help = "JetStream domain of the streams, where it is not the server's own: behind a leaf "
             "node."},
    {"nats.api_prefix", CONFIG_TEXT, AT(nats.api_prefix), "",
     .help = "Subject under which the account imports the JetStream API of another one, in place "
             "of $JS.API and of nats.domain."},
    {"nats.tls.enabled", CONFIG_BOOL, AT(nats.tls.enabled), "false",
     .help = "Refuse servers without TLS. Any other key of nats.tls, or tls:// in a server's URL, "
             "does so, too; a server that requires TLS gets it in any case.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.ca_file", CONFIG_PATH, AT(nats.tls.ca_file), "",
     .help = "Certificates of CAs to trust, PEM; those that the host trusts if empty. All files of "
             "nats.tls are read again for each connection.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.cert_file", CONFIG_PATH, AT(nats.tls.cert_file), "",
     .help = "Client certificate, and what links it to its CA, PEM.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.key_file", CONFIG_PATH, AT(nats.tls.key_file), "",
     .help = "Key of the client certificate, PEM.", .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.key_password", CONFIG_SECRET, AT(nats.tls.key_password), "",
     .help = "Password of an encrypted key (PKCS #8).", .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.key_password_file", CONFIG_PATH, AT(nats.tls.key_password_file), "",
     .help = "File with the password, in place of nats.tls.key_password.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.handshake_first", CONFIG_BOOL, AT(nats.tls.handshake_first), "false",
     .help = "Start TLS before the server speaks, as its handshake_first asks for.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.server_name", CONFIG_TEXT, AT(nats.tls.server_name), "",
     .help = "Name or address that the server's certificate has to be for; its host if empty.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},
    {"nats.tls.insecure", CONFIG_BOOL, AT(nats.tls.insecure), "false",
     .help = "Take any certificate, so that anybody can pass for the server. For tests.",
     .change = CONFIG_CHANGE_NEXT_CONNECTION},

    {"sources[].stream", CONFIG_TEXT, IN_SOURCE(stream), "LOGGING",
     .help = "JetStream stream to drain. Each source needs a different one."},
    {"sources[].subjects", CONFIG_LIST, IN_SOURCE(subjects), "logging.events.raw",
     .help = "Subjects of the stream to drain; * and > are wildcards."},
    {"sources[].delivery", CONFIG_CHOICE, IN_SOURCE(delivery), "durable", .choices = deliveries,
     .help = "durable: a durable consumer, acked after the commit; for every retention policy. "
             "position: no acks, varve keeps the position; faster, for limits retention."},
    {"sources[].consumer", CONFIG_TEXT, IN_SOURCE(consumer), "varve",
     .help = "Name of the durable consumer; instances that share it share the work."},
    {"sources[].shared", CONFIG_BOOL, IN_SOURCE(shared), "false",
     .help = "Other instances take from this consumer too. After a crash, unacked messages then "
             "come back only after ack_wait, since they might be another instance's."},
    {"sources[].start", CONFIG_START, IN_SOURCE(start), "first",
     .help = "Where to begin when there is no position yet: first, new, a stream sequence, or an "
             "RFC 3339 time."},

    {"consumer.manage", CONFIG_CHOICE, AT(consumer.manage), "create", .choices = manages,
     .help = "create: create missing consumers. update: also change one that contradicts this "
             "configuration. bind: only use existing ones; what takes another consumer waits for "
             "you, and says so."},

    {"batching.max_rows", CONFIG_COUNT, AT(batching.max_rows), "250000", 1, 10000000,
     .help = "Commit at this many rows. The server keeps about 200 bytes for each unacked one.",
     .change = CONFIG_CHANGE_IF_IT_FITS},
    {"batching.max_bytes", CONFIG_SIZE, AT(batching.max_bytes), "64MiB", MIB, 64 * GIB,
     .help = "Commit at this many bytes before compression.", .change = CONFIG_CHANGE_IF_IT_FITS},
    {"batching.max_age", CONFIG_DURATION, AT(batching.max_age), "60s", 100 * CLOCK_MILLISECOND,
     24 * HOUR, .help = "Commit when the oldest row has waited this long.",
     .change = CONFIG_CHANGE_IF_IT_FITS},

    {"output.log_output_directory", CONFIG_PATH, AT(output.log_output_directory), "./sim_logs",
     .help =
         "Directory for the files and their commit log; created if missing. ~/ at its start is the "
         "home directory."},
    {"output.path_template", CONFIG_TEXT, AT(output.path_template),
     "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet",
     .help = "Path of a file below the directory; also takes {event_type_key} {worker_id} {stream} "
             "{instance} {YYYY} {MM} {DD}."},
    {"output.min_free", CONFIG_SIZE, AT(output.min_free), "512MiB", 0, 1024 * 1024 * GIB,
     .help = "Pause when the disk has less free space than this."},
    {"output.url", CONFIG_PATH, AT(output.url), "",
     .help =
         "s3://BUCKET/PREFIX: the table lies in a bucket, and needs no disk; or a directory. In "
         "place of output.log_output_directory."},
    {"output.s3.endpoint", CONFIG_TEXT, AT(output.s3.endpoint), "",
     .help = "Where the object store is, http://host:port or https://host; if empty, "
             "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL of the environment, else AWS."},
    {"output.s3.region", CONFIG_TEXT, AT(output.s3.region), "",
     .help = "Region of the bucket; if empty, AWS_REGION, AWS_DEFAULT_REGION, or us-east-1."},
    {"output.s3.addressing", CONFIG_CHOICE, AT(output.s3.addressing), "auto",
     .choices = addressings,
     .help = "Where the bucket's name goes: in front of the path, or of the host (virtual). auto: "
             "virtual for AWS, path for others."},
    {"output.s3.access_key_id", CONFIG_SECRET, AT(output.s3.access_key_id), "",
     .help = "Access key, with output.s3.secret_access_key; if empty, credentials come from where "
             "the AWS command line finds them: environment, files, web identity, container, host."},
    {"output.s3.secret_access_key", CONFIG_SECRET, AT(output.s3.secret_access_key), "",
     .help = "Secret of output.s3.access_key_id."},
    {"output.s3.session_token", CONFIG_SECRET, AT(output.s3.session_token), "",
     .help = "Token of temporary keys."},
    {"output.s3.profile", CONFIG_TEXT, AT(output.s3.profile), "",
     .help = "Profile in the shared files of the AWS command line; if empty, AWS_PROFILE, or "
             "default."},
    {"output.s3.ca_file", CONFIG_PATH, AT(output.s3.ca_file), "",
     .help = "Certificates of CAs to trust, PEM; those that the host trusts if empty."},
    {"output.s3.checksum", CONFIG_CHOICE, AT(output.s3.checksum), "sha256", .choices = checksums,
     .help = "Have the store check, and keep, the SHA-256 of what is put. none: for stores that "
             "refuse the header."},

    {"parquet.compression_level", CONFIG_INTEGER, AT(parquet.compression_level), "1", -7, 19,
     .help = "zstd compression level."},
    {"parquet.page_bytes", CONFIG_SIZE, AT(parquet.page_bytes), "1MiB", 4 * KIB, 32 * MIB,
     .help = "Size of a page before compression."},
    {"parquet.row_group_rows", CONFIG_COUNT, AT(parquet.row_group_rows), "1048576", 1, 1 << 24,
     .help = "Most rows that a row group may have."},
    {"parquet.profile", CONFIG_CHOICE, AT(parquet.profile), "plain", .choices = profiles,
     .help = "Encodings of columns without a dictionary. plain: every reader takes it. delta: less "
             "CPU time, smaller files; a few readers, such as fastparquet, can't read "
             "DELTA_LENGTH_BYTE_ARRAY."},

    {"compaction.interval", CONFIG_DURATION, AT(compaction.interval), "24h", CLOCK_SECOND,
     365 * 24 * HOUR,
     .help = "At most this often, merge small files of partitions into large ones.", .off = true},
    {"compaction.after", CONFIG_DURATION, AT(compaction.after), "2h", CLOCK_SECOND, 365 * 24 * HOUR,
     .help = "Leave a partition alone until its newest file is so old, or it has 16 small files."},
    {"compaction.target_bytes", CONFIG_SIZE, AT(compaction.target_bytes), "128MiB", MIB, 16 * GIB,
     .help = "Size up to which files are merged; those of half of it are large enough."},
    {"compaction.compression_level", CONFIG_INTEGER, AT(compaction.compression_level), "9", -7, 19,
     .help = "zstd compression level of merged files."},
    {"compaction.keep_replaced", CONFIG_DURATION, AT(compaction.keep_replaced), "off", 0,
     365 * 24 * HOUR,
     .help = "Leave merged files where they are for so long, for readers that hold an old version "
             "of the log. Readers of plain files find their rows twice meanwhile. Where the file "
             "system can't exchange two folders, small files are merged only with this.",
     .off = true},

    {"retention.max_age", CONFIG_DURATION, AT(retention.max_age), "off", CLOCK_SECOND,
     100 * 365 * 24 * HOUR,
     .help = "Remove a partition, which is what lies in one folder, when its newest row is older "
             "than this. What has expired counts as stored.",
     .off = true},
    {"retention.max_bytes", CONFIG_SIZE, AT(retention.max_bytes), "off", MIB, 1024 * 1024 * GIB,
     .help = "Remove the oldest partitions while the files of the table have more bytes than "
             "this. The newest one stays.",
     .off = true},

    {"runs.close_after", CONFIG_DURATION, AT(runs.close_after), "off", CLOCK_SECOND,
     100 * 365 * 24 * HOUR,
     .help = "A simulation of which nothing has come for this long is over: its small files are "
             "merged, and what there is of it is written down in _runs below the directory, with "
             "the SHA-256 of each file. It takes a path_template with {simulation_id}.",
     .off = true},
    {"runs.end_event_type", CONFIG_TEXT, AT(runs.end_event_type), "",
     .help = "A simulation is over when an event of this type is committed, such as "
             "sim.ended.v1."},

    {"payloads[].event_type", CONFIG_TEXT, IN_PAYLOAD(event_type), "",
     .help =
         "Event type whose payloads this entry describes, for followers of kind table; * for all "
         "that have no entry of their own. Each entry needs a different one. Without any entry: "
         "*, with format: protobuf and the simulation's own messages."},
    {"payloads[].format", CONFIG_CHOICE, IN_PAYLOAD(format), "json", .choices = formats,
     .help = "protobuf and flatbuffers, by descriptor_set and message; or json, by columns."},
    {"payloads[].descriptor_set", CONFIG_PATH, IN_PAYLOAD(descriptor_set), "",
     .help = "File with the types: protoc --include_imports --descriptor_set_out=FILE writes it, "
             "or buf build -o FILE; of flatbuffers the .bfbs of flatc --schema -b. SIGHUP has it "
             "read again. If empty: the messages of the simulation, which varve knows."},
    {"payloads[].message", CONFIG_TEXT, IN_PAYLOAD(message), "",
     .help = "Full name of the message, such as fes.simulation.agent.AgentAction. If empty, each "
             "event says it in its payload_content_type: application/protobuf; message=NAME. Of "
             "flatbuffers, if empty: the schema's root_type."},
    {"payloads[].columns", CONFIG_LIST, IN_PAYLOAD(columns), "*",
     .help = "Columns of a JSON payload: {reward: {path: $.reward, type: double}}, or each as NAME "
             "TYPE PATH: [reward double $.reward]. Types: text, integer, double, boolean, json. *: "
             "all of it, as text, in one column payload. Of other formats: fields, such as [tick, "
             "agents.id], or * for all of them.",
     .entries = CONFIG_COLUMNS},

    {"followers[].name", CONFIG_TEXT, IN_FOLLOWER(name), "",
     .help = "Name under which the store knows how far this follower is: letters, digits, _ and -. "
             "Each needs a different one."},
    {"followers[].kind", CONFIG_CHOICE, IN_FOLLOWER(kind), "table", .choices = kinds,
     .help = "table: a table of typed columns for each of payloads. nats: each event is published "
             "again. archive: a copy of the store, which keeps what expires in it. timeseries: "
             "points of a time-series database. quality: what varve quality says, kept up to date "
             "below _quality/."},
    {"followers[].target", CONFIG_PATH, IN_FOLLOWER(target), "",
     .help =
         "Directory of the tables, or s3://BUCKET/PREFIX, each in a folder that is called as its "
         "event type. If empty: that of the output with -types behind it. Never within the "
         "output. Of kind archive: where it is to be, alone."},
    {"followers[].select", CONFIG_LIST, IN_FOLLOWER(select), "any",
     .help = "Of kind table, nats or timeseries: only rows for which all of these hold, COLUMN OP "
             "VALUE as for varve cat --where: [simulation_id = sim-1, stream_time >= 2026-01-01T00:"
             "00:00Z]; or any."},
    {"followers[].subject", CONFIG_TEXT, IN_FOLLOWER(subject), "replay.>",
     .help =
         "Of kind nats: the subject to publish to. A '>' at its end stands for the stored one."},
    {"followers[].stream", CONFIG_TEXT, IN_FOLLOWER(stream), "",
     .help = "Of kind nats: the stream that takes the subject, where more than one does. None that "
             "varve drains."},
    {"followers[].compression_level", CONFIG_INTEGER, IN_FOLLOWER(compression_level), "0", 0, 19,
     .help =
         "Of kind archive: compress its files anew with this level of zstd. 0: the files of the "
         "store, byte for byte."},
    {"followers[].bandwidth", CONFIG_SIZE, IN_FOLLOWER(bandwidth), "off", KIB, 1024 * GIB,
     .help = "Of kind archive: copy at most so many bytes a second.", .off = true},
    {"followers[].manifest", CONFIG_BOOL, IN_FOLLOWER(manifest), "false",
     .help = "Of kind archive: keep a manifest-sha256.txt in the folder of each simulation, which "
             "sha256sum -c reads."},
    {"followers[].url", CONFIG_PATH, IN_FOLLOWER(url), "",
     .help = "Of kind timeseries: where it writes InfluxDB line protocol, such as "
             "http://127.0.0.1:8086/write?db=sim, https://host/api/v2/write?org=o&bucket=b or "
             "http://host:8181/api/v3/write_lp?db=sim. What says that times are nanoseconds is "
             "added."},
    {"followers[].token", CONFIG_SECRET, IN_FOLLOWER(token), "",
     .help = "Of kind timeseries: a token, or user:password."},
    {"followers[].token_file", CONFIG_PATH, IN_FOLLOWER(token_file), "",
     .help = "File with it, in place of token; read again whenever the follower starts over."},
    {"followers[].ca_file", CONFIG_PATH, IN_FOLLOWER(ca_file), "",
     .help = "Of kind timeseries: certificates of CAs to trust, PEM; those that the host trusts if "
             "empty."},
    {"followers[].points", CONFIG_LIST, IN_FOLLOWER(points),
     "* events tag event_type_key tag simulation_id",
     .help = "Of kind timeseries: what becomes of an event, {event_type: TYPE or \"*\", "
             "measurement: NAME, tags: [SOURCE], fields: {NAME: SOURCE, NAME: {path: SOURCE, type: "
             "TYPE}}, timestamp: timestamp_ns or stream_time}. A source is a path in the payload, "
             "or row. and a column; as a tag, a column needs no row. in front. Types: double, "
             "integer, boolean, text. Without fields: events are counted, by second.",
     .entries = CONFIG_POINTS},
    {"followers[].max_tag_values", CONFIG_COUNT, IN_FOLLOWER(max_tag_values), "10000", 0, 1 << 24,
     .help = "Of kind timeseries: stop when a tag gets more values than this, since each is a "
             "series that a database may keep in memory. 0: any number."},
    {"followers[].max_lag", CONFIG_DURATION, IN_FOLLOWER(max_lag), "1h", CLOCK_SECOND,
     365 * 24 * HOUR,
     .help = "Alert when a row has been committed for longer than this, and the follower does not "
             "have it."},

    {"quality.required", CONFIG_LIST, AT(quality.required), "event_id,event_type_key,worker_id",
     .choices = requireds,
     .help = "Columns that are never empty in an event that is all right, for varve quality: of "
             "event_id, event_type_key, worker_id, simulation_id, event_payload and "
             "payload_format_hint; or none."},
    {"quality.event_types", CONFIG_LIST, AT(quality.event_types), "any",
     .help = "Event types that there are; or any."},
    {"quality.content_types", CONFIG_LIST, AT(quality.content_types), "any",
     .help = "Content types of payloads that there are, with or without what stands behind a "
             "semicolon; or any."},
    {"quality.max_skew", CONFIG_DURATION, AT(quality.max_skew), "off", CLOCK_MILLISECOND,
     365 * 24 * HOUR,
     .help = "An event is stored at most so much earlier or later than its timestamp says.",
     .off = true},
    {"quality.max_silence", CONFIG_DURATION, AT(quality.max_silence), "off", CLOCK_MILLISECOND,
     365 * 24 * HOUR,
     .help = "Of each event type of a simulation the stream gets an event at least so often.",
     .off = true},
    {"quality.alerts", CONFIG_LIST, AT(quality.alerts), "any", .choices = findings,
     .help = "Findings of a follower of kind quality that raise the alert quality: duplicate_ids, "
             "backwards, bad_times, skewed, silences, empty_fields, unlisted_types, "
             "unlisted_content_types, bad_payloads; or any, or none."},

    {"memory_limit", CONFIG_SIZE, AT(memory_limit), "256MiB", 16 * MIB, 1024 * GIB,
     .help = "Memory for everything that is not committed yet, and, up to a quarter of it, what "
             "followers hold; close to it, varve commits early. "
             "The drain needs at most 16 MiB more, compaction and more followers what they need, "
             "and the default is less where its control group may not take that much. An event "
             "may take a quarter of it, shared by the sources: 8 MiB with 32MiB and one source. "
             "Larger messages become dead letters.",
     .change = CONFIG_CHANGE_NOW},

    {"sandbox", CONFIG_CHOICE, AT(sandbox), "auto", .choices = sandboxes,
     .help = "Give up at the start what varve does not need: writing outside of the output "
             "directory, reading outside of the folders that are named here, other ports, programs "
             "and system calls. auto: as far as the kernel can, and to the ports that the cluster "
             "names, or any port if it does not say. on: connect to the ports of nats.servers "
             "alone, and don't start where the kernel can't confine files and system calls. off: "
             "none of it."},

    {"dead_letter.subject", CONFIG_TEXT, AT(dead_letter.subject), "",
     .help = "Subject for messages that can't become rows, published with the reason. If empty, "
             "they are kept in _quarantine below the directory."},

    {"metrics.listen", CONFIG_LISTEN, AT(metrics.listen), "127.0.0.1:9464",
     .help = "Address of the status page, /metrics, /healthz and /readyz; or off."},
    {"metrics.token_file", CONFIG_PATH, AT(metrics.token_file), "",
     .help = "File with a token that each request has to bring, as Authorization: Bearer."},
    {"metrics.tls.cert_file", CONFIG_PATH, AT(metrics.tls.cert_file), "",
     .help =
         "Certificate (PEM) with which metrics.listen speaks TLS, and no HTTP without it. SIGHUP "
         "has this file, its key and the token read again."},
    {"metrics.tls.key_file", CONFIG_PATH, AT(metrics.tls.key_file), "", .help = "Key of it (PEM)."},
    {"metrics.tls.key_password_file", CONFIG_PATH, AT(metrics.tls.key_password_file), "",
     .help = "File with the key's password, if it has one."},

    {"alerts.subject", CONFIG_TEXT, AT(alerts.subject), "",
     .help = "Subject for alerts, published as events; none if empty."},

    {"settings.log_level", CONFIG_CHOICE, AT(settings.log_level), "INFO", .choices = log_levels,
     .help = "DEBUG, INFO, WARNING or ERROR.", .change = CONFIG_CHANGE_NOW},
    {"settings.log_format", CONFIG_CHOICE, AT(settings.log_format), "logfmt",
     .choices = log_formats, .help = "logfmt or json.", .change = CONFIG_CHANGE_NOW},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

const struct config_key *config_key_find(const char *path)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (strcmp(config_keys[i].path, path) == 0)
            return &config_keys[i];
    return NULL;
}

bool config_key_section(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < config_key_count; i++)
        if (strncmp(config_keys[i].path, path, len) == 0 && config_keys[i].path[len] == '.')
            return true;
    return false;
}

const struct config_section config_sections[] = {
    {"sources", "source", "stream: LOGGING", "sources[].", sizeof(struct config_source),
     CONFIG_SOURCES_MAX, AT(sources), AT(source_count), true},
    {"payloads", "payload", "event_type: sim.agent_reward.v1", "payloads[].",
     sizeof(struct config_payload), CONFIG_PAYLOADS_MAX, AT(payloads), AT(payload_count), false},
    {"followers", "follower", "name: typed", "followers[].", sizeof(struct config_follower),
     CONFIG_FOLLOWERS_MAX, AT(followers), AT(follower_count), false},
};

const size_t config_section_count = sizeof(config_sections) / sizeof(config_sections[0]);

const struct config_section *config_section_find(const char *name)
{
    for (size_t i = 0; i < config_section_count; i++)
        if (strcmp(config_sections[i].name, name) == 0)
            return &config_sections[i];
    return NULL;
}

const struct config_section *config_key_list(const struct config_key *key)
{
    for (size_t i = 0; i < config_section_count; i++)
        if (strncmp(key->path, config_sections[i].prefix, strlen(config_sections[i].prefix)) == 0)
            return &config_sections[i];
    return NULL;
}

void *config_entry(const struct config *c, const struct config_section *s, size_t index)
{
    return *(char *const *)((const char *)c + s->list) + index * s->size;
}

size_t config_entries(const struct config *c, const struct config_section *s)
{
    return *(const size_t *)((const char *)c + s->count);
}
