#include "http_sender.hpp"

#include <algorithm>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "http_signals.hpp"

namespace mcbackend::http {

/// All that the thread needs; it lives as long as the thread does.
class Sender::Core {
 public:
  explicit Core(Shared shared) : shared_(std::move(shared)) {}

  void add(std::shared_ptr<ChainWriter> writer) {
    std::list<Member> one;
    one.push_back({std::move(writer)});
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      added_.splice(added_.end(), one);
    }
    shared_.multi->wake();
  }

  void end_by(Clock::time_point time) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      end_at_ = time;
    }
    shared_.multi->wake();
  }

  milliseconds patience() const noexcept { return shared_.options->retry.timeout; }
  void work() noexcept;

 private:
  struct Member {
    std::shared_ptr<ChainWriter> writer;
    bool is_sending = false;
  };

  /// The time by which all must have ended, if that was asked for.
  std::optional<Clock::time_point> take_orders() noexcept;
  void begin_requests(Clock::time_point now, Clock::time_point& again);
  /// True when one has ended.
  bool finish_requests();
  void drop_settled();
  void give_up_all();
  void tell_last_words(ChainWriter& writer) noexcept;

  const Shared shared_;
  const Error dropped_{"transport", "the backend was dropped while its server did not answer"};
  std::mutex mutex_;
  std::list<Member> added_;
  std::optional<Clock::time_point> end_at_;
  // The thread's alone. Members are made by those who add them, so that the thread needs no memory for them.
  std::list<Member> members_;
};

void Sender::Core::work() noexcept {
  for (;;) {
    const auto end_at = take_orders();
    const auto now = Clock::now();
    auto again = now + std::chrono::minutes(10);
    begin_requests(now, again);
    int running = 0;
    curl_multi_perform(shared_.multi->handle(), &running);
    const bool has_ended_some = finish_requests();
    drop_settled();
    if (end_at && (members_.empty() || *end_at <= now)) break;
    if (has_ended_some) continue;
    if (end_at) again = std::min(again, *end_at);
    const auto pause = std::chrono::ceil<milliseconds>(again - Clock::now());
    const auto most = std::max<milliseconds::rep>(0, pause.count());
    curl_multi_poll(shared_.multi->handle(), nullptr, 0, static_cast<int>(most), nullptr);
  }
  give_up_all();
}

std::optional<Clock::time_point> Sender::Core::take_orders() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  members_.splice(members_.end(), added_);
  return end_at_;
}

void Sender::Core::begin_requests(Clock::time_point now, Clock::time_point& again) {
  for (auto& member : members_) {
    if (member.is_sending || !member.writer->begin(now, again)) continue;
    auto& exchange = member.writer->exchange();
    exchange.owner = &member;
    member.is_sending = true;
    if (curl_multi_add_handle(shared_.multi->handle(), exchange.handle()) == CURLM_OK) continue;
    member.is_sending = false;
    member.writer->finish(CURLE_OUT_OF_MEMORY);
    again = now;
  }
}

bool Sender::Core::finish_requests() {
  bool has_ended_some = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(shared_.multi->handle(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const CURLcode code = message->data.result;
    auto& member = *static_cast<Member*>(Exchange::of(handle)->owner);
    curl_multi_remove_handle(shared_.multi->handle(), handle);
    member.is_sending = false;
    member.writer->finish(code);
    has_ended_some = true;
  }
  return has_ended_some;
}

void Sender::Core::drop_settled() {
  members_.remove_if([this](const Member& member) {
    if (member.is_sending || !member.writer->is_over()) return false;
    tell_last_words(*member.writer);
    return true;
  });
}

void Sender::Core::give_up_all() {
  for (auto& member : members_) {
    if (member.is_sending) curl_multi_remove_handle(shared_.multi->handle(), member.writer->exchange().handle());
    member.writer->give_up(dropped_);
    tell_last_words(*member.writer);
  }
  members_.clear();
}

void Sender::Core::tell_last_words(ChainWriter& writer) noexcept {
  try {
    if (const auto words = writer.last_words()) shared_.outages->say(words->c_str());
  } catch (const std::bad_alloc&) {
    shared_.outages->say("memory is out, and draws or facts may be lost");
  }
}

Sender::Sender(const Shared& shared) : core_(std::make_shared<Core>(shared)) {
  const NoSignals guard;
  thread_ = std::thread([core = core_] { core->work(); });
}

Sender::~Sender() {
  core_->end_by(Clock::now() + core_->patience());
  // The user's log may have held the last handle: the thread then ends by itself, behind that call.
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Sender::add(std::shared_ptr<ChainWriter> writer) { core_->add(std::move(writer)); }

}  // namespace mcbackend::http
