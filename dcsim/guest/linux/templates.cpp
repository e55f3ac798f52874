// Computes while it is compiled, and with types that hold one of several.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace {
constexpr unsigned long fibonacci(int n) { return n < 2 ? static_cast<unsigned long>(n) : fibonacci(n - 1) + fibonacci(n - 2); }

template <typename... Numbers> auto sum(Numbers... numbers) { return (numbers + ... + 0); }

std::optional<int> parse(std::string_view text) {
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

using Value = std::variant<int, double, std::string>;

std::string shown(const Value &value) {
    return std::visit(
        [](const auto &held) -> std::string {
            if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>)
                return "text " + held;
            else
                return "number " + std::to_string(held);
        },
        value);
}
} // namespace

int main(int argc, char **argv) {
    static_assert(fibonacci(20) == 6765);
    std::printf("%lu %d %g\n", fibonacci(15), sum(1, 2, 3), sum(0.5, 2));
    for (std::string_view text : {"42", "-7", "4x", "", "99999999999"})
        std::printf("%d ", parse(text).value_or(-1));
    std::printf("\n");
    for (const Value &value : {Value(3), Value(2.5), Value(std::string("three"))})
        std::printf("%s\n", shown(value).c_str());
    std::vector<int> numbers(100);
    std::iota(numbers.begin(), numbers.end(), 0);
    numbers.erase(std::remove_if(numbers.begin(), numbers.end(), [](int n) { return n % 3 != 0; }), numbers.end());
    std::rotate(numbers.begin(), numbers.begin() + 5, numbers.end());
    std::function<int(int)> twice = [](int n) { return 2 * n; };
    std::transform(numbers.begin(), numbers.end(), numbers.begin(), twice);
    auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
    std::printf("%zu %d %d %d\n", numbers.size(), numbers[0], *low, *high);
    auto together = std::tuple_cat(std::make_tuple(1, 'x'), std::make_tuple(2.5));
    std::printf("%d %c %g\n", std::get<0>(together), std::get<1>(together), std::get<2>(together));
    std::string word = "listen";
    int orders = 0;
    std::sort(word.begin(), word.end());
    do
        orders++;
    while (std::next_permutation(word.begin(), word.end()));
    std::printf("%d %s\n", orders, word.c_str());
    return 0;
}
