// Classes with virtual functions, several bases, and types asked at run time.
#include <cstdio>
#include <memory>
#include <typeinfo>
#include <vector>

namespace {
struct Named {
    virtual const char *name() const = 0;
    virtual ~Named() = default;
};

struct Shape {
    static inline int alive = 0;
    Shape() { alive++; }
    virtual ~Shape() { alive--; }
    virtual double area() const = 0;
};

struct Square : Shape, Named {
    double side;
    explicit Square(double length) : side(length) {}
    double area() const override { return side * side; }
    const char *name() const override { return "square"; }
};

struct Circle : virtual Shape, Named {
    double radius;
    explicit Circle(double length) : radius(length) {}
    double area() const override { return radius * radius * 3.25; }
    const char *name() const override { return "circle"; }
};

struct Ring final : Circle {
    double hole;
    Ring(double outer, double inner) : Circle(outer), hole(inner) {}
    double area() const override { return Circle::area() - hole * hole * 3.25; }
};
} // namespace

int main(int argc, char **argv) {
    {
        std::vector<std::shared_ptr<Shape>> shapes{std::make_shared<Square>(2), std::make_shared<Circle>(2), std::make_shared<Ring>(2, 1)};
        auto copy = shapes;
        std::weak_ptr<Shape> watched = shapes[0];
        for (const auto &shape : shapes) {
            auto *named = dynamic_cast<Named *>(shape.get());
            std::printf("%s %g %d %ld\n", named->name(), shape->area(), dynamic_cast<Circle *>(shape.get()) != nullptr, shape.use_count());
        }
        const Shape &second = *shapes[1], &third = *shapes[2];
        std::printf("%d %d\n", typeid(second) == typeid(Circle), typeid(third) == typeid(Circle));
        copy.clear();
        shapes.erase(shapes.begin());
        std::printf("%d %d\n", Shape::alive, watched.expired());
    }
    return Shape::alive;
}
