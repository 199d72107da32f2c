"""A unified diff, as difflib has it, of texts whose changed lines are known. Pure.

difflib looks for what two texts have in common, which takes minutes for thousands of edits. Here it
is asked only for what is within one of them.
"""

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence

from kacheck.keepalived.edit import Span

LONGEST = 200
"""Lines of near changes that are compared as one."""
MOST = 1_000_000
"""Lines of a change times those that it has become: more are not compared."""
AROUND = 10
"""Lines around a change that are compared, too: so that a change ends where difflib has it end."""
Code = tuple[str, int, int, int, int]
"""An opcode of difflib's: what happens to `old[a:b]`, which becomes `new[c:d]`."""


def unified(
    old: list[str], new: list[str], before: str, after: str, spans: Sequence[Span]
) -> Iterator[str]:
    """difflib.unified_diff() of lines that are the same but for these spans."""
    matcher = Known(joined(codes(old, new, merged(spans))))
    for number, group in enumerate(matcher.get_grouped_opcodes()):
        if not number:
            yield from (f"--- {before}\n", f"+++ {after}\n")
        (_, a, _, c, _), (_, _, b, _, d) = group[0], group[-1]
        yield f"@@ -{place(a, b)} +{place(c, d)} @@\n"
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[a:b])
            else:
                yield from (f"-{line}" for line in old[a:b])
                yield from (f"+{line}" for line in new[c:d])


class Known(difflib.SequenceMatcher[str]):
    """A matcher that is given what it would look for."""

    def __init__(self, known: list[Code]) -> None:
        super().__init__()
        self.known = known

    def get_opcodes(self) -> list[Code]:  # type: ignore[override]
        """Return the opcodes that it was given."""
        return self.known


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the changes, near ones as one unless that gets too long."""
    last: Span | None = None
    for span in spans:
        near = last is not None and span.start <= last.end + 2 * AROUND
        if last is None:
            last = span
        elif span.start < last.end or (near and span.end - last.start <= LONGEST):
            last = Span(last.start, span.end, last.new_start, span.new_end)
        else:
            yield last
            last = span
    if last is not None:
        yield last


def codes(old: list[str], new: list[str], spans: Iterable[Span]) -> Iterator[Code]:
    """Yield what happens to each line; lines around a change take part in the comparison."""
    done = new_done = 0
    changes = [*spans, Span(len(old), len(old), len(new), len(new))]
    for span, behind in itertools.pairwise(changes):
        before = min(AROUND, span.start - done)
        after = max(0, min(AROUND, behind.start - span.end))
        a, b = span.start - before, min(span.end + after, len(old))
        c, d = span.new_start - before, min(span.new_end + after, len(new))
        yield "equal", done, a, new_done, c
        yield from compared(old, new, Span(a, b, c, d))
        done, new_done = b, d
    yield "equal", done, len(old), new_done, len(new)


def compared(old: list[str], new: list[str], span: Span) -> Iterator[Code]:
    """Yield what difflib finds in a change."""
    a, b, c, d = span
    if (b - a) * (d - c) > MOST:
        yield "replace", *span
        return
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old[a:b], new[c:d]).get_opcodes():
        yield tag, a + i, a + j, c + k, c + m


def joined(codes: Iterable[Code]) -> list[Code]:
    """Without what is empty, and what is equal in one piece."""
    kept: list[Code] = []
    for tag, a, b, c, d in codes:
        if a == b and c == d:
            continue
        if kept and tag == kept[-1][0] == "equal":
            _, start, _, new_start, _ = kept.pop()
            kept.append((tag, start, b, new_start, d))
        else:
            kept.append((tag, a, b, c, d))
    return kept


def place(start: int, end: int) -> str:
    """Lines of a file as a unified diff counts them."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + (start < end)},{end - start}"
