// The thread that sends the draws of all chains of a backend.
#pragma once

#include <memory>
#include <thread>

#include "http_writer.hpp"

namespace mcbackend::http {

/// Handles of users keep it alive; writers and the thread itself do not, so that the thread never has to wait for its
/// own end.
class Sender {
 public:
  explicit Sender(const Shared& shared);
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  /// Returns when all chains are sent or have failed, at the latest after RetryOptions::timeout.
  ~Sender();

  /// Sends for this chain from now on, until it is abandoned and settled.
  void add(std::shared_ptr<ChainWriter> writer);

 private:
  class Core;
  std::shared_ptr<Core> core_;
  std::thread thread_;
};

}  // namespace mcbackend::http
