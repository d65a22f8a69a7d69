#include "http_exchange.hpp"

#include <algorithm>
#include <charconv>
#include <new>

#include "http_options.hpp"
#include "http_signals.hpp"

#ifndef MCBACKEND_VERSION
#define MCBACKEND_VERSION "0.1.0"
#endif

namespace mcbackend::http {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) throw Error("transport", std::string("libcurl refuses an option: ") + curl_easy_strerror(code));
}

void set_text(CURL* easy, CURLoption option, const std::string& value) {
  if (!value.empty()) set(easy, option, value.c_str());
}

}  // namespace

void set_up_curl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (done != CURLE_OK) throw Error("transport", std::string("libcurl cannot start: ") + curl_easy_strerror(done));
}

const char* type_of(Media media) noexcept {
  switch (media) {
    case Media::json:
      return "application/json";
    case Media::protobuf:
      return "application/x-protobuf";
    case Media::none:
      break;
  }
  return "";
}

Exchange::Exchange(const HttpOptions& options) : options_(&options) {
  set_up_curl();
  easy_.reset(curl_easy_init());
  if (!easy_) throw std::bad_alloc();
}

Exchange* Exchange::of(CURL* handle) noexcept {
  char* self = nullptr;
  curl_easy_getinfo(handle, CURLINFO_PRIVATE, &self);
  return reinterpret_cast<Exchange*>(self);
}

void Exchange::prepare(const Request& request) {
  answer_ = {};
  most_ = request.most;
  body_size_ = request.body.size();
  is_too_long_ = false;
  reason_[0] = '\0';
  curl_easy_reset(easy_.get());
  set_text(easy_.get(), CURLOPT_URL, options_->url + request.path);
  set(easy_.get(), CURLOPT_CUSTOMREQUEST, request.method);
  set_headers(request);
  set_body(request);
  set_connection();
  set(easy_.get(), CURLOPT_FRESH_CONNECT, request.is_counted ? 1L : 0L);
  set(easy_.get(), CURLOPT_PRIVATE, this);
  set(easy_.get(), CURLOPT_ERRORBUFFER, reason_.data());
  set(easy_.get(), CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(easy_.get(), CURLOPT_WRITEDATA, this);
  set(easy_.get(), CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(easy_.get(), CURLOPT_HEADERDATA, this);
}

void Exchange::add_header(const std::string& line) {
  curl_slist* const shorter = headers_.release();
  curl_slist* const longer = curl_slist_append(shorter, line.c_str());
  headers_.reset(longer == nullptr ? shorter : longer);
  if (longer == nullptr) throw std::bad_alloc();
}

void Exchange::set_headers(const Request& request) {
  headers_.reset();
  // Without a round trip to ask for leave to send the body.
  add_header("Expect:");
  add_header(std::string("Accept: ") + (request.answer == Media::none ? "*/*" : type_of(request.answer)));
  if (request.sent != Media::none) add_header(std::string("Content-Type: ") + type_of(request.sent));
  if (!request.registration.empty()) add_header("Mcb-Registration: " + request.registration);
  if (!request.condition.empty()) add_header(request.condition);
  if (!options_->token.empty()) add_header("Authorization: Bearer " + options_->token);
  set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
  set(easy_.get(), CURLOPT_USERAGENT, "mcbackend-cpp/" MCBACKEND_VERSION);
}

void Exchange::set_body(const Request& request) {
  const std::string_view method = request.method;
  if (method == "GET" || method == "DELETE") return;
  set(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(easy_.get(), CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
}

void Exchange::set_connection() {
  CURL* easy = easy_.get();
  const auto& [ca_file, certificate, key, verify] = options_->tls;
  // Signals are the program's, which may have threads.
  set(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(easy, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  // A connection a chain: the large body of one holds up no other, as it would in one of HTTP/2.
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(easy, CURLOPT_TIMEOUT_MS, to_curl(options_->retry.timeout));
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, to_curl(options_->retry.connect_timeout));
  // Bodies are large: fewer calls for the same bytes.
  set(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
  set(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  set_text(easy, CURLOPT_CAINFO, ca_file);
  // The system's folder would count beside the file. TLS libraries that know no folders refuse the option.
  if (!ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  set_text(easy, CURLOPT_SSLCERT, certificate);
  set_text(easy, CURLOPT_SSLKEY, key);
  set(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  set_text(easy, CURLOPT_PROXY, options_->proxy.url);
  set_text(easy, CURLOPT_PROXYUSERPWD, options_->proxy.credentials);
  set_text(easy, CURLOPT_NOPROXY, options_->proxy.no_proxy);
}

Answer& Exchange::perform() {
  const NoSigpipe guard;
  return finish(curl_easy_perform(easy_.get()));
}

Answer& Exchange::finish(CURLcode code) {
  answer_.curl = code;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  const bool is_part = static_cast<std::size_t>(sent) < body_size_;
  if (code != CURLE_OK) {
    answer_.failure = reason_[0] == '\0' ? curl_easy_strerror(code) : reason_.data();
    // Without a connection nothing is sent at all, and the size of the body is not at fault.
    answer_.is_body_stuck = code == CURLE_OPERATION_TIMEDOUT && is_part && sent > 0;
    if (is_too_long_) answer_.failure = "the answer is longer than " + std::to_string(most_) + " bytes";
    return answer_;
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  answer_.status = static_cast<int>(status);
  answer_.is_body_stuck = status == 408 && is_part;
  return answer_;
}

// No exception may pass through libcurl: a count that is too small makes it give up.
std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::size_t more = size * count;
  auto& body = exchange.answer_.body;
  if (more > exchange.most_ - std::min(exchange.most_, body.size())) {
    exchange.is_too_long_ = true;
    return 0;
  }
  try {
    body.append(data, more);
  } catch (const std::exception&) {
    return 0;
  }
  return more;
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  try {
    static_cast<Exchange*>(self)->read_header({data, size * count});
  } catch (const std::exception&) {
    return 0;
  }
  return size * count;
}

void Exchange::read_header(std::string_view line) {
  if (line.substr(0, 5) == "HTTP/") {  // that of an interim answer goes before that of the final one
    answer_ = {};
    return;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (name == "content-type") answer_.type = lower(trimmed(value.substr(0, value.find(';'))));
  if (name == "mcb-registration") answer_.registration = value;
  if (name == "retry-after") answer_.retry_after = parse_retry_after(std::string(value));
  if (name == "transfer-encoding") answer_.is_delimited |= lower(value).find("chunked") != std::string::npos;
  if (name == "content-length") {
    answer_.is_delimited = true;
    std::size_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    answer_.body.reserve(std::min(length, most_));
  }
}

}  // namespace mcbackend::http
