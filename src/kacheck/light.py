"""Stand-ins for typing.NamedTuple and enum.IntEnum, which take 10 and 5 ms to import.

For modules that every one-shot imports. Type checkers are shown the real ones:

    if TYPE_CHECKING:
        from typing import NamedTuple
    else:
        from kacheck.light import NamedTuple

Such a module says `from __future__ import annotations`: the fields are read from the annotations,
which nothing evaluates.
"""

# mypy: ignore-errors


class NamedTuple(tuple):
    """A tuple whose places have names; a subclass annotates them, with or without defaults."""

    __slots__ = ()
    _fields = ()
    _field_defaults = {}  # noqa: RUF012 - replaced, never changed

    def __init_subclass__(cls):
        """Read the fields of a class."""
        cls._fields = tuple(cls.__annotations__)
        cls._field_defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
        for index, name in enumerate(cls._fields):
            setattr(cls, name, property(lambda self, index=index: self[index]))

    def __new__(cls, *values, **named):
        """Make a tuple of values by place and by name."""
        names = cls._fields[len(values) :]
        if len(values) > len(cls._fields) or not named.keys() <= set(names):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}, each once")
        given = {**cls._field_defaults, **named}
        missing = [name for name in names if name not in given]
        if missing:
            raise TypeError(f"{cls.__name__} needs {', '.join(missing)}")
        return super().__new__(cls, (*values, *(given[name] for name in names)))

    def __repr__(self):
        """Show the values with their names."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({shown})"

    def __getnewargs__(self):
        """Let copies be made of the values."""
        return tuple(self)

    def _asdict(self):
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **values):
        return type(self)(**{**self._asdict(), **values})


class EnumMeta(type):
    """Turns the numbers of an IntEnum's body into its members."""

    def __new__(cls, name, bases, namespace):
        """Make the class, then its members."""
        numbers = {key: each for key, each in namespace.items() if key.isupper()}
        rest = {key: each for key, each in namespace.items() if key not in numbers}
        made = super().__new__(cls, name, bases, rest)
        made.members = {}
        for key, number in numbers.items():
            member = int.__new__(made, number)
            member.name, member.value = key, number
            made.members[key] = member
            setattr(made, key, member)
        return made

    def __call__(cls, number):
        """Return the member of a number."""
        for member in cls.members.values():
            if member == number:
                return member
        raise ValueError(f"{number!r} is not a valid {cls.__name__}")

    def __getitem__(cls, name):
        """Return the member of a name."""
        return cls.members[name]

    def __iter__(cls):
        """Go through the members in the order of the class."""
        return iter(cls.members.values())

    def __contains__(cls, number):
        """Return whether a member has this number."""
        return number in [*cls]

    def __len__(cls):
        """Return the number of members."""
        return len(cls.members)


class IntEnum(int, metaclass=EnumMeta):
    """A number that has a name; a subclass lists them in capitals."""

    def __repr__(self):
        """Show the name, too."""
        return f"<{type(self).__name__}.{self.name}: {self.value}>"

    def __str__(self):
        """Return the number, as enum.IntEnum does."""
        return int.__repr__(self)

    def __reduce__(self):
        """Let copies be the member itself."""
        return type(self), (self.value,)
