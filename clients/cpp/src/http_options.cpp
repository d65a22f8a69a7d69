#include "http_options.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

namespace mcbackend {
namespace http {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error("invalid_parameter", why); }

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

bool starts_with(std::string_view text, std::string_view with) noexcept { return text.substr(0, with.size()) == with; }

void check_url(std::string& url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  const std::size_t scheme = url.find("://") + 3;
  if (!(starts_with(url, "http://") || starts_with(url, "https://")) || url.size() == scheme) {
    refuse("HttpOptions::url is an address that begins with http:// or https://, not \"" + url + '"');
  }
  const auto host = std::string_view(url).substr(scheme, url.find('/', scheme) - scheme);
  if (host.find('@') != std::string_view::npos) {
    refuse("HttpOptions::url must not have a name or password; the key goes into HttpOptions::token");
  }
  if (has_control(url) || url.find_first_of(" ?#") != std::string::npos) {
    refuse("HttpOptions::url must have no spaces, query or fragment");
  }
}

void check_file(const std::string& path, const char* option) {
  if (path.empty()) return;
  if (!std::ifstream(path).good()) refuse(std::string("TlsOptions::") + option + ": " + path + " cannot be read");
}

void check_tls(const TlsOptions& tls) {
  check_file(tls.ca_file, "ca_file");
  check_file(tls.client_certificate, "client_certificate");
  check_file(tls.client_key, "client_key");
  if (!tls.client_key.empty() && tls.client_certificate.empty()) {
    refuse("TlsOptions::client_key needs TlsOptions::client_certificate");
  }
}

void check_flush(const FlushOptions& flush) {
  if (flush.count == 0) refuse("FlushOptions::count is at least 1");
  if (flush.bytes == 0) refuse("FlushOptions::bytes is at least 1");
  if (flush.interval.count() < 0) refuse("FlushOptions::interval is not negative");
  if (flush.max_buffered == 0) refuse("FlushOptions::max_buffered is at least 1");
  if (flush.max_request == 0) refuse("FlushOptions::max_request is at least 1");
}

void check_retry(const RetryOptions& retry) {
  if (retry.base.count() < 0) refuse("RetryOptions::base is not negative");
  if (retry.cap.count() < 0) refuse("RetryOptions::cap is not negative");
  if (retry.timeout.count() <= 0) refuse("RetryOptions::timeout is positive");
  if (retry.connect_timeout.count() <= 0) refuse("RetryOptions::connect_timeout is positive");
}

/// A year for what is longer, so that no sum of times overflows.
void bound(std::chrono::milliseconds& time) noexcept {
  time = std::min<std::chrono::milliseconds>(time, std::chrono::hours(24 * 365));
}

}  // namespace

HttpOptions checked(HttpOptions options) {
  check_url(options.url);
  // The text of the error must not have the key.
  if (has_control(options.token)) refuse("HttpOptions::token has characters that cannot stand in a header");
  check_flush(options.flush);
  check_retry(options.retry);
  for (auto* time : {&options.flush.interval, &options.retry.limit, &options.retry.base, &options.retry.cap,
                     &options.retry.timeout, &options.retry.connect_timeout}) {
    bound(*time);
  }
  check_tls(options.tls);
  if (has_control(options.proxy.url)) refuse("ProxyOptions::url has characters that an address cannot have");
  return options;
}

long to_curl(std::chrono::milliseconds time) noexcept {
  const auto most = static_cast<std::chrono::milliseconds::rep>(std::numeric_limits<std::int32_t>::max());
  return static_cast<long>(std::clamp<std::chrono::milliseconds::rep>(time.count(), 1, most));
}

}  // namespace http

HttpOptions HttpOptions::from_environment() {
  const char* url = std::getenv("MCB_URL");  // NOLINT(concurrency-mt-unsafe): threads may read at the same time
  if (url == nullptr || *url == '\0') {
    throw Error("invalid_parameter", "MCB_URL is not set; it is the address of a server, as http://127.0.0.1:8787");
  }
  HttpOptions options;
  options.url = url;
  const char* token = std::getenv("MCB_TOKEN");  // NOLINT(concurrency-mt-unsafe)
  if (token != nullptr) options.token = token;
  return options;
}

}  // namespace mcbackend
