/* SPDX-License-Identifier: MIT */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

/* From linux/landlock.h, which musl-gcc has no path to; the numbers are the same on each
 * architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum landlock_file {
    LANDLOCK_EXECUTE = 1 << 0,
    LANDLOCK_WRITE_FILE = 1 << 1,
    LANDLOCK_READ_FILE = 1 << 2,
    LANDLOCK_READ_DIR = 1 << 3,
    LANDLOCK_REMOVE_DIR = 1 << 4,
    LANDLOCK_REMOVE_FILE = 1 << 5,
    LANDLOCK_MAKE_DIR = 1 << 7,
    LANDLOCK_MAKE_REG = 1 << 8,
    LANDLOCK_REFER = 1 << 13,
    LANDLOCK_TRUNCATE = 1 << 14,
};

enum landlock_net { LANDLOCK_BIND_TCP = 1 << 0, LANDLOCK_CONNECT_TCP = 1 << 1 };
enum landlock_scope { LANDLOCK_ABSTRACT_UNIX_SOCKET = 1 << 0, LANDLOCK_SIGNAL = 1 << 1 };
enum landlock_rule { LANDLOCK_RULE_PATH = 1, LANDLOCK_RULE_PORT = 2 };
enum { LANDLOCK_CREATE_VERSION = 1 };

/* How many rights on files there are in each version, from the first: all of them are handled, so
 * that what is not allowed is refused. */
static const uint8_t file_rights[] = {13, 14, 15, 15, 16};

struct ruleset_attributes {
    uint64_t files, ports, scopes;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed, port;
};

enum {
    READ_FILE_RIGHTS = LANDLOCK_READ_FILE,
    READ_RIGHTS = READ_FILE_RIGHTS | LANDLOCK_READ_DIR,
    WRITE_RIGHTS = READ_RIGHTS | LANDLOCK_WRITE_FILE | LANDLOCK_REMOVE_DIR | LANDLOCK_REMOVE_FILE |
                   LANDLOCK_MAKE_DIR | LANDLOCK_MAKE_REG | LANDLOCK_REFER | LANDLOCK_TRUNCATE,
    /* The others mean something for folders alone, and are refused for a file. */
    FILE_RIGHTS = LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE,
};

struct sandbox_support sandbox_support(void)
{
    struct sandbox_support support = {.calls = sandbox_can_filter_calls()};
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_VERSION);
    if (version > 0)
        support.landlock = (int)version;
    else
        support.landlock_error = errno;
    return support;
}

bool sandbox_allow(struct sandbox *s, const char *path, enum sandbox_access access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    *array_add(&s->paths) = (struct sandbox_path){fd, access};
    s->writes = s->writes || access == SANDBOX_WRITE;
    return true;
}

void sandbox_allow_folder_of(struct sandbox *s, const char *file, enum sandbox_access access)
{
    char *real = realpath(file, NULL);
    const char *names[] = {file, real};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && names[i] != NULL; i++) {
        char *folder = text_copy(names[i]);
        char *slash = strrchr(folder, '/');
        if (slash != NULL)
            slash[slash == folder] = '\0';
        (void)sandbox_allow(s, slash != NULL ? folder : ".", access); /* it may come to be later */
        free(folder);
    }
    free(real);
}

void sandbox_free(struct sandbox *s)
{
    for (size_t i = 0; i < s->paths.count; i++)
        (void)close(s->paths.list[i].fd); /* it was only named */
    array_free(&s->paths);
    array_free(&s->connect);
    array_free(&s->bind);
}

static bool files_confined(const struct sandbox *s, int landlock)
{
    return landlock >= (s->writes ? SANDBOX_LANDLOCK_WRITE : 1);
}

static int allow_path(int ruleset, const struct sandbox_path *path, uint64_t handled,
                      struct err *err)
{
    struct stat st;
    struct path_rule rule = {.allowed = handled, .fd = path->fd};
    if (fstat(path->fd, &st) != 0)
        return err_set_system(err, errno, "sandbox");
    rule.allowed &= path->access == SANDBOX_WRITE ? WRITE_RIGHTS : READ_RIGHTS;
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FILE_RIGHTS;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH, &rule, 0) != 0)
        return err_set_system(err, errno, "sandbox: can't allow a path");
    return 0;
}

static int allow_port(int ruleset, uint64_t right, uint16_t port, struct err *err)
{
    struct port_rule rule = {.allowed = right, .port = port};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PORT, &rule, 0) != 0)
        return err_set_system(err, errno, "sandbox: can't allow port %u", port);
    return 0;
}

