"""What the book is made with: pictures, quoted numbers, statistics, the machine."""

from gumbel_tutorial.book.reporting import report

__all__ = ["report"]
