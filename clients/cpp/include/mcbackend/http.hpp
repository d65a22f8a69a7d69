/// @file
/// A backend in front of a server of McBackend Edge.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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
  /// Bytes of draws of a chain that may wait for their acknowledgement.
  std::size_t max_buffered = std::size_t{32} << 20;
  /// Bytes of draws that one request aims at; a server refuses bodies beyond its limit (64 MiB).
  std::size_t max_request = std::size_t{8} << 20;
};

/// Retries after failures that may pass: no network, no answer in time, 408, 429, 502, 503, 504, a page of a proxy.
struct RetryOptions {
  /// Time after the first failure within which another attempt may begin; 0 never retries, a negative one never gives up.
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
  std::string client_certificate, client_key;
  /// False takes any certificate: for tests alone.
  bool verify = true;
};

/// libcurl reads http_proxy, https_proxy and no_proxy where `url` is empty.
struct ProxyOptions {
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

struct HttpOptions {
  /// Address of the server without /v1: "http://127.0.0.1:8787".
  std::string url;
  /// Sent as Authorization: Bearer. Empty: none.
  std::string token;
  FlushOptions flush{};
  RetryOptions retry{};
  TlsOptions tls{};
  ProxyOptions proxy{};
  WhenFull when_full = WhenFull::block;
  /// Told of outages and recoveries, once each. Called from the sending thread.
  std::function<void(const std::string&)> log{};

  /// `url` and `token` from MCB_URL and MCB_TOKEN. @throws Error invalid_parameter without MCB_URL
  static HttpOptions from_environment();
};

/// All chains of a backend share one thread, which sends. Draws wait in memory while the server is away. When the last handle of a backend,
/// its runs and chains is gone, what waits is sent for at most `retry.timeout`; only flush() and close() tell whether all is stored.
/// @throws Error invalid_parameter for options that cannot be
std::shared_ptr<Backend> http_backend(HttpOptions options);

}  // namespace mcbackend
