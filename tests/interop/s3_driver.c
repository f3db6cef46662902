/* SPDX-License-Identifier: MIT */
/*
 * The S3 client, one call a line, for tests against servers: s3_driver ENDPOINT REGION BUCKET
 * PREFIX ADDRESSING PROFILE CA_FILE PATIENCE_MS PART_BYTES; credentials come from the environment.
 * Fields of a line are separated by tabs:
 *
 *     put KEY any|absent|ETAG FILE        get KEY OFFSET LENGTH FILE      head KEY
 *     delete KEY                          list PREFIX AFTER               uploads
 *     upload KEY any|absent SIZE FILE     begin KEY                       abort KEY ID
 *     sign METHOD PATH QUERY FIELDS PAYLOAD DATE REGION ID SECRET         address
 *
 * Each is answered with a line of JSON. SIGTERM is what tells the client to give up. In `sign`
 * names and values are hexadecimal, in pairs with
 * ',' between and ';' behind each.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/text.h"
#include "object/s3_client.h"
#include "object/s3_sign.h"

enum { ARGUMENTS_MAX = 12, FILE_MAX = 256 * 1024 * 1024 };

static struct s3_client *client;
static atomic_bool stop;
static struct buf answer;

static void read_file(const char *path, struct buf *out)
{
    struct err err = {0};
    if (secret_read(path, FILE_MAX, out, NULL, &err) != 0) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        exit(1);
    }
}

static void write_file(const char *path, struct slice content)
{
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL && fwrite(content.data, 1, content.len, file) == content.len);
    ASSERT(fclose(file) == 0);
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    ASSERT(num_parse_u64(slice_of(text), &value));
    return value;
}

static struct s3_condition condition_of(const char *text)
{
    if (strcmp(text, "any") == 0)
        return (struct s3_condition){S3_ANY, NULL};
    if (strcmp(text, "absent") == 0)
        return (struct s3_condition){S3_IF_ABSENT, NULL};
    return (struct s3_condition){S3_IF_MATCH, text};
}

static void tell(struct json_writer *w, enum s3_outcome outcome, const struct s3_result *result,
                 const struct err *err)
{
    static const char *const names[] = {"done", "absent", "taken", "unclear", "later", "refused"};
    json_put_text(w, "outcome", names[outcome]);
    json_put_text(w, "error", err->text);
    if (result == NULL)
        return;
    json_put_u64(w, "status", (uint64_t)result->status);
    json_put_text(w, "code", result->code);
    json_put_text(w, "request_id", result->request_id);
    json_put_text(w, "etag", result->etag);
    json_put_text(w, "sha256", result->sha256);
    json_put_u64(w, "size", result->size);
    json_put_i64(w, "modified", result->modified);
    json_put_bool(w, "same", result->same);
}

static bool tell_object(void *context, const struct s3_listed *object)
{
    struct json_writer *w = context;
    json_open_object(w, NULL);
    json_put_slice(w, "key", object->key);
    json_put_u64(w, "size", object->size);
    json_put_i64(w, "modified", object->modified);
    json_close_object(w);
    return true;
}

static bool tell_upload(void *context, const struct s3_listed_upload *upload)
{
    struct json_writer *w = context;
    json_open_object(w, NULL);
    json_put_slice(w, "key", upload->key);
    json_put_text(w, "id", upload->id);
    json_put_i64(w, "begun", upload->begun);
    json_close_object(w);
    return true;
}

static enum s3_outcome upload(char **a, struct s3_result *result, struct err *err)
{
    struct buf body = {0};
    char id[S3_UPLOAD_ID_MAX];
    static struct s3_part parts[100];
    size_t part = (size_t)number(a[3]);
    unsigned count = 0;
    read_file(a[4], &body);
    enum s3_outcome outcome = s3_upload_begin(client, a[1], id, err);
    for (size_t at = 0; outcome == S3_DONE && at < body.len; at += part) {
        struct slice piece = {body.data + at, body.len - at < part ? body.len - at : part};
        ASSERT(count < 100);
        outcome = s3_upload_part(client, a[1], id, count + 1, piece, &parts[count], err);
        count++;
    }
    if (outcome == S3_DONE)
        outcome =
            s3_upload_complete(client, a[1], id, parts, count, condition_of(a[2]), result, err);
    buf_free(&body);
    return outcome;
}

static struct slice unhex(struct buf *memory, const char *text, size_t len)
{
    size_t start = memory->len;
    for (size_t i = 0; i + 1 < len; i += 2)
        buf_append_byte(memory, (uint8_t)(text_hex_digit((uint8_t)text[i]) << 4 |
                                          text_hex_digit((uint8_t)text[i + 1])));
    return (struct slice){memory->data + start, memory->len - start};
}

static unsigned pairs_of(struct buf *memory, const char *text, struct s3_pair *out)
{
    unsigned count = 0;
    while (*text != '\0') {
        size_t name = strcspn(text, ",");
        size_t value = strcspn(text + name + 1, ";");
        ASSERT(count < S3_PAIRS_MAX);
        out[count].name = unhex(memory, text, name);
        out[count++].value = unhex(memory, text + name + 1, value);
        text += name + 1 + value + 1;
    }
    return count;
}

static void sign(char **a, struct json_writer *w)
{
    static struct s3_signing_key key;
    struct buf memory = {0};
    struct buf path = {0};
    struct buf query = {0};
    struct buf out = {0};
    struct s3_pair parts[S3_PAIRS_MAX];
    struct s3_pair fields[S3_PAIRS_MAX];
    buf_reserve(&memory, 1024 * 1024); /* so that it never moves */
    s3_encode(&path, unhex(&memory, a[2], strlen(a[2])), true);
    s3_encode_query(&query, parts, pairs_of(&memory, a[3], parts));
    const struct s3_to_sign r = {
        .method = a[1],
        .path = buf_slice(&path),
        .query = buf_slice(&query),
        .field_count = pairs_of(&memory, a[4], fields),
        .fields = fields,
        .payload = slice_of(a[5]),
        .date = a[6],
        .region = a[7],
        .access_key_id = slice_of(a[8]),
        .secret_access_key = slice_of(a[9]),
    };
    s3_sign(&out, &r, &key);
    json_put_slice(w, "path", buf_slice(&path));
    json_put_slice(w, "query", buf_slice(&query));
    json_put_slice(w, "authorization", buf_slice(&out));
    buf_free(&memory);
    buf_free(&path);
    buf_free(&query);
    buf_free(&out);
}

