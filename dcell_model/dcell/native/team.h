// Threads that go through the terms of a hierarchy, each as soon as those that it needs are done.

#pragma once

#include "hierarchy.h"
#include "products.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dcell {

DCELL_INLINE void pause_a_moment() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
}

// Threads that wait without using a core, and are kept for the next pass. One pass at a time has
// them; another that comes meanwhile runs alone.
class Team {
public:
    // The team of this process: threads do not survive a fork.
    static Team &mine() {
        static std::mutex mutex;
        static Team *team = nullptr;
        static pid_t process = 0;
        const std::lock_guard<std::mutex> lock(mutex);
        if (process != getpid()) {
            process = getpid();
            team = new Team; // threads of another process cannot be joined: never deleted
        }
        return *team;
    }

    // Calls work(0) here and work(1) ... work(threads - 1) elsewhere; returns when all have.
    void run(int threads, const std::function<void(int)> &work) {
        std::unique_lock<std::mutex> busy(passes_, std::try_to_lock);
        if (threads <= 1 || !busy.owns_lock()) {
            work(0);
            return;
        }
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            while (static_cast<int>(threads_.size()) < threads - 1) {
                const int number = static_cast<int>(threads_.size()) + 1;
                try {
                    threads_.emplace_back([this, number, seen = pass_] { serve(number, seen); });
                } catch (const std::system_error &) {
                    threads = number; // as many as the system allows
                }
            }
            work_ = &work;
            members_ = threads;
            working_ = threads - 1;
            ++pass_;
        }
        begin_.notify_all();
        work(0);
        std::unique_lock<std::mutex> lock(mutex_);
        end_.wait(lock, [this] { return working_ == 0; });
    }

private:
    void serve(int number, uint64_t seen) {
        for (;;) {
            const std::function<void(int)> *work = nullptr;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                begin_.wait(lock, [&] { return pass_ != seen; });
                seen = pass_;
                if (number < members_) work = work_;
            }
            if (work == nullptr) continue;
            (*work)(number);
            const std::lock_guard<std::mutex> lock(mutex_);
            if (--working_ == 0) end_.notify_one();
        }
    }

    std::mutex passes_, mutex_;
    std::condition_variable begin_, end_;
    std::vector<std::thread> threads_;
    const std::function<void(int)> *work_ = nullptr;
    int members_ = 0, working_ = 0;
    uint64_t pass_ = 0;
};

// All terms in an order in which each comes after those that it needs; many threads may take.
class Order {
public:
    // upward: children before parents; else parents before children.
    Order(const Hierarchy &h, bool upward)
        : h_(h), upward_(upward), missing_(new std::atomic<int32_t>[h.terms]),
          ready_(new std::atomic<int32_t>[h.terms]) {
        for (int32_t r = 0; r < h.terms; ++r) {
            const int32_t *edges = upward ? h.edges_down : h.edges_up;
            missing_[r].store(edges[r + 1] - edges[r], std::memory_order_relaxed);
            ready_[r].store(-1, std::memory_order_relaxed);
        }
        for (int32_t r = 0; r < h.terms; ++r)
            if (missing_[r].load(std::memory_order_relaxed) == 0) put(r);
    }

    // The next term, or -1 where all are taken.
    int32_t take() {
        const int32_t place = taken_.fetch_add(1, std::memory_order_relaxed);
        if (place >= h_.terms) return -1;
        for (int turn = 0;; ++turn) {
            const int32_t r = ready_[place].load(std::memory_order_acquire);
            if (r >= 0) return r;
            if (turn < 2000) pause_a_moment();
            else ready_[place].wait(-1, std::memory_order_acquire);
        }
    }

    // To be called once a term that was taken is done.
    void done(int32_t r) {
        if (upward_) {
            for (int32_t e = h_.edges_up[r]; e < h_.edges_up[r + 1]; ++e) finish(h_.edge_parent[e]);
        } else {
            for (int32_t i = h_.edges_down[r]; i < h_.edges_down[r + 1]; ++i)
                finish(h_.edge_child[h_.down[i]]);
        }
    }

private:
    void finish(int32_t r) {
        if (missing_[r].fetch_sub(1, std::memory_order_acq_rel) == 1) put(r);
    }
    void put(int32_t r) {
        const int32_t place = put_.fetch_add(1, std::memory_order_relaxed);
        ready_[place].store(r, std::memory_order_release);
        ready_[place].notify_one();
    }

    const Hierarchy &h_;
    const bool upward_;
    std::unique_ptr<std::atomic<int32_t>[]> missing_, ready_;
    std::atomic<int32_t> taken_{0}, put_{0};
};

} // namespace dcell
