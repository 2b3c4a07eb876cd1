/*
 * The physical limit of the fan-out: one thread that does nothing but send() finished frames out of memory to every stream. No library, no JavaScript.
 *
 *   raw-send          prints `rivulet ready port=<n>`, accepts streams until a command comes, then reads commands from standard input:
 *     saturated <events> <events a write>    as fast as send() takes them; a fraction is met on average (2.5: two, three, two, ...)
 *     paced <events> <events a second>       one by one, each to every stream when it is due
 *
 * Between two runs the streams of the last one are gone: a command drops every stream whose peer has closed. Sends block: a stream that
 * does not read holds up the rest, which a load client that keeps up never does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS_MAX = 65536, REQUEST_BYTES_MAX = 65536, EVENT_BYTES_MAX = 1024 };

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char ready_frame[] = "event: ready\ndata: {\"type\":\"ready\"}\n\n";

static int streams[STREAMS_MAX];
static size_t stream_count;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return; /* the peer has gone: the load client counts what it lacks */
    bytes += sent;
    length -= (size_t)sent;
  }
}

static void accept_stream(int listener) {
  static char request[REQUEST_BYTES_MAX];
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  size_t held = 0;
  while (held < sizeof request) {
    ssize_t got = recv(fd, request + held, sizeof request - held, 0);
    if (got <= 0) fail("recv");
    held += (size_t)got;
    if (held >= 4 && memcmp(request + held - 4, "\r\n\r\n", 4) == 0) break;
  }
  char answer[512];
  int length = snprintf(answer, sizeof answer, "%s%zx\r\n%s\r\n", head, sizeof ready_frame - 1, ready_frame);
  send_all(fd, answer, (size_t)length);
  if (stream_count == STREAMS_MAX) fail("too many streams");
  streams[stream_count++] = fd;
}

/* The streams whose peer has closed. */
static void drop_closed(void) {
  size_t kept = 0;
  for (size_t at = 0; at < stream_count; at += 1) {
    char byte;
    ssize_t got = recv(streams[at], &byte, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) streams[kept++] = streams[at];
    else close(streams[at]);
  }
  stream_count = kept;
}

/* One event of 330 bytes, as bench-event.ts makes it. */
static size_t put_event(char *out, unsigned long index, uint64_t due_ns) {
  return (size_t)sprintf(out,
    "id: 0199f7d0-0000-7000-8000-%012lx\nevent: storage.object.created\ndata: {\"id\":\"0199f7d0-0000-7000-8000-%012lx\","
    "\"type\":\"storage.object.created\",\"execution_id\":\"0190b6a2-7c1e-4f00-9a3b-000000000001\",\"stage\":\"boost\",\"path\":\"out/summary\","
    "\"time\":\"2026-11-24T14:27:48.123Z\",\"metadata\":{\"t\":\"%09lu.%019llu\"}}\n\n",
    index, index, index, (unsigned long long)due_ns);
}

/* Events first <= n < until as one chunk, sent to every stream. */
static void send_chunk(char *chunk, unsigned long first, unsigned long until, uint64_t due_ns) {
  char *body = chunk + 16;
  size_t length = 0;
  for (unsigned long index = first; index < until; index += 1) length += put_event(body + length, index, due_ns);
  char size[17];
  int size_length = snprintf(size, sizeof size, "%zx\r\n", length);
  char *start = body - size_length;
  memcpy(start, size, (size_t)size_length);
  memcpy(body + length, "\r\n", 2);
  for (size_t at = 0; at < stream_count; at += 1) send_all(streams[at], start, (size_t)size_length + length + 2);
}

static void run_saturated(unsigned long events, double per_write) {
  char *chunk = malloc(((size_t)per_write + 2) * EVENT_BYTES_MAX + 32);
  if (chunk == NULL) fail("malloc");
  unsigned long next = 0;
  for (unsigned long round = 1; next < events; round += 1) {
    unsigned long step = (unsigned long)((double)round * per_write) - (unsigned long)((double)(round - 1) * per_write);
    unsigned long until = next + (step < 1 ? 1 : step);
    if (until > events) until = events;
    send_chunk(chunk, next, until, 0);
    next = until;
  }
  free(chunk);
}

static void run_paced(unsigned long events, double per_second) {
  char chunk[EVENT_BYTES_MAX + 32];
  uint64_t period_ns = (uint64_t)(1e9 / per_second);
  uint64_t start_ns = now_ns() + period_ns;
  for (unsigned long next = 0; next < events; next += 1) {
    uint64_t due_ns = start_ns + next * period_ns;
    struct timespec due = { (time_t)(due_ns / 1000000000u), (long)(due_ns % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) continue;
    send_chunk(chunk, next, next + 1, due_ns);
  }
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  printf("rivulet ready port=%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct pollfd wait[2] = { { .fd = listener, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
    if (poll(wait, 2, -1) < 0 && errno != EINTR) fail("poll");
    if (wait[0].revents & POLLIN) accept_stream(listener);
    if (wait[1].revents == 0) continue;
    char line[128];
    unsigned long events;
    double pace;
    if (fgets(line, sizeof line, stdin) == NULL) return 0;
    drop_closed();
    if (sscanf(line, "saturated %lu %lf", &events, &pace) == 2) run_saturated(events, pace);
    else if (sscanf(line, "paced %lu %lf", &events, &pace) == 2) run_paced(events, pace);
  }
}
