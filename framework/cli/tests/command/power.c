/* A power loss for one process: when the file named by POWER_OFF appears, everything that was
 * written to regular files and not synced since is taken back, and the process is gone.
 *
 * Loaded by LD_PRELOAD. Every write first saves what it replaces; a sync of a file forgets what was
 * saved of it. One lock covers writes, syncs and the loss, so that a sync that has returned has
 * kept everything, and nothing is written after the loss. With POWER_LIES set, fdatasync only
 * says that it synced: what a test must notice. Names (creations, renames) survive.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that was written, with a descriptor of our own that needs no alignment. */
struct file {
    dev_t device;
    ino_t inode;
    int fd;
};

struct undo {
    struct undo *older;
    const struct file *file;
    off_t offset;
    off_t size_before;
    size_t len;
    char bytes[];
};

enum { FILES_MAX = 4096 };
static struct file files[FILES_MAX];
static size_t files_known;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct undo *newest;
static const char *trigger;
static int lies;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);

static void find(void) {
    if (real_pwrite) return;
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
}

static const struct file *known(const struct stat *st) {
    for (size_t at = files_known; at-- > 0;)
        if (files[at].device == st->st_dev && files[at].inode == st->st_ino) return &files[at];
    return NULL;
}

/* The file behind a descriptor; null when it is no regular file. */
static const struct file *file_of(int fd, struct stat *st) {
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_nlink == 0) return NULL;
    const struct file *file = known(st);
    if (file) return file;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_RDWR | O_CLOEXEC);
    if (own < 0 || files_known == FILES_MAX) abort();
    files[files_known] = (struct file){st->st_dev, st->st_ino, own};
    return &files[files_known++];
}

static void save(int fd, off_t offset, size_t len) {
    struct stat st;
    const struct file *file = file_of(fd, &st);
    if (!file) return;
    struct undo *undo = malloc(sizeof *undo + len);
    if (!undo) abort();
    ssize_t old = pread(file->fd, undo->bytes, len, offset);
    undo->older = newest;
    undo->file = file;
    undo->offset = offset;
    undo->size_before = st.st_size;
    undo->len = old > 0 ? (size_t)old : 0;
    newest = undo;
}

static void forget(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) return;
    const struct file *file = known(&st);
    for (struct undo **at = &newest; *at;) {
        struct undo *undo = *at;
        if (undo->file == file) {
            *at = undo->older;
            free(undo);
        } else {
            at = &undo->older;
        }
    }
}

static void *wait_for_loss(void *unused) {
    (void)unused;
    while (access(trigger, F_OK) != 0) usleep(500);
    pthread_mutex_lock(&lock);
    for (struct undo *undo = newest; undo; undo = undo->older) {
        real_pwrite(undo->file->fd, undo->bytes, undo->len, undo->offset);
        real_ftruncate(undo->file->fd, undo->size_before);
    }
    _exit(137);
}

__attribute__((constructor)) static void begin(void) {
    find();
    trigger = getenv("POWER_OFF");
    lies = getenv("POWER_LIES") != NULL;
    pthread_t thread;
    if (trigger && pthread_create(&thread, NULL, wait_for_loss, NULL) != 0) abort();
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset) {
    find();
    pthread_mutex_lock(&lock);
    save(fd, offset, len);
    ssize_t written = real_pwrite(fd, bytes, len, offset);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
    return pwrite64(fd, bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    find();
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (offset < 0) return real_write(fd, bytes, len); /* sockets, pipes, events */
    pthread_mutex_lock(&lock);
    save(fd, offset, len);
    ssize_t written = real_write(fd, bytes, len);
    pthread_mutex_unlock(&lock);
    return written;
}

int fsync(int fd) {
    find();
    pthread_mutex_lock(&lock);
    int result = real_fsync(fd);
    if (result == 0) forget(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

int fdatasync(int fd) {
    find();
    pthread_mutex_lock(&lock);
    int result = lies ? 0 : real_fdatasync(fd);
    if (result == 0 && !lies) forget(fd);
    pthread_mutex_unlock(&lock);
    return result;
}
