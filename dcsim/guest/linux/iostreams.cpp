// Reads and writes by way of the streams of C++.
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>

int main(int argc, char **argv) {
    std::string line;
    int sum = 0, lines = 0;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        for (int number; words >> number;)
            sum += number;
        lines++;
    }
    std::cout << lines << ' ' << sum << std::endl;
    std::cout << std::hex << std::showbase << 255 << std::dec << ' ' << std::setw(8) << std::setfill('*') << 42 << '\n';
    std::cout << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::scientific << 12345.678 << ' '
              << std::defaultfloat << 0.1 << ' ' << std::boolalpha << (1 < 2) << '\n';
    std::ofstream("stream.tmp") << "first 1\nsecond 2\nthird x\n";
    std::ifstream file("stream.tmp");
    std::string word;
    int number = 0, right = 0;
    while (file >> word >> number)
        right++;
    std::cout << right << ' ' << file.fail() << ' ' << word << '\n';
    file.clear();
    file.seekg(6);
    file >> number;
    std::cout << number << ' ' << file.tellg() << '\n';
    std::ostringstream text;
    text << std::left << std::setw(6) << "ab" << '|' << std::right << std::setw(6) << -1.5;
    std::cout << text.str() << '\n';
    std::cerr << "a complaint\n";
    return std::remove("stream.tmp");
}