static void put(char **a, struct json_writer *w)
{
    struct err err = {0};
    struct s3_result result = {0};
    struct buf body = {0};
    read_file(a[3], &body);
    tell(w, s3_put(client, a[1], buf_slice(&body), condition_of(a[2]), &result, &err), &result,
         &err);
    buf_free(&body);
}

static void get(char **a, struct json_writer *w)
{
    struct err err = {0};
    struct s3_result result = {0};
    struct buf body = {0};
    tell(w, s3_get(client, a[1], number(a[2]), number(a[3]), &body, &result, &err), &result, &err);
    write_file(a[4], buf_slice(&body));
    buf_free(&body);
}

static void tell_counters(struct json_writer *w)
{
    const struct s3_counters *counters = s3_client_counters(client);
    json_put_text(w, "address", s3_client_address(client));
    json_put_text(w, "credentials", s3_client_credentials(client));
    json_put_i64(w, "skew", counters->skew);
    json_open_object(w, "requests");
    for (int i = 0; i < S3_OPERATIONS; i++) {
        json_open_object(w, s3_operation_names[i]);
        for (int k = 0; k < S3_COUNTS; k++)
            json_put_u64(w, s3_count_names[k], counters->requests[i][k]);
        json_close_object(w);
    }
    json_close_object(w);
}

static void run(char **a, struct json_writer *w)
{
    struct err err = {0};
    struct s3_result result = {0};
    char id[S3_UPLOAD_ID_MAX] = "";
    if (strcmp(a[0], "sign") == 0) {
        sign(a, w);
    } else if (strcmp(a[0], "address") == 0) {
        tell_counters(w);
    } else if (strcmp(a[0], "put") == 0) {
        put(a, w);
    } else if (strcmp(a[0], "get") == 0) {
        get(a, w);
    } else if (strcmp(a[0], "head") == 0) {
        tell(w, s3_head(client, a[1], &result, &err), &result, &err);
    } else if (strcmp(a[0], "delete") == 0) {
        tell(w, s3_delete(client, a[1], &result, &err), &result, &err);
    } else if (strcmp(a[0], "list") == 0) {
        json_open_array(w, "objects");
        enum s3_outcome outcome = s3_list(client, a[1], a[2], tell_object, w, &err);
        json_close_array(w);
        tell(w, outcome, NULL, &err);
    } else if (strcmp(a[0], "uploads") == 0) {
        json_open_array(w, "uploads");
        enum s3_outcome outcome = s3_uploads_list(client, tell_upload, w, &err);
        json_close_array(w);
        tell(w, outcome, NULL, &err);
    } else if (strcmp(a[0], "upload") == 0) {
        tell(w, upload(a, &result, &err), &result, &err);
    } else if (strcmp(a[0], "begin") == 0) {
        tell(w, s3_upload_begin(client, a[1], id, &err), NULL, &err);
        json_put_text(w, "id", id);
    } else if (strcmp(a[0], "abort") == 0) {
        tell(w, s3_upload_abort(client, a[1], a[2], &err), NULL, &err);
    } else {
        json_put_text(w, "error", "no such command");
    }
}

static void end(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

int main(int argc, char **argv)
{
    static char line[1024 * 1024];
    struct err err = {0};
    if (argc != 10)
        return 2;
    const struct s3_options options = {
        .endpoint = argv[1],
        .region = argv[2],
        .bucket = argv[3],
        .prefix = argv[4],
        .addressing = strcmp(argv[5], "virtual") == 0 ? S3_ADDRESSING_VIRTUAL
                      : strcmp(argv[5], "path") == 0  ? S3_ADDRESSING_PATH
                                                      : S3_ADDRESSING_AUTO,
        .profile = argv[6],
        .ca_file = argv[7],
        .access_key_id = "",
        .secret_access_key = "",
        .session_token = "",
        .patience = (int64_t)number(argv[8]) * 1000000,
        .part_bytes = number(argv[9]),
        .stop = &stop,
    };
    signal(SIGTERM, end);
    log_configure(getenv("S3_DRIVER_DEBUG") != NULL ? LOG_DEBUG : LOG_INFO, LOG_JSON);
    client = s3_client_open(&options, &err);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *arguments[ARGUMENTS_MAX] = {0};
        char *rest = line;
        struct json_writer w = {.out = &answer};
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < ARGUMENTS_MAX && rest != NULL; i++)
            arguments[i] = strsep(&rest, "\t");
        buf_reset(&answer);
        json_open_object(&w, NULL);
        if (client == NULL)
            json_put_text(&w, "unopened", err.text);
        else
            run(arguments, &w);
        json_close_object(&w);
        printf("%s\n", buf_text(&answer));
        fflush(stdout);
    }
    s3_client_close(client);
    buf_free(&answer);
    return 0;
}
