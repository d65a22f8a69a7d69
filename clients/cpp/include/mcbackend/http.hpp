/// @file
/// A backend in front of a server of McBackend Edge.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "interfaces.hpp"

namespace mcbackend {

/// Times of uploads. Appended draws are sent as soon as one of `count`, `bytes` and `interval` is met.
struct FlushOptions {
  /// Draws of a chain that start an upload.
  std::size_t count = 1000;
  /// Bytes of draws of a chain that start an upload.
  std::size_t bytes = std::size_t{1} << 20;
  /// Time that a draw waits for company at most.
  std::chrono::milliseconds interval{1000};
  /// Bytes of draws of a chain that may wait for their acknowledgement. It is looked at before a draw is taken.
  std::size_t max_buffered = std::size_t{32} << 20;
  /// Bytes of draws that one request aims at. A request that the server refuses as too large (64 MiB, or its limit for
  /// a tenant), or that has not left within RetryOptions::timeout, is sent in halves. Later ones are smaller, and grow
  /// again as they are taken.
  std::size_t max_request = std::size_t{8} << 20;
};

/// Retries after failures that may pass: no network, no answer in time, 408, 429, 502, 503, 504, a page of a proxy.
struct RetryOptions {
  /// Time after the first failure within which another attempt may begin; 0 never retries, a negative one never gives
  /// up. It is 10 s at most until a server has answered this backend for the first time, so that a wrong address is
  /// told soon.
  std::chrono::milliseconds limit{300'000};
  /// First pause at most; each further one has twice as much (full jitter).
  std::chrono::milliseconds base{250};
  /// Any pause at most, unless the server's Retry-After says more.
  std::chrono::milliseconds cap{15'000};
  /// Time until one attempt, answer included, is given up.
  std::chrono::milliseconds timeout{120'000};
  /// Time until a connection is there.
  std::chrono::milliseconds connect_timeout{10'000};
};

/// Proof that the server is the right one. Files are PEM.
struct TlsOptions {
  /// Certificates of authorities instead of the system's.
  std::string ca_file;
  /// Certificate by which the server knows this client, for servers that ask.
  std::string client_certificate;
  /// Its private key.
  std::string client_key;
  /// False takes any certificate: for tests alone.
  bool verify = true;
};

/// libcurl reads http_proxy, https_proxy and no_proxy where `url` is empty.
struct ProxyOptions {
  /// Address of the proxy: "http://proxy:3128".
  std::string url;
  /// "name:password".
  std::string credentials;
  /// Hosts that are asked directly, with commas between them; "*" for all.
  std::string no_proxy;
};

/// Behaviour of `append` while `max_buffered` bytes wait.
enum class WhenFull {
  /// Waits for room: the sampler waits for the server.
  block,
  /// Refuses the draw with Error buffer_full and keeps nothing of it, so that the caller may append it again.
  fail
};

/// The server, and how the backend deals with it.
struct HttpOptions {
  /// Address of the server without /v1: "http://127.0.0.1:8787".
  std::string url;
  /// Sent as Authorization: Bearer. Empty: none.
  std::string token;
  /// Times of uploads.
  FlushOptions flush{};
  /// Failures that may pass.
  RetryOptions retry{};
  /// Certificates.
  TlsOptions tls{};
  /// A proxy between, if there is one.
  ProxyOptions proxy{};
  /// Behaviour of `append` while the buffer of its chain is full.
  WhenFull when_full = WhenFull::block;
  /// Told when the server cannot be reached, when it answers again, and of draws and facts that are lost. Called by one
  /// thread at a time: the sending one, or one that waits for an answer. It must not call the backend.
  // NOLINTNEXTLINE(readability-redundant-member-init): without braces, compilers warn of {url, token}.
  std::function<void(const std::string&)> log{};

  /// `url` and `token` from MCB_URL and MCB_TOKEN. @throws Error invalid_parameter without MCB_URL
  static HttpOptions from_environment();
};

/// A backend in front of a server.
///
/// Sending: all chains of a backend share one thread, which sends and keeps a connection a chain. Draws wait in memory
/// while the server is away. An appended draw is durable when flush(), close(), length() or a read of its chain has
/// returned; when the last handle of a backend, its runs and chains is gone, what waits is sent for at most
/// `retry.timeout`, and a loss is told to `log` alone.
///
/// Failures: those that may pass are tried again as `retry` says. After any other, or when the time is over, every call
/// of the chain throws the failure; its draws stay in memory, writer_status() counts them, and resume() tries again.
/// Facts are another matter: where they fail, flush() or close() throws it once, and draws go on.
///
/// Threads: handles may be used from any thread, and chains from one each at the same time. One chain is appended to by
/// one thread at a time. Reads, and calls that wait for an answer, send from the thread that calls.
///
/// Memory: each chain holds at most `flush.max_buffered` bytes of draws and one draw more, the request under way among
/// them. Buffers grow by doubling and emptied ones are kept: two, or one where `flush.max_request` is more than a
/// quarter of `flush.max_buffered`. Memory may so be three times as much; reads take what their result has, and a page
/// of about 16 MiB.
///
/// Processes: a child of fork() must not use, and not end, what was made before it: make backends after fork(), or end
/// by _exit().
/// @throws Error invalid_parameter for options that cannot be
std::shared_ptr<Backend> http_backend(HttpOptions options);

/// State of what a handle has appended.
struct WriterStatus {
  /// Index behind the last draw that the server has acknowledged to this handle.
  std::uint64_t acknowledged = 0;
  /// Index behind the last draw that was appended. Those between are kept until they are acknowledged.
  std::uint64_t appended = 0;
  /// Bytes that count against `flush.max_buffered`.
  std::size_t waiting_bytes = 0;
  /// The reason for which nothing is sent any more.
  std::optional<Error> failure;
};

/// Waits for nothing. @throws Error invalid_parameter for a chain of another backend
WriterStatus writer_status(const Chain& chain);

/// Forgets the failure of a chain and sends again what was kept; flush() tells how that went.
/// @throws Error invalid_parameter for a chain of another backend
void resume(Chain& chain);

}  // namespace mcbackend
