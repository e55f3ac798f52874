// Threads of C++: futures, conditions, a shared queue, and an exception that crosses between them.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <numeric>
#include <queue>
#include <stdexcept>
#include <thread>
#include <vector>

int main(int argc, char **argv) {
    std::queue<int> work;
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
    std::atomic<long> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&] {
            for (;;) {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return ended || !work.empty(); });
                if (work.empty())
                    return;
                int item = work.front();
                work.pop();
                lock.unlock();
                sum += static_cast<long>(item) * item;
            }
        });
    for (int i = 1; i <= 300; i++) {
        std::lock_guard lock(mutex);
        work.push(i);
        changed.notify_one();
    }
    {
        std::lock_guard lock(mutex);
        ended = true;
    }
    changed.notify_all();
    for (auto &thread : threads)
        thread.join();
    std::printf("%ld\n", sum.load());
    std::vector<int> numbers(5000);
    std::iota(numbers.begin(), numbers.end(), 1);
    auto half = std::async(std::launch::async, [&] { return std::accumulate(numbers.begin(), numbers.begin() + 2500, 0L); });
    long other = std::accumulate(numbers.begin() + 2500, numbers.end(), 0L);
    std::printf("%ld\n", half.get() + other);
    std::promise<int> promise;
    auto future = promise.get_future();
    std::thread failing([&] {
        try {
            throw std::runtime_error("from another thread");
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    });
    try {
        future.get();
    } catch (const std::runtime_error &error) {
        std::printf("%s\n", error.what());
    }
    failing.join();
    std::once_flag once;
    int calls = 0;
    for (int i = 0; i < 3; i++)
        std::call_once(once, [&] { calls++; });
    return calls - 1;
}
