/*
 * The load client of the path benches: many streams of Server-Sent Events on one thread, one epoll loop.
 *
 *   load port=N streams=N seconds-max=N [target=/path?query | plan=FILE cycle=N] [events=N] [idle-seconds=N] [ready-by=frame|comment]
 *        [opening=N] [grain=N] [arrivals=FILE]
 *
 * Opens <streams> connections one after another's connect, waits until each is ready, then counts until every stream had its storage
 * events. With events=0 it only holds the streams open, for <idle-seconds>. A stream is ready at its frame `event: ready`, or, with
 * ready-by=comment, at its first comment: nchan sends `: hi` and no frame. At most <opening> streams (0: all) wait for that at a time.
 *
 * Each storage event must end in   "t":"IIIIIIIII.NNNNNNNNNNNNNNNNNNN"}}\n\n   where I is its index (9 digits, from 0) and N the time it
 * was due (CLOCK_MONOTONIC, nanoseconds, 19 digits). A stream is owed the indexes below <events>, all of them, or those that its line of
 * the plan says: `<mask> <target>`, index I is owed when bit I mod <cycle> of the mask (decimal) is set. They must come in order: one
 * that is passed over is lost, one again is duplicated, one that was not owed is stray. The latency goes into log buckets (128 to the
 * octave, so 0.8 % wide), from 1 us up; <arrivals> gets each delivery's index and latency in 100 ns, two 32-bit numbers.
 *
 * Standard output, a line each:
 *   ready                 all streams have their `ready`; sent before the first event is expected
 *   at <n>                n times <grain> events have been received over all streams; whenever n rises. Grain is <streams> unless said.
 *   done {json}           counts, times, CPU and histogram; then it ends
 * Exit code 0; 1 when a connection fails or is not a 200; the counts say whether the run is void.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, LINE_BYTES_MAX = 1 << 17, EVENTS_A_POLL = 256, BUCKETS_AN_OCTAVE = 128, BUCKETS = 128 * 40 };
enum { INDEX_DIGITS = 9, TIME_DIGITS = 19, TAIL_BYTES = INDEX_DIGITS + 1 + TIME_DIGITS + 5 };

/* Where a stream stands between two reads. */
enum stage { HEAD, CHUNK_SIZE, CHUNK, CHUNK_END, WHOLE };

struct stream {
  int fd;
  enum stage stage;
  uint32_t chunk_left;  /* bytes of the chunk not yet read, or its size so far while CHUNK_SIZE */
  uint32_t held;        /* bytes of an unfinished frame (or head) in `rest` */
  uint32_t rest_size;
  int ready;
  uint64_t mask;        /* of the indexes that it is owed, modulo `cycle` */
  uint64_t next;        /* the index that must come next */
  char *target;
  char *rest;
};

static struct {
  uint64_t bytes, frames, lost, duplicated, stray, controls, reads, broken;
  uint64_t first_ns, last_ns;
} total;
static uint64_t histogram[BUCKETS];
static uint64_t latency_max_ns, latency_count;
static uint64_t streams, events_wanted, owed, cycle = 1, ready_count, complete_count, announced;
/* Index and latency of each delivery so far, when somebody wants them. */
static uint32_t *arrivals;
static uint64_t now_ns;
static int ready_by_comment;

