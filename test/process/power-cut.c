// Loaded into a process with LD_PRELOAD: a disk whose cache is lost when the power goes.
//
// What is written below POWER_CUT_DIR is remembered as it was before, until a sync of that file (names: a sync of their directory).
// At the POWER_CUT_AFTERth change a random part of what is not synced is undone, in sectors of 512 bytes, and the process ends with
// code 77. A sector keeps some prefix of the writes it got: a newer write never survives an older one of the same bytes.
// SYNC_FAILS_AT=n lets the nth sync of the file SYNC_FAILS_OF fail with EIO; later ones, of any file, say that all is well and sync
// nothing, and what was lost by that is undone when the process ends. Chance comes from POWER_CUT_SEED alone.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, CHANGES_MAX = 1 << 20, CODE_CUT = 77 };
enum kind { WRITE, TRUNCATE, CREATE, UNLINK, RENAME };

struct change {
  enum kind kind;
  ino_t file;
  off_t offset, length, size_before; // WRITE, TRUNCATE: bytes before.. are those of [offset, offset + length)
  unsigned char *before, *kept;      // kept: one flag per sector that survives, of this change
  char *path, *other;                // UNLINK, RENAME: `other` still has what was at the name
};

static struct change changes[CHANGES_MAX];
static size_t change_count;
static long operations, cut_after, syncs, sync_fails_at;
static int sync_failed;
static uint64_t chance;
static char directory[4096], failing_file[256];
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long number_of(const char *name) { const char *text = getenv(name); return text ? atol(text) : 0; }

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("POWER_CUT_DIR");
  if (text) snprintf(directory, sizeof directory, "%s/", text);
  cut_after = number_of("POWER_CUT_AFTER");
  sync_fails_at = number_of("SYNC_FAILS_AT");
  if ((text = getenv("SYNC_FAILS_OF"))) snprintf(failing_file, sizeof failing_file, "/%s", text);
  chance = (uint64_t)number_of("POWER_CUT_SEED") * 0x9e3779b97f4a7c15ULL + 1;
}

static unsigned one_in(unsigned n) { // xorshift64*
  chance ^= chance >> 12; chance ^= chance << 25; chance ^= chance >> 27;
  return (unsigned)((chance * 0x2545f4914f6cdd1dULL) >> 33) % n == 0;
}

static int ours(const char *path) {
  size_t length = strlen(path);
  return directory[0] && strncmp(path, directory, strlen(directory)) == 0 && !strstr(path, "/.cut-")
    && !(length > 4 && strcmp(path + length - 4, "-shm") == 0); // the index of the log: rebuilt, never trusted
}

static int is_failing(const char *path) {
  size_t length = strlen(path), tail = strlen(failing_file);
  return sync_fails_at && length > tail && strcmp(path + length - tail, failing_file) == 0;
}

static int name_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, 4095);
  path[length < 0 ? 0 : length] = 0;
  return ours(path);
}

static void put_back(struct change *c) {
  struct stat now;
  if (c->kind == CREATE) { if (one_in(2)) REAL(unlink)(c->path); return; }
  if (c->kind == UNLINK || c->kind == RENAME) { // undone only while the name is free
    if (one_in(2) && stat(c->path, &now) != 0) REAL(rename)(c->other, c->path);
    return;
  }
  int fd = REAL(open64)(c->path, O_RDWR);
  if (fd < 0) return;
  if (fstat(fd, &now) == 0 && now.st_ino == c->file) {
    int whole = c->kind == TRUNCATE ? (int)one_in(2) : -1; // a length changes or it does not; bytes tear
    if (whole == 0) memset(c->kept, 1, (size_t)(c->length / SECTOR + 2));
    for (off_t at = c->offset; whole != 0 && at < c->offset + c->length;) {
      off_t sector = at / SECTOR, end = (sector + 1) * SECTOR;
      if (end > c->offset + c->length) end = c->offset + c->length;
      int survives = 0; // what a newer change kept, this one keeps too
      for (size_t i = (size_t)(c - changes) + 1; i < change_count && !survives; i++)
        if (changes[i].kept && changes[i].file == c->file && sector >= changes[i].offset / SECTOR
            && sector <= (changes[i].offset + changes[i].length - 1) / SECTOR)
          survives = changes[i].kept[sector - changes[i].offset / SECTOR];
      if (!survives && whole < 0 && one_in(2)) survives = 1;
      if (survives && c->kept) c->kept[sector - c->offset / SECTOR] = 1;
      if (!survives) (void)!REAL(pwrite64)(fd, c->before + (at - c->offset), (size_t)(end - at), at);
      at = end;
    }
    int grown_back = c->kind == WRITE && c->size_before < c->offset + c->length && !memchr(c->kept, 1, (size_t)(c->length / SECTOR + 2));
    if (grown_back && now.st_size == c->offset + c->length && one_in(2)) (void)!REAL(ftruncate64)(fd, c->size_before);
  }
  close(fd);
}

