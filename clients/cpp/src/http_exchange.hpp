// One request and its answer over libcurl.
#pragma once

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <mcbackend/http.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http_backoff.hpp"

namespace mcbackend::http {

/// Kinds of bodies.
enum class Media : std::uint8_t { none, json, protobuf };

/// "application/json" …; empty for none.
const char* type_of(Media media) noexcept;

/// Bytes of an answer that holds a run's metadata, or a list.
constexpr std::size_t most_of_documents = std::size_t{64} << 20;

/// Sets libcurl up, once and for as long as the process lives: before other threads can use it.
void set_up_curl();

/// A request that can be sent again and again: all of this protocol's can.
struct Request {
  const char* method = "GET";
  /// Path and query below the server's address, encoded.
  std::string path;
  /// Identity of the run that the request is for; empty where there is none yet.
  std::string registration;
  /// Type that the answer must have; none where it has no body.
  Media answer = Media::json;
  Media sent = Media::none;
  /// A view on memory that lives until the answer is there.
  std::string_view body;
  /// True where the number of attempts counts: libcurl tries again in silence what it sent over a connection that it
  /// had kept.
  bool is_counted = false;
  /// A further header, as "If-None-Match: *"; empty for none.
  std::string condition;
  /// Bytes that an answer may have: one with more is none of this server's. Most answers are a line, and JSON takes
  /// twenty times its length when it is read.
  std::size_t most = std::size_t{1} << 20;
};

struct Answer {
  /// Failure of the connection, or of the answer to be whole.
  CURLcode curl = CURLE_OK;
  std::string failure;
  /// True where the time was over before the request's body had left, by this side's clock or by the other's (408).
  bool is_body_stuck = false;
  int status = 0;
  /// Content-Type without parameters, in lower case.
  std::string type;
  std::string registration;
  std::optional<milliseconds> retry_after;
  std::string body;
  /// False where only the end of the connection ended the body, which then may be a part.
  bool is_delimited = false;
};

/// A handle of libcurl, which keeps its connection from one request to the next. For one thread at a time.
class Exchange {
 public:
  /// @throws std::bad_alloc
  explicit Exchange(const HttpOptions& options);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() = default;

  /// Gets ready to send: by perform(), or by a multi handle. The request's body is not copied.
  void prepare(const Request& request);
  Answer& perform();
  /// The answer, when a multi handle says that the request has ended.
  Answer& finish(CURLcode code);

  /// Gives the memory of the answer back.
  void forget() noexcept { answer_ = {}; }

  CURL* handle() const noexcept { return easy_.get(); }
  /// The exchange of a handle.
  static Exchange* of(CURL* handle) noexcept;
  /// Somebody to be told of the end.
  void* owner = nullptr;

 private:
  struct CleanUp {
    void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };

  void add_header(const std::string& line);
  void set_headers(const Request& request);
  void set_body(const Request& request);
  void set_connection();
  void read_header(std::string_view line);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);

  const HttpOptions* options_;
  std::unique_ptr<CURL, CleanUp> easy_;
  std::unique_ptr<curl_slist, CleanUp> headers_;
  std::array<char, CURL_ERROR_SIZE> reason_{};
  std::size_t most_ = 0;
  std::size_t body_size_ = 0;
  bool is_too_long_ = false;
  Answer answer_;
};

}  // namespace mcbackend::http
