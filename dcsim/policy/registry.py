"""Names for functions, in the order in which they were registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from dcsim.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Registry"]

_Policy = TypeVar("_Policy")


class Registry(Generic[_Policy]):
    """The policies of one kind.

    Parameters
    ----------
    kind
        What they are, for messages: ``placement policy``.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._policies: dict[str, _Policy] = {}

    def register(self, name: str) -> Callable[[_Policy], _Policy]:
        """Return a decorator that gives a function a name."""

        def decorate(policy: _Policy) -> _Policy:
            self._policies[name] = policy
            return policy

        return decorate

    def names(self) -> tuple[str, ...]:
        """Return all names."""
        return tuple(self._policies)

    def __getitem__(self, name: str) -> _Policy:
        """Return the policy of a name.

        Raises
        ------
        UnknownNameError
            When there is none.
        """
        if name not in self._policies:
            raise UnknownNameError(self._kind, name, self._policies)
        return self._policies[name]
