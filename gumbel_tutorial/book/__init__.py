"""What the book is made with: pictures, quoted numbers, tables, records, statistics, the machine."""

from gumbel_tutorial.book.reporting import report, table

__all__ = ["report", "table"]
