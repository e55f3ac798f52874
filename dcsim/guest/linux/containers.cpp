// Fills the containers of the C++ library, and looks things up.
#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <list>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

int main(int argc, char **argv) {
    std::map<std::string, std::vector<int>> by_name;
    std::unordered_map<int, int> counts;
    std::set<int> distinct;
    std::deque<int> ends;
    std::list<int> chain;
    std::priority_queue<int> largest;
    unsigned value = 1;
    for (int i = 0; i < 2000; i++) {
        value = value * 1664525 + 1013904223;
        int number = static_cast<int>(value >> 20);
        by_name["name" + std::to_string(number % 10)].push_back(number);
        counts[number % 97]++;
        distinct.insert(number);
        if (i % 2)
            ends.push_front(number);
        else
            ends.push_back(number);
        chain.push_back(number);
        largest.push(number);
    }
    for (const auto &[name, numbers] : by_name)
        std::printf("%s %zu %d\n", name.c_str(), numbers.size(), *std::max_element(numbers.begin(), numbers.end()));
    chain.sort();
    chain.unique();
    std::printf("%zu %zu %zu %d %d\n", counts.size(), distinct.size(), chain.size(), ends.front(), ends.back());
    std::printf("%d %d %d\n", *distinct.begin(), *distinct.rbegin(), largest.top());
    std::printf("%d\n", counts.at(5));
    by_name.erase("name3");
    std::array<int, 5> few{5, 3, 1, 4, 2};
    std::sort(few.begin(), few.end(), [](int a, int b) { return a > b; });
    std::printf("%zu %d%d%d%d%d\n", by_name.count("name3"), few[0], few[1], few[2], few[3], few[4]);
    return 0;
}