static uint64_t monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Buckets are linear within an octave: value 2^k .. 2^(k+1) in 128 steps, of microsecond/128 units. */
static unsigned bucket_of(uint64_t ns) {
  uint64_t units = ns * BUCKETS_AN_OCTAVE / 1000;
  if (units < BUCKETS_AN_OCTAVE) return (unsigned)units;
  unsigned octave = 63 - (unsigned)__builtin_clzll(units);
  unsigned bucket = (octave - 6) * BUCKETS_AN_OCTAVE + (unsigned)((units >> (octave - 7)) - BUCKETS_AN_OCTAVE);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The upper edge of a bucket, so that a percentile is never flattered. */
static double bucket_top_us(unsigned bucket) {
  if (bucket < BUCKETS_AN_OCTAVE) return (bucket + 1.0) / BUCKETS_AN_OCTAVE;
  unsigned octave = bucket / BUCKETS_AN_OCTAVE + 6, step = bucket % BUCKETS_AN_OCTAVE;
  return (double)((uint64_t)(step + 1 + BUCKETS_AN_OCTAVE) << (octave - 7)) / BUCKETS_AN_OCTAVE;
}

static uint64_t number(const char *from, int digits) {
  uint64_t value = 0;
  for (int i = 0; i < digits; i++) value = value * 10 + (uint64_t)(from[i] - '0');
  return value;
}

/* Does a frame have this line `event:`? In its first line or a later one, with a space behind the colon or without: the peers differ. */
static int is_event(const char *frame, size_t length, const char *name) {
  const char *field = frame;
  size_t name_length = strlen(name);
  while (length >= 6 && memcmp(field, "event:", 6) != 0) {
    const char *end = memchr(field, '\n', length);
    if (end == NULL) return 0;
    length -= (size_t)(end + 1 - field);
    field = end + 1;
  }
  if (length < 7 + name_length) return 0;
  field += field[6] == ' ' ? 7 : 6;
  return memcmp(field, name, name_length) == 0 && field[name_length] == '\n';
}

static int owes(const struct stream *s, uint64_t index) { return (int)(s->mask >> (index % cycle) & 1); }

static uint64_t next_owed(const struct stream *s, uint64_t index) {
  while (index < events_wanted && !owes(s, index)) index++;
  return index;
}

static void take_frame(struct stream *s, const char *frame, size_t length) {
  if (length < TAIL_BYTES || !is_event(frame, length, "storage.object.created")) {
    total.controls++;
    if (!s->ready && is_event(frame, length, "ready")) {
      s->ready = 1;
      ready_count++;
    }
    return;
  }
  const char *tail = frame + length - TAIL_BYTES;
  uint64_t index = number(tail, INDEX_DIGITS), due_ns = number(tail + INDEX_DIGITS + 1, TIME_DIGITS);
  if (total.frames++ == 0) total.first_ns = now_ns;
  if (index >= events_wanted || !owes(s, index)) {
    total.stray++;
    return;
  }
  if (index < s->next) total.duplicated++;
  else {
    for (; s->next < index; s->next = next_owed(s, s->next + 1)) total.lost++;
    s->next = next_owed(s, index + 1);
    if (s->next >= events_wanted) complete_count++;
  }
  uint64_t latency = now_ns > due_ns ? now_ns - due_ns : 0;
  if (arrivals != NULL && latency_count < owed) {
    arrivals[2 * latency_count] = (uint32_t)index;
    arrivals[2 * latency_count + 1] = (uint32_t)(latency / 100);
  }
  histogram[bucket_of(latency)]++;
  latency_count++;
  if (latency > latency_max_ns) latency_max_ns = latency;
}

static void hold(struct stream *s, const char *bytes, size_t length) {
  if (length == 0) return;
  if (s->held + length > LINE_BYTES_MAX) { fprintf(stderr, "load: a frame beyond %d bytes\n", LINE_BYTES_MAX); exit(1); }
  if (s->held + length > s->rest_size) {
    s->rest_size = (uint32_t)(s->held + length) * 2;
    s->rest = realloc(s->rest, s->rest_size);
  }
  memcpy(s->rest + s->held, bytes, length);
  s->held += (uint32_t)length;
}

/* Frames end with an empty line; a comment line (the heartbeat) may stand before one. Answers the bytes that were whole frames. */
static size_t take_frames(struct stream *s, const char *bytes, size_t length) {
  size_t done = 0;
  while (done < length) {
    if (bytes[done] == ':') {
      const char *end = memchr(bytes + done, '\n', length - done);
      if (end == NULL) return done;
      done = (size_t)(end - bytes) + 1;
      if (ready_by_comment && !s->ready) {
        s->ready = 1;
        ready_count++;
      }
      continue;
    }
    size_t at = done;
    for (;;) {
      const char *line = memchr(bytes + at, '\n', length - at);
      if (line == NULL || (size_t)(line - bytes) + 1 >= length) return done;
      at = (size_t)(line - bytes) + 1;
      if (bytes[at] == '\n') break;
    }
    take_frame(s, bytes + done, at + 1 - done);
    done = at + 1;
  }
  return done;
}

static void take_body(struct stream *s, const char *bytes, size_t length) {
  if (s->held > 0) {
    /* Only what ends the held frame, so that the rest is read in place. */
    size_t before = s->held;
    size_t more = length < 4096 ? length : 4096;
    hold(s, bytes, more);
    size_t done = take_frames(s, s->rest, s->held);
    if (done == 0) {
      bytes += more; length -= more;
      if (length > 0) take_body(s, bytes, length);
      return;
    }
    s->held = 0;
    bytes += done - before;
    length -= done - before;
  }
  size_t done = take_frames(s, bytes, length);
  hold(s, bytes + done, length - done);
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void take(struct stream *s, const char *bytes, size_t length) {
  while (length > 0) {
    switch (s->stage) {
    case HEAD: {
      hold(s, bytes, length);
      char *end = memmem(s->rest, s->held, "\r\n\r\n", 4);
      if (end == NULL) return;
      if (memcmp(s->rest, "HTTP/1.1 200", 12) != 0) { fprintf(stderr, "load: answered %.*s\n", 60, s->rest); exit(1); }
      size_t left = s->held - (size_t)(end + 4 - s->rest);
      bytes += length - left;
      length = left;
      s->held = 0;
      /* nchan sends the body as it is, up to the end of the connection. */
      *end = 0;
      s->stage = strcasestr(s->rest, "\ntransfer-encoding: chunked") == NULL ? WHOLE : CHUNK_SIZE;
      s->chunk_left = 0;
      break;
    }
    case CHUNK_SIZE:
      if (*bytes == '\n') s->stage = s->chunk_left > 0 ? CHUNK : CHUNK_SIZE;
      else if (hex(*bytes) >= 0) s->chunk_left = s->chunk_left * 16 + (uint32_t)hex(*bytes);
      bytes++; length--;
      break;
    case CHUNK: {
      size_t now = length < s->chunk_left ? length : s->chunk_left;
      take_body(s, bytes, now);
      bytes += now; length -= now;
      s->chunk_left -= (uint32_t)now;
      if (s->chunk_left == 0) s->stage = CHUNK_END;
      break;
    }
    case WHOLE:
      take_body(s, bytes, length);
      return;
    case CHUNK_END:
      if (*bytes == '\n') { s->stage = CHUNK_SIZE; s->chunk_left = 0; }
      bytes++; length--;
      break;
    }
  }
}

static int open_stream(struct stream *s, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (s->fd < 0) fail("socket");
  if (connect(s->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  char request[65536];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n", s->target, port);
  if (send(s->fd, request, (size_t)length, 0) != length) fail("send");
  fcntl(s->fd, F_SETFL, O_NONBLOCK);
  return s->fd;
}

static void report(double connect_ms) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  double cpu = (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6 + (double)use.ru_stime.tv_sec + (double)use.ru_stime.tv_usec / 1e6;
  printf("done {\"frames\":%lu,\"owed\":%lu,\"bytes\":%lu,\"reads\":%lu,\"lost\":%lu,\"duplicated\":%lu,\"stray\":%lu,\"broken\":%lu,\"complete\":%lu,"
         "\"seconds\":%.6f,\"connectMs\":%.3f,\"cpuSeconds\":%.6f,\"latencyMaxUs\":%.1f,\"histogram\":[",
         total.frames, owed, total.bytes, total.reads, total.lost, total.duplicated, total.stray, total.broken, complete_count,
         total.frames == 0 ? 0.0 : (double)(total.last_ns - total.first_ns) / 1e9, connect_ms, cpu, (double)latency_max_ns / 1e3);
  const char *comma = "";
  for (unsigned b = 0; b < BUCKETS; b++) {
    if (histogram[b] == 0) continue;
    printf("%s[%.3f,%lu]", comma, bucket_top_us(b), histogram[b]);
    comma = ",";
  }
  printf("]}\n");
  fflush(stdout);
}

/* The value of `name=value` among the words; `otherwise` when it is not there. */
static const char *word(char **words, const char *name, const char *otherwise) {
  size_t length = strlen(name);
  for (char **at = words + 1; *at != NULL; at++)
    if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
  return otherwise;
}

static uint64_t numeric(char **words, const char *name, const char *otherwise) {
  return strtoull(word(words, name, otherwise), NULL, 10);
}

/* What each stream asks for and is owed. */
static struct stream *planned(char **words) {
  struct stream *all = calloc(streams, sizeof *all);
  const char *plan = word(words, "plan", NULL);
  FILE *lines = plan == NULL ? NULL : fopen(plan, "r");
  if (plan != NULL && lines == NULL) fail(plan);
  for (uint64_t i = 0; i < streams; i++) {
    all[i].mask = 1;
    all[i].target = strdup(word(words, "target", "/"));
    if (lines != NULL && fscanf(lines, "%lu %ms", &all[i].mask, &all[i].target) != 2) fail("the plan has too few lines");
    all[i].next = next_owed(&all[i], 0);
    for (uint64_t index = all[i].next; index < events_wanted; index = next_owed(&all[i], index + 1)) owed++;
  }
  if (lines != NULL) fclose(lines);
  return all;
}

static void write_arrivals(const char *file) {
  FILE *out = fopen(file, "w");
  if (out == NULL) fail(file);
  fwrite(arrivals, 8, latency_count < owed ? latency_count : owed, out);
  fclose(out);
}

int main(int count, char **words) {
  if (count < 4) { fprintf(stderr, "load port=N streams=N seconds-max=N …\n"); return 2; }
  int port = (int)numeric(words, "port", "0");
  streams = numeric(words, "streams", "0");
  events_wanted = numeric(words, "events", "0");
  cycle = numeric(words, "cycle", "1");
  uint64_t opening = numeric(words, "opening", "0"), grain = numeric(words, "grain", "0");
  if (grain == 0) grain = streams;
  double idle_seconds = atof(word(words, "idle-seconds", "0")), seconds_max = atof(word(words, "seconds-max", "60"));
  ready_by_comment = strcmp(word(words, "ready-by", "frame"), "comment") == 0;
  const char *arrivals_file = word(words, "arrivals", NULL);
  struct rlimit files = {streams + 64, streams + 64};
  setrlimit(RLIMIT_NOFILE, &files);
  setvbuf(stdout, NULL, _IOLBF, 1 << 16);
  struct stream *all = planned(words);
  if (arrivals_file != NULL) arrivals = calloc(owed, 8);
  char *buffer = malloc(READ_BYTES);
  int poll = epoll_create1(0);
  struct epoll_event happened[EVENTS_A_POLL];
  uint64_t start_ns = monotonic_ns(), ready_ns = 0, over_ns = 0;
  uint64_t opened = 0;
  for (;;) {
    /* A few at a time, so that no server's accept queue overflows, reading what has come in between. */
    for (int burst = 0; burst < 64 && opened < streams && (opening == 0 || opened - ready_count < opening); burst++, opened++) {
      struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &all[opened]};
      open_stream(&all[opened], port);
      epoll_ctl(poll, EPOLL_CTL_ADD, all[opened].fd, &wanted);
    }
    int n = epoll_wait(poll, happened, EVENTS_A_POLL, opened < streams ? 0 : 20);
    now_ns = monotonic_ns();
    for (int i = 0; i < n; i++) {
      struct stream *s = happened[i].data.ptr;
      ssize_t got = recv(s->fd, buffer, READ_BYTES, 0);
      if (got > 0) {
        /* The time of the read, not of the poll: it is what the reader of the socket would see. */
        now_ns = monotonic_ns();
        total.bytes += (uint64_t)got;
        total.reads++;
        take(s, buffer, (size_t)got);
        total.last_ns = now_ns;
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        total.broken++;
        epoll_ctl(poll, EPOLL_CTL_DEL, s->fd, NULL);
      }
    }
    if (ready_ns == 0 && ready_count == streams) {
      ready_ns = now_ns;
      printf("ready\n");
    }
    uint64_t at = total.frames / grain;
    if (at > announced) {
      announced = at;
      printf("at %lu\n", at);
    }
    if (events_wanted > 0 && complete_count == streams && over_ns == 0) over_ns = now_ns;
    if (events_wanted == 0 && ready_ns != 0 && (double)(now_ns - ready_ns) / 1e9 > idle_seconds) break;
    /* A little longer than needed: what comes twice comes late. */
    if (over_ns != 0 && now_ns - over_ns > 200000000ull) break;
    if ((double)(now_ns - start_ns) / 1e9 > seconds_max) break;
    if (total.broken > 0) break;
  }
  if (over_ns != 0 && total.last_ns > over_ns) total.last_ns = over_ns;
  if (arrivals_file != NULL) write_arrivals(arrivals_file);
  report((double)(ready_ns - start_ns) / 1e6);
  return 0;
}
