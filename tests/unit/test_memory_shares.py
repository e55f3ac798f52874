"""Allocation by shares with a tax on idle memory, against closed forms and revocation by hand."""

from fractions import Fraction

import pytest

from dcsim.hypervisor.memory.shares import Claim, allocate, price
from dcsim.sim import Stream, Streams

THREE_QUARTERS = Fraction(3, 4)


def revoke(claims: list[Claim], available: int, tax: Fraction) -> list[int]:
    """Take page by page from the VM with the least shares per page, as the paper has it."""
    pages = [claim.maximum for claim in claims]
    cost_of_idle = 1 / (1 - tax)

    def rho(place: int) -> Fraction:
        active = claims[place].active
        taxed = pages[place] * (active + cost_of_idle * (1 - active))
        return Fraction(claims[place].shares) / taxed

    while sum(pages) > available:
        payers = [at for at, claim in enumerate(claims) if pages[at] > claim.minimum]
        if not payers:
            break
        pages[min(payers, key=lambda at: (rho(at), -at))] -= 1
    return pages


def test_the_published_price() -> None:
    # k = 4 at a tax of 75 %: of 100 pages a quarter active, 25 + 4 x 75 = 325 are paid for.
    assert price(1000, 100, Fraction(1, 4), THREE_QUARTERS) == Fraction(1000, 325)
    assert price(1000, 100, Fraction(1, 4), Fraction(0)) == Fraction(1000, 100)


@pytest.mark.parametrize(
    ("shares", "active", "tax", "expected"),
    [
        # Without a tax, shares alone decide.
        ((1, 1), (1, 0), Fraction(0), [500, 500]),
        ((3, 1), (0, 1), Fraction(0), [750, 250]),
        # P1 / P2 = (S1 / c1) / (S2 / c2) with c = f + k (1 - f).
        ((1, 1), (1, 0), THREE_QUARTERS, [800, 200]),
        ((1, 1), (1, Fraction(1, 2)), THREE_QUARTERS, [715, 285]),  # 2.5 : 1 is 714.28...
        ((2, 1), (Fraction(1, 2), Fraction(1, 2)), THREE_QUARTERS, [667, 333]),
        ((4, 1), (0, 1), THREE_QUARTERS, [500, 500]),
        # Near 1 an idle VM keeps next to nothing: 1 to k = 9999.
        ((1, 1), (1, 0), Fraction(9998, 9999), [1000, 0]),
        ((1, 1), (1, 0), Fraction(98, 99), [990, 10]),
    ],
)
def test_closed_forms(shares, active, tax, expected) -> None:
    claims = [
        Claim(each, 0, 1000, Fraction(part)) for each, part in zip(shares, active, strict=True)
    ]

    assert allocate(claims, 1000, tax) == expected


def test_bounds() -> None:
    # The first is held at its minimum, the second at its maximum; the others share what is left.
    claims = [Claim(1, 300, 400), Claim(100, 0, 50), Claim(10, 0, 1000), Claim(20, 0, 1000)]

    assert allocate(claims, 800, Fraction(0)) == [300, 50, 150, 300]


def test_all_fit_or_not_even_the_minima() -> None:
    claims = [Claim(1, 10, 40), Claim(9, 20, 50)]

    assert allocate(claims, 1000) == [40, 50]
    assert allocate(claims, 30) == [10, 20]
    assert allocate(claims, 5) == [10, 20]
    assert allocate([], 5) == []


def random_claims(stream: Stream) -> list[Claim]:
    claims = []
    for _ in range(1 + stream.below(6)):
        least = stream.below(20)
        most = least + stream.below(60)
        active = Fraction(stream.below(11), 10)
        claims.append(Claim(1 + stream.below(5), least, most, active))
    return claims


@pytest.mark.parametrize("tax", [Fraction(0), THREE_QUARTERS, Fraction(99, 100)], ids=str)
@pytest.mark.parametrize("seed", range(60))
def test_equals_revocation_page_by_page(seed: int, tax: Fraction) -> None:
    stream = Streams(seed).stream("claims")
    claims = random_claims(stream)
    available = stream.below(sum(claim.maximum for claim in claims) + 5)

    assert allocate(claims, available, tax) == revoke(claims, available, tax)


@pytest.mark.parametrize("seed", range(20))
def test_no_vm_would_pay_more_for_a_page_than_another_pays(seed: int) -> None:
    """The fixed point of revocation: moving a page to a VM only makes it the poorest."""
    stream = Streams(seed).stream("claims")
    claims = random_claims(stream)
    available = sum(claim.maximum for claim in claims) * 2 // 3
    pages = allocate(claims, available, THREE_QUARTERS)

    for buyer, more in zip(claims, pages, strict=True):
        for seller, some in zip(claims, pages, strict=True):
            if buyer is not seller and more < buyer.maximum and some > seller.minimum:
                bid = price(buyer.shares, more + 1, buyer.active, THREE_QUARTERS)
                assert bid <= price(seller.shares, some, seller.active, THREE_QUARTERS)