static int allow_all(int ruleset, const struct sandbox *s,
                     const struct ruleset_attributes *attributes, struct err *err)
{
    for (size_t i = 0; i < s->paths.count && attributes->files != 0; i++)
        if (allow_path(ruleset, &s->paths.list[i], attributes->files, err) != 0)
            return -1;
    for (size_t i = 0; i < s->bind.count && (attributes->ports & LANDLOCK_BIND_TCP) != 0; i++)
        if (allow_port(ruleset, LANDLOCK_BIND_TCP, s->bind.list[i], err) != 0)
            return -1;
    for (size_t i = 0; i < s->connect.count && (attributes->ports & LANDLOCK_CONNECT_TCP) != 0; i++)
        if (allow_port(ruleset, LANDLOCK_CONNECT_TCP, s->connect.list[i], err) != 0)
            return -1;
    return 0;
}

/* What this version of Landlock can refuse, as far as `s` asks for it. */
static struct ruleset_attributes attributes_for(const struct sandbox *s, int version)
{
    const int last = (int)sizeof(file_rights);
    const int scopes_since = 6; /* Linux 6.12 */
    struct ruleset_attributes a = {0};
    if (files_confined(s, version))
        a.files = (UINT64_C(1) << file_rights[(version < last ? version : last) - 1]) - 1;
    if (version >= SANDBOX_LANDLOCK_PORTS)
        a.ports = LANDLOCK_BIND_TCP | (s->any_port ? 0U : LANDLOCK_CONNECT_TCP);
    if (version >= scopes_since)
        a.scopes = LANDLOCK_SIGNAL | (s->abstract_sockets ? 0U : LANDLOCK_ABSTRACT_UNIX_SOCKET);
    return a;
}

static int confine_files(const struct sandbox *s, int version, struct err *err)
{
    struct ruleset_attributes a = attributes_for(s, version);
    if (a.files == 0 && a.ports == 0)
        return 0;
    /* A kernel refuses what is longer than its own version of this, unless the rest is zero. */
    long ruleset = syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
    if (ruleset < 0)
        return err_set_system(err, errno, "sandbox: Landlock");
    int result = allow_all((int)ruleset, s, &a, err);
    if (result == 0 && syscall(SYS_landlock_restrict_self, (int)ruleset, 0) != 0)
        result = err_set_system(err, errno, "sandbox: Landlock");
    (void)close((int)ruleset); /* it holds without */
    return result;
}

bool sandbox_is_whole(const struct sandbox *s, const struct sandbox_support *support)
{
    return files_confined(s, support->landlock) && support->calls;
}

void sandbox_append_lacking(const struct sandbox *s, const struct sandbox_support *support,
                            struct buf *out)
{
    size_t start = out->len;
    if (support->landlock == 0)
        buf_printf(out, "files and ports (Landlock is %s)",
                   support->landlock_error == ENOSYS ? "missing" : "switched off");
    else if (!files_confined(s, support->landlock))
        buf_append_text(out, "files and ports (Landlock of Linux 5.19 is missing)");
    else if (support->landlock < SANDBOX_LANDLOCK_PORTS && s->network)
        buf_append_text(out, "ports (Landlock of Linux 6.7 is missing)");
    if (!support->calls)
        buf_printf(out, "%ssystem calls (seccomp filters are missing)",
                   out->len > start ? "; " : "");
}

/* Whether files are confined, now and for good. */
static bool files_are_confined;

/* access(2) knows nothing of Landlock, but knows the modes. Of what is missing the folder counts in
 * which it would be made. */
bool sandbox_is_why(const char *path, enum sandbox_access access_wanted)
{
    if (!files_are_confined)
        return false;
    const int wanted = access_wanted == SANDBOX_WRITE ? W_OK : R_OK;
    char *at = text_copy(path);
    int result;
    while ((result = access(at, wanted)) != 0 && errno == ENOENT) {
        char *slash = strrchr(at, '/');
        if (slash == NULL)
            break;
        slash[slash == at] = '\0';
    }
    if (result != 0 && errno == ENOENT)
        result = access(".", wanted);
    free(at);
    return result == 0;
}

int sandbox_enter(const struct sandbox *s, struct err *err)
{
    struct sandbox_support support = sandbox_support();
    if (s->secrets && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set_system(err, errno, "sandbox: can't switch core files off");
    if (support.landlock == 0 && !support.calls)
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set_system(err, errno, "sandbox: can't give new privileges up");
    if (support.landlock > 0 && confine_files(s, support.landlock, err) != 0)
        return -1;
    files_are_confined = files_confined(s, support.landlock);
    return support.calls ? sandbox_filter_calls(s->network, err) : 0;
}