static void lose_what_is_not_synced(void) {
  for (size_t i = change_count; i-- > 0;) put_back(&changes[i]);
  change_count = 0;
}

static void count_operation(void) {
  if (cut_after && ++operations == cut_after) { lose_what_is_not_synced(); _exit(CODE_CUT); }
}

__attribute__((destructor)) static void finish(void) { if (sync_failed) lose_what_is_not_synced(); }

static struct change *note(enum kind kind, const char *path, ino_t file) {
  if (change_count == CHANGES_MAX) abort();
  struct change *c = &changes[change_count++];
  memset(c, 0, sizeof *c);
  c->kind = kind; c->file = file; c->path = strdup(path);
  return c;
}

static void note_bytes(enum kind kind, int fd, const char *path, off_t offset, off_t length) {
  struct stat now;
  if (length <= 0 || fstat(fd, &now) != 0) return;
  struct change *c = note(kind, path, now.st_ino);
  c->offset = offset; c->length = length; c->size_before = now.st_size;
  c->before = calloc(1, (size_t)length); // beyond the end: zeros
  c->kept = calloc(1, (size_t)(length / SECTOR + 2));
  (void)!pread64(fd, c->before, (size_t)length, offset);
}

static void forget(int (*gone)(const struct change *, const void *), const void *which) {
  size_t left = 0;
  for (size_t i = 0; i < change_count; i++) {
    if (!gone(&changes[i], which)) { changes[left++] = changes[i]; continue; }
    if (changes[i].other) REAL(unlink)(changes[i].other);
    free(changes[i].before); free(changes[i].kept); free(changes[i].path); free(changes[i].other);
  }
  change_count = left;
}

static int of_file(const struct change *c, const void *file) { return c->kind <= TRUNCATE && c->file == *(const ino_t *)file; }
static int of_names(const struct change *c, const void *path) {
  size_t length = strlen(path);
  return c->kind > TRUNCATE && strncmp(c->path, path, length) == 0 && !strchr(c->path + length + 1, '/');
}

static int sync_file(int fd) {
  char path[4096];
  struct stat now;
  int result = 0;
  if (!directory[0] || fstat(fd, &now) != 0) return 0;
  name_of(fd, path);
  pthread_mutex_lock(&lock);
  if (S_ISDIR(now.st_mode)) forget(of_names, path);
  else if (ours(path)) {
    count_operation();
    if (is_failing(path) && ++syncs == sync_fails_at) { sync_failed = 1; errno = EIO; result = -1; }
    else if (!sync_failed) forget(of_file, &now.st_ino);
  }
  pthread_mutex_unlock(&lock);
  return result;
}
int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  char path[4096];
  pthread_mutex_lock(&lock);
  if (name_of(fd, path)) { count_operation(); note_bytes(WRITE, fd, path, offset, (off_t)length); }
  ssize_t result = REAL(pwrite64)(fd, bytes, length, offset);
  pthread_mutex_unlock(&lock);
  return result;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

int ftruncate64(int fd, off64_t length) {
  char path[4096];
  struct stat now;
  pthread_mutex_lock(&lock);
  if (name_of(fd, path) && fstat(fd, &now) == 0) { count_operation(); note_bytes(TRUNCATE, fd, path, length, now.st_size - length); }
  int result = REAL(ftruncate64)(fd, length);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int open_file(const char *path, int flags, mode_t mode) {
  struct stat now;
  pthread_mutex_lock(&lock);
  int created = (flags & O_CREAT) && ours(path) && stat(path, &now) != 0;
  int fd = REAL(open64)(path, flags, mode);
  if (created && fd >= 0) { count_operation(); note(CREATE, path, 0); }
  pthread_mutex_unlock(&lock);
  return fd;
}
int open64(const char *path, int flags, ...) {
  va_list rest; va_start(rest, flags); mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; va_end(rest);
  return open_file(path, flags, mode);
}
int open(const char *path, int flags, ...) {
  va_list rest; va_start(rest, flags); mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; va_end(rest);
  return open_file(path, flags, mode);
}

// The old content of a name stays reachable by a second link until the directory is synced.
static void note_name(enum kind kind, const char *path) {
  static int backups;
  char other[4200];
  snprintf(other, sizeof other, "%s.cut-%d-%d", directory, getpid(), backups++);
  if (link(path, other) == 0) note(kind, path, 0)->other = strdup(other);
}
int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  if (ours(path)) { count_operation(); note_name(UNLINK, path); }
  int result = REAL(unlink)(path);
  pthread_mutex_unlock(&lock);
  return result;
}
int rename(const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  if (ours(to)) { count_operation(); note_name(RENAME, from); }
  int result = REAL(rename)(from, to);
  pthread_mutex_unlock(&lock);
  return result;
}
